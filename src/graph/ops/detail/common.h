// SPDX-License-Identifier: Apache-2.0
// What the operator files share: checks, dispatch over element types, wrap-around arithmetic, and
// the rule that evaluation starts with inference. An evaluate function first runs its own infer
// function on the dims and contents of the tensors at hand, so every contradiction is found in one
// place and the loops that follow know their output dims.
#pragma once
#include <algorithm>
#include <type_traits>

#include "graph/ops/op.h"

namespace sinter::detail {

using Infer = void (*)(InferContext&);
using Evaluate = std::vector<Tensor> (*)(const EvalContext&);

inline constexpr i64 kMaxElements = i64(1) << 33;  ///< of one tensor that an operator makes
inline constexpr i64 kMaxContent = 64;             ///< elements of ValueType::dims

/// What the infer function says of the node's outputs when it sees the tensors.
std::vector<ValueType> output_types(const EvalContext& ctx, Infer infer);

/// Dims of every output of the node, by its infer function on the tensors.
/// throws  what `infer` throws; Error(bad_input) when an output exceeds kMaxElements
std::vector<Dims> output_dims(const EvalContext& ctx, Infer infer);

/// Error(unsupported) when an output of these dims is more than kMaxElements.
void check_output_size(const EvalContext& ctx, const Dims& dims);

/// Calls evaluate with float16 and bfloat16 inputs widened to float32 and rounds the float32
/// outputs back to the type of input 0: one rounding per operator.
std::vector<Tensor> through_float(const EvalContext& ctx, Evaluate evaluate);

inline std::vector<Tensor> one(Tensor t) {
  std::vector<Tensor> all;
  all.push_back(std::move(t));
  return all;
}

/// axis in [-rank, rank) as a number in [0, rank).
template <class Context>
i64 normalize_axis(const Context& ctx, i64 axis, i64 rank) {
  ctx.check(axis >= -rank && axis < rank, "expected an axis from ", -rank, " to ", rank - 1,
            ", found ", axis);
  return axis < 0 ? axis + rank : axis;
}

/// Sorted distinct axes in [0, rank).
template <class Context>
std::vector<i64> normalize_axes(const Context& ctx, std::vector<i64> axes, i64 rank) {
  for (i64& a : axes) a = normalize_axis(ctx, a, rank);
  std::sort(axes.begin(), axes.end());
  ctx.check(std::adjacent_find(axes.begin(), axes.end()) == axes.end(),
            "axes repeat: ", to_text(axes));
  return axes;
}

inline bool is_number(DType t) { return is_float(t) || is_integer(t); }

/// Checks on the inputs of an InferContext.
void expect_float(const InferContext& ctx, i64 input);
void expect_number(const InferContext& ctx, i64 input);
void expect_index(const InferContext& ctx, i64 input);  ///< i32 or i64
void expect_same_type(const InferContext& ctx, i64 first, i64 last);
/// Input i, if it is there, is of rank 1 with `size` elements.
void expect_vector(const InferContext& ctx, i64 i, const Dim& size);
/// Input i, if it is there, has one element.
void expect_single(const InferContext& ctx, i64 i);
/// Both are numbers, and not the same one.
inline bool differ(const Dim& a, const Dim& b) {
  return a.value() && b.value() && a.value() != b.value();
}

/// Sets output i. `content` is kept when small and integer (or bool, as 0 and 1).
void set_output(InferContext& ctx, i64 i, DType dtype, std::optional<Shape> shape,
                std::optional<std::vector<Dim>> content = std::nullopt);

/// The element type that an int attribute names, `absent` when the node has none.
/// throws  Error(unsupported) for a number that is not an element type
DType type_attribute(const InferContext& ctx, std::string_view attribute, DType absent);

/// True when no two of the known values contradict each other.
inline bool may_equal(const Dim& a, const Dim& b) {
  return !a.value() || !b.value() || *a.value() == *b.value();
}

/// The numbers of an integer input when its content is known and static.
std::optional<std::vector<i64>> static_values(const InferContext& ctx, i64 input);

/// Calls body(T{}) for float, double and the integers.
template <class Body>
decltype(auto) for_number(DType type, std::string_view what, Body&& body) {
  switch (type) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    case DType::u8:
      return body(u8{});
    case DType::i8:
      return body(std::int8_t{});
    case DType::u16:
      return body(u16{});
    case DType::i16:
      return body(std::int16_t{});
    case DType::i32:
      return body(i32{});
    case DType::i64:
      return body(i64{});
    case DType::u32:
      return body(u32{});
    case DType::u64:
      return body(u64{});
    default:
      fail(ErrorKind::unsupported, what, ": element type ", name(type), " is not supported");
  }
}

/// Calls body(T{}) for float and double.
template <class Body>
decltype(auto) for_float(DType type, std::string_view what, Body&& body) {
  if (type == DType::f32) return body(float{});
  if (type == DType::f64) return body(double{});
  fail(ErrorKind::unsupported, what, ": element type ", name(type), " is not supported");
}

// Integers wrap around, like every runtime's; done in u64 because signed overflow is undefined.
template <class T>
T add(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return T(u64(a) + u64(b));
  else
    return a + b;
}
template <class T>
T subtract(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return T(u64(a) - u64(b));
  else
    return a - b;
}
template <class T>
T multiply(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return T(u64(a) * u64(b));
  else
    return a * b;
}

/// A double as T. Out of range is undefined for a cast to an integer: the number goes through i64
/// and wraps, 2^63 and above stand for 2^63, NaN and what is below for 0.
template <class T>
T from_double(double v) {
  if constexpr (std::is_floating_point_v<T>) return T(v);
  return v >= 0x1p63 ? T(u64(1) << 63) : v >= -0x1p63 ? T(i64(v)) : T(0);
}

}  // namespace sinter::detail
