// SPDX-License-Identifier: Apache-2.0
// Merges nodes that only rename the dimensions: Reshape, Flatten, Squeeze, Unsqueeze in a row.
//
//   before   y = Reshape(Flatten(x), t)        x [N,4,2,2] -> [N,16] -> [N,8,2]
//   after    y = Reshape(x, [0,8,2])
//            y = x                             when the shapes of x and y are the same
//
// The new target comes from the symbolic shapes of x and y, so a 0 of the second target, which
// meant a dimension of the middle value, is resolved first.
//
// Left alone (counted as skipped): the middle value has another reader (no node would go), or the
// target would need two -1. Exact (E0).

#include "passes/detail/edit.h"
#include "passes/detail/reshape_target.h"
#include "passes/passes.h"

namespace sinter {
namespace {

bool is_reshape_like(const Node* n) {
  return n != nullptr && (n->op == Op::Reshape || n->op == Op::Flatten || n->op == Op::Squeeze ||
                          n->op == Op::Unsqueeze);
}

/// Merges `id` with the reshape before it; empty when done, else why not.
std::string merge(Graph& g, NodeId id) {
  const Node second = g.node(id);
  const Node first = *g.producer(second.inputs[0]);
  const ValueId x = first.inputs[0], y = second.outputs[0];
  if (!g.shape(x) || !g.shape(y)) return "a rank is not known";
  if (same(*g.shape(x), *g.shape(y))) {
    passes::replace_and_erase(g, y, x);
    return "";
  }
  if (std::string why = passes::why_not_one_reader(g, first.outputs[0]); !why.empty()) return why;
  const auto target = passes::reshape_target(*g.shape(x), *g.shape(y));
  if (!target) return "target " + to_text(*g.shape(y)) + " needs two inferred dimensions";
  const ValueId shape =
      g.add_constant(Tensor::of<i64>({std::ssize(*target)}, std::span<const i64>(*target)));
  const NodeId merged = g.add_node(Op::Reshape, {x, shape}, {}, {}, second.name);
  passes::replace_and_erase(g, y, g.node(merged).outputs[0]);
  return "";
}

}  // namespace

PassStats merge_reshapes(Graph& graph) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || !is_reshape_like(&graph.node(id))) continue;
    if (!is_reshape_like(graph.producer(graph.node(id).inputs[0]))) continue;
    const std::string where = graph.describe(id);
    const std::string why = merge(graph, id);
    if (why.empty())
      ++stats.changed;
    else
      stats.skipped.push_back({where, why});
  }
  return stats;
}

}  // namespace sinter
