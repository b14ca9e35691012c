// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Mod, Pow, PRelu, Where: element by element with broadcasting. Integers wrap
// around, integer division truncates and refuses a zero divisor, Pow gives the type of its base.
//   Mod, fmod=0   the result has the sign of the divisor (integers only)
//   Mod, fmod=1   the result has the sign of the dividend, as C's fmod and %
// The contents of small integer tensors (shapes) are computed symbolically as well.
#include <cmath>

#include "graph/ops/detail/binary.h"
#include "graph/ops/detail/content.h"

namespace sinter {

using namespace detail;

void infer_Pow(InferContext&);
void infer_Where(InferContext&);

namespace {

void infer_arithmetic(InferContext& ctx, Dim (*element)(const Dim&, const Dim&)) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, 1);
  set_combined(ctx, ctx.input(0).dtype, 0, 1, element);
}

/// Division that truncates; the caller has ruled out a zero divisor among integers.
template <class T>
T divide(T a, T b) {
  if constexpr (std::is_signed_v<T> && std::is_integral_v<T>)
    if (b == T(-1)) return subtract(T(0), a);  // the least number / -1 wraps
  return T(a / b);
}

/// The remainder with the sign of the dividend, zero divisors of integers ruled out.
template <class T>
T truncated_modulus(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return std::fmod(a, b);
  else if (std::is_signed_v<T> && b == T(-1))
    return T(0);  // the least number % -1 overflows
  else
    return T(a % b);
}

/// The remainder with the sign of the divisor; infer_Mod refuses floats.
template <class T>
T floored_modulus(T a, T b) {
  const T r = truncated_modulus(a, b);
  return r != T(0) && (r < T(0)) != (b < T(0)) ? T(r + b) : r;
}

/// base^exponent for integers, wrapping; a negative exponent truncates 1/base^|exponent|.
template <class T>
T integer_power(T base, i64 exponent) {
  if (exponent < 0) {
    if (base == T(1)) return T(1);
    if (std::is_signed_v<T> && base == T(-1)) return exponent % 2 == 0 ? T(1) : base;
    return T(0);
  }
  T result(1);
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = multiply(result, base);
    base = multiply(base, base);
  }
  return result;
}

template <class T, class E>
T power(T base, E exponent) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>)
    return integer_power(base, exponent);
  if constexpr (std::is_floating_point_v<T>)
    if (exponent == E(2)) return base * base;
  if constexpr (std::is_same_v<T, float> && std::is_same_v<E, float>)
    return std::pow(base, exponent);
  return from_double<T>(std::pow(double(base), double(exponent)));
}

std::vector<Tensor> evaluate_power(const EvalContext& ctx) {
  const Tensor& base = ctx.in(0);
  Tensor out(base.dtype(), output_dims(ctx, infer_Pow)[0]);
  const DType from = ctx.in(1).dtype();
  const bool both_f32 = base.dtype() == DType::f32 && from == DType::f32;
  const Tensor exponent = convert(ctx.in(1), is_integer(from) ? DType::i64
                                             : both_f32       ? DType::f32
                                                              : DType::f64);
  for_number(base.dtype(), "Pow", [&](auto t) {
    using T = decltype(t);
    if (exponent.dtype() == DType::i64)
      loop<T, i64, T>(base, exponent, out, power<T, i64>);
    else if (exponent.dtype() == DType::f64)
      loop<T, double, T>(base, exponent, out, power<T, double>);
    else
      loop<T, float, T>(base, exponent, out, power<T, float>);
  });
  return one(std::move(out));
}

Dim truncated_modulus_of(const Dim& a, const Dim& b) {
  return is_never_negative(a) && is_never_negative(b) ? floor_mod(a, b) : Dim::unknown();
}

}  // namespace

void infer_Add(InferContext& ctx) { infer_arithmetic(ctx, sum); }
void infer_Sub(InferContext& ctx) { infer_arithmetic(ctx, difference); }
void infer_Mul(InferContext& ctx) { infer_arithmetic(ctx, product); }
void infer_Div(InferContext& ctx) { infer_arithmetic(ctx, truncated_quotient); }

