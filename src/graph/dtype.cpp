// SPDX-License-Identifier: Apache-2.0
#include "graph/dtype.h"

#include <bit>
#include <cmath>

namespace sinter {
namespace {

struct Row {
  DType type;
  std::string_view name;
  i64 size;
};

constexpr Row kTypes[] = {
    {DType::none, "none", 0},
    {DType::f32, "f32", 4},
    {DType::u8, "u8", 1},
    {DType::i8, "i8", 1},
    {DType::u16, "u16", 2},
    {DType::i16, "i16", 2},
    {DType::i32, "i32", 4},
    {DType::i64, "i64", 8},
    {DType::string, "string", 0},
    {DType::boolean, "bool", 1},
    {DType::f16, "f16", 2},
    {DType::f64, "f64", 8},
    {DType::u32, "u32", 4},
    {DType::u64, "u64", 8},
    {DType::bf16, "bf16", 2},
    {DType::sequence, "sequence", 0},
    {DType::optional, "optional", 0},
    {DType::unknown, "unknown", 0},
};

}  // namespace

std::string_view name(DType type) {
  for (const Row& row : kTypes)
    if (row.type == type) return row.name;
  return "unknown";
}

std::optional<DType> find_dtype(std::string_view text) {
  for (const Row& row : kTypes)
    if (row.name == text) return row.type;
  return std::nullopt;
}

i64 element_size(DType type) {
  for (const Row& row : kTypes)
    if (row.type == type) return row.size;
  return 0;
}

float to_float(BFloat h) { return std::bit_cast<float>(u32(h.bits) << 16); }

BFloat to_bfloat(float v) {
  const u32 bits = std::bit_cast<u32>(v);
  if (std::isnan(v)) return {u16((bits >> 16) | 0x40)};
  return {u16((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)};
}

float to_float(Half h) {
  const int exponent = (h.bits >> 10) & 31, fraction = h.bits & 1023;
  const float sign = (h.bits & 0x8000) ? -1.f : 1.f;
  if (exponent == 31)
    return fraction ? std::bit_cast<float>(u32(0x7FC00000u | u32(h.bits & 0x8000) << 16))
                    : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(float(fraction), -24);
  return sign * std::ldexp(float(fraction + 1024), exponent - 25);
}

Half to_half(float v) {
  const u32 bits = std::bit_cast<u32>(v);
  const u16 sign = u16((bits >> 16) & 0x8000);
  if (std::isnan(v)) return {u16(sign | 0x7E00)};
  const float magnitude = std::fabs(v);
  if (magnitude >= 65520.f) return {u16(sign | 0x7C00)};  // rounds to infinity
  if (magnitude < 0x1p-14f) return {u16(sign | u16(std::nearbyint(magnitude * 0x1p24f)))};
  const u32 rounded = (bits & 0x7FFFFFFF) + 0xFFF + ((bits >> 13) & 1);
  return {u16(sign | u16((rounded - (112u << 23)) >> 13))};
}

}  // namespace sinter
