// SPDX-License-Identifier: Apache-2.0
// The loop that the affine passes share.
#pragma once
#include "passes/detail/fold.h"
#include "passes/passes.h"

namespace sinter::passes {

/// Calls fold(affine node) for every node in topological order whose operator `wanted` names and
/// that is an affine map, and counts: "" is a change, text a skip, nullopt neither. Nodes that are
/// nearly one are skips with the reason.
template <class Wanted, class Fold>
i64 fold_all(Graph& graph, std::vector<Skip>& skipped, const Wanted& wanted, const Fold& fold) {
  i64 changed = 0;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || !wanted(graph.node(id).op)) continue;
    const std::string where = graph.describe(id);
    std::string reason;
    const std::optional<AffineNode> f = affine_node(graph, id, reason);
    if (!f) {
      if (!reason.empty()) skipped.push_back({where, reason});
      continue;
    }
    const std::optional<std::string> why = fold(*f);
    if (!why) continue;
    if (why->empty())
      ++changed;
    else
      skipped.push_back({where, *why});
  }
  return changed;
}

inline bool is_batchnorm(Op op) { return op == Op::BatchNormalization; }
inline bool is_affine_arithmetic(Op op) {
  return op == Op::Mul || op == Op::Add || op == Op::Sub || op == Op::Div || op == Op::Neg ||
         op == Op::ChannelAffine;
}

}  // namespace sinter::passes
