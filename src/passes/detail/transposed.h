// SPDX-License-Identifier: Apache-2.0
// Nodes that do the same on transposed operands: elementwise ones, and those that name their axes.
#pragma once
#include <functional>
#include <vector>

#include "graph/graph.h"

namespace sinter::passes {

using Permutation = std::vector<i64>;

/// q with q[p[i]] = i.
Permutation inverse(const Permutation& p);

/// The operands of `node` that would have to be transposed with it, when the node does the same on
/// operands transposed by any permutation of `rank` axes; empty when it is not of that kind.
/// Constants that a transposed copy can stand for are among them.
std::vector<ValueId> transposable_operands(const Graph& graph, const Node& node, i64 rank);

/// A copy of `node` whose results, transposed by `perm`, are those of `node`. `operand` gives for
/// each of transposable_operands the value that, transposed by `perm`, is that operand.
NodeId add_transposed(Graph& graph, const Node& node, const Permutation& perm,
                      const std::function<ValueId(ValueId)>& operand);

/// The constant that, transposed by `perm`, broadcasts like `constant` beside a tensor of that
/// rank.
ValueId transposed_constant(Graph& graph, ValueId constant, const Permutation& perm);

}  // namespace sinter::passes
