// SPDX-License-Identifier: Apache-2.0
#include "graph/dim.h"

#include <algorithm>

namespace sinter {
namespace {

/// b is not 0, and not -1 when a is the least number.
i64 floor_quotient(i64 a, i64 b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

}  // namespace

Dim::Dim(i64 value) : known_(true) {
  if (value != 0) terms_[{}] = value;
}

Dim Dim::symbol(std::string_view name) {
  Dim d;
  d.known_ = true;
  d.terms_[{std::string(name)}] = 1;
  return d;
}

std::optional<i64> Dim::value() const {
  if (!known_) return std::nullopt;
  if (terms_.empty()) return 0;
  if (terms_.size() == 1 && terms_.begin()->first.empty()) return terms_.begin()->second;
  return std::nullopt;
}

Dim operator+(const Dim& a, const Dim& b) {
  if (!a.known_ || !b.known_) return {};
  Dim sum = a;
  for (const auto& [monomial, c] : b.terms_) {
    i64& into = sum.terms_[monomial];
    if (__builtin_add_overflow(into, c, &into)) return {};
    if (into == 0) sum.terms_.erase(monomial);
  }
  return sum;
}

Dim operator-(const Dim& a, const Dim& b) { return a + Dim(-1) * b; }

Dim operator*(const Dim& a, const Dim& b) {
  if (!a.known_ || !b.known_) return {};
  Dim product(0);
  for (const auto& [ma, ca] : a.terms_)
    for (const auto& [mb, cb] : b.terms_) {
      Dim::Monomial m;
      std::merge(ma.begin(), ma.end(), mb.begin(), mb.end(), std::back_inserter(m));
      Dim term(0);
      i64 c = 0;
      if (__builtin_mul_overflow(ca, cb, &c)) return {};
      term.terms_[std::move(m)] = c;
      product = product + term;
    }
  return product;
}

Dim floor_div(const Dim& a, const Dim& b) {
  if (!a.known_ || !b.known_ || b.is(0)) return {};
  if (same(a, b)) return 1;  // b is not the number 0; a symbolic 0/0 shape does not occur
  if (b.is(-1)) return Dim(0) - a;
  if (const auto divisor = b.value()) {
    // a = divisor * whole + rest with the coefficients of rest from 0 to divisor - 1 (from divisor
    // + 1 to 0 when it is negative), so the form is unique and a constant rest has quotient 0.
    Dim whole(0), rest(0);
    for (const auto& [m, c] : a.terms_) {
      const i64 quotient = floor_quotient(c, *divisor), left = c % *divisor;
      if (quotient != 0) whole.terms_[m] = quotient;
      if (left != 0) rest.terms_[m] = (left < 0) == (*divisor < 0) ? left : left + *divisor;
    }
    if (rest.value()) return whole;
    return whole + Dim::symbol("floor((" + rest.text() + ")/" + b.text() + ")");
  }
  if (b.terms_.size() == 1) {  // one monomial: cancel its atoms from every term of a
    const auto& [by, c_by] = *b.terms_.begin();
    Dim quotient(0);
    bool exact = true;
    for (const auto& [m, c] : a.terms_) {
      Dim::Monomial left;
      std::set_difference(m.begin(), m.end(), by.begin(), by.end(), std::back_inserter(left));
      exact = exact && c % c_by == 0 && left.size() + by.size() == m.size();
      if (exact) quotient.terms_[left] = c / c_by;
    }
    if (exact) return quotient;
  }
  return Dim::symbol("floor((" + a.text() + ")/(" + b.text() + "))");
}

Dim ceil_div(const Dim& a, const Dim& b) {
  if (const auto n = b.value(); n && *n > 0) return floor_div(a + Dim(*n - 1), b);
  return Dim(0) - floor_div(Dim(0) - a, b);
}

std::string Dim::text() const {
  if (!known_) return "?";
  if (terms_.empty()) return "0";
  std::string text;
  for (auto it = terms_.rbegin(); it != terms_.rend(); ++it) {  // the constant term comes last
    const auto& [monomial, c] = *it;
    const u64 magnitude = c < 0 ? -u64(c) : u64(c);
    text += text.empty() ? (c < 0 ? "-" : "") : (c < 0 ? " - " : " + ");
    std::string factors;
    for (const std::string& atom : monomial) factors += (factors.empty() ? "" : "*") + atom;
    if (magnitude != 1 || factors.empty())
      text += std::to_string(magnitude) + (factors.empty() ? "" : "*");
    text += factors;
  }
  return text;
}

Shape to_shape(const std::vector<i64>& dims) { return {dims.begin(), dims.end()}; }

std::optional<std::vector<i64>> static_dims(const Shape& shape) {
  std::vector<i64> dims;
  for (const Dim& d : shape) {
    if (!d.value()) return std::nullopt;
    dims.push_back(*d.value());
  }
  return dims;
}

bool same(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Dim& x, const Dim& y) { return same(x, y); });
}

std::string to_text(const Shape& shape) {
  std::string text = "[";
  for (const Dim& d : shape) text += (text.size() > 1 ? "," : "") + d.text();
  return text + "]";
}

Dim element_count(const Shape& shape) {
  Dim count(1);
  for (const Dim& d : shape) count = count * d;
  return count;
}

}  // namespace sinter
