// SPDX-License-Identifier: Apache-2.0
// Quotients of dimensions in canonical form. By a number d > 0:
//
//   floor((d*w + r)/d)               = w + floor(r/d)          coefficients of r from 0 to d - 1
//   floor((g*r + c)/(g*d))           = floor((r + floor(c/g))/d)
//   floor((floor(n/e) + r)/d)        = floor((n + e*r)/(e*d))  so that halving twice is one atom
//
// By an expression: exact division of polynomials, or an atom.
#include <algorithm>
#include <numeric>

#include "graph/detail/dim_terms.h"

namespace sinter {

using detail::AtomKind;
using detail::AtomPtr;
using detail::DimParts;
using detail::DimTerm;
using detail::DimTerms;

namespace {

/// b is not 0, and not -1 when a is the least number.
i64 floor_quotient(i64 a, i64 b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }
/// From 0 to b - 1, for b > 0.
i64 remainder(i64 a, i64 b) { return a % b + (a % b < 0 ? b : 0); }

Dim divide_by_number(const Dim& a, i64 divisor);

/// The rule for a quotient inside: the first term of `rest` that is one quotient by a number.
std::optional<Dim> flattened(const Dim& rest, i64 divisor) {
  for (const DimTerm& term : DimParts::terms(rest)) {
    if (term.coefficient != 1 || term.atoms.size() != 1) continue;
    const detail::DimAtom& atom = *term.atoms[0];
    if (atom.kind != AtomKind::quotient) continue;
    const std::optional<i64> inner = atom.arguments[1].value();
    i64 both = 0;
    if (!inner || *inner <= 0 || __builtin_mul_overflow(*inner, divisor, &both)) continue;
    const Dim others = rest - DimParts::make(0, {term});
    const Dim above = atom.arguments[0] + Dim(*inner) * others;
    if (above.is_known()) return divide_by_number(above, both);
  }
  return std::nullopt;
}

Dim divide_by_number(const Dim& a, i64 divisor) {
  DimTerms whole, rest;
  i64 common = divisor;
  for (const DimTerm& term : DimParts::terms(a)) {
    const i64 quotient = floor_quotient(term.coefficient, divisor);
    const i64 left = remainder(term.coefficient, divisor);
    if (quotient != 0) whole.push_back({quotient, term.atoms});
    if (left != 0) rest.push_back({left, term.atoms});
    if (left != 0) common = std::gcd(common, left);
  }
  const i64 constant = DimParts::constant(a), quotient = floor_quotient(constant, divisor);
  const Dim outside = DimParts::make(quotient, std::move(whole));
  if (rest.empty()) return outside;
  for (DimTerm& term : rest) term.coefficient /= common;
  const Dim inside = DimParts::make(remainder(constant, divisor) / common, std::move(rest));
  divisor /= common;
  if (divisor == 1) return outside + inside;
  if (const auto flat = flattened(inside, divisor)) return outside + *flat;
  return outside + DimParts::atom(AtomKind::quotient, {inside, Dim(divisor)});
}

/// Terms of d with the constant as a term without atoms.
DimTerms all_terms(const Dim& d) {
  DimTerms terms = DimParts::terms(d);
  if (DimParts::constant(d) != 0) terms.push_back({DimParts::constant(d), {}});
  return terms;
}

/// The term of highest degree, among those the last in order: an order that products respect.
const DimTerm& leading(const DimTerms& terms) {
  return *std::max_element(terms.begin(), terms.end(), [](const DimTerm& x, const DimTerm& y) {
    if (x.atoms.size() != y.atoms.size()) return x.atoms.size() < y.atoms.size();
    return detail::compare(x.atoms, y.atoms) < 0;
  });
}

std::optional<Dim> quotient_of(const DimTerm& a, const DimTerm& b) {
  if (b.coefficient == -1 && a.coefficient == INT64_MIN) return std::nullopt;
  if (a.coefficient % b.coefficient != 0) return std::nullopt;
  std::vector<AtomPtr> left;
  std::set_difference(a.atoms.begin(), a.atoms.end(), b.atoms.begin(), b.atoms.end(),
                      std::back_inserter(left),
                      [](const AtomPtr& x, const AtomPtr& y) { return detail::compare(x, y) < 0; });
  if (left.size() + b.atoms.size() != a.atoms.size()) return std::nullopt;
  const i64 c = a.coefficient / b.coefficient;
  return left.empty() ? Dim(c) : DimParts::make(0, {{c, std::move(left)}});
}

/// q with q * b == a, by long division.
std::optional<Dim> exact_quotient(const Dim& a, const Dim& b) {
  Dim quotient(0), rest = a;
  const DimTerms below = all_terms(b);
  const DimTerm& lead = leading(below);
  for (size_t step = 0; step < detail::kMaxTerms; ++step) {
    if (!rest.is_known()) return std::nullopt;
    if (rest.is(0)) return quotient;
    const std::optional<Dim> part = quotient_of(leading(all_terms(rest)), lead);
    if (!part) return std::nullopt;
    quotient = quotient + *part;
    rest = rest - *part * b;
  }
  return std::nullopt;
}

}  // namespace

Dim floor_div(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known() || b.is(0)) return {};
  if (a.is(0)) return 0;
  if (const auto divisor = b.value()) {
    if (*divisor == INT64_MIN) return {};
    if (*divisor > 0) return divide_by_number(a, *divisor);
    const Dim opposite = Dim(0) - a;
    return opposite.is_known() ? divide_by_number(opposite, -*divisor) : Dim();
  }
  if (const auto exact = exact_quotient(a, b)) return *exact;
  return DimParts::atom(AtomKind::quotient, {a, b});
}

Dim ceil_div(const Dim& a, const Dim& b) {
  if (const auto n = b.value(); n && *n > 0) return floor_div(a + Dim(*n - 1), b);
  return Dim(0) - floor_div(Dim(0) - a, b);
}

Dim floor_mod(const Dim& a, const Dim& b) { return a - b * floor_div(a, b); }

}  // namespace sinter
