// SPDX-License-Identifier: Apache-2.0
// Range, OneHot, EyeLike, Trilu: tensors whose elements follow from their place.
#include <cmath>

#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Range(InferContext&);
void infer_OneHot(InferContext&);
void infer_EyeLike(InferContext&);
void infer_Trilu(InferContext&);

namespace {

/// Input i holds one element, as a scalar or as [1].
void expect_one(const InferContext& ctx, i64 i) {
  const Shape* s = ctx.shape(i);
  ctx.check(!s || (s->size() <= 1 && may_equal(element_count(*s), Dim(1))), "input ", i,
            ": expected one element, found ", s ? to_text(*s) : "");
}

/// ceil((limit - start) / delta), at least 0.
template <class T>
i64 range_count(std::string_view node, T start, T limit, T delta) {
  require(delta != 0, ErrorKind::bad_input, node, ": expected a delta other than 0");
  if constexpr (std::is_integral_v<T>) {
    const __int128 span = __int128(limit) - start, step = delta;
    if (span == 0 || (span < 0) != (step < 0)) return 0;
    const __int128 count = (span + step - (step > 0 ? 1 : -1)) / step;
    return count > kMaxElements ? kMaxElements + 1 : i64(count);
  } else {
    const double count = std::ceil(double(limit - start) / double(delta));
    if (!(count > 0)) return 0;
    return count > double(kMaxElements) ? kMaxElements + 1 : i64(count);
  }
}

/// The number of elements when all three inputs are constants.
std::optional<i64> constant_count(const InferContext& ctx) {
  for (i64 i = 0; i < 3; ++i)
    if (!ctx.constant(i)) return std::nullopt;
  return for_number(ctx.input(0).dtype, ctx.node(), [&](auto t) {
    using T = decltype(t);
    const auto value = [&](i64 i) { return ctx.constant(i)->data<T>()[0]; };
    return range_count(ctx.node(), value(0), value(1), value(2));
  });
}

/// A value of the output, as OneHot's input 2 holds them: 0 = off, 1 = on.
Tensor one_hot(const EvalContext& ctx, const Dims& dims) {
  const Tensor &indices = ctx.in(0), &values = ctx.in(2);
  Tensor out(values.dtype(), dims);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", -1), out.rank());
  const i64 depth = out.dim(axis), inner = inner_size(dims, axis);
  const Mover mover(values, out);
  mover.row(0, 0, 0, out.size());
  const std::vector<i64> hot = indices.as_ints();
  for (i64 i = 0; i < std::ssize(hot); ++i) {
    const i64 k = hot[size_t(i)];
    if (k < -depth || k >= depth) continue;
    mover.row((i / inner * depth + (k < 0 ? k + depth : k)) * inner + i % inner, 1, 1, 1);
  }
  return out;
}

/// EyeLike's element type: `dtype`, or the input's.
DType eye_type(const InferContext& ctx) {
  const DType type = type_attribute(ctx, "dtype", ctx.input(0).dtype);
  ctx.check(is_number(type) || type == DType::boolean, "dtype: expected a numeric type, found ",
            name(type));
  return type;
}

/// Trilu's diagonal.
i64 diagonal(const EvalContext& ctx) { return ctx.has(1) ? ctx.in(1).as_int(0) : 0; }

}  // namespace

void infer_Range(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, 2);
  for (i64 i = 0; i < 3; ++i) expect_one(ctx, i);
  const DType type = ctx.input(0).dtype;
  if (const auto count = constant_count(ctx); count && !is_integer(type))
    return set_output(ctx, 0, type, Shape{Dim(*count)});
  const auto start = ctx.int_values(0), limit = ctx.int_values(1), delta = ctx.int_values(2);
  if (!start || !limit || !delta || !is_integer(type)) return set_output(ctx, 0, type, Shape(1));
  const Dim &first = start->at(0), &last = limit->at(0), &step = delta->at(0);
  if (!step.value() || !(last - first).is_known()) return set_output(ctx, 0, type, Shape(1));
  const i64 by = *step.value();
  ctx.check(by != 0, "expected a delta other than 0");
  Dim count = by > 0 ? ceil_div(last - first, Dim(by))
                     : ceil_div(first - last, by > -kMaxElements ? Dim(-by) : Dim(kMaxElements));
  if (first.value() && last.value())
    count = range_count(ctx.node(), *first.value(), *last.value(), by);
  count = maximum(count, Dim(0));
  std::optional<std::vector<Dim>> content;
  if (count.value() && *count.value() <= kMaxContent) {
    content.emplace();
    for (i64 i = 0; i < *count.value(); ++i) content->push_back(first + Dim(i) * step);
  }
  set_output(ctx, 0, type, Shape{count}, std::move(content));
}

