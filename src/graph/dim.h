// SPDX-License-Identifier: Apache-2.0
// Dimensions of a shape: numbers, symbols ("batch") and integer expressions over them, kept in one
// canonical form so that two dimensions are equal exactly when their expressions are.
//
// A Dim is a polynomial with integer coefficients over atoms. An atom is a symbol, a quotient that
// does not divide, "floor((batch + 1)/2)", or the largest or smallest of several Dims, "max(a, b)".
// A symbol stands for a size: it is at least 0. A Dim may also be unknown: then nothing is known to
// be equal to it, not even itself. What grows too large to be useful becomes unknown.
//
// A number is kept in place; everything else is shared and immutable, so copies are cheap.
// thread: safe, like any value type
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace sinter {

namespace detail {
struct DimTerm;
struct DimParts;
}  // namespace detail

class Dim {
 public:
  Dim() = default;                                    ///< unknown
  Dim(i64 value) : known_(true), constant_(value) {}  ///< NOLINT(google-explicit-constructor)
  static Dim symbol(std::string_view name);
  static Dim unknown() { return {}; }

  bool is_known() const { return known_; }
  /// The number, when the expression is one.
  std::optional<i64> value() const {
    return known_ && !terms_ ? std::optional(constant_) : std::nullopt;
  }
  bool is(i64 number) const { return known_ && !terms_ && constant_ == number; }
  /// The name, when the expression is one symbol.
  std::optional<std::string> symbol_name() const;
  /// Adds the names of all symbols in the expression.
  void collect_symbols(std::set<std::string>& names) const;

  /// The number that the expression has when its symbols have these values.
  /// out  nullopt when a symbol is missing, a divisor is 0, the value overflows or nothing is known
  std::optional<i64> evaluate(const std::map<std::string, i64>& symbols) const;

  /// True when both are known and equal for every value of the symbols.
  friend bool same(const Dim& a, const Dim& b);

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);

  /// "3", "batch", "2*batch + 1", "?" when unknown.
  std::string text() const;

 private:
  friend struct detail::DimParts;
  bool known_ = false;
  i64 constant_ = 0;                                           // the term without atoms
  std::shared_ptr<const std::vector<detail::DimTerm>> terms_;  // the others; null when none
};

/// Quotients round down; exact when every coefficient divides, otherwise an atom. Division by zero
/// gives unknown; d / d is 1 for symbols too, because 0 / 0 does not occur among shapes.
Dim floor_div(const Dim& a, const Dim& b);
Dim ceil_div(const Dim& a, const Dim& b);
/// a - b * floor_div(a, b): the sign of b, as ONNX's Mod for integers.
Dim floor_mod(const Dim& a, const Dim& b);
Dim maximum(const Dim& a, const Dim& b);
Dim minimum(const Dim& a, const Dim& b);

/// Bounds that hold for every value of the symbols; the extreme i64 values stand for no bound.
struct DimRange {
  i64 low, high;
};
/// `least_symbol` is what every symbol is known to reach: 0, or 1 where sizes are not empty.
DimRange range_of(const Dim& d, i64 least_symbol = 0);
inline bool is_never_negative(const Dim& d, i64 least_symbol = 0) {
  return d.is_known() && range_of(d, least_symbol).low >= 0;
}
/// Comparisons that have one answer for all values of the symbols; nullopt otherwise.
std::optional<bool> is_equal(const Dim& a, const Dim& b, i64 least_symbol = 0);
std::optional<bool> is_less(const Dim& a, const Dim& b, i64 least_symbol = 0);

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
