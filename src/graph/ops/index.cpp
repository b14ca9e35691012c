// SPDX-License-Identifier: Apache-2.0
// ArgMax, ArgMin, CumSum along one axis, and Size. Ties go to the first element, or to the last
// with select_last_index; a NaN is never chosen unless it comes first.
#include "graph/ops/detail/content.h"
#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/unary.h"

namespace sinter {

using namespace detail;

void infer_CumSum(InferContext&);
void infer_Size(InferContext&);

namespace {

void infer_arg(InferContext& ctx) {
  expect_number(ctx, 0);
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, DType::i64, std::nullopt);
  const i64 axis = normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*x));
  ctx.check(!x->at(size_t(axis)).is(0), "axis ", axis, " has no elements");
  Shape out = *x;
  if (ctx.attributes().integer("keepdims", 1) != 0)
    out[size_t(axis)] = 1;
  else
    out.erase(out.begin() + axis);
  set_output(ctx, 0, DType::i64, std::move(out));
}

/// The place of the best element of every line; better(a, b) says that a beats b.
template <class Better>
std::vector<Tensor> arg(const EvalContext& ctx, Infer infer, const Better& better) {
  const Tensor& x = ctx.in(0);
  Tensor out(DType::i64, output_dims(ctx, infer)[0]);
  const Lines lines =
      lines_along(x.dims(), normalize_axis(ctx, ctx.attributes.integer("axis", 0), x.rank()));
  const bool last = ctx.attributes.integer("select_last_index", 0) != 0;
  for_number(x.dtype(), ctx.node, [&](auto t) {
    const auto* from = x.data<decltype(t)>().data();
    const std::span<i64> to = out.mutable_data<i64>();
    for (size_t line = 0; line < to.size(); ++line) {
      const auto* v = from + lines.first(i64(line));
      i64 best = 0;
      for (i64 i = 1; i < lines.length; ++i) {
        const auto a = v[i * lines.step], b = v[best * lines.step];
        if (better(a, b) || (last && a == b)) best = i;
      }
      to[line] = best;
    }
  });
  return one(std::move(out));
}

template <class T>
void running_sum(const T* from, T* to, const Lines& lines, bool exclusive, bool reverse) {
  const i64 step = reverse ? -lines.step : lines.step;
  for (i64 line = 0; line < lines.count; ++line) {
    i64 at = lines.first(line) + (reverse ? (lines.length - 1) * lines.step : 0);
    T sum = T(0);
    for (i64 i = 0; i < lines.length; ++i, at += step) {
      if (exclusive) to[at] = sum;
      sum = add(sum, from[at]);
      if (!exclusive) to[at] = sum;
    }
  }
}

}  // namespace

void infer_ArgMax(InferContext& ctx) { infer_arg(ctx); }
void infer_ArgMin(InferContext& ctx) { infer_arg(ctx); }

std::vector<Tensor> evaluate_ArgMax(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return arg(c, infer_ArgMax, [](auto a, auto b) { return a > b; });
  });
}

std::vector<Tensor> evaluate_ArgMin(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return arg(c, infer_ArgMin, [](auto a, auto b) { return a < b; });
  });
}

void infer_CumSum(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_index(ctx, 1);
  const Shape* axis = ctx.shape(1);
  ctx.check(!axis || !element_count(*axis).value() || element_count(*axis).is(1),
            "input 1: expected one axis, found shape ", axis ? to_text(*axis) : "");
  if (const auto known = static_values(ctx, 1); known && ctx.shape(0))
    normalize_axis(ctx, known->at(0), std::ssize(*ctx.shape(0)));
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

std::vector<Tensor> evaluate_CumSum(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const Tensor& x = c.in(0);
    Tensor out(x.dtype(), output_dims(c, infer_CumSum)[0]);
    const Lines lines = lines_along(x.dims(), normalize_axis(c, c.in(1).as_int(0), x.rank()));
    for_number(x.dtype(), c.node, [&](auto t) {
      using T = decltype(t);
      running_sum(x.data<T>().data(), out.mutable_data<T>().data(), lines,
                  c.attributes.integer("exclusive", 0) != 0,
                  c.attributes.integer("reverse", 0) != 0);
    });
    return one(std::move(out));
  });
}

void infer_Size(InferContext& ctx) {
  Content count;
  if (ctx.shape(0)) count = {element_count(*ctx.shape(0))};
  set_output(ctx, 0, DType::i64, Shape{}, std::move(count));
}

std::vector<Tensor> evaluate_Size(const EvalContext& ctx) {
  output_dims(ctx, infer_Size);
  return one(Tensor::scalar<i64>(ctx.in(0).size()));
}

}  // namespace sinter
