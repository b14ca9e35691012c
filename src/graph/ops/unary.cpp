// SPDX-License-Identifier: Apache-2.0
// Sqrt, Neg, Abs, Exp, Log: one element in, one element out, same type and shape.
#include <cmath>

#include "graph/ops/detail/unary.h"

namespace sinter {

using namespace detail;

void infer_Neg(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  const bool has_sign = type == DType::i8 || type == DType::i16 || type == DType::i32 ||
                        type == DType::i64 || is_float(type);
  ctx.check(has_sign, "input 0: expected a signed element type, found ", name(type));
  set_output(ctx, 0, type, ctx.input(0).shape);
}
void infer_Abs(InferContext& ctx) {
  expect_number(ctx, 0);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}
void infer_Sqrt(InferContext& ctx) { infer_float_unary(ctx); }
void infer_Exp(InferContext& ctx) { infer_float_unary(ctx); }
void infer_Log(InferContext& ctx) { infer_float_unary(ctx); }

std::vector<Tensor> evaluate_Sqrt(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_floats(c, infer_Sqrt, [](auto v) { return std::sqrt(v); });
  });
}
std::vector<Tensor> evaluate_Exp(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_floats(c, infer_Exp, [](auto v) { return std::exp(v); });
  });
}
std::vector<Tensor> evaluate_Log(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_floats(c, infer_Log, [](auto v) { return std::log(v); });
  });
}
std::vector<Tensor> evaluate_Neg(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_numbers(c, infer_Neg, [](auto v) {
      using T = decltype(v);
      if constexpr (std::is_integral_v<T>)
        return subtract(T(0), v);
      else
        return -v;
    });
  });
}
std::vector<Tensor> evaluate_Abs(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_numbers(c, infer_Abs, [](auto v) {
      using T = decltype(v);
      if constexpr (std::is_floating_point_v<T>)
        return std::fabs(v);
      else
        return v < T(0) ? subtract(T(0), v) : v;
    });
  });
}

}  // namespace sinter
