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
#include <complex>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks {

/// Relative costs that decide the number of baby steps, in units of one rotation of a sum. Products
/// are the same for every plan. Measured with 512 diagonals, 11 + 3 primes (4 digits) and 16, 32
/// and 64 babies: 2.1 ms and 10.5 ms at N = 2^15 (a profile at N = 2^16 puts it at a sixth), so a
/// fifth; a baby is the reading of one key, hence memory: 29 and 59 MB. `key` is what a key costs
/// beyond that: the time to make and load it, spread over the uses, and the memory it holds.
struct LinearCosts {
  double baby = 0.2;            ///< one more hoisted rotation
  double giant = 1.0;           ///< one more rotation of a sum
  double key = 0.1;             ///< one more rotation key to generate, move and hold
  bool may_use_horner = false;  ///< let the plan take Horner's form
};

/// How the sums over babies, one per giant, become one.
enum class GiantForm {
  separate,  ///< each is rotated by its own steps: one key per giant
  horner,    ///< V_0 + rot(V_1 + rot(V_2 + ..., n1), n1): one key for all giants
};

/// How a map is evaluated. A function of (indices, slots, baby_count, form) alone, so a stored
/// program needs only these. Plain data; made by plan_linear.
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
  i64 baby_count = 0;  ///< n1
  GiantForm form = GiantForm::separate;
  std::vector<i64> babies;     ///< rotations of the input in [0, slots), ascending, perhaps with 0
  std::vector<Giant> giants;   ///< ascending by steps, perhaps with 0
  std::vector<i64> rotations;  ///< distinct nonzero rotations: the keys this map needs

  i64 diagonal_count() const;
  i64 hoisted_count() const;  ///< babies other than 0
  i64 giant_count() const;    ///< rotations of sums: giants other than 0, or Horner steps
};

/// Chooses n1 by cost over all useful values.
/// indices  any integers, taken modulo slots; duplicates are an error; at least one
LinearPlan plan_linear(std::span<const i64> indices, i64 slots, const LinearCosts& costs = {});
/// The values of n1 that are worth a try for these indices, ascending, in [1, slots].
std::vector<i64> baby_count_candidates(std::span<const i64> indices, i64 slots);
/// The plan for a given n1 in [1, slots]. Horner's form takes babies from the lowest signed index
/// on, so that no giant is negative.
LinearPlan plan_linear(std::span<const i64> indices, i64 slots, i64 baby_count,
                       GiantForm form = GiantForm::separate);

/// The diagonals themselves. fill(index, out) writes d_index into out; it may be called from
/// several threads at once and in any order, with `index` as the plan has it (in [0, slots)). For
/// complex diagonals set fill_complex instead: exactly one of the two is set.
/// period: out.size() = period values that repeat over all slots; a power of two dividing slots,
/// 0 = slots. A short period makes encoding and storage that much smaller.
struct DiagonalSource {
  std::function<void(i64 index, std::span<double> out)> fill;
  i64 period = 0;
  std::function<void(i64 index, std::span<std::complex<double>> out)> fill_complex = {};
};

/// Diagonals encoded ahead for one plan, level and scale; perhaps not all of them. Immutable,
/// move-only; share by pointer.
class EncodedDiagonals {
 public:
  int level() const { return level_; }
  double scale() const { return scale_; }
  i64 period() const { return period_; }
  u64 params_hash() const { return params_hash_; }
  /// Encoded from real values: half of the transform stands for all of it.
  bool is_real() const { return is_real_; }
  i64 bytes() const;
  i64 missing_count() const { return missing_; }  ///< diagonals left out for their size

  /// Encoded for this plan: the same slots, form, baby_count, giants and indices.
  bool is_for(const LinearPlan& plan) const;
  /// Residues of one diagonal, rotated right by its giant's steps. A limb of a complex one holds
  /// 2 period() values, each standing for N / (2 period()) equal ones; of a real one the lower half
  /// of them (detail/encode_pairs.h). nullptr when it was left out.
  const ring::RnsPoly* find(size_t giant, size_t term) const {
    const ring::RnsPoly& diagonal = diagonals_[giant][term];
    return diagonal.empty() ? nullptr : &diagonal;
  }

 private:
  friend EncodedDiagonals encode_diagonals(const Context&, const LinearPlan&, const DiagonalSource&,
                                           double, int, ThreadPool&, i64);
  std::vector<std::vector<ring::RnsPoly>> diagonals_;  ///< [giant][term]; empty when left out
  std::vector<i64> steps_;                             ///< of each giant
  std::vector<std::vector<i64>> indices_;              ///< [giant][term]
  i64 slots_ = 0, baby_count_ = 0;                     ///< of the plan, as form_
  GiantForm form_ = GiantForm::separate;
  double scale_ = 0;
  int level_ = -1;
  i64 period_ = 0, missing_ = 0;
  bool is_real_ = false;
  u64 params_hash_ = 0;
};

inline constexpr i64 kAllDiagonals = std::numeric_limits<i64>::max();

/// Encodes the diagonals at `scale` for ciphertexts of `level`: all of them, or, in the order of
/// the plan, as many as fit into max_bytes. A real diagonal takes (level + 1 + k) period words.
/// cost    one encode per pair of real diagonals or complex diagonal at its period, parallel over
///         them
/// throws  as encode(); Error(bad_argument) when the plan is of other slots, the period does not
///         divide them, or the source has not exactly one of fill and fill_complex
EncodedDiagonals encode_diagonals(const Context& context, const LinearPlan& plan,
                                  const DiagonalSource& source, double scale, int level,
                                  ThreadPool& pool, i64 max_bytes = kAllDiagonals);

struct LinearOptions {
  /// Memory for sums of giants (two extended polynomials each per ciphertext) and for diagonals
  /// encoded on the fly (two periods of words each). At least one giant is always taken. When not
  /// all giants fit together, the rotations of the inputs are kept as well (two extended
  /// polynomials per baby), unless that would take more than all giants together.
  i64 work_bytes = i64(512) << 20;
};

/// Applies the map. Result at the ciphertext's level with scale x.scale * diagonals.scale; NOT
/// rescaled. The bytes of the result depend on the map, plan and ciphertext alone: not on threads,
/// memory, or when diagonals were encoded.
///
/// x       two parts, level = diagonals.level()
/// noise   B_lin of docs/ckks.md
/// cost    one decomposition, hoisted_count() inner products, giant_count() key switches; the keys
///         of the babies are read once
/// throws  Error(bad_argument): level or plan mismatch, a rotation without key (naming it),
///         diagonals left out
/// thread  safe
Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options = {});

/// The same where some diagonals may have been left out: `source`, which the others were encoded
/// from, gives them on the fly.
Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const DiagonalSource& source,
                        const Ciphertext& x, const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options = {});

/// The same with all diagonals encoded on the fly at scale `plain_scale`.
Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const DiagonalSource& source, double plain_scale, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options = {});

/// The map applied to several ciphertexts of one level: each result is that of apply_linear, byte
/// for byte. Diagonals are encoded once and the keys of the babies are read once for all of them.
/// x           at least one
/// diagonals   nullptr: all are encoded on the fly, at plain_scale; else those left out, which must
///             have been encoded at plain_scale
std::vector<Ciphertext> apply_linear(const Context& context, const LinearPlan& plan,
                                     const EncodedDiagonals* diagonals,
                                     const DiagonalSource& source, double plain_scale,
                                     std::span<const Ciphertext* const> x,
                                     const EvaluationKeys& keys, ThreadPool& pool,
                                     const LinearOptions& options = {});

}  // namespace sinter::ckks