void infer_Mod(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  const bool fmod = ctx.attributes().integer("fmod", 0) != 0;
  ctx.check(fmod || !is_float(type),
            "input 0: expected an integer element type because fmod is 0, found ", name(type));
  infer_arithmetic(ctx, fmod ? truncated_modulus_of : floor_mod);
}

void infer_Pow(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_number(ctx, 1);
  set_output(ctx, 0, ctx.input(0).dtype, broadcast_shape(ctx, 0, 1));
}

void infer_PRelu(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, 1);
  if (ctx.shape(0)) expect_broadcast_to(ctx, 1, *ctx.shape(0));
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

void infer_Where(InferContext& ctx) {
  ctx.check(ctx.input(0).dtype == DType::boolean, "input 0: expected element type bool, found ",
            name(ctx.input(0).dtype));
  expect_same_type(ctx, 1, 2);
  const auto shape = broadcast_shape(ctx, 0, 2);
  Content content;
  if (shape && shape->size() <= 1) {
    const Content c = content_of(ctx, 0), x = content_of(ctx, 1), y = content_of(ctx, 2);
    content = combine({c, x, y}, [&](size_t i) -> Dim {
      const Dim &yes = pick(*x, i), &no = pick(*y, i);
      if (same(yes, no)) return yes;
      return pick(*c, i).is(1) ? yes : pick(*c, i).is(0) ? no : Dim::unknown();
    });
  }
  set_output(ctx, 0, ctx.input(1).dtype, shape, std::move(content));
}

// evaluate_<op>: out = element(a, b) in the operands' type.
#define SINTER_ARITHMETIC(op, element)                                          \
  std::vector<Tensor> evaluate_##op(const EvalContext& ctx) {                   \
    return through_float(ctx, [](const EvalContext& c) {                        \
      return arithmetic(c, infer_##op, [](auto a, auto b) { return element; }); \
    });                                                                         \
  }
SINTER_ARITHMETIC(Add, add(a, b))
SINTER_ARITHMETIC(Sub, subtract(a, b))
SINTER_ARITHMETIC(Mul, multiply(a, b))
SINTER_ARITHMETIC(PRelu, a < 0 ? multiply(a, b) : a)
#undef SINTER_ARITHMETIC

std::vector<Tensor> evaluate_Div(const EvalContext& ctx) {
  check_divisors(ctx);
  return through_float(ctx, [](const EvalContext& c) {
    return arithmetic(c, infer_Div, [](auto a, auto b) { return divide(a, b); });
  });
}

std::vector<Tensor> evaluate_Mod(const EvalContext& ctx) {
  check_divisors(ctx);
  return through_float(ctx, [](const EvalContext& c) {
    if (c.attributes.integer("fmod", 0) != 0)
      return arithmetic(c, infer_Mod, [](auto a, auto b) { return truncated_modulus(a, b); });
    return arithmetic(c, infer_Mod, [](auto a, auto b) { return floored_modulus(a, b); });
  });
}

std::vector<Tensor> evaluate_Pow(const EvalContext& ctx) {
  return through_float(ctx, evaluate_power);
}

std::vector<Tensor> evaluate_Where(const EvalContext& ctx) {
  const Tensor &condition = ctx.in(0), &yes = ctx.in(1), &no = ctx.in(2);
  Tensor out(yes.dtype(), output_dims(ctx, infer_Where)[0]);
  const std::byte* choose = condition.raw().data();  // any byte but 0 is true
  const auto run = [&](const auto* a, const auto* b, auto* z) {
    for_each_row<3>(out.dims(), {&condition.dims(), &yes.dims(), &no.dims()},
                    [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
                      for (i64 i = 0; i < count; ++i)
                        z[at + i] = choose[offsets[0] + i * steps[0]] != std::byte(0)
                                        ? a[offsets[1] + i * steps[1]]
                                        : b[offsets[2] + i * steps[2]];
                    });
  };
  if (out.dtype() == DType::string)
    run(yes.strings().data(), no.strings().data(), out.mutable_strings().data());
  else
    for_type(out.dtype(), "Where", [&](auto t) {
      using T = decltype(t);
      run(yes.data<T>().data(), no.data<T>().data(), out.mutable_data<T>().data());
    });
  return one(std::move(out));
}

}  // namespace sinter
