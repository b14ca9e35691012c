// SPDX-License-Identifier: Apache-2.0
// Two real vectors encoded by one embedding and one transform per prime. A vector of n real slots
// is a polynomial that does not change under X -> 1/X,
//
//   a = A_0 + sum_{0 < k < n} A_k (Y^k - Y^(2n-k)),      Y = X^(N/2n), -Y^(2n-k) = Y^-k,
//
// so its transform has equal values at mirrored positions (p and 2n - 1 - p of the order of ntt.h)
// and half of it is enough. With I = Y^n, the imaginary unit at all slots:
//
//   embedding   c = from_slots(a + i b):  A_k = (Re c_k - Im c_(n-k)) / 2,  A_0 = Re c_0
//                                         B_k = (Im c_k + Re c_(n-k)) / 2,  B_0 = Im c_0
//   one prime   t = transform of a + I b (A and B rounded before they are joined), mirrored t':
//               a = (t + t') / 2,  b = (t - t') / (2 I),  I the same at the positions below n
//
// The rounding of b's slots touches a's in the last bit of a double, so what is encoded with what
// is fixed by the caller and does not change with threads or memory.
#pragma once
#include <complex>
#include <span>

#include "ckks/context.h"

namespace sinter::ckks::detail {

/// How coefficients of two vectors are kept: joined as those of a + I b, or A and then B where they
/// are too large to be added exactly.
enum class PairForm { joined, apart };

/// slots   a + i b of one period n, a power of two; destroyed
/// out     2 n integers
/// throws  Error(bad_argument): not finite, or too large for the level
PairForm pair_coefficients(const Context& context, std::span<std::complex<double>> slots,
                           double scale, int level, std::span<double> out);

/// The lower halves of both transforms modulo one prime of the ring.
/// scratch  2 n words
/// a, b     n residues each; b may be nullptr
void pair_limb(const Context& context, int prime, std::span<const double> coefficients,
               PairForm form, std::span<u64> scratch, u64* a, u64* b);

}  // namespace sinter::ckks::detail
