// SPDX-License-Identifier: Apache-2.0
// Parts of the encoder that the linear transform and the evaluator share.
#pragma once
#include <complex>
#include <span>

#include "ckks/ciphertext.h"
#include "ckks/context.h"
#include "ring/modulus.h"
#include "ring/ntt.h"

namespace sinter::ckks::detail {

/// The coefficients of the real polynomial that has these slots: n of them, a power of two up to
/// N/2, give 2 n coefficients in X^(N/2n), times scale and rounded.
/// slots   destroyed
/// out     the largest magnitude
/// throws  Error(bad_argument): not finite, or too large for the level
double encode_coefficients(const Context& context, std::span<std::complex<double>> slots,
                           double scale, int level, std::span<double> coefficients,
                           const char* operation);
/// Their residues in transform form: `out` has as many, each of which stands for N / out.size()
/// equal ones that follow each other.
void coefficients_to_limb(std::span<const double> coefficients, double largest,
                          const ring::NttTables& tables, std::span<u64> out);
/// throws  Error(bad_argument): the largest coefficient is not finite or too large for the level
void check_coefficients(const Context& context, double largest, int level, const char* operation);

/// An integer held in a double, of any size, modulo q.
u64 reduce_double(double rounded, const ring::Modulus& q);

}  // namespace sinter::ckks::detail
