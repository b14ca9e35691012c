// SPDX-License-Identifier: Apache-2.0
// Transpose, Concat, Split, Gather, Pad: elements of any type change their place. (Slice has a file
// of its own.)
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Transpose(InferContext&);
void infer_Concat(InferContext&);
void infer_Split(InferContext&);
void infer_Gather(InferContext&);
void infer_Pad(InferContext&);

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

/// Product of the sizes before and after an axis.
i64 outer_size(const Dims& dims, i64 axis) {
  return element_count(std::span(dims).first(size_t(axis)));
}
i64 inner_size(const Dims& dims, i64 axis) {
  return element_count(std::span(dims).subspan(size_t(axis) + 1));
}

/// Output sizes along the axis that Split cuts, or nothing when they are unknown.
std::optional<std::vector<Dim>> split_sizes(const InferContext& ctx, const Dim& whole) {
  const i64 parts = ctx.output_count();
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

constexpr i64 kMaxPad = i64(1) << 40;

enum class PadMode { constant, reflect, edge };

PadMode read_pad_mode(std::string_view node, const Attributes& attributes) {
  const std::string mode = attributes.text("mode", "constant");
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "edge") return PadMode::edge;
  require(mode == "constant", ErrorKind::bad_input, node,
          ": mode: expected constant, reflect or edge, found ", mode);
  return PadMode::constant;
}

/// For each output index of one axis the input index it reads, -1 for the constant. What negative
/// pads cut off is not reflected or repeated.
std::vector<i64> pad_sources(const EvalContext& ctx, PadMode mode, i64 size, i64 begin, i64 end) {
  const i64 first = std::max<i64>(-begin, 0), length = size - first - std::max<i64>(-end, 0);
  std::vector<i64> sources;
  const i64 count = size + begin + end;
  ctx.check(mode == PadMode::constant || length > 0 || count == 0,
            "cannot reflect or repeat an empty axis");
  for (i64 o = 0; o < count; ++o) {
    i64 i = o - begin - first;  // position in the kept part
    if (i < 0 || i >= length) {
      if (mode == PadMode::constant) i = -1 - first;
      if (mode == PadMode::edge) i = i < 0 ? 0 : length - 1;
      if (mode == PadMode::reflect) {
        const i64 period = std::max<i64>(2 * (length - 1), 1);
        i = ((i % period) + period) % period;
        if (i >= length) i = period - i;
      }
    }
    sources.push_back(i + first);
  }
  return sources;
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

void infer_Gather(InferContext& ctx) {
  expect_index(ctx, 1);
  const Shape *x = ctx.shape(0), *indices = ctx.shape(1);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  ctx.check(!x->empty(), "input 0: expected rank 1 or more, found a scalar");
  const i64 axis = normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*x));
  if (const auto values = static_values(ctx, 1); values && x->at(size_t(axis)).value()) {
    const i64 size = *x->at(size_t(axis)).value();
    for (i64 v : *values)
      ctx.check(v >= -size && v < size, "expected indices from ", -size, " to ", size - 1,
                ", found ", v);
  }
  if (!indices) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  Shape out(x->begin(), x->begin() + axis);
  out.insert(out.end(), indices->begin(), indices->end());
  out.insert(out.end(), x->begin() + axis + 1, x->end());
  std::optional<std::vector<Dim>> content;
  const auto from = ctx.int_values(0), at = ctx.int_values(1);
  if (from && at && x->size() == 1) {
    content.emplace();
    for (const Dim& d : *at) {
      const auto v = d.value();
      const i64 i = v ? (*v < 0 ? *v + std::ssize(*from) : *v) : -1;
      content->push_back(i >= 0 && i < std::ssize(*from) ? from->at(size_t(i)) : Dim::unknown());
    }
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out), std::move(content));
}

void infer_Pad(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  read_pad_mode(ctx.node(), ctx.attributes());
  ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected pads of element type i64, found ",
            name(ctx.input(1).dtype));
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == type, "input 2: expected element type ",
            name(type), " of input 0, found ", name(ctx.has(2) ? ctx.input(2).dtype : type));
  if (const Shape* constant = ctx.shape(2))
    ctx.check(!element_count(*constant).value() || element_count(*constant).is(1),
              "input 2: expected one element, found ", to_text(*constant));
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, type, std::nullopt);
  Shape out(x->size());
  if (const auto pads = ctx.int_values(1)) {
    ctx.check(pads->size() == 2 * x->size(), "expected ", 2 * x->size(), " pads, found ",
              to_text(*pads));
    for (const Dim& d : *pads)
      ctx.check(!d.value() || (*d.value() >= -kMaxPad && *d.value() <= kMaxPad),
                "expected pads of at most 2^40, found ", d.text());
    for (size_t a = 0; a < x->size(); ++a) {
      out[a] = x->at(a) + pads->at(a) + pads->at(a + x->size());
      ctx.check(!out[a].value() || *out[a].value() >= 0, "pads ", to_text(*pads), " cut ",
                to_text(*x), " below zero at axis ", a);
    }
  }
  set_output(ctx, 0, type, std::move(out));
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

std::vector<Tensor> evaluate_Gather(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_Gather)[0]);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), x.rank());
  const i64 outer = outer_size(x.dims(), axis), inner = inner_size(x.dims(), axis);
  const i64 size = x.dim(axis);
  std::vector<i64> indices = ctx.in(1).as_ints();
  for (i64& i : indices) {
    ctx.check(i >= -size && i < size, "expected indices from ", -size, " to ", size - 1, ", found ",
              i);
    if (i < 0) i += size;
  }
  const Mover mover(x, out);
  i64 at = 0;
  for (i64 o = 0; o < outer; ++o)
    for (i64 i : indices) {
      mover.row(at, (o * size + i) * inner, 1, inner);
      at += inner;
    }
  return one(std::move(out));
}

std::vector<Tensor> evaluate_Pad(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_Pad)[0]);
  const PadMode mode = read_pad_mode(ctx.node, ctx.attributes);
  if (mode == PadMode::constant && ctx.has(2)) Mover(ctx.in(2), out).row(0, 0, 0, out.size());
  if (out.size() == 0) return one(std::move(out));
  const std::vector<i64> pads = ctx.in(1).as_ints(), steps = dense_steps(x.dims());
  std::vector<std::vector<i64>> sources;
  for (i64 a = 0; a < x.rank(); ++a)
    sources.push_back(
        pad_sources(ctx, mode, x.dim(a), pads[size_t(a)], pads[size_t(a + x.rank())]));
  const Mover mover(x, out);
  std::vector<i64> at(sources.size(), 0);
  for (i64 o = 0; o < out.size(); ++o) {
    i64 from = 0;
    bool inside = true;
    for (size_t a = 0; a < at.size(); ++a) {
      const i64 source = sources[a][size_t(at[a])];
      inside = inside && source >= 0;
      from += source * steps[a];
    }
    if (inside) mover.row(o, from, 1, 1);
    for (i64 a = std::ssize(at) - 1; a >= 0 && ++at[size_t(a)] == out.dim(a); --a)
      at[size_t(a)] = 0;
  }
  return one(std::move(out));
}

}  // namespace sinter
