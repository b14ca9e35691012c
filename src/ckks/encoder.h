// SPDX-License-Identifier: Apache-2.0
// Slots to polynomial and back: the canonical embedding restricted to one root of each conjugate
// pair. Slot j is the value at zeta^(5^j), zeta = exp(i pi / N), j = 0..N/2-1, so that the
// automorphism X -> X^(5^r) rotates the slots left by r: out[j] = in[(j + r) mod N/2].
//
//   encode   m = round(scale * sigma^-1(values))      decode   values = sigma(m) / scale
//
// Rounding moves a slot by at most N/2 / scale, in practice by sqrt(N/12) / scale (standard
// deviation); the transforms add a relative error below 2^-48 of the largest value.
//
// Source: Cheon, Kim, Kim, Song 2017 (the embedding); its transform by butterflies in 5^j order is
// the one Cheon, Han, Kim, Kim, Song 2018 describe.
#pragma once
#include <complex>
#include <span>
#include <vector>

#include "base/threads.h"
#include "ckks/ciphertext.h"
#include "ckks/context.h"

namespace sinter::ckks {

/// Encodes real values into slots 0..size-1, zero in the others.
///
/// values  1 to slots of them, finite, |value * scale| * 4 < q_0 * ... * q_level
/// scale   > 0; level in [0, max_level]
/// out     NTT form in the basis asked for
/// cost    one transform of N/2 complex doubles, one NTT per limb
/// throws  Error(bad_argument): too many values, not finite, too large for the level
/// thread  safe
Plaintext encode(const Context& context, std::span<const double> values, double scale, int level,
                 Basis basis = Basis::q);

/// The same for complex values.
Plaintext encode(const Context& context, std::span<const std::complex<double>> values, double scale,
                 int level, Basis basis = Basis::q);

/// Encodes the vector that repeats `values` over all slots. values.size() is a power of two <=
/// slots. Such a plaintext lies in a subring of degree 2 * values.size(); the transforms have that
/// length. Same result as encode() of the repeated vector up to the rounding of one coefficient
/// unit.
Plaintext encode_periodic(const Context& context, std::span<const double> values, double scale,
                          int level, Basis basis = Basis::q);

/// The same bytes with the primes dealt out to a pool.
Plaintext encode_periodic(const Context& context, std::span<const double> values, double scale,
                          int level, Basis basis, ThreadPool& pool);

/// The same for complex values.
Plaintext encode_periodic(const Context& context, std::span<const std::complex<double>> values,
                          double scale, int level, Basis basis = Basis::q);

/// The same real value in every slot: round(value * scale) as the constant coefficient.
/// cost  no transform
Plaintext encode_constant(const Context& context, double value, double scale, int level,
                          Basis basis = Basis::q);

/// The real parts of all N/2 slots.
/// throws  Error(bad_argument) when the plaintext is of Basis::qp or another ring
std::vector<double> decode(const Context& context, const Plaintext& plaintext);

/// All N/2 slots.
std::vector<std::complex<double>> decode_complex(const Context& context,
                                                 const Plaintext& plaintext);

}  // namespace sinter::ckks
