// SPDX-License-Identifier: Apache-2.0
// A linear map of the slot vector, given by its diagonals:
//
//   y[s] = sum_i d_i[s] * x[(s + i) mod slots]        y = sum_i d_i . rot(x, i)
//
// evaluated by baby steps and giant steps: with i = g + b, b in [0, n1), g a multiple of n1,
//
//   y = sum_g rot( sum_b rot(d_{g+b}, -g) . rot(x, b), g )
//
// so a matrix of D diagonals needs about 2 sqrt(D) rotations, and the babies, being rotations of
// one ciphertext, share their decomposition (hoisting). The babies stay in the basis Q * P and the
// sum over them is divided by P once per giant (double hoisting), so encoded diagonals carry the
// special primes too.
//
// Source: Halevi, Shoup 2014 (diagonals), Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux 2021
// (double hoisting).
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks {

/// Relative costs that decide the number of baby steps, in units of one full key switch.
struct LinearCosts {
  double baby = 0.2;   ///< one more hoisted rotation
  double giant = 1.0;  ///< one more rotation of a sum
  double key = 0.1;    ///< one more rotation key to generate, move and hold
};

/// How a map is evaluated. A function of (indices, slots, baby_count) alone, so a stored program
/// needs only these three. Plain data; made by plan_linear.
struct LinearPlan {
  struct Term {
    i64 index;  ///< the diagonal, in [0, slots)
    int baby;   ///< position in `babies`
  };
  struct Giant {
    i64 steps;                ///< rotation of the sum, in [0, slots)
    std::vector<Term> terms;  ///< ordered by baby
  };
  i64 slots = 0;
  i64 baby_count = 0;          ///< n1
  std::vector<i64> babies;     ///< rotations of the input in [0, slots), ascending, perhaps with 0
  std::vector<Giant> giants;   ///< ascending by steps, perhaps with 0
  std::vector<i64> rotations;  ///< distinct nonzero rotations: the keys this map needs

  i64 diagonal_count() const;
  i64 hoisted_count() const;  ///< babies other than 0
  i64 giant_count() const;    ///< giants other than 0
};

/// Chooses n1 by cost over all useful values.
/// indices  any integers, taken modulo slots; duplicates are an error; at least one
LinearPlan plan_linear(std::span<const i64> indices, i64 slots, const LinearCosts& costs = {});
/// The plan for a given n1 in [1, slots].
LinearPlan plan_linear(std::span<const i64> indices, i64 slots, i64 baby_count);

/// The diagonals themselves. fill(index, out) writes d_index into out; it may be called from
/// several threads at once and in any order, with `index` as the plan has it (in [0, slots)).
/// period: out.size() = period values that repeat over all slots; a power of two dividing slots,
/// 0 = slots. A short period makes encoding and storage that much smaller.
struct DiagonalSource {
  std::function<void(i64 index, std::span<double> out)> fill;
  i64 period = 0;
};

/// Diagonals encoded ahead for one plan, level and scale. Immutable, move-only; share by pointer.
class EncodedDiagonals {
 public:
  int level() const { return level_; }
  double scale() const { return scale_; }
  i64 bytes() const;

 private:
  friend EncodedDiagonals encode_diagonals(const Context&, const LinearPlan&, const DiagonalSource&,
                                           double, int, ThreadPool&);
  friend Ciphertext apply_linear(const Context&, const LinearPlan&, const EncodedDiagonals&,
                                 const Ciphertext&, const EvaluationKeys&, ThreadPool&);
  /// Residues of one diagonal; a limb holds n() values, each standing for N / n() equal ones.
  std::vector<std::vector<ring::RnsPoly>> diagonals_;  ///< [giant][term]
  double scale_ = 0;
  int level_ = -1;
  u64 params_hash_ = 0;
};

/// Encodes every diagonal at `scale` for ciphertexts of `level`.
/// cost    one encode per diagonal at its period, parallel over diagonals
/// throws  as encode(); Error(bad_argument) when the plan is of other slots or the period does not
///         divide them
EncodedDiagonals encode_diagonals(const Context& context, const LinearPlan& plan,
                                  const DiagonalSource& source, double scale, int level,
                                  ThreadPool& pool);

/// Applies the map. Result at the ciphertext's level with scale x.scale * diagonals.scale; NOT
/// rescaled.
///
/// x       two parts, level = diagonals.level()
/// noise   B_lin of docs/ckks.md
/// cost    one decomposition, hoisted_count() inner products, giant_count() key switches
/// throws  Error(bad_argument): level or plan mismatch, a rotation without key (naming it)
/// thread  safe
Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool);

/// The same with diagonals encoded on the fly, one giant step at a time, at scale `plain_scale`;
/// bit for bit the result of the form above, with memory for one giant step's diagonals only.
Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const DiagonalSource& source, double plain_scale, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool);

}  // namespace sinter::ckks
