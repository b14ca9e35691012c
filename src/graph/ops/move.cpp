// SPDX-License-Identifier: Apache-2.0
// Transpose, Concat, Split, Tile: elements of any type change their place.
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Transpose(InferContext&);
void infer_Concat(InferContext&);
void infer_Split(InferContext&);
void infer_Tile(InferContext&);

namespace {

std::vector<i64> read_perm(const Attributes& attributes, i64 rank) {
  std::vector<i64> perm = attributes.integers("perm");
  if (perm.empty())
    for (i64 a = rank - 1; a >= 0; --a) perm.push_back(a);
  return perm;
}

/// The content of a rank-1 integer input; unknown entries when only its length is known.
std::optional<std::vector<Dim>> content_or_unknown(const InferContext& ctx, i64 i) {
  if (auto content = ctx.int_values(i)) return content;
  const Shape* s = ctx.shape(i);
  if (!s || s->size() != 1 || !s->at(0).value() || *s->at(0).value() > kMaxContent)
    return std::nullopt;
  return std::vector<Dim>(size_t(*s->at(0).value()));
}

/// Output sizes along the axis that Split cuts, or nothing when they are unknown.
std::optional<std::vector<Dim>> split_sizes(const InferContext& ctx, const Dim& whole) {
  const i64 parts = ctx.output_count();
  const i64 wanted = ctx.attributes().integer("num_outputs", parts);
  ctx.check(wanted == parts, "num_outputs: expected ", parts, ", found ", wanted);
  if (ctx.has(1)) {
    ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected element type i64, found ",
              name(ctx.input(1).dtype));
    const auto sizes = ctx.int_values(1);
    if (!sizes) return std::nullopt;
    ctx.check(std::ssize(*sizes) == parts, "expected ", parts, " sizes, one per output, found ",
              to_text(*sizes));
    Dim sum(0);
    for (const Dim& d : *sizes) {
      ctx.check(!d.value() || *d.value() >= 0, "expected sizes, found ", to_text(*sizes));
      sum = sum + d;
    }
    ctx.check(!static_dims(*sizes) || !whole.value() || same(sum, whole), "sizes ", to_text(*sizes),
              " do not add up to ", whole.text());
    return sizes;
  }
  const Dim part = ceil_div(whole, Dim(parts)), last = whole - part * Dim(parts - 1);
  ctx.check(!last.value() || *last.value() >= 0, "an axis of ", whole.text(),
            " does not split into ", parts, " parts");
  std::vector<Dim> sizes(size_t(parts), part);
  sizes.back() = last;
  return sizes;
}

Tensor tile(const EvalContext& ctx, const Dims& dims) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), dims);
  if (out.size() == 0) return out;
  const std::vector<i64> steps = dense_steps(x.dims());
  const Mover mover(x, out);
  const i64 run = x.rank() > 0 ? x.dim(x.rank() - 1) : 1;
  Dims rows = dims;
  if (x.rank() > 0) rows.back() /= run;
  for_each_position(rows, [&](i64 i, const Dims& at) {
    i64 from = 0;
    for (i64 a = 0; a + 1 < x.rank(); ++a) from += at[size_t(a)] % x.dim(a) * steps[size_t(a)];
    mover.row(i * run, from, 1, run);
  });
  return out;
}

}  // namespace

void infer_Transpose(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const std::vector<i64> perm = read_perm(ctx.attributes(), std::ssize(*x));
  std::vector<i64> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool ok = perm.size() == x->size();
  for (i64 a = 0; ok && a < std::ssize(sorted); ++a) ok = sorted[size_t(a)] == a;
  ctx.check(ok, "perm: expected a permutation of ", x->size(), " axes, found ", to_text(perm));
  Shape out;
  for (i64 a : perm) out.push_back(x->at(size_t(a)));
  auto content = x->size() <= 1 ? ctx.int_values(0) : std::nullopt;
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out), std::move(content));
}

