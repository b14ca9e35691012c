// SPDX-License-Identifier: Apache-2.0
#include "encrypted/detail/merge_cost.h"

#include <algorithm>

namespace sinter::encrypted::detail {
namespace {

constexpr double kLeastLevel = 64;
constexpr double kMaxProductWork = 4e9;  ///< multiplications in one sparse product

/// Of a matrix of so many entries; a matrix of equal rows is one row and folds.
double diagonals(i64 nonzeros, i64 rows, i64 cols) {
  return double(nonzeros) / double(std::max<i64>(1, std::max(rows, cols)));
}
double diagonals(const SparseMatrix& m) {
  return has_equal_rows(m) ? 1 : diagonals(m.nonzeros(), m.rows, m.cols);
}

/// Every row belongs to one term: the terms are parallel branches, which will lie side by side.
bool has_disjoint_terms(const Stage& stage) {
  std::vector<bool> taken(size_t(stage.size()), false);
  for (const Term& term : stage.terms)
    for (i64 r = 0; r < term.matrix->rows; ++r) {
      if (term.matrix->row_start[size_t(r)] == term.matrix->row_start[size_t(r) + 1]) continue;
      if (taken[size_t(r)]) return false;
      taken[size_t(r)] = true;
    }
  return true;
}

/// Diagonals on the heaviest path, divided by its matrices and products.
double average_step(const StageGraph& graph) {
  struct Path {
    double diagonals = 0, steps = 0;
  };
  std::vector<Path> paths;
  for (const Stage& s : graph.stages) {
    Path path;
    for (i32 v : operands(s))
      if (paths[size_t(v)].diagonals >= path.diagonals) path = paths[size_t(v)];
    double own = 0;
    for (const Term& term : s.terms)
      if (!is_monomial(*term.matrix)) own = std::max(own, diagonals(*term.matrix));
    path.diagonals += own;
    if (own > 0 || s.kind == StageKind::product) ++path.steps;
    paths.push_back(path);
  }
  const Path& all = paths[size_t(graph.output)];
  return all.steps == 0 ? 0 : all.diagonals / all.steps;
}

double work(const SparseMatrix& a, const SparseMatrix& b) {
  double sum = 0;
  for (i32 c : a.col) sum += double(b.row_start[size_t(c) + 1] - b.row_start[size_t(c)]);
  return sum;
}

}  // namespace

ComposeCost::ComposeCost(const StageGraph& graph)
    : level_(std::max(kLeastLevel, average_step(graph))) {}

std::optional<std::vector<SparseMatrix>> ComposeCost::products(const StageGraph& graph,
                                                               const Term& outer, size_t readers) {
  const Stage& inner = graph.stages[size_t(outer.value)];
  if (inner.kind != StageKind::linear) return std::nullopt;
  const SparseMatrix& a = *outer.matrix;
  const bool moves = inner.terms.size() == 1 && is_monomial(*inner.terms[0].matrix);
  if (!moves && readers > 1) return std::nullopt;
  Matrices key{outer.matrix};
  for (const Term& term : inner.terms) key.push_back(term.matrix);
  if (refused_.count(key) > 0) return std::nullopt;
  const bool always = moves || is_diagonal(a);
  double separate = diagonals(a) + level_, together = 0;
  i64 nonzeros = 0, cols = 0;
  std::vector<SparseMatrix> products;
  for (const Term& term : inner.terms) {
    const SparseMatrix& b = *term.matrix;
    if (!always && work(a, b) > kMaxProductWork) return std::nullopt;
    const SparseMatrix& product = products.emplace_back(multiply(a, b));
    separate += diagonals(b);
    together += diagonals(product);
    nonzeros += product.nonzeros();
    cols += product.cols;
  }
  if (inner.terms.size() > 1 && has_disjoint_terms(inner))
    together = diagonals(nonzeros, a.rows, cols);
  if (always || together <= separate) return products;
  refused_.insert(std::move(key));
  return std::nullopt;
}

}  // namespace sinter::encrypted::detail
