// SPDX-License-Identifier: Apache-2.0
// The transforms between slots and coefficients as products of few sparse matrices, for
// bootstrapping. A vector of n slots (a power of two) is z = U c with c[i] = re[i] + i re[n+i] of
// the polynomial's 2n coefficients (detail/embedding.h); U is log2 n butterfly layers behind a
// reversal of the order of bits:
//
//   U = L_n ... L_4 L_2 R,    U^-1 = R L_2^-1 L_4^-1 ... L_n^-1
//
// The layer of length len has the diagonals 0 and +-len/2, of period len. Layers that follow each
// other are multiplied into one factor: g layers of lengths a .. 2^(g-1) a have at most 2^(g+1) - 1
// diagonals, all multiples of a/2. The reversal R is left out on both sides: the coefficients in
// reversed order are as good for what happens between the two maps.
//
// Sources: Cheon, Han, Hhan 2018 ("Faster homomorphic discrete Fourier transforms and improved FHE
// bootstrapping"); Han, Ki 2020, section 4.
#pragma once
#include <complex>
#include <map>
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter::ckks {

/// A linear map of vectors of n slots by its diagonals: out[s] = sum_i d_i[s] in[(s + i) mod n].
/// A value.
struct DiagonalMatrix {
  i64 slots = 0;   ///< n
  i64 period = 0;  ///< of the diagonals; a power of two
  /// index -> period values. Indices are signed: of those equal modulo n the one in (-n/2, n/2].
  std::map<i64, std::vector<std::complex<double>>> diagonals;

  std::vector<std::complex<double>> operator()(std::span<const std::complex<double>> in) const;
};

/// after(before(x)) as one map. Both of the same slots. Diagonals that are all zero are dropped.
DiagonalMatrix compose(const DiagonalMatrix& after, const DiagonalMatrix& before);
/// Every value times `factor`.
void scale_by(DiagonalMatrix& matrix, std::complex<double> factor);
/// out[s] times factors[s] / in[s] times factors[s]: the period becomes factors.size(), a multiple
/// of the matrix's. Where that is more than n, multiply_input wants indices that do not wrap around
/// n, as the factors for coefficients of short layers have them.
void multiply_output(DiagonalMatrix& matrix, std::span<const std::complex<double>> factors);
void multiply_input(DiagonalMatrix& matrix, std::span<const std::complex<double>> factors);

/// U^-1 without the reversal, as factors in the order in which they are applied; factor i holds
/// layers[i] layers, longest first. Each layer carries its 1/2 of the 1/n.
/// layers  positive, summing to log2(slots)
/// throws  Error(bad_argument)
std::vector<DiagonalMatrix> coefficients_to_slots(i64 slots, std::span<const int> layers);
/// U without the reversal: shortest layers first.
std::vector<DiagonalMatrix> slots_to_coefficients(i64 slots, std::span<const int> layers);

/// log2(slots) layers in `factors` groups whose sizes differ by at most one, the larger ones first.
/// throws  Error(bad_argument) when there are fewer layers than factors
std::vector<int> split_layers(i64 slots, int factors);

}  // namespace sinter::ckks
