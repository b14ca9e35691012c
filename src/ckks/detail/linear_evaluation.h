// SPDX-License-Identifier: Apache-2.0
// The steps of one evaluation of a linear map; linear_apply.cpp has the formulas and their order.
#pragma once
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "ckks/detail/key_switch.h"
#include "ckks/detail/linear_apply.h"
#include "ckks/detail/linear_kernels.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {

/// Doubles on a 64-byte boundary, so that no vector of four crosses a line; not initialised.
struct FreeDoubles {
  void operator()(double* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
};
using AlignedDoubles = std::unique_ptr<double[], FreeDoubles>;

/// What does not change during one evaluation. Borrows everything. thread: one; parallel inside.
class LinearEvaluation {
 public:
  LinearEvaluation(const Context& context, const LinearPlan& plan, const Ciphertext& x,
                   const EvaluationKeys& keys, ThreadPool& pool);
  i64 pair_bytes() const { return 2 * limbs_ * context_.n() * i64(sizeof(u64)); }
  ExtendedPair make_pair() const {
    return {context_.ring().make_poly(limbs_), context_.ring().make_poly(limbs_)};
  }
  /// Babies once for all groups that follow.
  void keep_babies();
  /// V_g for the giants asked for.
  std::vector<ExtendedPair> sums(std::span<const size_t> giants, const DiagonalSet& diagonals);
  /// total += R_g(v) with this key. A few limbs at a time: their digits are extended into the
  /// scratch rows of the thread and multiplied at once. v.c1 becomes w.
  void switch_into(ExtendedPair v, const SwitchingKey& key, ExtendedPair& total);
  Ciphertext finish(ExtendedPair total, double plain_scale) const;

 private:
  /// Memory of one thread for one run.
  struct Scratch {
    AlignedDoubles babies;
    std::vector<double> factors;
    std::vector<const u64*> rows;
  };

  const ring::Modulus& modulus(int limb) const {
    return context_.ring().limb_modulus(level_, limb);
  }
  /// w = round(v / P), written over v, and its digits.
  ring::RnsRing::Digits decompose_divided(ring::RnsPoly& v) const;
  /// The runs in the order of those that the automorphism takes them from, so that keys and digits
  /// are read in order.
  std::vector<i64> sequence_of(const RunOrder& order) const;
  double* kept_run(int limb, i64 begin) const {
    return kept_.get() + (limb * context_.n() + begin) * babies_ * 2;
  }
  /// body(limb, begin, worker) for every run of every limb.
  template <class Body>
  void for_runs(const Body& body) const {
    const i64 runs = context_.n() / run_;
    pool_.run(limbs_ * runs,
              [&](i64 task, i64 worker) { body(int(task / runs), task % runs * run_, worker); });
  }
  /// The products of one limb of digits and key; without a key nothing, but as many places.
  void append_terms(const std::vector<ring::RnsPoly>& digits, const SwitchingKey* key, int limb,
                    std::vector<ring::PairTerm>& out) const;
  SwitchedRun baby_run(int limb, i64 baby, i64 begin) const;
  void make_babies(int limb, i64 begin, double* out) const;
  /// The factors of a run are a line of each of many diagonals: on their way while babies are made.
  void fetch_factors(const DiagonalSet& diagonals, int limb, i64 begin) const;
  void sum_run(std::span<const size_t> giants, const DiagonalSet& diagonals, int limb, i64 begin,
               const double* babies, Scratch& s, std::vector<ExtendedPair>& out) const;

  const Context& context_;
  const Ciphertext& x_;
  ThreadPool& pool_;
  int level_, limbs_;
  i64 babies_, run_;                       ///< how many; positions of a run
  std::vector<std::vector<int>> which_;    ///< [giant][term]: the baby
  std::vector<ring::RnsPoly> digits_;      ///< of c_1
  std::vector<const SwitchingKey*> keys_;  ///< [baby]; nullptr for rotation 0
  std::vector<RunOrder> orders_;           ///< [baby]
  std::vector<ring::PairTerm> terms_;      ///< [limb][baby][digit]
  std::vector<Scratch> scratch_;           ///< [worker]
  AlignedDoubles kept_;                    ///< [limb][run] babies, or none
};

}  // namespace sinter::ckks::detail
