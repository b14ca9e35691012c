// SPDX-License-Identifier: Apache-2.0
// StringNormalizer drops stop words and changes case; TfIdfVectorizer counts n-grams of a pool.
#include <map>

#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_StringNormalizer(InferContext&);
void infer_TfIdfVectorizer(InferContext&);

namespace {

enum class Case { keep, lower, upper };

/// Letters beyond ASCII have cases too, but which depends on the locale.
std::string in_case(std::string_view node, std::string text, Case wanted) {
  if (wanted == Case::keep) return text;
  for (char& c : text) {
    require(static_cast<unsigned char>(c) < 128, ErrorKind::unsupported, node,
            ": a change of case beyond ASCII is not supported");
    if (wanted == Case::lower && c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    if (wanted == Case::upper && c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
  }
  return text;
}

Case read_case(std::string_view node, const Attributes& attributes) {
  const std::string action = attributes.text("case_change_action", "NONE");
  if (action == "LOWER") return Case::lower;
  if (action == "UPPER") return Case::upper;
  require(action == "NONE", ErrorKind::bad_input, node,
          ": case_change_action: expected NONE, LOWER or UPPER, found ", action);
  return Case::keep;
}

/// The attributes of TfIdfVectorizer, read and checked.
struct Pool {
  bool counts_once, is_weighted;  ///< by mode: IDF; IDF or TFIDF
  i64 shortest, longest, most_skipped, width;
  std::vector<float> weights;
  std::map<std::vector<std::string>, i64> columns;  ///< of each n-gram; numbers as text
};

std::vector<std::string> pool_tokens(const Attributes& attributes) {
  if (attributes.has("pool_strings")) return attributes.texts("pool_strings");
  std::vector<std::string> tokens;
  for (i64 v : attributes.integers("pool_int64s")) tokens.push_back(std::to_string(v));
  return tokens;
}

Pool read_pool(std::string_view node, const Attributes& a) {
  const auto check = [&](bool ok, std::string_view what) {
    require(ok, ErrorKind::bad_input, node, ": ", what);
  };
  const std::string mode = a.text("mode", "");
  check(mode == "TF" || mode == "IDF" || mode == "TFIDF", "mode: expected TF, IDF or TFIDF");
  check(a.has("pool_strings") != a.has("pool_int64s"), "expected one pool, strings or numbers");
  Pool pool{mode == "IDF",
            mode != "TF",
            a.integer("min_gram_length", 0),
            a.integer("max_gram_length", 0),
            a.integer("max_skip_count", 0),
            0,
            a.has("weights") ? a.reals("weights") : std::vector<float>(),
            {}};
  const std::vector<i64> counts = a.integers("ngram_counts"), indices = a.integers("ngram_indexes");
  const std::vector<std::string> tokens = pool_tokens(a);
  check(pool.shortest >= 1 && pool.longest >= pool.shortest && pool.most_skipped >= 0 &&
            pool.longest <= std::ssize(counts),
        "expected 1 <= min_gram_length <= max_gram_length <= number of ngram_counts");
  size_t id = 0;
  for (i64 n = 1; n <= std::ssize(counts); ++n) {
    const i64 first = counts[size_t(n - 1)];
    const i64 last = n < std::ssize(counts) ? counts[size_t(n)] : std::ssize(tokens);
    check(first >= 0 && first <= last && last <= std::ssize(tokens) && (last - first) % n == 0,
          "ngram_counts do not divide the pool");
    for (i64 at = first; at < last; at += n, ++id) {
      check(id < indices.size() && indices[id] >= 0 && indices[id] < kMaxElements,
            "expected one of ngram_indexes for each n-gram of the pool");
      pool.width = std::max(pool.width, indices[id] + 1);
      if (n >= pool.shortest && n <= pool.longest)
        pool.columns[{tokens.begin() + at, tokens.begin() + at + n}] = indices[id];
    }
  }
  check(id == indices.size(), "expected one of ngram_indexes for each n-gram of the pool");
  check(pool.weights.empty() || std::ssize(pool.weights) >= pool.width,
        "expected one of weights for each column");
  return pool;
}

/// Adds the n-grams of one row to its counts: items `step` apart, a single one only once.
void count_grams(const Pool& pool, std::span<const std::string> row, std::span<float> counts) {
  const i64 size = std::ssize(row);
  for (i64 step = 1; step <= pool.most_skipped + 1 && step <= std::max<i64>(size, 1); ++step)
    for (i64 start = 0; start < size; ++start) {
      std::vector<std::string> gram;
      for (i64 at = start; at < size && std::ssize(gram) < pool.longest; at += step) {
        gram.push_back(row[size_t(at)]);
        if (gram.size() == 1 && step > 1) continue;
        const auto found = pool.columns.find(gram);
        if (found != pool.columns.end()) ++counts[size_t(found->second)];
      }
    }
}

}  // namespace

void infer_StringNormalizer(InferContext& ctx) {
  ctx.check(ctx.input(0).dtype == DType::string, "expected strings, found ",
            name(ctx.input(0).dtype));
  read_case(ctx.node(), ctx.attributes());
  const Shape* x = ctx.shape(0);
  ctx.check(!x || x->size() == 1 || (x->size() == 2 && may_equal(x->at(0), Dim(1))),
            "expected [C] or [1,C], found ", x ? to_text(*x) : "");
  if (!x) return set_output(ctx, 0, DType::string, std::nullopt);
  set_output(ctx, 0, DType::string, x->size() == 1 ? Shape(1) : Shape{Dim(1), Dim::unknown()});
}

void infer_TfIdfVectorizer(InferContext& ctx) {
  const Pool pool = read_pool(ctx.node(), ctx.attributes());
  const bool is_text = ctx.attributes().has("pool_strings");
  const DType type = ctx.input(0).dtype;
  ctx.check(is_text ? type == DType::string : type == DType::i32 || type == DType::i64,
            "expected elements of the pool's type, found ", name(type));
  const Shape* x = ctx.shape(0);
  ctx.check(!x || x->size() == 1 || x->size() == 2, "expected rank 1 or 2, found ",
            x ? to_text(*x) : "");
  if (!x) return set_output(ctx, 0, DType::f32, std::nullopt);
  set_output(ctx, 0, DType::f32,
             x->size() == 1 ? Shape{Dim(pool.width)} : Shape{x->at(0), Dim(pool.width)});
}

std::vector<Tensor> evaluate_StringNormalizer(const EvalContext& ctx) {
  output_types(ctx, infer_StringNormalizer);
  const Case wanted = read_case(ctx.node, ctx.attributes);
  const bool is_exact = ctx.attributes.integer("is_case_sensitive", 0) != 0;
  std::vector<std::string> stop = ctx.attributes.texts("stopwords"), kept;
  const auto key = [&](const std::string& word) {
    return in_case(ctx.node, word, is_exact || stop.empty() ? Case::keep : Case::lower);
  };
  for (std::string& word : stop) word = key(word);
  for (const std::string& word : ctx.in(0).strings())
    if (std::find(stop.begin(), stop.end(), key(word)) == stop.end())
      kept.push_back(in_case(ctx.node, word, wanted));
  if (kept.empty()) kept.emplace_back();  // the result is never empty
  Dims dims = ctx.in(0).dims();
  dims.back() = std::ssize(kept);
  dims.front() = dims.size() == 2 ? 1 : dims.front();
  Tensor out(DType::string, dims);
  out.mutable_strings() = std::move(kept);
  return one(std::move(out));
}

std::vector<Tensor> evaluate_TfIdfVectorizer(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(DType::f32, output_dims(ctx, infer_TfIdfVectorizer)[0]);
  const Pool pool = read_pool(ctx.node, ctx.attributes);
  std::vector<std::string> words = x.strings();
  if (x.dtype() != DType::string)
    for (i64 v : x.as_ints()) words.push_back(std::to_string(v));
  const size_t width = size_t(pool.width), columns = size_t(x.dim(x.rank() - 1));
  const size_t rows = x.rank() == 2 ? size_t(x.dim(0)) : 1;
  for (size_t row = 0; row < rows && width > 0; ++row) {
    const std::span<float> y = out.mutable_data<float>().subspan(row * width, width);
    count_grams(pool, std::span(words).subspan(row * columns, columns), y);
    for (size_t i = 0; i < width; ++i) {
      if (pool.counts_once) y[i] = std::min(y[i], 1.f);
      if (pool.is_weighted && !pool.weights.empty()) y[i] *= pool.weights[i];
    }
  }
  return one(std::move(out));
}

}  // namespace sinter
