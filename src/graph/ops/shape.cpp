// SPDX-License-Identifier: Apache-2.0
// Flatten, Reshape, Squeeze, Unsqueeze, Shape, Expand: operators whose subject is the shape.
// Reshape's -1 is solved symbolically: sizes found on both sides cancel first, so that
// [batch,16,h,w] under [0,-1] is [batch, 16*h*w] even when a size has no name.
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Flatten(InferContext&);
void infer_Reshape(InferContext&);
void infer_Squeeze(InferContext&);
void infer_Unsqueeze(InferContext&);
void infer_Shape(InferContext&);
void infer_Expand(InferContext&);

namespace {

Dim product(const Shape& shape, i64 first, i64 last) {
  return element_count(Shape(shape.begin() + first, shape.begin() + last));
}

/// The rank that a rank-1 input of sizes asks for, when its length is known.
std::optional<Shape> shape_of_length(const InferContext& ctx, i64 input) {
  const Shape* target = ctx.shape(input);
  if (!target || target->size() != 1 || !target->at(0).value()) return std::nullopt;
  const i64 rank = *target->at(0).value();
  ctx.check(rank <= kMaxContent, "expected a rank of at most ", kMaxContent, ", found ", rank);
  return Shape(size_t(rank));
}

void expect_sizes(const InferContext& ctx, i64 input) {
  ctx.check(ctx.input(input).dtype == DType::i64, "input ", input,
            ": expected element type i64, found ", name(ctx.input(input).dtype));
  const Shape* s = ctx.shape(input);
  ctx.check(!s || s->size() == 1, "input ", input, ": expected rank 1, found ",
            s ? to_text(*s) : "");
}

/// The size that makes `out` (without its entry `hole`) as large as `in`. Entries with `copied` set
/// are the input's own at the same place.
Dim solve_hole(const InferContext& ctx, const Shape& in, const Shape& out,
               const std::vector<bool>& copied, size_t hole) {
  Shape above, below;
  for (size_t i = 0; i < in.size(); ++i)
    if (i >= copied.size() || !copied[i]) above.push_back(in[i]);
  for (size_t i = 0; i < out.size(); ++i) {
    if (i == hole || copied[i]) continue;
    const auto match = std::find_if(above.begin(), above.end(),
                                    [&](const Dim& d) { return same(d, out[i]) && !d.is(0); });
    if (match != above.end())
      above.erase(match);
    else
      below.push_back(out[i]);
  }
  const Dim total = element_count(above), divisor = element_count(below);
  if (total.value() && divisor.value())
    ctx.check(*divisor.value() != 0 && *total.value() % *divisor.value() == 0, "cannot reshape ",
              to_text(in), " into ", to_text(out), " (? is -1): ", total.text(),
              " does not divide by ", divisor.text());
  return floor_div(total, divisor);
}

/// The output shape of Reshape for a known rank of the target.
Shape reshaped(const InferContext& ctx, const Shape* in, const std::vector<Dim>& target) {
  const bool allow_zero = ctx.attributes().integer("allowzero", 0) != 0;
  Shape out = target;
  std::vector<bool> copied(target.size(), false);
  std::optional<size_t> hole;
  bool complete = in != nullptr, any_zero = false;
  for (size_t i = 0; i < target.size(); ++i) {
    if (!target[i].value()) {
      complete = complete && target[i].is_known();
      continue;
    }
    const i64 wanted = *target[i].value();
    ctx.check(wanted >= -1, "expected sizes, 0 or -1, found ", to_text(target));
    any_zero = any_zero || wanted == 0;
    if (wanted == -1) {
      ctx.check(!hole, "expected at most one -1, found ", to_text(target));
      hole = i;
      out[i] = Dim::unknown();
    } else if (wanted == 0 && !allow_zero) {
      ctx.check(!in || i < in->size(), "a 0 at position ", i, " has no size to copy from ",
                in ? to_text(*in) : "");
      out[i] = in ? in->at(i) : Dim::unknown();
      copied[i] = in != nullptr;
    }
  }
  ctx.check(!(allow_zero && any_zero && hole), "expected no -1 beside a 0 with allowzero, found ",
            to_text(target));
  if (hole && complete) {
    out[*hole] = solve_hole(ctx, *in, out, copied, *hole);
  } else if (complete) {
    const Dim before = element_count(*in), after = element_count(out);
    ctx.check(!before.value() || !after.value() || same(before, after), "cannot reshape ",
              to_text(*in), " (", before.text(), " elements) into ", to_text(out), " (",
              after.text(), ")");
  }
  return out;
}

/// Content passes through a reshape to rank 0 or 1.
void set_same_content(InferContext& ctx, std::optional<Shape> shape) {
  auto content = shape && shape->size() <= 1 ? ctx.int_values(0) : std::nullopt;
  set_output(ctx, 0, ctx.input(0).dtype, std::move(shape), std::move(content));
}

std::vector<Tensor> with_dims(const EvalContext& ctx, Infer infer) {
  const Dims dims = output_dims(ctx, infer)[0];
  return one(ctx.in(0).clone().reshaped(dims));
}

}  // namespace

