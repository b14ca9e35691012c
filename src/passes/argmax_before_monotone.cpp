// SPDX-License-Identifier: Apache-2.0
// The place of the largest element is the same before and after an increasing function.
//
//   before   y = ArgMax(Softmax(x) axis=a) axis=a
//   after    y = ArgMax(x) axis=a
//
// ArgMax and ArgMin after Softmax, LogSoftmax (along the same axis), Exp, Log, Sqrt, Sigmoid, Tanh,
// Softplus, Erf and Softsign. In exact arithmetic nothing changes; in floating point the function
// may round two different elements to the same value, and then the index changes: only under
// PassOptions::approx_ties (E3, assumption "ties").
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr std::string_view kIncreasing[] = {"Exp",  "Log",      "Sqrt", "Sigmoid",
                                            "Tanh", "Softplus", "Erf",  "Softsign"};

i64 axis_of(const Graph& g, const Node& n, i64 absent) {
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  const i64 axis = n.attributes.integer("axis", absent);
  return shape ? passes::normalized(axis, std::ssize(*shape)) : axis;
}

bool keeps_order(const Graph& g, const Node& function, const Node& search) {
  const std::string_view op = name(function.op);
  if (op == "Softmax" || op == "LogSoftmax")
    return g.shape(function.inputs[0]) && axis_of(g, function, -1) == axis_of(g, search, 0);
  return std::find(std::begin(kIncreasing), std::end(kIncreasing), op) != std::end(kIncreasing);
}

/// One step towards the source; false when there is none.
bool read_through(Graph& g, NodeId id, const PassOptions& options, PassStats& stats) {
  const ValueId middle = g.node(id).inputs[0];
  const Node* function = g.producer(middle);
  if (function == nullptr || !keeps_order(g, *function, g.node(id))) return false;
  std::string why = passes::why_not_one_reader(g, middle);
  if (!options.approx_ties) why = "rounding may make ties";
  if (!why.empty()) {
    stats.skipped.push_back({g.describe(id), std::move(why)});
    return false;
  }
  const NodeId function_id = g.value(middle).producer;
  Rewrite rewrite(g, "argmax_before_monotone", {function_id, id});
  rewrite.assumes("ties");
  g.set_input(id, 0, function->inputs[0]);
  passes::erase_if_dead(g, function_id);
  return rewrite.commit();
}

}  // namespace

PassStats argmax_before_monotone(Graph& graph, const PassOptions& options) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    const std::string_view op = graph.alive(id) ? name(graph.node(id).op) : "";
    if (op != "ArgMax" && op != "ArgMin") continue;
    while (read_through(graph, id, options, stats)) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