void infer_Concat(InferContext& ctx) {
  const i64 inputs = ctx.input_count();
  for (i64 i = 0; i < inputs; ++i) ctx.check(ctx.has(i), "input ", i, " is absent");
  expect_same_type(ctx, 0, inputs - 1);
  ctx.check(ctx.attributes().has("axis"), "axis is required");
  std::optional<Shape> out;
  for (i64 i = 0; i < inputs; ++i)
    if (ctx.shape(i) && !out) out = *ctx.shape(i);
  if (!out) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const i64 rank = std::ssize(*out);
  const size_t axis = size_t(normalize_axis(ctx, ctx.attributes().integer("axis", 0), rank));
  Dim total(0);
  std::optional<std::vector<Dim>> content;
  if (rank == 1 && is_integer(ctx.input(0).dtype)) content.emplace();
  for (i64 i = 0; i < inputs; ++i) {
    const Shape* s = ctx.shape(i);
    total = total + (s && axis < s->size() ? s->at(axis) : Dim::unknown());
    const auto part = content ? content_or_unknown(ctx, i) : std::nullopt;
    if (content && part)
      content->insert(content->end(), part->begin(), part->end());
    else
      content.reset();
    if (!s) continue;
    ctx.check(std::ssize(*s) == rank, "input ", i, ": expected rank ", rank, ", found ",
              to_text(*s));
    for (size_t a = 0; a < s->size(); ++a) {
      if (a == axis) continue;
      ctx.check(!s->at(a).value() || !out->at(a).value() || same(s->at(a), out->at(a)), "input ", i,
                ": expected ", to_text(*out), " but for axis ", axis, ", found ", to_text(*s));
      if (s->at(a).value()) out->at(a) = s->at(a);
    }
  }
  out->at(axis) = total;
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out), std::move(content));
}

void infer_Split(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  const DType type = ctx.input(0).dtype;
  std::optional<std::vector<Dim>> sizes;
  size_t axis = 0;
  if (x) {
    axis = size_t(normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*x)));
    sizes = split_sizes(ctx, x->at(axis));
  }
  const auto content = x && x->size() == 1 ? ctx.int_values(0) : std::nullopt;
  i64 first = 0;
  for (i64 i = 0; i < ctx.output_count(); ++i) {
    if (!x) {
      set_output(ctx, i, type, std::nullopt);
      continue;
    }
    Shape out = *x;
    out[axis] = sizes ? sizes->at(size_t(i)) : Dim::unknown();
    std::optional<std::vector<Dim>> part;
    const auto count = out[axis].value();
    if (content && count && first >= 0 && first + *count <= std::ssize(*content))
      part.emplace(content->begin() + first, content->begin() + first + *count);
    first = count && first >= 0 ? first + *count : -1;
    set_output(ctx, i, type, std::move(out), std::move(part));
  }
}

void infer_Tile(InferContext& ctx) {
  ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected element type i64, found ",
            name(ctx.input(1).dtype));
  const Shape *x = ctx.shape(0), *r = ctx.shape(1);
  ctx.check(!r || r->size() == 1, "input 1: expected rank 1, found ", r ? to_text(*r) : "");
  ctx.check(!x || !r || may_equal(r->at(0), Dim(std::ssize(*x))), "expected one repeat an axis of ",
            x ? to_text(*x) : "", ", found ", r ? to_text(*r) : "");
  const auto repeats = ctx.int_values(1);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  Shape out(x->size());
  for (size_t a = 0; repeats && a < x->size(); ++a) {
    ctx.check(!repeats->at(a).value() || *repeats->at(a).value() >= 0,
              "expected repeats of 0 or more, found ", to_text(*repeats));
    out[a] = x->at(a) * repeats->at(a);
  }
  set_moved(ctx, {0}, tile, std::move(out));
}

std::vector<Tensor> evaluate_Transpose(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_Transpose)[0]);
  const std::vector<i64> dense = dense_steps(x.dims());
  std::vector<i64> steps;
  for (i64 a : read_perm(ctx.attributes, x.rank())) steps.push_back(dense[size_t(a)]);
  copy_strided(x, 0, steps, out);
  return one(std::move(out));
}

std::vector<Tensor> evaluate_Concat(const EvalContext& ctx) {
  Tensor out(ctx.in(0).dtype(), output_dims(ctx, infer_Concat)[0]);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), out.rank());
  const i64 outer = outer_size(out.dims(), axis), inner = inner_size(out.dims(), axis);
  i64 at = 0;
  for (const Tensor* part : ctx.inputs) {
    const Mover mover(*part, out);
    const i64 run = part->dim(axis) * inner;
    for (i64 o = 0; o < outer; ++o) mover.row(o * out.dim(axis) * inner + at, o * run, 1, run);
    at += run;
  }
  return one(std::move(out));
}

std::vector<Tensor> evaluate_Tile(const EvalContext& ctx) { return moved(ctx, infer_Tile, tile); }

std::vector<Tensor> evaluate_Split(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<Dims> dims = output_dims(ctx, infer_Split);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), x.rank());
  const std::vector<i64> steps = dense_steps(x.dims());
  std::vector<Tensor> parts;
  i64 first = 0;
  for (const Dims& d : dims) {
    parts.emplace_back(x.dtype(), d);
    copy_strided(x, first * steps[size_t(axis)], steps, parts.back());
    first += d[size_t(axis)];
  }
  return parts;
}

}  // namespace sinter
