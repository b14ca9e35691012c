// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Pow, Equal, Where: element by element with broadcasting. Integers wrap
// around, integer division truncates, Pow gives the type of its base. The contents of small integer
// tensors (shapes) are computed symbolically as well.
#include <cmath>

#include "graph/ops/detail/broadcast.h"

namespace sinter {

using namespace detail;

void infer_Equal(InferContext&);
void infer_Pow(InferContext&);
void infer_Where(InferContext&);

namespace {

using Content = std::optional<std::vector<Dim>>;

/// int_values, and constants of bool as 0 and 1.
Content content_of(const InferContext& ctx, i64 i) {
  if (const Tensor* t = ctx.constant(i); t && t->dtype() == DType::boolean) {
    if (t->rank() > 1 || t->size() > kMaxContent) return std::nullopt;
    std::vector<Dim> values;
    for (i64 v : t->as_ints()) values.emplace_back(v);
    return values;
  }
  return ctx.int_values(i);
}

const Dim& pick(const std::vector<Dim>& values, size_t i) {
  return values.size() == 1 ? values[0] : values[i];
}

/// Element-wise over contents of equal length or length 1.
template <class Combine>
Content combine(const std::vector<Content>& in, const Combine& element) {
  size_t count = 1;
  for (const Content& c : in) {
    if (!c) return std::nullopt;
    if (c->size() != 1) count = c->size();
  }
  for (const Content& c : in)
    if (c->size() != 1 && c->size() != count) return std::nullopt;
  std::vector<Dim> out;
  for (size_t i = 0; i < count; ++i) out.push_back(element(i));
  return out;
}

/// True when `d` is certainly at least zero: sizes are, and so are sums of their products.
bool surely_not_negative(const Dim& d) {
  if (const auto v = d.value()) return *v >= 0;
  return d.is_known() && d.text().find('-') == std::string::npos;
}

Dim truncated_quotient(const Dim& a, const Dim& b) {
  if (a.value() && b.value()) {
    if (b.is(0) || b.is(-1)) return b.is(0) ? Dim::unknown() : Dim(0) - a;
    return *a.value() / *b.value();
  }
  if (b.is(0)) return Dim::unknown();
  const Dim q = floor_div(a, b);
  if (same(q * b, a)) return q;
  return surely_not_negative(a) && b.value() && *b.value() > 0 ? q : Dim::unknown();
}

void infer_arithmetic(InferContext& ctx, Dim (*element)(const Dim&, const Dim&)) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, 1);
  const auto shape = broadcast_shape(ctx, 0, 1);
  Content content;
  if (is_integer(ctx.input(0).dtype) && shape && shape->size() <= 1) {
    const Content a = ctx.int_values(0), b = ctx.int_values(1);
    content = combine({a, b}, [&](size_t i) { return element(pick(*a, i), pick(*b, i)); });
  }
  set_output(ctx, 0, ctx.input(0).dtype, shape, std::move(content));
}

template <class A, class B, class Out, class Element>
void loop(const Tensor& a, const Tensor& b, Tensor& out, const Element& element) {
  const A* x = a.data<A>().data();
  const B* y = b.data<B>().data();
  Out* z = out.mutable_data<Out>().data();
  for_each_row<2>(out.dims(), {&a.dims(), &b.dims()},
                  [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
                    const A* p = x + offsets[0];
                    const B* q = y + offsets[1];
                    for (i64 i = 0; i < count; ++i, p += steps[0], q += steps[1])
                      z[at + i] = element(*p, *q);
                  });
}

/// Division that truncates; the caller has ruled out a zero divisor among integers.
template <class T>
T divide(T a, T b) {
  if constexpr (std::is_signed_v<T> && std::is_integral_v<T>)
    if (b == T(-1)) return subtract(T(0), a);  // the least number / -1 wraps
  return T(a / b);
}

void check_divisors(const EvalContext& ctx) {
  if (!is_integer(ctx.in(1).dtype())) return;
  for_number(ctx.in(1).dtype(), "Div", [&](auto zero) {
    const auto values = ctx.in(1).data<decltype(zero)>();
    const bool any = std::find(values.begin(), values.end(), zero) != values.end();
    ctx.check(!any || ctx.in(0).size() == 0, "integer division by zero");
  });
}

