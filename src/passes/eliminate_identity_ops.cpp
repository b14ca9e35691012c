// SPDX-License-Identifier: Apache-2.0
// Removes nodes whose result is one of their inputs.
//
//   before   a = Identity(x);  b = Mul(a, 1);  y = Relu(b)
//   after    y = Relu(x)
//
// What counts is listed by detail/noop_moving.cpp, noop_arithmetic.cpp and noop_repeated.cpp. Other
// outputs of the node must be unused, and the type of the input must be that of the output. Exact
// (E0) but for the sign of zero of x + 0.
#include "passes/detail/edit.h"
#include "passes/detail/noop.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::NoOp;

/// The rules of every operator, by its place in the operator table.
std::vector<std::vector<NoOp>> rules_by_op() {
  std::vector<std::vector<NoOp>> rules(all_ops().size());
  for (const auto& list :
       {passes::moving_noops(), passes::arithmetic_noops(), passes::repeated_noops()})
    for (const passes::NoOpRule& rule : list)
      if (const std::optional<Op> op = find_op(rule.op))
        rules[size_t(&info(*op) - all_ops().data())].push_back(rule.equal_input);
  return rules;
}

bool matters(const Graph& g, const Node& n) {
  return g.use_count(n.outputs[0]) > 0 && n.op != Op::Opaque &&
         passes::only_first_output_used(g, n);
}

}  // namespace

PassStats eliminate_identity_ops(Graph& graph, const PassOptions& options) {
  static const std::vector<std::vector<NoOp>> kRules = rules_by_op();
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id)) continue;
    const auto& rules = kRules[size_t(&info(graph.node(id).op) - all_ops().data())];
    for (const NoOp equal_input : rules) {
      const Node& node = graph.node(id);
      if (!matters(graph, node)) break;
      const ValueId input = equal_input(graph, node, options), output = node.outputs[0];
      if (!input.valid() || graph.dtype(input) != graph.dtype(output)) continue;
      PassOptions strict = options;
      strict.strict_zero = true;
      const bool exact = equal_input(graph, node, strict).valid();
      Rewrite rewrite(graph, "eliminate_identity_ops", {id});
      if (!exact) rewrite.assumes("signed_zero");
      passes::replace_and_erase(graph, output, input);
      if (rewrite.commit()) ++stats.changed;
      break;
    }
  }
  return stats;
}

}  // namespace sinter