void infer_OneHot(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_number(ctx, 1);
  expect_one(ctx, 1);
  const Shape* values = ctx.shape(2);
  ctx.check(!values || (values->size() == 1 && may_equal(values->at(0), Dim(2))),
            "input 2: expected two elements, found ", values ? to_text(*values) : "");
  const Shape* x = ctx.shape(0);
  const DType type = ctx.input(2).dtype;
  if (!x) return set_output(ctx, 0, type, std::nullopt);
  Dim depth;
  if (const auto known = ctx.int_values(1)) depth = known->at(0);
  if (const Tensor* t = ctx.constant(1)) depth = t->as_int(0);
  ctx.check(!depth.value() || *depth.value() >= 0, "expected a depth of 0 or more, found ",
            depth.text());
  const i64 rank = std::ssize(*x) + 1;
  Shape out = *x;
  out.insert(out.begin() + normalize_axis(ctx, ctx.attributes().integer("axis", -1), rank), depth);
  set_output(ctx, 0, type, std::move(out));
}

void infer_EyeLike(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  ctx.check(!x || x->size() == 2, "expected rank 2, found ", x ? to_text(*x) : "");
  set_output(ctx, 0, eye_type(ctx), x ? *x : Shape(2));
}

void infer_Trilu(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  ctx.check(!x || x->size() >= 2, "expected rank 2 or more, found ", x ? to_text(*x) : "");
  if (ctx.has(1)) {
    expect_index(ctx, 1);
    expect_one(ctx, 1);
  }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

std::vector<Tensor> evaluate_Range(const EvalContext& ctx) {
  output_types(ctx, infer_Range);
  return one(for_number(ctx.in(0).dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    const auto value = [&](i64 i) { return ctx.in(i).data<T>()[0]; };
    const Dims dims = {range_count(ctx.node, value(0), value(1), value(2))};
    check_output_size(ctx, dims);
    Tensor out(ctx.in(0).dtype(), dims);
    T next = value(0);
    for (T& y : out.mutable_data<T>()) {
      y = next;
      next = add(next, value(2));  // step by step, as the operator's function body has it
    }
    return out;
  }));
}

std::vector<Tensor> evaluate_OneHot(const EvalContext& ctx) {
  return moved(ctx, infer_OneHot, one_hot);
}

std::vector<Tensor> evaluate_EyeLike(const EvalContext& ctx) {
  const ValueType type = output_types(ctx, infer_EyeLike)[0];
  const i64 rows = ctx.in(0).dim(0), columns = ctx.in(0).dim(1), k = ctx.attributes.integer("k", 0);
  Tensor out(DType::boolean, ctx.in(0).dims());
  for (i64 row = 0; row < rows; ++row)
    if (k >= -row && k < columns - row)
      out.mutable_data<bool>()[size_t(row * columns + row + k)] = true;
  return one(convert(out, type.dtype));
}

std::vector<Tensor> evaluate_Trilu(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_Trilu)[0]);
  if (out.size() == 0) return one(std::move(out));
  const bool upper = ctx.attributes.integer("upper", 1) != 0;
  const i64 rows = x.dim(x.rank() - 2), columns = x.dim(x.rank() - 1);
  const i64 k = std::clamp(diagonal(ctx), -rows, columns);
  const Mover mover(x, out);
  for (i64 r = 0; r < out.size() / columns; ++r) {
    const i64 border = std::clamp<i64>(r % rows + k + (upper ? 0 : 1), 0, columns);
    const i64 first = upper ? border : 0, last = upper ? columns : border;
    mover.row(r * columns + first, r * columns + first, 1, last - first);
  }
  return one(std::move(out));
}

}  // namespace sinter