void infer_Flatten(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  const i64 axis = ctx.attributes().integer("axis", 1);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, Shape(2));
  const i64 rank = std::ssize(*x);
  ctx.check(axis >= -rank && axis <= rank, "expected an axis from ", -rank, " to ", rank,
            ", found ", axis);
  const i64 split = axis < 0 ? axis + rank : axis;
  set_output(ctx, 0, ctx.input(0).dtype, Shape{product(*x, 0, split), product(*x, split, rank)});
}

void infer_Reshape(InferContext& ctx) {
  expect_sizes(ctx, 1);
  const auto target = ctx.int_values(1);
  set_same_content(ctx, target ? reshaped(ctx, ctx.shape(0), *target) : shape_of_length(ctx, 1));
}

void infer_Squeeze(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  if (ctx.has(1)) expect_sizes(ctx, 1);
  std::optional<std::vector<i64>> axes;
  if (x && ctx.has(1)) {
    axes = static_values(ctx, 1);
    if (axes) axes = normalize_axes(ctx, *axes, std::ssize(*x));
  } else if (x && std::all_of(x->begin(), x->end(), [](const Dim& d) { return d.value(); })) {
    axes.emplace();
    for (i64 a = 0; a < std::ssize(*x); ++a)
      if (x->at(size_t(a)).is(1)) axes->push_back(a);
  }
  if (!axes) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  Shape out;
  for (i64 a = 0; a < std::ssize(*x); ++a) {
    const Dim& size = x->at(size_t(a));
    if (!std::binary_search(axes->begin(), axes->end(), a))
      out.push_back(size);
    else
      ctx.check(!size.value() || size.is(1), "axis ", a, " of ", to_text(*x),
                " to be removed is not 1");
  }
  set_same_content(ctx, std::move(out));
}

void infer_Unsqueeze(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  expect_sizes(ctx, 1);
  const auto given = static_values(ctx, 1);
  if (!x || !given) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const i64 rank = std::ssize(*x) + std::ssize(*given);
  const std::vector<i64> axes = normalize_axes(ctx, *given, rank);
  Shape out;
  for (i64 a = 0, from = 0; a < rank; ++a)
    out.push_back(std::binary_search(axes.begin(), axes.end(), a) ? Dim(1) : x->at(size_t(from++)));
  set_same_content(ctx, std::move(out));
}

void infer_Shape(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, DType::i64, Shape(1));
  const i64 rank = std::ssize(*x);
  const auto clamped = [&](i64 v) { return std::clamp<i64>(v < 0 ? v + rank : v, 0, rank); };
  const i64 start = clamped(ctx.attributes().integer("start", 0));
  const i64 end = std::max(start, clamped(ctx.attributes().integer("end", rank)));
  set_output(ctx, 0, DType::i64, Shape{Dim(end - start)},
             std::vector<Dim>(x->begin() + start, x->begin() + end));
}

void infer_Expand(InferContext& ctx) {
  expect_sizes(ctx, 1);
  const auto target = ctx.int_values(1);
  const Shape* x = ctx.shape(0);
  if (!x || (!target && !shape_of_length(ctx, 1)))
    return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  for (const Dim& d : target ? *target : std::vector<Dim>())
    ctx.check(!d.value() || *d.value() >= 0, "expected sizes, found ", to_text(*target));
  Shape out = broadcast_shapes(ctx, *x, target ? *target : *shape_of_length(ctx, 1));
  auto content = ctx.int_values(0);
  if (content && content->size() == 1 && out.size() <= 1) {
    const auto count = element_count(out).value();
    if (count && *count <= kMaxContent)
      content->assign(size_t(*count), Dim(content->at(0)));
    else
      content.reset();
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out), std::move(content));
}

std::vector<Tensor> evaluate_Flatten(const EvalContext& ctx) {
  return with_dims(ctx, infer_Flatten);
}
std::vector<Tensor> evaluate_Reshape(const EvalContext& ctx) {
  return with_dims(ctx, infer_Reshape);
}
std::vector<Tensor> evaluate_Squeeze(const EvalContext& ctx) {
  return with_dims(ctx, infer_Squeeze);
}
std::vector<Tensor> evaluate_Unsqueeze(const EvalContext& ctx) {
  return with_dims(ctx, infer_Unsqueeze);
}

std::vector<Tensor> evaluate_Shape(const EvalContext& ctx) {
  const Dims& dims = ctx.in(0).dims();
  const i64 count = output_dims(ctx, infer_Shape)[0][0], rank = std::ssize(dims);
  const i64 given = ctx.attributes.integer("start", 0);
  const i64 start = std::clamp<i64>(given < 0 ? given + rank : given, 0, rank);
  return one(Tensor::of<i64>({count}, std::span(dims).subspan(size_t(start), size_t(count))));
}

std::vector<Tensor> evaluate_Expand(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_Expand)[0]);
  std::vector<i64> steps = dense_steps(x.dims());
  for (i64 a = 0; a < x.rank(); ++a)
    if (x.dim(a) == 1) steps[size_t(a)] = 0;
  steps.insert(steps.begin(), size_t(out.rank() - x.rank()), 0);
  copy_strided(x, 0, steps, out);
  return one(std::move(out));
}

}  // namespace sinter
