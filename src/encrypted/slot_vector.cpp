// SPDX-License-Identifier: Apache-2.0
#include "encrypted/slot_vector.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"

namespace sinter::encrypted {

bool Pattern::is_sound(i64 period) const {
  for (u32 field : {length, count0, stride0, count1, stride1})
    if (i64(field) > period) return false;
  if (length < 1 || count0 < 1 || count1 < 1) return false;
  const i64 inner = i64(length) + (i64(count0) - 1) * i64(stride0);
  const bool fits0 = count0 == 1 ? stride0 == 0 : stride0 >= length;
  const bool fits1 = count1 == 1 ? stride1 == 0 : i64(stride1) >= inner;
  return fits0 && fits1 && extent() <= period;
}

void SlotVector::expand(std::span<double> out) const {
  SINTER_ASSERT(std::ssize(out) == period);
  std::fill(out.begin(), out.end(), 0.0);
  const Pattern* const pool = patterns->data();
  for (const Run& run : runs) {
    const Pattern p = pool[run.pattern];
    double* row = out.data() + run.start;
    for (u32 i = 0; i < p.count1; ++i, row += p.stride1) {
      double* at = row;
      if (p.length == 1)
        for (u32 j = 0; j < p.count0; ++j, at += p.stride0) *at = run.value;
      else
        for (u32 j = 0; j < p.count0; ++j, at += p.stride0) std::fill_n(at, p.length, run.value);
    }
  }
}

double SlotVector::largest() const {
  double m = 0;
  for (const Run& run : runs) m = std::max(m, std::abs(run.value));
  return m;
}

bool SlotVector::is_sound() const {
  std::vector<u8> taken(size_t(period), 0);
  i64 after = 0;  // no start below it
  for (const Run& run : runs) {
    if (i64(run.start) < after || run.pattern >= patterns->size() || !std::isfinite(run.value))
      return false;
    after = i64(run.start) + 1;
    const Pattern& p = (*patterns)[run.pattern];
    if (!p.is_sound(period - i64(run.start))) return false;
    u8 twice = 0;
    for (u32 i = 0; i < p.count1; ++i)
      for (u32 j = 0; j < p.count0; ++j) {
        u8* at = taken.data() + run.start + i * size_t(p.stride1) + j * size_t(p.stride0);
        for (u32 k = 0; k < p.length; ++k) {
          twice |= at[k];
          at[k] = 1;
        }
      }
    if (twice != 0) return false;
  }
  return true;
}

bool SlotVector::operator==(const SlotVector& other) const {
  return period == other.period && runs == other.runs && *patterns == *other.patterns;
}

void share_patterns(std::span<SlotVector> vectors) {
  std::map<Pattern, u32> number;
  Patterns shared;
  for (SlotVector& v : vectors) {
    std::vector<u32> renamed(v.patterns->size());
    for (size_t k = 0; k < renamed.size(); ++k) {
      const Pattern& p = (*v.patterns)[k];
      const auto [it, fresh] = number.emplace(p, u32(shared.size()));
      if (fresh) shared.push_back(p);
      renamed[k] = it->second;
    }
    for (Run& run : v.runs) run.pattern = renamed[run.pattern];
  }
  const auto all = std::make_shared<const Patterns>(std::move(shared));
  for (SlotVector& v : vectors) v.patterns = all;
}

}  // namespace sinter::encrypted
