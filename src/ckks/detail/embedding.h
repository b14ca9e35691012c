// SPDX-License-Identifier: Apache-2.0
// The transform behind the encoder. For a vector of n slots, n a power of two up to N/2:
//
//   to_slots       z[j] = sum_k c[k] zeta^(k 5^j)
//   from_slots     its inverse
//
// with zeta = exp(i pi / (2n)) and c[k] = re[k] + i re[n+k], where re[0..2n) are the coefficients
// of a real polynomial of degree below 2n: the imaginary unit is X^n at these points. The layer of
// length `len` uses exp(2 pi i (5^j mod 4 len) / (4 len)), which does not depend on n, so the
// tables of the largest n serve the others as prefixes.
#pragma once
#include <complex>
#include <span>
#include <vector>

#include "base/cpu.h"
#include "base/types.h"

namespace sinter::ckks {

/// Immutable. thread: safe to share.
class EmbeddingTables {
 public:
  /// slots a power of two.
  explicit EmbeddingTables(i64 slots);

  /// In place; size a power of two up to slots. The same bits on every instruction set.
  void to_slots(std::span<std::complex<double>> values, Isa isa = active_isa()) const;
  void from_slots(std::span<std::complex<double>> values, Isa isa = active_isa()) const;

 private:
  std::vector<std::complex<double>> roots_;  ///< roots_[len/2 + j], j < len/2
};

/// The layers of from_slots (before the order of the bits is reversed) and of to_slots (after);
/// roots as in EmbeddingTables. Only where Isa::avx2 runs.
void embedding_down_avx2(const std::complex<double>* roots, std::complex<double>* x, i64 n);
void embedding_up_avx2(const std::complex<double>* roots, std::complex<double>* x, i64 n);

}  // namespace sinter::ckks
