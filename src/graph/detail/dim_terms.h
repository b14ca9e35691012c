// SPDX-License-Identifier: Apache-2.0
// The inside of a Dim. A term is a coefficient times a sorted product of atoms; the terms of a Dim
// are sorted by their products, largest first, which is also how they are printed. Atoms are
// compared by their text and then by their kind: a symbol whose name reads like a quotient is still
// another atom than that quotient.
#pragma once
#include "graph/dim.h"

namespace sinter::detail {

enum class AtomKind : u8 { symbol, quotient, largest, smallest };

struct DimAtom {
  AtomKind kind;
  std::string text;            ///< a symbol's name, or the expression as printed
  std::vector<Dim> arguments;  ///< quotient: above, below; largest, smallest: two or more
};
using AtomPtr = std::shared_ptr<const DimAtom>;

struct DimTerm {
  i64 coefficient;             ///< never 0
  std::vector<AtomPtr> atoms;  ///< never empty; repeated for powers
};
using DimTerms = std::vector<DimTerm>;

/// Limits beyond which a Dim becomes unknown, so that no file can make one explode.
inline constexpr size_t kMaxTerms = 128, kMaxFactors = 64, kMaxAtomText = 1024;

/// <0, 0, >0.
int compare(const AtomPtr& a, const AtomPtr& b);
int compare(const std::vector<AtomPtr>& a, const std::vector<AtomPtr>& b);

/// Access to the parts of a Dim, for the files dim*.cpp only.
struct DimParts {
  static const DimTerms& terms(const Dim& d);
  static i64 constant(const Dim& d) { return d.constant_; }
  /// `terms` sorted, without zero coefficients.
  static Dim make(i64 constant, DimTerms terms);
  /// The Dim that is one atom; unknown when an argument is or the text is too long.
  static Dim atom(AtomKind kind, std::vector<Dim> arguments);
};

}  // namespace sinter::detail
