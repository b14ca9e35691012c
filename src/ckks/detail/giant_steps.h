// SPDX-License-Identifier: Apache-2.0
// The giants of a linear map (linear_apply.cpp): sums over babies are divided by P, rotated by a
// key switch and added up modulo Q_l P.
#pragma once
#include <vector>

#include "ckks/detail/key_switch.h"
#include "ckks/detail/linear_kernels.h"
#include "ckks/linear.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {

/// Zeros in memory of the ring's cache.
ring::RnsPoly zero_poly(const Context& context, int limbs, ThreadPool& pool);

/// For ciphertexts of one level. Borrows everything. thread: one; parallel inside.
class GiantSteps {
 public:
  /// run  positions that are switched together, as RunOrder takes them
  GiantSteps(const Context& context, const LinearPlan& plan, int level, i64 run, ThreadPool& pool)
      : context_(context),
        plan_(plan),
        pool_(pool),
        level_(level),
        limbs_(level + 1 + context.ring().special_count()),
        run_(run) {}

  /// The sum so far; in Horner's form it waits for `steps` more.
  struct Total {
    ExtendedPair sum;
    i64 steps = 0;
  };
  /// Brings the sum over babies of the giant `steps` into the total: giants in the order of the
  /// plan, in Horner's form from the last to the first. v.c0 may be empty, for zeros, where v is
  /// switched before anything is added to it: always but after the first one of Horner's form.
  void add(const EvaluationKeys& keys, i64 steps, ExtendedPair v, Total& total) const;
  ExtendedPair zero_pair() const;

 private:
  const SwitchingKey& key(const EvaluationKeys& keys, i64 rotation) const {
    return keys.galois(context_, rotation, level_);
  }
  const ring::Modulus& modulus(int limb) const {
    return context_.ring().limb_modulus(level_, limb);
  }
  /// total += R_g(v) with this key. A few limbs at a time: their digits are extended into the
  /// scratch rows of the thread and multiplied at once. v.c1 becomes w.
  void switch_into(ExtendedPair v, const SwitchingKey& key, ExtendedPair& total) const;
  /// w = round(v / P), written over v, and its digits.
  ring::RnsRing::Digits decompose_divided(ring::RnsPoly& v) const;
  /// The runs in the order of those that the automorphism takes them from, so that keys and digits
  /// are read in order.
  std::vector<i64> sequence_of(const RunOrder& order) const;

  const Context& context_;
  const LinearPlan& plan_;
  ThreadPool& pool_;
  int level_, limbs_;
  i64 run_;
};

}  // namespace sinter::ckks::detail
