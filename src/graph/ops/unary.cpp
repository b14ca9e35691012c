// SPDX-License-Identifier: Apache-2.0
// One element in, one element out: roots, exponentials, trigonometry, rounding, signs, and the
// tests IsNaN, IsInf, Not. Formulas are computed in the element type (float16 through float).
//   Round   halves go to the even neighbour
//   Sign    of NaN is NaN, of either zero +0
//   Neg, Abs of the least integer wrap around to itself
#include <cmath>
#include <limits>

#include "graph/ops/detail/content.h"
#include "graph/ops/detail/unary.h"

namespace sinter {

using namespace detail;

namespace {

template <class Element>
std::vector<Tensor> float_unary(const EvalContext& ctx, Element) {
  return through_float(
      ctx, [](const EvalContext& c) { return map_floats(c, infer_float_unary, Element{}); });
}

template <class Element>
std::vector<Tensor> number_unary(const EvalContext& ctx, Element) {
  return through_float(
      ctx, [](const EvalContext& c) { return map_numbers(c, infer_number_unary, Element{}); });
}

/// A test of float elements. Halves are widened by the caller.
template <class Test>
std::vector<Tensor> float_test(const EvalContext& ctx, Infer infer, const Test& test) {
  Tensor out(DType::boolean, output_dims(ctx, infer)[0]);
  for_float(ctx.in(0).dtype(), ctx.node, [&](auto t) {
    const auto from = ctx.in(0).data<decltype(t)>();
    const auto to = out.mutable_data<bool>();
    for (size_t i = 0; i < from.size(); ++i) to[i] = test(from[i]);
  });
  return one(std::move(out));
}

template <class T>
T negative(T v) {
  if constexpr (std::is_integral_v<T>)
    return subtract(T(0), v);
  else
    return -v;
}

template <class T>
T magnitude(T v) {
  if constexpr (std::is_floating_point_v<T>)
    return std::fabs(v);
  else
    return v < T(0) ? subtract(T(0), v) : v;
}

template <class T>
T sign(T v) {
  return v > T(0) ? T(1) : v < T(0) ? T(-1) : v == T(0) ? T(0) : v;
}

template <class T>
T error_function(T v) {
  if constexpr (std::is_floating_point_v<T>)
    return std::erf(v);
  else
    return T(std::erf(double(v)));
}

/// The content of a small integer input, every element mapped.
template <class Element>
void set_mapped(InferContext& ctx, DType dtype, const Element& element) {
  Content content = is_float(dtype) ? std::nullopt : content_of(ctx, 0);
  if (content)
    for (Dim& d : *content) d = element(d);
  set_output(ctx, 0, dtype, ctx.input(0).shape, std::move(content));
}

void infer_float_test(InferContext& ctx) {
  expect_float(ctx, 0);
  set_output(ctx, 0, DType::boolean, ctx.input(0).shape);
}

}  // namespace

// infer_<op> and evaluate_<op>: y = formula of v, which is of type T.
#define SINTER_FLOAT_UNARY(op, formula)                                 \
  void infer_##op(InferContext& ctx) { infer_float_unary(ctx); }        \
  std::vector<Tensor> evaluate_##op(const EvalContext& ctx) {           \
    return float_unary(ctx, []<class T>(T v) -> T { return formula; }); \
  }
SINTER_FLOAT_UNARY(Sqrt, std::sqrt(v))
SINTER_FLOAT_UNARY(Exp, std::exp(v))
SINTER_FLOAT_UNARY(Log, std::log(v))
SINTER_FLOAT_UNARY(Reciprocal, T(1) / v)
SINTER_FLOAT_UNARY(Sin, std::sin(v))
SINTER_FLOAT_UNARY(Cos, std::cos(v))
SINTER_FLOAT_UNARY(Tan, std::tan(v))
SINTER_FLOAT_UNARY(Asin, std::asin(v))
SINTER_FLOAT_UNARY(Acos, std::acos(v))
SINTER_FLOAT_UNARY(Atan, std::atan(v))
SINTER_FLOAT_UNARY(Sinh, std::sinh(v))
SINTER_FLOAT_UNARY(Cosh, std::cosh(v))
SINTER_FLOAT_UNARY(Asinh, std::asinh(v))
SINTER_FLOAT_UNARY(Acosh, std::acosh(v))
SINTER_FLOAT_UNARY(Atanh, std::atanh(v))
SINTER_FLOAT_UNARY(Ceil, std::ceil(v))
SINTER_FLOAT_UNARY(Floor, std::floor(v))
SINTER_FLOAT_UNARY(Round, std::nearbyint(v))
#undef SINTER_FLOAT_UNARY

