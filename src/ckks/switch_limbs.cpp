// SPDX-License-Identifier: Apache-2.0
#include "ckks/detail/switch_limbs.h"

#include <algorithm>

#include "base/error.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

using ring::RnsPoly;
using ring::RnsRing;

constexpr int kLargestGroup = 4;  // limbs at a time
// Rows of digits of all workers together (unless one limb each needs more), so that they stay in
// the last cache that the workers share: 12 MiB at N = 2^16.
constexpr int kDigitRows = 24;
constexpr int kMaxDigits = 64;  // as many as primes

class Switch {
 public:
  Switch(const Context& context, const SwitchSource& source, int level,
         std::span<const SwitchingKey* const> keys, bool takes_last, ThreadPool& pool)
      : ring_(context.ring()),
        source_(source),
        level_(level),
        first_divisor_(takes_last ? level : level + 1),
        keys_(keys),
        pool_(pool),
        digits_(ring_.decompose(level, source.u, pool)),
        group_(std::clamp(kDigitRows / (digits_.count * int(pool.size())), 1, kLargestGroup)),
        rows_(digits_.count * group_ + 5 * group_ + 2),
        scratch_(size_t(pool.size())) {
    SINTER_ASSERT(digits_.count <= kMaxDigits);
    for (const SwitchingKey* key : keys) {
      SINTER_ASSERT(key->level >= level && std::ssize(key->digits) >= digits_.count);
      out_.push_back({ring_.make_poly(first_divisor_), ring_.make_poly(first_divisor_)});
      for (int half = 0; half < 2; ++half)
        remainders_.push_back(ring_.make_remainder(level, takes_last));
    }
  }

  std::vector<Parts> run() {
    const int divisors = level_ + 1 + ring_.special_count() - first_divisor_;
    for_groups(divisors, [&](int first, int last, int worker) {
      divisor_limbs(first_divisor_ + first, first_divisor_ + last, worker);
    });
    ring_.prepare(remainders_, pool_);
    for_groups(first_divisor_,
               [&](int first, int last, int worker) { quotient_limbs(first, last, worker); });
    return std::move(out_);
  }

 private:
  /// The rows of one worker.
  struct Rows {
    RnsPoly& memory;
    int digits, group;
    u64* digit(int d, int g) const { return at(d * group + g); }
    u64* remainder(int half, int g) const { return at((digits + half) * group + g); }
    std::array<u64*, 3> source(int g) const {
      const int base = (digits + 2) * group + 3 * g;
      return {at(base), at(base + 1), at(base + 2)};
    }
    u64* sum(int half) const { return at((digits + 5) * group + half); }
    u64* at(int i) const { return memory.limb(i).data(); }
  };
  /// Made at the worker's first task: with few limbs most of many workers have none.
  Rows rows_of(int worker) {
    RnsPoly& memory = scratch_[size_t(worker)];
    if (memory.empty()) memory = ring_.make_poly(rows_);
    return {memory, digits_.count, group_};
  }

  template <class Body>
  void for_groups(int limbs, const Body& body) {
    const RnsRing::Groups groups = RnsRing::groups(limbs, group_, pool_);
    pool_.run(groups.tasks, [&](i64 task, i64 worker) {
      body(groups.first(task), groups.first(task + 1), int(worker));
    });
  }

  /// Limbs [first, last) of the source (of q_0..q_level only) and of every digit.
  void load(const Rows& rows, int first, int last,
            std::array<SwitchSource::Limb, kLargestGroup>& limbs) {
    for (int i = first; i < std::min(last, level_ + 1); ++i)
      limbs[size_t(i - first)] = source_.limb(i, rows.source(i - first));
    for (int d = 0; d < digits_.count; ++d) {
      std::array<RnsRing::LimbTarget, kLargestGroup> targets;
      size_t count = 0;
      for (int i = first; i < last; ++i)
        if (!ring_.is_own_limb(digits_, d, i)) targets[count++] = {i, rows.digit(d, i - first)};
      ring_.extend(digits_, d, {targets.data(), count});
    }
  }

