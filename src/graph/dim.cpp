// SPDX-License-Identifier: Apache-2.0
// Sums, products, text and evaluation of dimensions. Quotients are in dim_quotient.cpp, bounds and
// comparisons in dim_range.cpp.
#include "graph/dim.h"

#include <algorithm>

#include "graph/detail/dim_terms.h"

namespace sinter {

using detail::AtomKind;
using detail::AtomPtr;
using detail::DimAtom;
using detail::DimParts;
using detail::DimTerm;
using detail::DimTerms;

namespace detail {

int compare(const AtomPtr& a, const AtomPtr& b) {
  if (a == b) return 0;
  if (const int by_text = a->text.compare(b->text); by_text != 0) return by_text;
  return int(a->kind) - int(b->kind);
}

int compare(const std::vector<AtomPtr>& a, const std::vector<AtomPtr>& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (const int by_atom = compare(a[i], b[i]); by_atom != 0) return by_atom;
  return int(a.size()) - int(b.size());
}

const DimTerms& DimParts::terms(const Dim& d) {
  static const DimTerms kNone;
  return d.terms_ ? *d.terms_ : kNone;
}

Dim DimParts::make(i64 constant, DimTerms terms) {
  if (terms.size() > kMaxTerms) return {};
  Dim d(constant);
  if (!terms.empty()) d.terms_ = std::make_shared<const DimTerms>(std::move(terms));
  return d;
}

namespace {

std::string atom_text(AtomKind kind, const std::vector<Dim>& arguments) {
  if (kind == AtomKind::quotient) {
    const std::string below = arguments[1].text();
    return "floor((" + arguments[0].text() + ")/" +
           (arguments[1].value() ? below : "(" + below + ")") + ")";
  }
  std::string text = kind == AtomKind::largest ? "max(" : "min(";
  for (const Dim& d : arguments) text += (&d == arguments.data() ? "" : ", ") + d.text();
  return text + ")";
}

}  // namespace

Dim DimParts::atom(AtomKind kind, std::vector<Dim> arguments) {
  for (const Dim& d : arguments)
    if (!d.is_known()) return {};
  std::string text = atom_text(kind, arguments);
  if (text.size() > kMaxAtomText) return {};
  const DimAtom atom{kind, std::move(text), std::move(arguments)};
  return make(0, {{1, {std::make_shared<const DimAtom>(atom)}}});
}

}  // namespace detail

Dim Dim::symbol(std::string_view name) {
  const DimAtom atom{AtomKind::symbol, std::string(name), {}};
  return DimParts::make(0, {{1, {std::make_shared<const DimAtom>(atom)}}});
}

std::optional<std::string> Dim::symbol_name() const {
  if (!terms_ || constant_ != 0 || terms_->size() != 1) return std::nullopt;
  const DimTerm& term = terms_->front();
  if (term.coefficient != 1 || term.atoms.size() != 1 || term.atoms[0]->kind != AtomKind::symbol)
    return std::nullopt;
  return term.atoms[0]->text;
}

void Dim::collect_symbols(std::set<std::string>& names) const {
  for (const DimTerm& term : DimParts::terms(*this))
    for (const AtomPtr& atom : term.atoms)
      if (atom->kind == AtomKind::symbol)
        names.insert(atom->text);
      else
        for (const Dim& d : atom->arguments) d.collect_symbols(names);
}

// -- equality and arithmetic ---------------------------------------------------------------------

bool same(const Dim& a, const Dim& b) {
  if (!a.known_ || !b.known_ || a.constant_ != b.constant_) return false;
  if (a.terms_ == b.terms_) return true;
  if (!a.terms_ || !b.terms_) return false;
  return std::equal(a.terms_->begin(), a.terms_->end(), b.terms_->begin(), b.terms_->end(),
                    [](const DimTerm& x, const DimTerm& y) {
                      return x.coefficient == y.coefficient &&
                             detail::compare(x.atoms, y.atoms) == 0;
                    });
}

namespace {

/// Merges two sorted lists of terms; false when a coefficient overflows.
bool add_terms(const DimTerms& a, const DimTerms& b, DimTerms& sum) {
  sum.reserve(a.size() + b.size());
  auto x = a.begin(), y = b.begin();
  while (x != a.end() && y != b.end()) {
    const int order = detail::compare(x->atoms, y->atoms);
    if (order != 0) {
      sum.push_back(order > 0 ? *x++ : *y++);
      continue;
    }
    i64 c = 0;
    if (__builtin_add_overflow(x->coefficient, y->coefficient, &c)) return false;
    if (c != 0) sum.push_back({c, x->atoms});
    ++x, ++y;
  }
  sum.insert(sum.end(), x, a.end());
  sum.insert(sum.end(), y, b.end());
  return true;
}

/// a * coefficient * (product of atoms), as a Dim; unknown on overflow.
Dim scaled(const Dim& a, i64 coefficient, const std::vector<AtomPtr>& atoms) {
  if (coefficient == 0) return 0;
  DimTerms terms;
  i64 constant = 0;
  if (__builtin_mul_overflow(DimParts::constant(a), coefficient, &constant)) return {};
  for (const DimTerm& term : DimParts::terms(a)) {
    DimTerm& product = terms.emplace_back();
    if (__builtin_mul_overflow(term.coefficient, coefficient, &product.coefficient)) return {};
    std::merge(term.atoms.begin(), term.atoms.end(), atoms.begin(), atoms.end(),
               std::back_inserter(product.atoms),
               [](const AtomPtr& x, const AtomPtr& y) { return detail::compare(x, y) < 0; });
    if (product.atoms.size() > detail::kMaxFactors) return {};
  }
  if (!atoms.empty() && constant != 0) terms.push_back({constant, atoms});
  std::sort(terms.begin(), terms.end(), [](const DimTerm& x, const DimTerm& y) {
    return detail::compare(x.atoms, y.atoms) > 0;
  });
  return DimParts::make(atoms.empty() ? constant : 0, std::move(terms));
}

}  // namespace

Dim operator+(const Dim& a, const Dim& b) {
  i64 constant = 0;
  if (!a.known_ || !b.known_ || __builtin_add_overflow(a.constant_, b.constant_, &constant))
    return {};
  if (!a.terms_ || !b.terms_) {
    Dim sum = a.terms_ ? a : b;
    sum.constant_ = constant;
    return sum;
  }
  DimTerms terms;
  if (!add_terms(*a.terms_, *b.terms_, terms)) return {};
  return DimParts::make(constant, std::move(terms));
}

Dim operator-(const Dim& a, const Dim& b) {
  i64 constant = 0;
  if (a.known_ && b.known_ && !b.terms_ &&
      !__builtin_sub_overflow(a.constant_, b.constant_, &constant)) {
    Dim difference = a;
    difference.constant_ = constant;
    return difference;
  }
  return a + Dim(-1) * b;
}

Dim operator*(const Dim& a, const Dim& b) {
  if (!a.known_ || !b.known_) return {};
  if (a.is(0) || b.is(0)) return 0;
  if (a.is(1)) return b;
  if (b.is(1)) return a;
  const Dim &more = a.terms_ ? a : b, &less = a.terms_ ? b : a;
  Dim product = scaled(more, less.constant_, {});
  for (const DimTerm& term : DimParts::terms(less)) {
    product = product + scaled(more, term.coefficient, term.atoms);
    if (!product.known_) return {};
  }
  return product;
}

// -- text and evaluation -------------------------------------------------------------------------

namespace {

void append_term(std::string& text, i64 c, const std::vector<AtomPtr>& atoms) {
  const u64 magnitude = c < 0 ? -u64(c) : u64(c);
  text += text.empty() ? (c < 0 ? "-" : "") : (c < 0 ? " - " : " + ");
  if (magnitude != 1 || atoms.empty())
    text += std::to_string(magnitude) + (atoms.empty() ? "" : "*");
  for (size_t i = 0; i < atoms.size(); ++i) text += (i ? "*" : "") + atoms[i]->text;
}

using Bindings = std::map<std::string, i64>;

i64 floor_quotient(i64 a, i64 b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

std::optional<i64> value_of(const DimAtom& atom, const Bindings& symbols) {
  if (atom.kind == AtomKind::symbol) {
    const auto it = symbols.find(atom.text);
    return it == symbols.end() ? std::nullopt : std::optional(it->second);
  }
  std::vector<i64> values;
  for (const Dim& d : atom.arguments) {
    const std::optional<i64> v = d.evaluate(symbols);
    if (!v) return std::nullopt;
    values.push_back(*v);
  }
  if (atom.kind == AtomKind::largest) return *std::max_element(values.begin(), values.end());
  if (atom.kind == AtomKind::smallest) return *std::min_element(values.begin(), values.end());
  if (values[1] == 0 || values[1] == -1)
    return values[1] == 0 || values[0] == INT64_MIN ? std::nullopt : std::optional(-values[0]);
  return floor_quotient(values[0], values[1]);
}

}  // namespace

std::string Dim::text() const {
  if (!known_) return "?";
  std::string text;
  for (const DimTerm& term : DimParts::terms(*this))
    append_term(text, term.coefficient, term.atoms);
  if (constant_ != 0 || text.empty()) append_term(text, constant_, {});
  return text;
}

std::optional<i64> Dim::evaluate(const Bindings& symbols) const {
  if (!known_) return std::nullopt;
  i64 sum = constant_;
  for (const DimTerm& term : DimParts::terms(*this)) {
    i64 product = term.coefficient;
    for (const AtomPtr& atom : term.atoms) {
      const std::optional<i64> v = value_of(*atom, symbols);
      if (!v || __builtin_mul_overflow(product, *v, &product)) return std::nullopt;
    }
    if (__builtin_add_overflow(sum, product, &sum)) return std::nullopt;
  }
  return sum;
}

// -- shapes --------------------------------------------------------------------------------------

Shape to_shape(const std::vector<i64>& dims) { return {dims.begin(), dims.end()}; }

std::optional<std::vector<i64>> static_dims(const Shape& shape) {
  std::vector<i64> dims;
  dims.reserve(shape.size());
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
