// SPDX-License-Identifier: Apache-2.0
// Levels of a graph counted operator by operator, without building a matrix: the twin of
// unmerged_depths(lower(graph)) in a thousandth of the time, so that every pass of the optimizer
// can be asked what it saved.
#pragma once
#include <optional>

#include "graph/graph.h"

namespace sinter::encrypted {

/// Levels on the longest path from the input to the output when every node is evaluated by itself:
/// one for each matrix, each product of values and each multiplication by constants that are not
/// all 1 or -1; none for additions, reshapes and what the client can select from the input.
///
/// graph  one input and one output, shapes static
/// out    nullopt when a node on the way has no encrypted form or no static shape
std::optional<int> graph_levels(const Graph& graph);

}  // namespace sinter::encrypted
