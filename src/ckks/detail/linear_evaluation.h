// SPDX-License-Identifier: Apache-2.0
// The babies of a linear map and the sums over them; linear_apply.cpp has the formulas.
#pragma once
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "ckks/detail/key_switch.h"
#include "ckks/detail/linear_apply.h"
#include "ckks/detail/linear_kernels.h"
#include "ckks/linear_parts.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {

/// Doubles on a 64-byte boundary, so that no vector of four crosses a line; not initialised.
struct FreeDoubles {
  void operator()(double* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
};
using AlignedDoubles = std::unique_ptr<double[], FreeDoubles>;

/// Positions of one limb that are done together: the babies of a run stay in the cache.
i64 run_length(i64 n, i64 babies);

/// What does not change during one evaluation, of one or several ciphertexts of one level. Borrows
/// everything. thread: one; parallel inside.
class LinearEvaluation {
 public:
  /// own: the limbs that will be asked for
  LinearEvaluation(const Context& context, const LinearPlan& plan,
                   std::span<const Ciphertext* const> x, const EvaluationKeys& keys,
                   ThreadPool& pool, LimbRange own);
  /// Of the sums of one giant for all ciphertexts.
  i64 pair_bytes(LimbRange range) const {
    return std::ssize(images_) * 2 * range.size() * context_.n() * i64(sizeof(u64));
  }
  /// Babies of these limbs once for all groups that follow.
  void keep_babies(LimbRange range);
  i64 kept_bytes(LimbRange range) const { return babies_ * pair_bytes(range); }
  /// V_g at some limbs for the giants asked for, [giant][ciphertext]. Limb by limb: the rows of a
  /// limb are made, then every run of it is summed.
  std::vector<std::vector<ExtendedPair>> sums(std::span<const size_t> giants, DiagonalRows& rows,
                                              LimbRange range);

 private:
  /// One of the ciphertexts.
  struct Image {
    const Ciphertext* x;
    std::vector<ring::RnsPoly> digits;  ///< of c_1, own limbs
    std::vector<ring::PairTerm> terms;  ///< [own limb][baby][digit]
    AlignedDoubles kept;                ///< [kept limb][run] babies, or none
  };
  /// Memory of one thread for one run.
  struct Scratch {
    AlignedDoubles babies;
    std::vector<double> factors;
    std::vector<const u64*> rows;
  };
  /// Factors of one run: rows from its first position on, or constants.
  struct Factors {
    Direction direction;
    int shift;
    bool is_constant;
    i64 values, part;  ///< constants: how many, and positions of each
  };

  ExtendedPair make_pair(LimbRange range) const {
    return {context_.ring().make_poly(range.size()), context_.ring().make_poly(range.size())};
  }
  const ring::Modulus& modulus(int limb) const {
    return context_.ring().limb_modulus(level_, limb);
  }
  double* kept_run(const Image& image, int limb, i64 begin) const {
    return image.kept.get() + ((limb - first_kept_) * context_.n() + begin) * babies_ * 2;
  }
  /// Where run `task` begins: a run and its mirror image follow each other, for they read the same
  /// part of mirrored rows.
  i64 begin_of(i64 task) const {
    return task % 2 == 0 ? task / 2 * run_ : context_.n() - (task / 2 + 1) * run_;
  }
  /// The products of one limb of digits and key; without a key nothing, but as many places.
  void append_terms(const std::vector<ring::RnsPoly>& digits, const SwitchingKey* key, int limb,
                    std::vector<ring::PairTerm>& out) const;
  SwitchedRun baby_run(const Image& image, int limb, i64 baby, i64 begin) const;
  void make_babies(const Image& image, int limb, i64 begin, double* out) const;
  /// Gathers the factors of a run into the scratch and has them fetched: they are a line of each
  /// of many rows, on their way while babies are made.
  Factors prepare_factors(const DiagonalRows& rows, i64 begin, Scratch& s) const;
  void sum_run(std::span<const size_t> giants, const Factors& factors, int limb, int first_limb,
               i64 begin, const double* babies, const Scratch& s, size_t image,
               std::vector<std::vector<ExtendedPair>>& out) const;

  const Context& context_;
  ThreadPool& pool_;
  int level_;
  LimbRange own_;
  int first_kept_ = 0;
  i64 babies_, run_;                     ///< how many; positions of a run
  std::vector<std::vector<int>> which_;  ///< [giant][term]: the baby
  std::vector<Image> images_;
  std::vector<const SwitchingKey*> keys_;  ///< [baby]; nullptr for rotation 0
  std::vector<RunOrder> orders_;           ///< [baby]
  std::vector<Scratch> scratch_;           ///< [worker]
};

}  // namespace sinter::ckks::detail
