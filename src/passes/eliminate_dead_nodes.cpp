// SPDX-License-Identifier: Apache-2.0
// Removes nodes from which no graph output can be reached.
//
//   before   a = Relu(x);  b = Exp(x);  output a
//   after    a = Relu(x);               output a
//
// Nodes are visited readers first, so a whole dead chain goes in one run. Every operator of the
// table is pure, so having no reader is enough. Exact (E0).

#include "passes/detail/edit.h"
#include "passes/passes.h"

namespace sinter {

PassStats eliminate_dead_nodes(Graph& graph, const PassOptions&) {
  PassStats stats;
  const std::vector<NodeId> order = graph.topological_order();
  for (auto it = order.rbegin(); it != order.rend(); ++it)
    if (graph.alive(*it)) stats.changed += passes::erase_if_dead(graph, *it);
  return stats;
}

}  // namespace sinter
