// SPDX-License-Identifier: Apache-2.0
// The loop that the BatchNormalization passes share.
#pragma once
#include "passes/detail/fold.h"
#include "passes/passes.h"

namespace sinter::passes {

/// Calls fold(node, affine form) for every BatchNormalization in topological order and counts: ""
/// is a change, text a skip, nullopt neither. Those that are no affine map are skips.
template <class Fold>
PassStats fold_batchnorms(Graph& graph, const Fold& fold) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || graph.node(id).op != Op::BatchNormalization) continue;
    const std::string where = graph.describe(id);
    std::string reason;
    const std::optional<Affine> f = affine_form(graph, id, reason);
    const std::optional<std::string> why = f ? fold(id, *f) : std::optional(reason);
    if (!why) continue;
    if (why->empty() && f)
      ++stats.changed;
    else
      stats.skipped.push_back({where, why->empty() ? "its parameters do not fit" : *why});
  }
  return stats;
}

}  // namespace sinter::passes
