// SPDX-License-Identifier: Apache-2.0
// Moves what every trip of a Loop or Scan computes anew out of the body.
//
//   before   Loop(n, go, x, w) { a, b: state, captured w;  s = Exp(b);  Add(a, s) }
//   after    s = Exp(w);  Loop(n, go, x, s) { a, t: state, captured s;  Add(a, t) }
//
// A node moves when it is pure, has no body of its own and reads captures, constants and nodes that
// move; nodes of constants alone are left to fold_constants. A loop without trips would now run it,
// so operators that can fail on their data (indices, computed shapes, integer division) stay. What
// the rest of the body still reads becomes a capture. The number of nodes stays. Exact (E0).
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr std::string_view kMayFail[] = {
    "Gather",  "GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND",
    "Reshape", "Expand",         "Div",      "Mod",     "Compress",        "Split",
    "OneHot",  "Constant",       "Opaque",   "Identity"};

/// The body and what may leave it.
struct Plan {
  GraphPtr body;
  std::vector<NodeId> moving;   // in topological order
  ValueMap<char> is_invariant;  // captures, constants, results that move
};

Plan plan_of(const Node& n) {
  Plan plan;
  plan.body = n.attributes.graph("body");
  if (plan.body == nullptr) return plan;
  const Graph& body = *plan.body;
  const auto& inputs = body.inputs();
  ValueMap<char> varies;  // 0: made of constants alone
  for (i64 i = std::ssize(inputs) - capture_count(n); i < std::ssize(inputs); ++i)
    plan.is_invariant[inputs[size_t(i)]] = varies[inputs[size_t(i)]] = 1;
  for (ValueId v : body.constants()) plan.is_invariant[v] = 1;
  for (NodeId id : body.topological_order()) {
    const Node& inner = body.node(id);
    const bool may_fail =
        std::find(std::begin(kMayFail), std::end(kMayFail), name(inner.op)) != std::end(kMayFail);
    if (may_fail || !is_pure(body, inner) || !bodies(inner).empty()) continue;
    const auto fixed = [&](ValueId v) { return !v.valid() || plan.is_invariant[v] != 0; };
    const auto outer = [&](ValueId v) { return v.valid() && varies[v] != 0; };
    if (!std::all_of(inner.inputs.begin(), inner.inputs.end(), fixed) ||
        !std::any_of(inner.inputs.begin(), inner.inputs.end(), outer))
      continue;
    plan.moving.push_back(id);
    for (ValueId v : inner.outputs) plan.is_invariant[v] = varies[v] = 1;
  }
  return plan;
}

bool hoist(Graph& g, NodeId id, const Plan& plan) {
  Rewrite rewrite(g, "hoist_loop_invariants", {id});
  const Node n = g.node(id);
  const Graph& body = *plan.body;
  Graph rest = body.clone();
  std::vector<ValueId> inputs = n.inputs;
  ValueMap<ValueId> outside;
  const i64 captures = capture_count(n);
  for (i64 k = 1; k <= captures; ++k)
    outside[body.inputs()[body.inputs().size() - size_t(k)]] = inputs[inputs.size() - size_t(k)];
  for (NodeId inner : plan.moving) {
    const Node& moved = body.node(inner);
    std::vector<ValueId> operands;
    for (ValueId v : moved.inputs) {
      if (v.valid() && !outside[v].valid()) outside[v] = g.add_constant(body.value(v).constant);
      operands.push_back(v.valid() ? outside[v] : v);
    }
    const NodeId copy = g.add_node(moved.op, operands, moved.attributes,
                                   std::vector<std::string>(moved.outputs.size()), moved.name);
    for (size_t i = 0; i < moved.outputs.size(); ++i)
      outside[moved.outputs[i]] = g.node(copy).outputs[i];
  }
  i64 added = 0;
  const auto moves = [&](NodeId reader) {
    return std::find(plan.moving.begin(), plan.moving.end(), reader) != plan.moving.end();
  };
  for (NodeId inner : plan.moving)
    for (ValueId v : body.node(inner).outputs) {
      const auto& readers = body.value(v).readers;
      if (!body.is_output(v) && std::all_of(readers.begin(), readers.end(), moves)) continue;
      rest.replace_uses(v, rest.add_input("", body.value(v).type));
      inputs.push_back(outside[v]);
      ++added;
    }
  for (auto it = plan.moving.rbegin(); it != plan.moving.rend(); ++it)
    if (rest.alive(*it)) passes::erase_if_dead(rest, *it);
  g.set_inputs(id, std::move(inputs));
  g.set_attribute(id, "captures", captures + added);
  g.set_attribute(id, "body", std::make_shared<const Graph>(std::move(rest)));
  return rewrite.commit();
}

}  // namespace

PassStats hoist_loop_invariants(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    const std::string_view op = name(graph.node(id).op);
    if (op != "Loop" && op != "Scan") continue;
    const Plan plan = plan_of(graph.node(id));
    if (!plan.moving.empty()) stats.changed += i64(hoist(graph, id, plan));
  }
  return stats;
}

}  // namespace sinter
