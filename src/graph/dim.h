// SPDX-License-Identifier: Apache-2.0
// Dimensions of a shape: numbers, symbols ("batch") and integer expressions over them, kept in one
// canonical form so that two dimensions are equal exactly when their expressions are.
//
// A Dim is a polynomial with integer coefficients over atoms. An atom is a symbol or a quotient
// that does not divide, written "floor((batch + 1)/2)", and is itself canonical text. A Dim may
// also be unknown: then nothing is known to be equal to it, not even itself.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace sinter {

class Dim {
 public:
  Dim() = default;  ///< unknown
  Dim(i64 value);   ///< NOLINT(google-explicit-constructor): a number is a Dim
  static Dim symbol(std::string_view name);
  static Dim unknown() { return {}; }

  bool is_known() const { return known_; }
  /// The number, when the expression is one.
  std::optional<i64> value() const;
  bool is(i64 number) const { return value() == number; }

  /// True when both are known and equal for every value of the symbols.
  friend bool same(const Dim& a, const Dim& b) {
    return a.known_ && b.known_ && a.terms_ == b.terms_;
  }

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  /// Quotients round down; exact when every coefficient divides. b must be a positive number or
  /// divide exactly, otherwise the result is an atom; division by zero gives unknown.
  friend Dim floor_div(const Dim& a, const Dim& b);
  friend Dim ceil_div(const Dim& a, const Dim& b);

  /// "3", "batch", "2*batch + 1", "?" when unknown.
  std::string text() const;

 private:
  using Monomial = std::vector<std::string>;  // sorted atoms, repeated for powers
  std::map<Monomial, i64> terms_;             // no zero coefficients; empty map = 0
  bool known_ = false;
};

using Shape = std::vector<Dim>;

Shape to_shape(const std::vector<i64>& dims);
/// The numbers, when all dimensions are numbers.
std::optional<std::vector<i64>> static_dims(const Shape& shape);
/// Same rank and every dimension the same.
bool same(const Shape& a, const Shape& b);
/// "[batch,3,8,8]".
std::string to_text(const Shape& shape);
/// Number of elements as an expression.
Dim element_count(const Shape& shape);

}  // namespace sinter