void infer_Neg(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  const bool has_sign = type == DType::i8 || type == DType::i16 || type == DType::i32 ||
                        type == DType::i64 || is_float(type);
  ctx.check(has_sign, "input 0: expected a signed element type, found ", name(type));
  set_mapped(ctx, type, [](const Dim& d) { return Dim(0) - d; });
}

void infer_Abs(InferContext& ctx) {
  expect_number(ctx, 0);
  set_mapped(ctx, ctx.input(0).dtype, [](const Dim& d) { return maximum(d, Dim(0) - d); });
}

void infer_Sign(InferContext& ctx) {
  expect_number(ctx, 0);
  set_mapped(ctx, ctx.input(0).dtype,
             [](const Dim& d) { return truth(is_less(0, d)) - truth(is_less(d, 0)); });
}

void infer_Not(InferContext& ctx) {
  ctx.check(ctx.input(0).dtype == DType::boolean, "input 0: expected element type bool, found ",
            name(ctx.input(0).dtype));
  set_mapped(ctx, DType::boolean, negation);
}

void infer_BitwiseNot(InferContext& ctx) {
  ctx.check(is_integer(ctx.input(0).dtype), "input 0: expected an integer element type, found ",
            name(ctx.input(0).dtype));
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

void infer_Erf(InferContext& ctx) { infer_number_unary(ctx); }
void infer_IsNaN(InferContext& ctx) { infer_float_test(ctx); }
void infer_IsInf(InferContext& ctx) { infer_float_test(ctx); }

std::vector<Tensor> evaluate_Neg(const EvalContext& ctx) {
  output_dims(ctx, infer_Neg);
  return number_unary(ctx, []<class T>(T v) { return negative(v); });
}
std::vector<Tensor> evaluate_Abs(const EvalContext& ctx) {
  return number_unary(ctx, []<class T>(T v) { return magnitude(v); });
}
std::vector<Tensor> evaluate_Sign(const EvalContext& ctx) {
  return number_unary(ctx, []<class T>(T v) { return sign(v); });
}
std::vector<Tensor> evaluate_Erf(const EvalContext& ctx) {
  return number_unary(ctx, []<class T>(T v) { return error_function(v); });
}

std::vector<Tensor> evaluate_IsNaN(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return float_test(c, infer_IsNaN, [](auto v) { return std::isnan(v); });
  });
}

std::vector<Tensor> evaluate_IsInf(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const bool negative = c.attributes.integer("detect_negative", 1) != 0;
    const bool positive = c.attributes.integer("detect_positive", 1) != 0;
    return float_test(c, infer_IsInf,
                      [=](auto v) { return std::isinf(v) && (v < 0 ? negative : positive); });
  });
}

std::vector<Tensor> evaluate_Not(const EvalContext& ctx) {
  Tensor out(DType::boolean, output_dims(ctx, infer_Not)[0]);
  const std::span<bool> to = out.mutable_data<bool>();
  for (size_t i = 0; i < to.size(); ++i) to[i] = ctx.in(0).raw()[i] == std::byte(0);
  return one(std::move(out));
}

std::vector<Tensor> evaluate_BitwiseNot(const EvalContext& ctx) {
  return map_numbers(ctx, infer_BitwiseNot, []<class T>(T v) -> T {
    if constexpr (std::is_integral_v<T>)
      return T(~v);
    else
      return v;
  });
}

}  // namespace sinter