template <class Operation>
std::vector<Tensor> arithmetic(const EvalContext& ctx, const Operation& operation) {
  Tensor out(ctx.in(0).dtype(), output_dims(ctx, info(operation.kOp).infer)[0]);
  for_number(out.dtype(), info(operation.kOp).name, [&](auto t) {
    using T = decltype(t);
    loop<T, T, T>(ctx.in(0), ctx.in(1), out, operation);
  });
  return one(std::move(out));
}

struct Plus {
  static constexpr Op kOp = Op::Add;
  template <class T>
  T operator()(T a, T b) const {
    return add(a, b);
  }
};
struct Minus {
  static constexpr Op kOp = Op::Sub;
  template <class T>
  T operator()(T a, T b) const {
    return subtract(a, b);
  }
};
struct Times {
  static constexpr Op kOp = Op::Mul;
  template <class T>
  T operator()(T a, T b) const {
    return multiply(a, b);
  }
};
struct Over {
  static constexpr Op kOp = Op::Div;
  template <class T>
  T operator()(T a, T b) const {
    return divide(a, b);
  }
};

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
  const double wide = std::pow(double(base), double(exponent));
  if constexpr (std::is_floating_point_v<T>) return T(wide);
  // Out of range is undefined for a cast, so the ends of i64 stand in.
  return wide >= 0x1p63 ? T(u64(1) << 63) : wide > -0x1p63 ? T(i64(wide)) : T(0);
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

std::vector<Tensor> evaluate_equal(const EvalContext& ctx) {
  Tensor out(DType::boolean, output_dims(ctx, infer_Equal)[0]);
  const auto run = [&](auto t) {
    using T = decltype(t);
    loop<T, T, bool>(ctx.in(0), ctx.in(1), out, [](T a, T b) { return a == b; });
  };
  if (ctx.in(0).dtype() == DType::boolean)
    run(bool{});
  else
    for_number(ctx.in(0).dtype(), "Equal", run);
  return one(std::move(out));
}

}  // namespace

void infer_Add(InferContext& ctx) {
  infer_arithmetic(ctx, [](const Dim& a, const Dim& b) { return a + b; });
}
void infer_Sub(InferContext& ctx) {
  infer_arithmetic(ctx, [](const Dim& a, const Dim& b) { return a - b; });
}
void infer_Mul(InferContext& ctx) {
  infer_arithmetic(ctx, [](const Dim& a, const Dim& b) { return a * b; });
}
void infer_Div(InferContext& ctx) { infer_arithmetic(ctx, truncated_quotient); }

void infer_Pow(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_number(ctx, 1);
  set_output(ctx, 0, ctx.input(0).dtype, broadcast_shape(ctx, 0, 1));
}

void infer_Equal(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  ctx.check(is_number(type) || type == DType::boolean,
            "input 0: expected a numeric or bool element type, found ", name(type));
  expect_same_type(ctx, 0, 1);
  const auto shape = broadcast_shape(ctx, 0, 1);
  Content content;
  if (!is_float(type) && shape && shape->size() <= 1) {
    const Content a = content_of(ctx, 0), b = content_of(ctx, 1);
    content = combine({a, b}, [&](size_t i) -> Dim {
      const Dim &x = pick(*a, i), &y = pick(*b, i);
      if (same(x, y)) return 1;
      const bool above = surely_not_negative(x - y - Dim(1));
      return above || surely_not_negative(y - x - Dim(1)) ? Dim(0) : Dim::unknown();
    });
  }
  set_output(ctx, 0, DType::boolean, shape, std::move(content));
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

std::vector<Tensor> evaluate_Add(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) { return arithmetic(c, Plus{}); });
}
std::vector<Tensor> evaluate_Sub(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) { return arithmetic(c, Minus{}); });
}
std::vector<Tensor> evaluate_Mul(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) { return arithmetic(c, Times{}); });
}
std::vector<Tensor> evaluate_Div(const EvalContext& ctx) {
  check_divisors(ctx);
  return through_float(ctx, [](const EvalContext& c) { return arithmetic(c, Over{}); });
}
std::vector<Tensor> evaluate_Pow(const EvalContext& ctx) {
  return through_float(ctx, evaluate_power);
}
std::vector<Tensor> evaluate_Equal(const EvalContext& ctx) {
  return through_float(ctx, evaluate_equal);
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
