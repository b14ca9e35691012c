// SPDX-License-Identifier: Apache-2.0
// The difference of two graphs, node by node: what went, what came, what changed its attributes or
// what it reads. Nodes are the same when operator and name are (Graph::describe).
#pragma once
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter {

struct GraphDiff {
  std::vector<std::string> removed, added, changed;  ///< descriptions; changed says how
  bool empty() const { return removed.empty() && added.empty() && changed.empty(); }
};

/// Of the nodes of both graphs, bodies not entered (a changed body is a changed node).
GraphDiff difference(const Graph& before, const Graph& after);

}  // namespace sinter
