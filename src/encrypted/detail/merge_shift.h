// SPDX-License-Identifier: Apache-2.0
// Constants on the move: the rewrite "shift" of merge.h, and the helpers that merging shares.
#pragma once
#include "encrypted/stage.h"

namespace sinter::encrypted::detail {

/// stage.bias += sign * m v; nothing for an empty v.
void add_bias(Stage& stage, const SparseMatrix& m, std::span<const double> v, double sign = 1);

/// Shifts in front of products move into the stages that make their operands, where no other
/// product reads them.
void fold_shifts(StageGraph& graph);
/// A small constant behind a product moves into the biases of its readers.
void fold_posts(StageGraph& graph);

}  // namespace sinter::encrypted::detail
