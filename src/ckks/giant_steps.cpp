// SPDX-License-Identifier: Apache-2.0
#include "ckks/detail/giant_steps.h"

#include <algorithm>
#include <array>

#include "ring/kernels.h"

namespace sinter::ckks::detail {
namespace {

using ring::RnsPoly;

constexpr int kLimbGroup = 2;  // limbs of a giant step at a time, times digits: 4 MiB at N = 2^16

}  // namespace

RnsPoly zero_poly(const Context& context, int limbs, ThreadPool& pool) {
  RnsPoly zero = context.ring().make_poly(limbs);
  pool.run(limbs, [&](i64 limb, i64) { std::ranges::fill(zero.limb(int(limb)), u64(0)); });
  return zero;
}

ExtendedPair GiantSteps::zero_pair() const {
  return {zero_poly(context_, limbs_, pool_), zero_poly(context_, limbs_, pool_)};
}

void GiantSteps::switch_into(ExtendedPair v, const SwitchingKey& key, ExtendedPair& total) const {
  const ring::RnsRing& ring = context_.ring();
  const bool has_first = !v.c0.empty();
  const ring::RnsRing::Digits digits = decompose_divided(v.c1);
  const RunOrder order(key.permutation, run_);
  const std::vector<i64> begins = sequence_of(order);
  const ring::RnsRing::Groups parts = ring::RnsRing::groups(limbs_, kLimbGroup, pool_);
  std::vector<RnsPoly> rows(size_t(pool_.size()));  // made at the worker's first task
  std::vector<std::vector<ring::PairTerm>> all_terms(rows.size());
  pool_.run(parts.tasks, [&](i64 task, i64 worker) {
    const int first = parts.first(task), last = parts.first(task + 1);
    RnsPoly& own = rows[size_t(worker)];
    if (own.empty()) own = ring.make_poly(kLimbGroup * digits.count);
    const auto row = [&](int digit, int limb) {
      return own.limb((limb - first) * digits.count + digit).data();
    };
    for (int d = 0; d < digits.count; ++d) {
      std::array<ring::RnsRing::LimbTarget, kLimbGroup> targets;
      size_t count = 0;
      for (int i = first; i < last; ++i)
        if (!ring.is_own_limb(digits, d, i)) targets[count++] = {i, row(d, i)};
      ring.extend(digits, d, {targets.data(), count});
    }
    std::vector<ring::PairTerm>& terms = all_terms[size_t(worker)];
    for (int i = first; i < last; ++i) {
      const int key_limb = i <= level_ ? i : i + key.level - level_;
      terms.clear();
      for (int d = 0; d < digits.count; ++d)
        terms.push_back({ring.is_own_limb(digits, d, i) ? v.c1.limb(i).data() : row(d, i),
                         key.digits[size_t(d)].b.limb(key_limb).data(),
                         key.digits[size_t(d)].a.limb(key_limb).data()});
      for (i64 begin : begins)
        switch_and_add({terms, has_first ? v.c0.limb(i).data() : nullptr, 1, &order, begin},
                       modulus(i), total.c0.limb(i).data(), total.c1.limb(i).data());
    }
  });
}

ring::RnsRing::Digits GiantSteps::decompose_divided(RnsPoly& v) const {
  const ring::RnsRing& ring = context_.ring();
  ring::RnsRing::Remainder remainder = ring.make_remainder(level_, false);
  for (int i = level_ + 1; i < limbs_; ++i)
    std::copy_n(v.limb(i).data(), context_.n(), ring.remainder_row(remainder, i).data());
  ring.prepare({&remainder, 1}, pool_);
  return ring.decompose(
      level_,
      [&](int i, std::span<u64> out) {
        u64* const w = v.limb(i).data();
        const ring::RnsRing::LimbTarget target{i, out.data()};
        ring.remainder_limbs(remainder, {&target, 1});
        ring::subtract_and_scale(w, out.data(), modulus(i), ring.divisor_inverse(remainder, i),
                                 context_.n(), w);
        std::copy_n(w, context_.n(), out.data());
      },
      pool_);
}

std::vector<i64> GiantSteps::sequence_of(const RunOrder& order) const {
  std::vector<i64> begins(size_t(context_.n() / run_));
  for (i64 begin = 0; begin < context_.n(); begin += run_)
    begins[size_t(order.run(begin).from / run_)] = begin;
  return begins;
}

void GiantSteps::add(const EvaluationKeys& keys, i64 steps, ExtendedPair v, Total& total) const {
  const bool is_horner = plan_.form == GiantForm::horner;
  if (total.sum.c1.empty() && (is_horner || steps == 0)) {
    total = {std::move(v), steps};
  } else if (is_horner) {
    for (; total.steps > steps; total.steps -= plan_.baby_count) {
      const bool is_last = total.steps - plan_.baby_count == steps;
      ExtendedPair next = is_last ? std::move(v) : zero_pair();
      switch_into(std::move(total.sum), key(keys, plan_.baby_count), next);
      total.sum = std::move(next);
    }
  } else {
    if (total.sum.c1.empty()) total.sum = zero_pair();
    switch_into(std::move(v), key(keys, steps), total.sum);
  }
}

}  // namespace sinter::ckks::detail
