// SPDX-License-Identifier: Apache-2.0
// Drops results of control-flow nodes that nothing reads, inside and outside together.
//
//   before   a, b = If(c, x) then { Exp(x), Log(x) } else { Neg(x), Abs(x) }       b is not read
//   after    a = If(c, x) then { Exp(x) } else { Neg(x) }
//
// If: any output, in both branches. Loop and Scan: scan outputs; a state is read by the next trip.
// What the bodies no longer need dies in them (eliminate_dead_nodes). One output stays, because a
// node has at least one. Exact (E0).
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// The first output that may go.
i64 first_droppable(const Node& n) {
  const std::string_view op = name(n.op);
  if (op == "If") return 0;
  if (op == "Loop") return std::ssize(n.inputs) - 2 - capture_count(n);
  if (op == "Scan")
    return std::ssize(n.inputs) - capture_count(n) - n.attributes.integer("num_scan_inputs", 0);
  return std::ssize(n.outputs);
}

/// The body with outputs `kept` (indices into its outputs) only.
GraphPtr with_outputs(const Graph& body, const std::vector<size_t>& kept) {
  Graph trimmed;
  trimmed.info = body.info;
  ValueMap<ValueId> copies;
  for (ValueId v : body.inputs())
    copies[v] = trimmed.add_input(body.value(v).name, body.value(v).type);
  for (ValueId v : body.constants())
    copies[v] = trimmed.add_constant(body.value(v).constant, body.value(v).name);
  for (NodeId id : body.topological_order()) {
    const Node& n = body.node(id);
    std::vector<ValueId> inputs;
    std::vector<std::string> names;
    for (ValueId v : n.inputs) inputs.push_back(v.valid() ? copies[v] : v);
    for (ValueId v : n.outputs) names.push_back(body.value(v).name);
    const NodeId copy = trimmed.add_node(n.op, inputs, n.attributes, names, n.name);
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      copies[n.outputs[i]] = trimmed.node(copy).outputs[i];
      if (n.op == Op::Opaque)
        trimmed.set_result_type(copies[n.outputs[i]], body.value(n.outputs[i]).type);
    }
  }
  for (size_t i : kept) {
    const GraphOutput& o = body.outputs()[i];
    trimmed.add_output(o.name, copies[o.value], o.declared);
  }
  return std::make_shared<const Graph>(std::move(trimmed));
}

std::vector<size_t> kept_outputs(const Graph& g, const Node& n) {
  std::vector<size_t> kept;
  const i64 first = first_droppable(n);
  for (i64 i = 0; i < std::ssize(n.outputs); ++i)
    if (i < first || g.use_count(n.outputs[size_t(i)]) > 0) kept.push_back(size_t(i));
  if (kept.empty()) kept.push_back(0);
  return kept;
}

bool trim(Graph& g, NodeId id, const std::vector<size_t>& kept) {
  const Node n = g.node(id);
  // Loop bodies give the condition first.
  const size_t shift = name(n.op) == "Loop" ? 1 : 0;
  std::vector<size_t> inner;
  if (shift == 1) inner.push_back(0);
  for (size_t i : kept) inner.push_back(i + shift);
  Attributes attributes = n.attributes;
  for (const auto& [key, body] : bodies(n)) {
    if (body->outputs().size() != n.outputs.size() + shift) return false;
    attributes.set(key, with_outputs(*body, inner));
  }
  for (const char* per_output : {"scan_output_axes", "scan_output_directions"})
    if (attributes.has(per_output)) return false;
  Rewrite rewrite(g, "trim_branch_outputs", {id});
  const NodeId trimmed = g.add_node(n.op, n.inputs, std::move(attributes),
                                    std::vector<std::string>(kept.size()), n.name);
  for (size_t k = 0; k < kept.size(); ++k)
    g.replace_uses(n.outputs[kept[k]], g.node(trimmed).outputs[k]);
  passes::erase_if_dead(g, id);
  return rewrite.commit();
}

}  // namespace

PassStats trim_branch_outputs(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    if (!graph.alive(id) || bodies(graph.node(id)).empty()) continue;
    const std::vector<size_t> kept = kept_outputs(graph, graph.node(id));
    if (kept.size() < graph.node(id).outputs.size()) stats.changed += i64(trim(graph, id, kept));
  }
  return stats;
}

}  // namespace sinter
