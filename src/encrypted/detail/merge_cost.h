// SPDX-License-Identifier: Apache-2.0
// When two linear stages are worth one matrix. In units of one diagonal,
//
//   sum diagonals(A B_i)  <=  diagonals(A) + sum diagonals(B_i) + level
//   diagonals(M) ~ nonzeros(M) / max(rows, columns),   1 for a matrix of equal rows
//
// where the B_i count as one matrix when they are parallel branches (Concat), which pack_branches
// will lay side by side. A level saved makes everything before it a prime smaller, which is about
// its share of the work: level = the diagonals on the heaviest path / the steps on it, and no less
// than kLeastLevel, what rotations and squares cost in the smallest networks.
#pragma once
#include <optional>
#include <set>

#include "encrypted/stage.h"

namespace sinter::encrypted::detail {

/// thread: owned by one.
class ComposeCost {
 public:
  explicit ComposeCost(const StageGraph& graph);

  double level_in_diagonals() const { return level_; }

  /// outer.matrix times every matrix of the stage that it reads, in the order of that stage's
  /// terms, when one stage in place of two is worth it; nullopt otherwise.
  /// cost  sparse products; a pair that was refused is not multiplied again
  std::optional<std::vector<SparseMatrix>> products(const StageGraph& graph, const Term& outer,
                                                    size_t readers);

 private:
  using Matrices = std::vector<std::shared_ptr<const SparseMatrix>>;
  double level_;
  std::set<Matrices> refused_;  ///< holds the matrices, so an address is one matrix
};

}  // namespace sinter::encrypted::detail
