// SPDX-License-Identifier: Apache-2.0
// Parts of the encoder that the linear transform and the evaluator share.
#pragma once
#include <complex>
#include <span>

#include "ckks/ciphertext.h"
#include "ckks/context.h"
#include "ring/modulus.h"

namespace sinter::ckks::detail {

/// The transform of a periodic vector in its subring: limbs of 2 * values.size() residues, each of
/// which stands for N / (2 values.size()) equal ones that follow each other.
ring::RnsPoly encode_periodic_limbs(const Context& context, std::span<const double> values,
                                    double scale, int level, Basis basis);
ring::RnsPoly encode_periodic_limbs(const Context& context,
                                    std::span<const std::complex<double>> values, double scale,
                                    int level, Basis basis);

/// An integer held in a double, of any size, modulo q.
u64 reduce_double(double rounded, const ring::Modulus& q);

}  // namespace sinter::ckks::detail
