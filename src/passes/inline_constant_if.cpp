// SPDX-License-Identifier: Apache-2.0
// Replaces an If whose condition is known by the branch that is taken.
//
//   before   y = If(true, x) then { z = Exp(x) } else { z = Log(x) }
//   after    y = Exp(x)
//
// The condition is known when it is a constant or when inference knows its content, for example the
// comparison of a rank or of a size with a number. Two branches that are the same need no
// condition. Branches are closed, so their inputs are the captures of the node, in order; a result
// that is a capture or a constant becomes just that. Exact (E0).
#include "graph/text.h"
#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/detail/inline_body.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// True or false when the condition is known.
std::optional<bool> condition(const Graph& g, ValueId v) {
  if (const auto number = passes::scalar_value(g, v)) return *number != 0;
  const auto& content = g.value(v).type.dims;
  if (!content || content->size() != 1 || !(*content)[0].value()) return std::nullopt;
  return *(*content)[0].value() != 0;
}

bool same_bodies(const GraphPtr& a, const GraphPtr& b) {
  return a->node_count() == b->node_count() && to_text(*a) == to_text(*b);
}

/// The branch that is certainly taken, or nullptr.
GraphPtr taken(const Graph& g, const Node& n) {
  const GraphPtr yes = n.attributes.graph("then_branch"), no = n.attributes.graph("else_branch");
  if (yes == nullptr || no == nullptr) return nullptr;
  if (const auto known = condition(g, n.inputs[0])) return *known ? yes : no;
  return same_bodies(yes, no) ? yes : nullptr;
}

}  // namespace

PassStats inline_constant_if(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    if (!graph.alive(id) || name(graph.node(id).op) != "If") continue;
    const GraphPtr branch = taken(graph, graph.node(id));
    if (branch == nullptr) {
      stats.skipped.push_back({graph.describe(id), "the condition is not known"});
      continue;
    }
    const std::vector<ValueId> inputs = graph.node(id).inputs, outputs = graph.node(id).outputs;
    if (inputs.size() != branch->inputs().size() + 1) continue;
    Rewrite rewrite(graph, "inline_constant_if", {id});
    const std::vector<ValueId> results =
        passes::inline_body(graph, *branch, {inputs.begin() + 1, inputs.end()});
    for (size_t i = 0; i < outputs.size(); ++i) graph.replace_uses(outputs[i], results[i]);
    passes::erase_if_dead(graph, id);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
