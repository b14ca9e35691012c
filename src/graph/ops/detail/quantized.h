// SPDX-License-Identifier: Apache-2.0
// What the quantized operators share: rounding into an integer type, and the element type that
// QuantizeLinear makes.
#pragma once
#include <cmath>
#include <limits>

#include "graph/ops/detail/common.h"

namespace sinter::detail {

inline bool is_quantized(DType t) {
  return t == DType::u8 || t == DType::i8 || t == DType::u16 || t == DType::i16;
}

/// saturate(round(v) + zero), ties to even; NaN gives the least number.
template <class Q, class T>
Q quantized(T v, Q zero) {
  constexpr T kLow = T(std::numeric_limits<Q>::lowest()), kHigh = T(std::numeric_limits<Q>::max());
  const T shifted = std::nearbyint(v) + T(zero);
  if (!(shifted > kLow)) return std::numeric_limits<Q>::lowest();
  return shifted >= kHigh ? std::numeric_limits<Q>::max() : Q(shifted);
}

/// Of QuantizeLinear: that of the zero point (none when there is none), of output_dtype, or u8.
inline DType quantized_type(const Attributes& attributes, DType zero_point) {
  if (zero_point != DType::none) return zero_point;
  const i64 type = attributes.integer("output_dtype", 0);
  if (type == 0) return DType::u8;
  return type > 0 && type <= i64(DType::bf16) ? DType(type) : DType::none;
}

}  // namespace sinter::detail