  /// The sum over the digits at one limb.
  void inner_product(const Rows& rows, const SwitchingKey& key, int limb, int g, const u64* u,
                     u64* out0, u64* out1) {
    const int key_limb = limb <= level_ ? limb : limb + key.level - level_;
    std::array<ring::PairTerm, kMaxDigits> terms;
    for (int d = 0; d < digits_.count; ++d) {
      const SwitchingKey::Digit& digit = key.digits[size_t(d)];
      terms[size_t(d)] = {ring_.is_own_limb(digits_, d, limb) ? u : rows.digit(d, g),
                          digit.b.limb(key_limb).data(), digit.a.limb(key_limb).data()};
    }
    ring::sum_products({terms.data(), size_t(digits_.count)}, ring_.limb_modulus(level_, limb),
                       ring_.n(), out0, out1);
  }

  void divisor_limbs(int first, int last, int worker) {
    const Rows rows = rows_of(worker);
    std::array<SwitchSource::Limb, kLargestGroup> limbs{};
    load(rows, first, last, limbs);
    for (size_t k = 0; k < keys_.size(); ++k)
      for (int i = first; i < last; ++i) {
        const SwitchSource::Limb& limb = limbs[size_t(i - first)];
        u64* out0 = ring_.remainder_row(remainders_[2 * k], i).data();
        u64* out1 = ring_.remainder_row(remainders_[2 * k + 1], i).data();
        inner_product(rows, *keys_[k], i, i - first, limb.u, out0, out1);
        if (i > level_) continue;  // P c is zero there
        const ring::Modulus& q = ring_.modulus(i);
        const ring::ShoupFactor special = q.shoup(ring_.special_product(i));
        ring::scale_and_add(limb.c0, q, special, ring_.n(), out0);
        if (limb.c1 != nullptr) ring::scale_and_add(limb.c1, q, special, ring_.n(), out1);
      }
  }

  void quotient_limbs(int first, int last, int worker) {
    const Rows rows = rows_of(worker);
    std::array<SwitchSource::Limb, kLargestGroup> limbs{};
    load(rows, first, last, limbs);
    for (size_t k = 0; k < keys_.size(); ++k) {
      for (int half = 0; half < 2; ++half) {
        std::array<RnsRing::LimbTarget, kLargestGroup> targets;
        for (int i = first; i < last; ++i)
          targets[size_t(i - first)] = {i, rows.remainder(half, i - first)};
        ring_.remainder_limbs(remainders_[2 * k + size_t(half)],
                              {targets.data(), size_t(last - first)});
      }
      for (int i = first; i < last; ++i) {
        const SwitchSource::Limb& limb = limbs[size_t(i - first)];
        inner_product(rows, *keys_[k], i, i - first, limb.u, rows.sum(0), rows.sum(1));
        divide(rows, k, 0, i, i - first, limb.c0);
        divide(rows, k, 1, i, i - first, limb.c1);
      }
    }
  }

  /// Limb i of one part of the result.
  void divide(const Rows& rows, size_t k, int half, int i, int g, const u64* c) {
    const ring::Modulus& q = ring_.modulus(i);
    const i64 n = ring_.n();
    const std::span<const u32> permutation = keys_[k]->permutation;
    const std::span<u64> out = out_[k][size_t(half)].limb(i);
    const u64 *v = rows.sum(half), *r = rows.remainder(half, g);
    const RnsRing::Remainder& remainder = remainders_[2 * k + size_t(half)];
    const ring::ShoupFactor& inverse = ring_.divisor_inverse(remainder, i);
    if (!permutation.empty()) {
      SINTER_ASSERT(!remainder.takes_last);
      ring::permute_quotient(v, r, c, permutation, q, inverse, out.data());
      return;
    }
    ring::subtract_and_scale(v, r, q, inverse, n, out.data());
    if (c != nullptr && remainder.takes_last)
      ring::scale_and_add(c, q, ring_.last_inverse(level_, i), n, out.data());
    else if (c != nullptr)
      ring::add(out.data(), c, q, n, out.data());
  }

  const RnsRing& ring_;
  const SwitchSource& source_;
  const int level_, first_divisor_;
  const std::span<const SwitchingKey* const> keys_;
  ThreadPool& pool_;
  const RnsRing::Digits digits_;
  const int group_, rows_;
  std::vector<RnsPoly> scratch_;                ///< [worker]
  std::vector<RnsRing::Remainder> remainders_;  ///< [key][half]
  std::vector<Parts> out_;
};

}  // namespace

std::vector<Parts> switch_limbs(const Context& context, const SwitchSource& source, int level,
                                std::span<const SwitchingKey* const> keys, bool takes_last,
                                ThreadPool& pool) {
  if (keys.empty()) return {};
  return Switch(context, source, level, keys, takes_last, pool).run();
}

}  // namespace sinter::ckks::detail
