// SPDX-License-Identifier: Apache-2.0
// Checks that a graph is what graph.h promises: use lists, arity, attributes, no cycles, interface
// intact, and stored types equal to what inference says.
#pragma once
#include "graph/graph.h"

namespace sinter {

/// cost    one inference per node
/// throws  Error(internal) with the first thing found wrong
void verify(const Graph& graph);

}  // namespace sinter
