// SPDX-License-Identifier: Apache-2.0
// Comparisons and logic with broadcasting: Equal, Greater, GreaterOrEqual, Less, LessOrEqual give
// bools from numbers (Equal from bools and strings as well); And, Or, Xor combine bools;
// BitwiseAnd, BitwiseOr, BitwiseXor and BitShift combine integers. A comparison with NaN is false.
#include "graph/ops/detail/binary.h"
#include "graph/ops/detail/content.h"

namespace sinter {

using namespace detail;

void infer_Equal(InferContext&);

namespace {

void infer_compare(InferContext& ctx, Dim (*element)(const Dim&, const Dim&)) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, 1);
  set_combined(ctx, DType::boolean, 0, 1, element);
}

void infer_logic(InferContext& ctx, Dim (*element)(const Dim&, const Dim&)) {
  ctx.check(ctx.input(0).dtype == DType::boolean, "input 0: expected element type bool, found ",
            name(ctx.input(0).dtype));
  expect_same_type(ctx, 0, 1);
  set_combined(ctx, DType::boolean, 0, 1, element);
}

void infer_bits(InferContext& ctx) {
  ctx.check(is_integer(ctx.input(0).dtype), "input 0: expected an integer element type, found ",
            name(ctx.input(0).dtype));
  expect_same_type(ctx, 0, 1);
  set_output(ctx, 0, ctx.input(0).dtype, broadcast_shape(ctx, 0, 1));
}

/// A bool per pair of numbers.
template <class Element>
std::vector<Tensor> compare(const EvalContext& ctx, Infer infer, const Element& element) {
  Tensor out(DType::boolean, output_dims(ctx, infer)[0]);
  for_number(ctx.in(0).dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    loop<T, T, bool>(ctx.in(0), ctx.in(1), out, element);
  });
  return one(std::move(out));
}

template <class Element>
std::vector<Tensor> logic(const EvalContext& ctx, Infer infer, const Element& element) {
  Tensor out(DType::boolean, output_dims(ctx, infer)[0]);
  loop<std::byte, std::byte, bool>(ctx.in(0), ctx.in(1), out, [&](std::byte a, std::byte b) {
    return element(a != std::byte(0), b != std::byte(0));
  });
  return one(std::move(out));
}

/// Operation on bits of equal width.
template <class Element>
std::vector<Tensor> bits(const EvalContext& ctx, Infer infer, const Element& element) {
  return arithmetic(ctx, infer, [&]<class T>(T a, T b) -> T {
    if constexpr (std::is_integral_v<T>)
      return T(element(a, b));
    else
      return a;
  });
}

Dim both(const Dim& a, const Dim& b) {
  if (a.is(0) || b.is(0)) return 0;
  return a.is(1) && b.is(1) ? Dim(1) : Dim::unknown();
}
Dim either(const Dim& a, const Dim& b) {
  if (a.is(1) || b.is(1)) return 1;
  return a.is(0) && b.is(0) ? Dim(0) : Dim::unknown();
}
Dim one_of_two(const Dim& a, const Dim& b) {
  return a.value() && b.value() ? Dim(i64(a.value() != b.value())) : Dim::unknown();
}

Dim equal(const Dim& a, const Dim& b) { return truth(is_equal(a, b)); }
Dim less(const Dim& a, const Dim& b) { return truth(is_less(a, b)); }
Dim greater(const Dim& a, const Dim& b) { return less(b, a); }
Dim less_or_equal(const Dim& a, const Dim& b) { return negation(less(b, a)); }
Dim greater_or_equal(const Dim& a, const Dim& b) { return negation(less(a, b)); }

bool shifts_left(const Attributes& attributes) {
  return attributes.text("direction", "") == "LEFT";
}

}  // namespace

#define SINTER_COMPARE(op, content, relation)                                     \
  void infer_##op(InferContext& ctx) { infer_compare(ctx, content); }             \
  std::vector<Tensor> evaluate_##op(const EvalContext& ctx) {                     \
    return through_float(ctx, [](const EvalContext& c) {                          \
      return compare(c, infer_##op, [](auto a, auto b) { return a relation b; }); \
    });                                                                           \
  }
SINTER_COMPARE(Greater, greater, >)
SINTER_COMPARE(GreaterOrEqual, greater_or_equal, >=)
SINTER_COMPARE(Less, less, <)
SINTER_COMPARE(LessOrEqual, less_or_equal, <=)
#undef SINTER_COMPARE

#define SINTER_LOGIC(op, content, relation)                                     \
  void infer_##op(InferContext& ctx) { infer_logic(ctx, content); }             \
  std::vector<Tensor> evaluate_##op(const EvalContext& ctx) {                   \
    return logic(ctx, infer_##op, [](bool a, bool b) { return a relation b; }); \
  }
SINTER_LOGIC(And, both, &&)
SINTER_LOGIC(Or, either, ||)
SINTER_LOGIC(Xor, one_of_two, !=)
#undef SINTER_LOGIC

#define SINTER_BITWISE(op, operation)                                           \
  void infer_##op(InferContext& ctx) { infer_bits(ctx); }                       \
  std::vector<Tensor> evaluate_##op(const EvalContext& ctx) {                   \
    return bits(ctx, infer_##op, [](auto a, auto b) { return a operation b; }); \
  }
SINTER_BITWISE(BitwiseAnd, &)
SINTER_BITWISE(BitwiseOr, |)
SINTER_BITWISE(BitwiseXor, ^)
#undef SINTER_BITWISE

void infer_BitShift(InferContext& ctx) {
  const std::string direction = ctx.attributes().text("direction", "");
  ctx.check(direction == "LEFT" || direction == "RIGHT",
            "direction: expected LEFT or RIGHT, found \"", direction, "\"");
  const DType type = ctx.input(0).dtype;
  ctx.check(type == DType::u8 || type == DType::u16 || type == DType::u32 || type == DType::u64,
            "input 0: expected an unsigned element type, found ", name(type));
  infer_bits(ctx);
}

std::vector<Tensor> evaluate_BitShift(const EvalContext& ctx) {
  const bool left = shifts_left(ctx.attributes);
  return bits(ctx, infer_BitShift, [left]<class T>(T a, T b) -> T {
    if (u64(b) >= sizeof(T) * 8) return T(0);  // every bit is shifted out
    return left ? T(u64(a) << u64(b)) : T(u64(a) >> u64(b));
  });
}

void infer_Equal(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  ctx.check(is_number(type) || type == DType::boolean || type == DType::string,
            "input 0: expected a numeric, bool or string element type, found ", name(type));
  expect_same_type(ctx, 0, 1);
  set_combined(ctx, DType::boolean, 0, 1, equal);
}

std::vector<Tensor> evaluate_Equal(const EvalContext& ctx) {
  const auto same_value = [](const auto& a, const auto& b) { return a == b; };
  if (ctx.in(0).dtype() == DType::boolean) return logic(ctx, infer_Equal, same_value);
  if (ctx.in(0).dtype() == DType::string) {
    Tensor out(DType::boolean, output_dims(ctx, infer_Equal)[0]);
    loop<std::string, std::string, bool>(ctx.in(0), ctx.in(1), out, same_value);
    return one(std::move(out));
  }
  return through_float(ctx, [](const EvalContext& c) {
    return compare(c, infer_Equal, [](auto a, auto b) { return a == b; });
  });
}

}  // namespace sinter
