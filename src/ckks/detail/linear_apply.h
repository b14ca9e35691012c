// SPDX-License-Identifier: Apache-2.0
// Evaluation of a planned linear map, apart from where its encoded diagonals come from.
#pragma once
#include <span>
#include <vector>

#include "ckks/detail/encode_pairs.h"
#include "ckks/detail/key_switch.h"
#include "ckks/linear.h"

namespace sinter::ckks::detail {

/// Where diagonals come from: the encoded ones where they are kept, the others from a source.
/// Borrows everything.
struct DiagonalSupply {
  const Context& context;
  const LinearPlan& plan;
  const EncodedDiagonals* kept;  ///< nullptr: none
  const DiagonalSource* source;  ///< nullptr when none is missing
  double scale;
  int level;

  i64 period() const;
  bool is_real() const;  ///< see DiagonalRows::is_mirrored
  const ring::RnsPoly* find(size_t giant, size_t term) const {
    return kept == nullptr ? nullptr : kept->find(giant, term);
  }
  /// Memory of a DiagonalRows for this giant.
  i64 bytes_to_make(size_t giant) const;
};

/// throws  Error(bad_argument): a source of another period than slots allow, or malformed
DiagonalSupply supply_of(const Context& context, const LinearPlan& plan,
                         const EncodedDiagonals* kept, const DiagonalSource* source, double scale,
                         int level);

/// What one transform makes: term `term` of a giant and, of real diagonals, the next one too.
struct EmbeddedTerms {
  PairForm form = PairForm::joined;
  double largest = 0;  ///< of complex ones
};
/// coefficients  2 periods
EmbeddedTerms embed_terms(const DiagonalSupply& supply, size_t giant, size_t term,
                          std::span<double> coefficients);
/// One limb of them: a row of two periods for a complex diagonal, of one for a real one.
/// scratch  2 periods; second may be nullptr
void terms_to_limb(const DiagonalSupply& supply, int limb, std::span<const double> coefficients,
                   const EmbeddedTerms& terms, std::span<u64> scratch, u64* first, u64* second);

/// The diagonals of some giants as rows of residues, one limb at a time. Real diagonals are made in
/// pairs (encode_pairs.h), terms 0 and 1 of a giant, 2 and 3, ...: fixed by the plan.
/// thread: one; parallel inside
class DiagonalRows {
 public:
  /// cost  one embedding per pair that is not kept
  DiagonalRows(const DiagonalSupply& supply, std::span<const size_t> giants, ThreadPool& pool);
  /// cost  one transform per pair that is not kept
  void load(int limb);
  /// Of the limb loaded: [giant after giant][term].
  std::span<const u64* const> rows() const { return rows_; }
  /// Residues of a row, each standing for N / size() equal ones; of a mirrored one only the lower
  /// half is there.
  i64 size() const { return size_; }
  bool is_mirrored() const { return supply_.is_real(); }

 private:
  /// One transform: two real diagonals or one complex one; what is kept is not written.
  struct Job {
    size_t giant, term;           ///< of the plan; the second is term + 1
    i64 first = -1, second = -1;  ///< places in rows_, -1: not needed
    EmbeddedTerms embedded = {};
  };
  void make_jobs(std::span<const size_t> giants);
  std::span<double> coefficients(i64 job);
  u64* words_of(std::vector<ring::RnsPoly>& blocks, i64 job) const;

  DiagonalSupply supply_;
  ThreadPool& pool_;
  i64 size_;
  std::vector<const ring::RnsPoly*> kept_;  ///< [row]; nullptr: made here
  std::vector<Job> jobs_;
  std::vector<ring::RnsPoly> coefficients_, made_;  ///< blocks, 2 periods per job
  std::vector<ring::RnsPoly> scratch_;              ///< [worker]
  std::vector<const u64*> rows_;
};

/// Giants in the order of evaluation, cut so that each group's sums and diagonals fit; in one group
/// when that takes no more than the babies that further groups would keep.
std::vector<std::vector<size_t>> giant_groups(const DiagonalSupply& diagonals, i64 pair_bytes,
                                              i64 kept_bytes, i64 work_bytes);

/// T of linear_apply.cpp for each of some ciphertexts of one level: the sum over all giants of the
/// plan before the last division by P.
/// checked by the caller: x and the plan belong to the context
std::vector<ExtendedPair> sum_giants(const DiagonalSupply& diagonals,
                                     std::span<const Ciphertext* const> x,
                                     const EvaluationKeys& keys, ThreadPool& pool, i64 work_bytes);

/// checked by the caller: as sum_giants
std::vector<Ciphertext> apply_diagonals(const DiagonalSupply& diagonals,
                                        std::span<const Ciphertext* const> x,
                                        const EvaluationKeys& keys, ThreadPool& pool,
                                        i64 work_bytes);

/// x and the plan belong to the context, which can switch keys.
void check_linear_operands(const Context& context, const LinearPlan& plan, const Ciphertext& x);

}  // namespace sinter::ckks::detail
