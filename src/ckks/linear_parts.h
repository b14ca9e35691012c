// SPDX-License-Identifier: Apache-2.0
// One linear map computed in parts, by several machines perhaps. The sum over giants (linear.h) is
// a sum modulo Q_l P, hence exact: it may be cut anywhere and added up in any order, and the one
// division by P at the end gives the very bytes of apply_linear.
//
// A part repeats the hoisted rotations that its own giants need; in return it encodes only its own
// diagonals, which is most of the work. Horner's form is a chain and has no parts.
#pragma once
#include <span>
#include <vector>

#include "ckks/linear.h"

namespace sinter::ckks {

/// Two polynomials modulo Q_level P, NTT form: a result before its division by P. Move-only.
struct ExtendedCiphertext {
  ring::RnsPoly c0, c1;  ///< level + 1 limbs, then the special primes
  int level = -1;
  double scale = 0;  ///< of the result
  u64 params_hash = 0;
};

/// The giants [from, to) of a plan with the babies and keys that they need.
/// throws  Error(bad_argument) when the range is empty or outside, or a proper part of a plan in
///         Horner's form
LinearPlan giants_of(const LinearPlan& plan, i64 from, i64 to);

/// Cuts the giants of a plan into at most `parts` ranges of about equal weight: a giant weighs
/// giant + its diagonals times `diagonal`. Horner's form is one range.
/// out     ascending borders, from 0 to the number of giants
std::vector<i64> split_giants(const LinearPlan& plan, i64 parts, double diagonal, double giant);

/// The sum over the giants of `part`, a result of giants_of.
/// throws  as apply_linear
/// thread  safe
ExtendedCiphertext apply_linear_part(const Context& context, const LinearPlan& part,
                                     const DiagonalSource& source, double plain_scale,
                                     const Ciphertext& x, const EvaluationKeys& keys,
                                     ThreadPool& pool, const LinearOptions& options = {});

/// apply_linear's result from parts that together have every giant once.
/// parts   one level, scale and set of parameters; at least one
/// cost    (level + 1 + k) additions per part, then one division by P
/// throws  Error(bad_argument) when they differ or belong to other parameters
Ciphertext finish_linear(const Context& context, std::span<const ExtendedCiphertext* const> parts,
                         ThreadPool& pool);

}  // namespace sinter::ckks
