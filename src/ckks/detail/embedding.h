// SPDX-License-Identifier: Apache-2.0
// The transform behind the encoder. For a vector of n slots, n a power of two up to N/2:
//
//   to_slots       z[j] = sum_i c[i] zeta^(i 5^j),  zeta = exp(i pi / (2n)),  c[i] = re[i] + i
//   re[n+i] from_slots     its inverse
//
// where re[0..2n) are the coefficients of a real polynomial of degree 2n: the imaginary unit is
// X^n at these points. The layer of length `len` uses exp(2 pi i (5^j mod 4 len) / (4 len)), which
// does not depend on n, so the tables of the largest n serve the others as prefixes.
#pragma once
#include <complex>
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter::ckks {

/// Immutable. thread: safe to share.
class EmbeddingTables {
 public:
  /// slots a power of two.
  explicit EmbeddingTables(i64 slots);

  /// In place; size a power of two up to slots.
  void to_slots(std::span<std::complex<double>> values) const;
  void from_slots(std::span<std::complex<double>> values) const;

 private:
  std::vector<std::complex<double>> roots_;  ///< roots_[len/2 + j], j < len/2
};

}  // namespace sinter::ckks
