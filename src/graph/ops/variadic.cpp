// SPDX-License-Identifier: Apache-2.0
// Max, Min, Sum, Mean of one or more broadcast operands, combined from the left. A NaN in any
// operand of Max or Min is the result.
#include "graph/ops/detail/binary.h"
#include "graph/ops/detail/content.h"

namespace sinter {

using namespace detail;

namespace {

template <class T>
T larger(T a, T b) {
  return b > a || b != b ? b : a;
}
template <class T>
T smaller(T a, T b) {
  return b < a || b != b ? b : a;
}

/// All operands folded by `step`, every element of the result passed through `finish`.
template <class Step, class Finish>
std::vector<Tensor> fold(const EvalContext& ctx, Infer infer, const Step& step,
                         const Finish& finish) {
  const Dims dims = output_dims(ctx, infer)[0];
  Tensor out(ctx.in(0).dtype(), dims);
  for_number(out.dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    loop<T, T, T>(ctx.in(0), ctx.in(0), out, [](T a, T) { return a; });
    for (i64 i = 1; i < std::ssize(ctx.inputs); ++i) loop<T, T, T>(out, ctx.in(i), out, step);
    for (T& v : out.template mutable_data<T>()) v = finish(v);
  });
  return one(std::move(out));
}

void infer_extremum(InferContext& ctx, Dim (*element)(const Dim&, const Dim&)) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, ctx.input_count() - 1);
  set_combined(ctx, ctx.input(0).dtype, 0, ctx.input_count() - 1, element);
}

void infer_float_fold(InferContext& ctx) {
  expect_float(ctx, 0);
  expect_same_type(ctx, 0, ctx.input_count() - 1);
  set_output(ctx, 0, ctx.input(0).dtype, broadcast_shape(ctx, 0, ctx.input_count() - 1));
}

}  // namespace

void infer_Max(InferContext& ctx) { infer_extremum(ctx, maximum); }
void infer_Min(InferContext& ctx) { infer_extremum(ctx, minimum); }
void infer_Sum(InferContext& ctx) { infer_float_fold(ctx); }
void infer_Mean(InferContext& ctx) { infer_float_fold(ctx); }

std::vector<Tensor> evaluate_Max(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return fold(
        c, infer_Max, [](auto a, auto b) { return larger(a, b); }, [](auto v) { return v; });
  });
}

std::vector<Tensor> evaluate_Min(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return fold(
        c, infer_Min, [](auto a, auto b) { return smaller(a, b); }, [](auto v) { return v; });
  });
}

std::vector<Tensor> evaluate_Sum(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return fold(
        c, infer_Sum, [](auto a, auto b) { return add(a, b); }, [](auto v) { return v; });
  });
}

std::vector<Tensor> evaluate_Mean(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const auto count = std::ssize(c.inputs);
    return fold(
        c, infer_Mean, [](auto a, auto b) { return add(a, b); },
        [count](auto v) { return v / decltype(v)(count); });
  });
}

}  // namespace sinter
