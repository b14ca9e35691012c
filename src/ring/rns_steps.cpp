// SPDX-License-Identifier: Apache-2.0
// Digits and divisions limb by limb. A base conversion has two halves: from the coefficients to
// the rows y_i and the count of multiples (once), and from those rows to each target (when the
// target's turn comes). The rows of one digit or divisor are read in tiles that stay in the
// first-level cache for all targets of a call, so a caller that asks for a few limbs together reads
// them from memory that many times less often.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "ring/rns.h"

namespace sinter::ring {
namespace {

constexpr i64 kGrain = 2048;  // coefficients per task that are worth a thread
constexpr size_t kMaxRows = 17;
constexpr size_t kMaxTargets = 16;

/// Rows [first, first + count) and the row of the fraction. The memory was written as words by the
/// inverse transform and is read as doubles from prepare() on.
BaseConverter::Rows double_rows(const RnsPoly& rows, int first, int fraction) {
  const auto row = [&](int i) {
    return reinterpret_cast<double*>(const_cast<u64*>(rows.limb(i).data()));
  };
  return {row(first), row(fraction), rows.limbs() > 1 ? row(1) - row(0) : 0};
}

}  // namespace

RnsRing::Groups RnsRing::groups(int limbs, int largest, const ThreadPool& pool) {
  const int workers = int(std::min<i64>(pool.size(), limbs));
  const int least = (limbs + largest - 1) / largest;
  return {limbs, std::min(limbs, (least + workers - 1) / workers * workers)};
}

RnsRing::Digits RnsRing::decompose(int level, const LimbWriter& write, ThreadPool& pool) const {
  SINTER_ASSERT(p_count_ > 0 && level >= 0 && level <= max_level());
  Digits out{level, digit_count(level), make_poly(level + 1 + digit_count(level))};
  pool.run(level + 1, [&](i64 limb, i64) {
    const std::span<u64> row = out.rows.limb(int(limb));
    write(int(limb), row);
    ntt_inverse(ntt(int(limb)), row);
  });
  pool.ranges(n_, kGrain, [&](i64 begin, i64 end) {
    for (int d = 0; d < out.count; ++d) {
      const int first = d * p_count_, size = std::min(p_count_, level + 1 - first);
      std::array<const u64*, kMaxRows> in;
      for (int i = 0; i < size; ++i) in[size_t(i)] = out.rows.limb(first + i).data();
      digit_converter(d, size).prepare({in.data(), size_t(size)},
                                       double_rows(out.rows, first, level + 1 + d), begin, end);
    }
  });
  return out;
}

void RnsRing::extend(const Digits& digits, int digit, std::span<const LimbTarget> targets) const {
  std::array<BaseConverter::Target, kMaxTargets> out;
  SINTER_ASSERT(targets.size() <= kMaxTargets);
  for (size_t i = 0; i < targets.size(); ++i)
    out[i] = {prime_of(digits.level, targets[i].limb), targets[i].out};
  const int first = digit * p_count_, size = std::min(p_count_, digits.level + 1 - first);
  digit_converter(digit, size)
      .combine(double_rows(digits.rows, first, digits.level + 1 + digit),
               {out.data(), targets.size()}, 0, n_);
  for (size_t i = 0; i < targets.size(); ++i)
    ntt_forward(ntt(out[i].index), {out[i].out, size_t(n_)});
}

bool RnsRing::divides_with_last() const { return p_count_ > 0 && size_t(p_count_) + 2 <= kMaxRows; }

RnsRing::Remainder RnsRing::make_remainder(int level, bool takes_last) const {
  SINTER_ASSERT(p_count_ > 0 && level <= max_level());
  SINTER_ASSERT(!takes_last || (level >= 1 && divides_with_last()));
  return {level, takes_last, make_poly(p_count_ + (takes_last ? 2 : 1))};
}

void RnsRing::prepare(std::span<Remainder> remainders, ThreadPool& pool) const {
  if (remainders.empty()) return;
  const int level = remainders[0].level, sources = remainders[0].sources();
  const int first_limb = level + 1 + p_count_ - sources;
  pool.run(std::ssize(remainders) * sources, [&](i64 task, i64) {
    const int row = int(task % sources);
    ntt_inverse(ntt(prime_of(level, first_limb + row)),
                remainders[size_t(task / sources)].rows.limb(row));
  });
  pool.ranges(n_, kGrain, [&](i64 begin, i64 end) {
    for (Remainder& r : remainders) {
      std::array<const u64*, kMaxRows> in;
      for (int i = 0; i < sources; ++i) in[size_t(i)] = r.rows.limb(i).data();
      divisor_converter(r).prepare({in.data(), size_t(sources)}, double_rows(r.rows, 0, sources),
                                   begin, end);
    }
  });
}

void RnsRing::remainder_limbs(const Remainder& remainder,
                              std::span<const LimbTarget> targets) const {
  std::array<BaseConverter::Target, kMaxTargets> out;
  SINTER_ASSERT(targets.size() <= kMaxTargets);
  for (size_t i = 0; i < targets.size(); ++i) out[i] = {targets[i].limb, targets[i].out};
  divisor_converter(remainder).combine(double_rows(remainder.rows, 0, remainder.sources()),
                                       {out.data(), targets.size()}, 0, n_);
  for (const LimbTarget& t : targets) ntt_forward(ntt(t.limb), {t.out, size_t(n_)});
}

}  // namespace sinter::ring
