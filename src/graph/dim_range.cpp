// SPDX-License-Identifier: Apache-2.0
// What holds for every value of the symbols: bounds by interval arithmetic, comparisons by the
// bounds of a difference, and the largest and smallest of two Dims, which drop an operand that the
// other one dominates.
#include <algorithm>
#include <limits>

#include "graph/detail/dim_terms.h"

namespace sinter {

using detail::AtomKind;
using detail::AtomPtr;
using detail::DimAtom;
using detail::DimParts;
using detail::DimTerm;

namespace {

constexpr i64 kLeast = std::numeric_limits<i64>::min(), kMost = std::numeric_limits<i64>::max();
using Wide = __int128;

i64 saturated(Wide v) { return v <= Wide(kLeast) ? kLeast : v >= Wide(kMost) ? kMost : i64(v); }

/// Sum of two bounds of one side; an infinite one stays infinite.
i64 add_bounds(i64 a, i64 b, i64 infinite) {
  return a == infinite || b == infinite ? infinite : saturated(Wide(a) + b);
}

i64 multiply_bounds(i64 a, i64 b) {
  if (a == 0 || b == 0) return 0;
  const bool infinite = a == kLeast || a == kMost || b == kLeast || b == kMost;
  if (infinite) return (a < 0) == (b < 0) ? kMost : kLeast;
  return saturated(Wide(a) * b);
}

DimRange product(DimRange a, DimRange b) {
  const i64 ends[] = {multiply_bounds(a.low, b.low), multiply_bounds(a.low, b.high),
                      multiply_bounds(a.high, b.low), multiply_bounds(a.high, b.high)};
  const auto [low, high] = std::minmax_element(std::begin(ends), std::end(ends));
  return {*low, *high};
}

i64 divide_bound(i64 a, i64 positive) {
  if (a == kLeast || a == kMost) return a;
  return a / positive - (a % positive != 0 && a < 0 ? 1 : 0);
}

DimRange range_of_atom(const DimAtom& atom, i64 least_symbol) {
  if (atom.kind == AtomKind::symbol) return {least_symbol, kMost};
  std::vector<DimRange> in;
  for (const Dim& d : atom.arguments) in.push_back(range_of(d, least_symbol));
  if (atom.kind == AtomKind::quotient) {
    const DimRange above = in[0], below = in[1];
    if (below.low < 0 || (below.low == 0 && above.low < 0)) return {kLeast, kMost};
    // A divisor of 0 has no value, so that 1 is the least one.
    const i64 least = std::max<i64>(below.low, 1), most = below.high;
    const i64 low = above.low >= 0 ? (most == kMost ? 0 : divide_bound(above.low, most))
                                   : divide_bound(above.low, least);
    const i64 high = above.high < 0 ? (most == kMost ? -1 : divide_bound(above.high, most))
                                    : divide_bound(above.high, least);
    return {low, high};
  }
  DimRange range = in[0];
  const bool largest = atom.kind == AtomKind::largest;
  for (const DimRange& r : in) {
    range.low = largest ? std::max(range.low, r.low) : std::min(range.low, r.low);
    range.high = largest ? std::max(range.high, r.high) : std::min(range.high, r.high);
  }
  return range;
}

/// The operands of `d` when it is itself the largest (smallest) of several, else `d` alone.
std::vector<Dim> operands(const Dim& d, AtomKind kind) {
  const auto& terms = DimParts::terms(d);
  if (DimParts::constant(d) == 0 && terms.size() == 1 && terms[0].coefficient == 1 &&
      terms[0].atoms.size() == 1 && terms[0].atoms[0]->kind == kind)
    return terms[0].atoms[0]->arguments;
  return {d};
}

/// a >= b for all values of the symbols: by the bounds of the difference, or because b is the
/// smallest of something that a reaches, or a the largest of something that reaches b.
bool reaches(const Dim& a, const Dim& b, i64 least_symbol) {
  const Dim difference = a - b;
  if (!difference.is_known()) return false;
  if (range_of(difference, least_symbol).low >= 0) return true;
  const std::vector<Dim> above = operands(a, AtomKind::largest),
                         below = operands(b, AtomKind::smallest);
  if (above.size() > 1)
    return std::any_of(above.begin(), above.end(),
                       [&](const Dim& d) { return reaches(d, b, least_symbol); });
  return below.size() > 1 && std::any_of(below.begin(), below.end(),
                                         [&](const Dim& d) { return reaches(a, d, least_symbol); });
}

/// True when `a` decides against `b`: it is never less (for the largest) or never more.
bool dominates(const Dim& a, const Dim& b, AtomKind kind) {
  return kind == AtomKind::largest ? reaches(a, b, 0) : reaches(b, a, 0);
}

Dim extreme(const Dim& a, const Dim& b, AtomKind kind) {
  if (!a.is_known() || !b.is_known()) return {};
  std::vector<Dim> kept;
  for (const Dim& side : {a, b})
    for (const Dim& d : operands(side, kind)) {
      if (std::any_of(kept.begin(), kept.end(),
                      [&](const Dim& k) { return dominates(k, d, kind); }))
        continue;
      std::erase_if(kept, [&](const Dim& k) { return dominates(d, k, kind); });
      kept.push_back(d);
    }
  if (kept.size() == 1) return kept[0];
  std::sort(kept.begin(), kept.end(),
            [](const Dim& x, const Dim& y) { return x.text() < y.text(); });
  return DimParts::atom(kind, std::move(kept));
}

}  // namespace

DimRange range_of(const Dim& d, i64 least_symbol) {
  if (!d.is_known()) return {kLeast, kMost};
  DimRange sum{DimParts::constant(d), DimParts::constant(d)};
  for (const DimTerm& term : DimParts::terms(d)) {
    DimRange range{term.coefficient, term.coefficient};
    for (const AtomPtr& atom : term.atoms)
      range = product(range, range_of_atom(*atom, least_symbol));
    sum = {add_bounds(sum.low, range.low, kLeast), add_bounds(sum.high, range.high, kMost)};
  }
  return sum;
}

std::optional<bool> is_equal(const Dim& a, const Dim& b, i64 least_symbol) {
  const Dim difference = a - b;
  if (!difference.is_known()) return std::nullopt;
  if (difference.is(0)) return true;
  const DimRange range = range_of(difference, least_symbol);
  if (range.low > 0 || range.high < 0) return false;
  return std::nullopt;
}

std::optional<bool> is_less(const Dim& a, const Dim& b, i64 least_symbol) {
  const Dim difference = a - b;
  if (!difference.is_known()) return std::nullopt;
  const DimRange range = range_of(difference, least_symbol);
  if (range.high < 0) return true;
  if (range.low >= 0 || reaches(a, b, least_symbol)) return false;
  return std::nullopt;
}

Dim maximum(const Dim& a, const Dim& b) { return extreme(a, b, AtomKind::largest); }
Dim minimum(const Dim& a, const Dim& b) { return extreme(a, b, AtomKind::smallest); }

}  // namespace sinter
