// SPDX-License-Identifier: Apache-2.0
// Removes constants that no node and no output reads. Rewrites add new constants and leave the old
// ones, which another node may share; this pass is where they go. Exact (E0).

#include "passes/passes.h"

namespace sinter {

PassStats eliminate_unused_initializers(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (ValueId v : graph.constants()) {
    if (graph.use_count(v) > 0) continue;
    graph.erase_constant(v);
    ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
