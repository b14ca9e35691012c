// SPDX-License-Identifier: Apache-2.0
// Finding the patterns of a vector, without knowledge of where it comes from: for each value, the
// stretches of neighbouring slots that hold it, in ascending order, are taken greedily into
// progressions of equal length and distance, and these into progressions of progressions.
#include <algorithm>
#include <bit>
#include <map>

#include "encrypted/slot_vector.h"

namespace sinter::encrypted {
namespace {

/// `length` neighbours that hold the same value.
struct Stretch {
  u32 start, length;
};

/// Numbers distinct doubles in the order of their arrival. Open addressing, at most half full.
class Numbering {
 public:
  explicit Numbering(i64 most)
      : places_(std::bit_ceil(u64(std::max<i64>(8, 2 * most))), kFree),
        shift_(64 - std::countr_zero(places_.size())) {}

  u32 operator()(double value) {
    const u64 bits = std::bit_cast<u64>(value);
    // Fibonacci hashing (Knuth, The Art of Computer Programming 3, section 6.4)
    for (u64 at = bits * 0x9e3779b97f4a7c15 >> shift_;; at = (at + 1) & (places_.size() - 1)) {
      u32& place = places_[at];
      if (place == kFree) {
        place = u32(values_.size());
        values_.push_back(value);
        return place;
      }
      if (std::bit_cast<u64>(values_[place]) == bits) return place;
    }
  }
  const std::vector<double>& values() const { return values_; }

 private:
  static constexpr u32 kFree = ~u32(0);
  std::vector<u32> places_;
  std::vector<double> values_;
  int shift_;
};

/// Stretches of each value: those of value v are [first[v], first[v + 1]), ascending.
struct Grouped {
  std::vector<double> values;
  std::vector<u32> first;
  std::vector<Stretch> stretches;
};

Grouped group(std::span<const double> x) {
  std::vector<Stretch> found;
  for (size_t i = 0; i < x.size();) {
    size_t end = i + 1;
    while (end < x.size() && x[end] == x[i]) ++end;
    if (x[i] != 0) found.push_back({u32(i), u32(end - i)});
    i = end;
  }
  Numbering number(std::ssize(found));
  std::vector<u32> value_of(found.size());
  for (size_t k = 0; k < found.size(); ++k) value_of[k] = number(x[found[k].start]);
  Grouped g{number.values(), std::vector<u32>(number.values().size() + 1, 0), {}};
  for (u32 v : value_of) ++g.first[v + 1];
  for (size_t v = 1; v < g.first.size(); ++v) g.first[v] += g.first[v - 1];
  g.stretches.resize(found.size());
  std::vector<u32> next = g.first;
  for (size_t k = 0; k < found.size(); ++k) g.stretches[next[value_of[k]]++] = found[k];
  return g;
}

/// The longest progression that starts with the first stretch.
Pattern first_progression(std::span<const Stretch> s) {
  Pattern p;
  p.length = s[0].length;
  if (s.size() < 2 || s[1].length != p.length) return p;
  p.stride0 = s[1].start - s[0].start;
  p.count0 = 2;
  while (p.count0 < s.size() && s[p.count0].length == p.length &&
         s[p.count0].start - s[p.count0 - 1].start == p.stride0)
    ++p.count0;
  return p;
}

/// As many stretches as one pattern takes from the first on.
Pattern first_pattern(std::span<const Stretch> s) {
  const Pattern inner = first_progression(s);
  Pattern p = inner;
  for (size_t at = inner.count0; at < s.size(); at += inner.count0) {
    const u32 distance = s[at].start - s[at - inner.count0].start;
    if (p.count1 > 1 && distance != p.stride1) break;
    if (first_progression(s.subspan(at)) != inner) break;
    p.stride1 = distance;
    ++p.count1;
  }
  return p;
}

}  // namespace

SlotVector to_runs(std::span<const double> values) {
  const Grouped g = group(values);
  SlotVector v{std::ssize(values), {}};
  Patterns patterns;
  std::map<Pattern, u32> number;
  for (size_t k = 0; k < g.values.size(); ++k) {
    std::span<const Stretch> rest(g.stretches.data() + g.first[k], g.first[k + 1] - g.first[k]);
    while (!rest.empty()) {
      const Pattern p = first_pattern(rest);
      const auto [it, fresh] = number.emplace(p, u32(patterns.size()));
      if (fresh) patterns.push_back(p);
      v.runs.push_back({rest[0].start, it->second, g.values[k]});
      rest = rest.subspan(size_t(p.count0) * p.count1);
    }
  }
  v.runs.shrink_to_fit();
  std::sort(v.runs.begin(), v.runs.end(),
            [](const Run& a, const Run& b) { return a.start < b.start; });
  v.patterns = std::make_shared<const Patterns>(std::move(patterns));
  return v;
}

}  // namespace sinter::encrypted
