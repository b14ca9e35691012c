// SPDX-License-Identifier: Apache-2.0
// A transform of bootstrapping as the linear maps that evaluate it: one factor per level, each
// planned for its level, encoded ahead where a budget allows.
//
// The diagonals of a factor are at consecutive multiples of a stride, l, l + stride, .., with l
// negative. A vector may be held rotated: h[s] = v[s + c]. A factor whose result is held with
// c - l instead of c has diagonals from 0 on, d_k[s + c - l] at k - l, and one key less: baby steps
// 0 .. b - 1 and Horner's giant b. What adds up over all factors of both transforms (what lies
// between acts slot by slot) is taken back by the last one.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "base/threads.h"
#include "ckks/dft.h"
#include "ckks/keys.h"
#include "ckks/linear.h"

namespace sinter::ckks::detail {

/// One factor. Hold by pointer: sources refer to it.
struct Factor {
  DiagonalMatrix matrix;
  i64 shift_in = 0, shift_out = 0;  ///< c of its operand and of its result
  LinearPlan plan;
  int level = 0;
  double plain_scale = 0;
  std::unique_ptr<const EncodedDiagonals> encoded;  ///< perhaps not all; nullptr: none

  /// The diagonals as the plan has them: of indices and contents moved by the shifts.
  DiagonalSource source(i64 context_slots) const;
  /// Bytes of the diagonals encoded in the extended basis.
  i64 encoded_bytes(const Context& context) const;
};
using Factors = std::vector<std::unique_ptr<Factor>>;

/// The plan for the diagonals first, first + stride, .. (count of them, modulo slots), in Horner's
/// form with the number of baby steps that costs least at this level.
LinearPlan plan_consecutive(i64 first, i64 stride, i64 count, i64 slots);

/// The matrices in the order of application, the first at `top_level`, the others below it.
/// slots: of the context. plain_scales: one each. shift: of the operand; then of the result, which
/// is 0 with `takes_back`.
Factors plan_factors(i64 slots, std::vector<DiagonalMatrix> matrices, int top_level,
                     const std::vector<double>& plain_scales, i64& shift, bool takes_back);

/// Encodes ahead, small factors first, while the bytes fit; of the first one that does not fit, as
/// many diagonals as do. Returns the bytes.
i64 encode_within(const Context& context, std::span<Factor* const> factors, i64 budget,
                  ThreadPool& pool);

void add_rotations(const Factors& factors, i64 slots, KeyManifest& manifest);

/// The map, rescaled. plain_scale: 0 = the factor's; another one is encoded now.
Ciphertext apply_factor(const Context& context, const Factor& factor, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool, double plain_scale = 0);

}  // namespace sinter::ckks::detail
