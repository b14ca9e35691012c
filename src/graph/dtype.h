// SPDX-License-Identifier: Apache-2.0
// Element types. The numbers are ONNX's (TensorProto.DataType), so import and export need no map.
#pragma once
#include <optional>
#include <string_view>

#include "base/types.h"

namespace sinter {

enum class DType : u8 {
  none = 0,
  f32 = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  string = 8,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  u32 = 12,
  u64 = 13,
  bf16 = 16,
  // Not element types, and not ONNX's numbers: what a value may be beside a dense tensor.
  sequence = 100,  ///< a list of tensors
  optional = 101,  ///< nothing, or one tensor or sequence
  unknown = 102,   ///< a result of an operator that sinter does not know
};

/// A float16 or bfloat16 element as stored; arithmetic converts.
struct Half {
  u16 bits;
};
struct BFloat {
  u16 bits;
};

/// "f32", "i64", ... as the text form and the messages write them.
std::string_view name(DType type);
std::optional<DType> find_dtype(std::string_view name);

/// Bytes of one element; 0 for string and none.
i64 element_size(DType type);

constexpr bool is_float(DType t) {
  return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16;
}
constexpr bool is_container(DType t) { return t == DType::sequence || t == DType::optional; }
constexpr bool is_integer(DType t) {
  return t == DType::u8 || t == DType::i8 || t == DType::u16 || t == DType::i16 ||
         t == DType::i32 || t == DType::i64 || t == DType::u32 || t == DType::u64;
}

/// The DType of a C++ element type; std::byte is not one, bool is stored as one byte.
template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<sinter::u8>() {
  return DType::u8;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::i8;
}
template <>
constexpr DType dtype_of<std::uint16_t>() {
  return DType::u16;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::i16;
}
template <>
constexpr DType dtype_of<sinter::i32>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<sinter::i64>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<sinter::u32>() {
  return DType::u32;
}
template <>
constexpr DType dtype_of<sinter::u64>() {
  return DType::u64;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::boolean;
}
template <>
constexpr DType dtype_of<Half>() {
  return DType::f16;
}
template <>
constexpr DType dtype_of<BFloat>() {
  return DType::bf16;
}

/// IEEE binary16 and bfloat16, round to nearest even on narrowing; NaN stays NaN.
float to_float(Half h);
float to_float(BFloat h);
Half to_half(float v);
BFloat to_bfloat(float v);

}  // namespace sinter
