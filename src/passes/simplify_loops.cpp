// SPDX-License-Identifier: Apache-2.0
// Loops whose trip count is known and small become their bodies.
//
//   Loop(0, ., state)              state                         no trip
//   Loop(1, true, state, c)        body(0, true, state, c)       one trip, each scan output with a
//                                                                new axis 0
//   Loop(n, true, state)           n bodies, one behind the other, for n <= PassOptions::unroll
//
// The condition goes in as a constant (or not at all) and must come out of the body as the constant
// true or unchanged, otherwise the number of trips is not known. A loop without trips needs no
// known condition beyond its first one; its scan outputs must be unused, because their shape is not
// known. Exact (E0).
#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/detail/inline_body.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// What is known of a Loop before it runs.
struct Trips {
  GraphPtr body;
  i64 states = 0, scans = 0, count = 0;
};

bool is_true_or_passed_on(const Graph& body) {
  const ValueId next = body.outputs()[0].value;
  return next == body.inputs()[1] || passes::scalar_value(body, next) == 1.0;
}

/// nullopt with the reason in `why` when the number of trips is not known.
std::optional<Trips> trips_of(const Graph& g, const Node& n, std::string& why) {
  Trips t;
  t.body = n.attributes.graph("body");
  const i64 captures = capture_count(n);
  t.states = std::ssize(n.inputs) - 2 - captures;
  t.scans = std::ssize(n.outputs) - t.states;
  const ValueId limit = n.inputs[0], first = n.inputs[1];
  const auto count = passes::scalar_value(g, limit), go = passes::scalar_value(g, first);
  if ((go && *go == 0) || (count && *count <= 0)) return t;  // no trip
  why = "the number of trips is not known";
  if (!count || *count > 1e6 || (first.valid() && !go) || t.body == nullptr) return std::nullopt;
  if (std::ssize(t.body->inputs()) != std::ssize(n.inputs) || !is_true_or_passed_on(*t.body))
    return std::nullopt;
  t.count = i64(*count);
  return t;
}

/// One value from the scan results of all trips.
ValueId joined(Graph& g, const std::vector<ValueId>& parts) {
  const ValueId axis = g.add_constant(Tensor::of<i64>({1}, {i64(0)}));
  std::vector<ValueId> rows;
  for (ValueId v : parts) rows.push_back(g.add(Op::Unsqueeze, {v, axis}));
  return rows.size() == 1 ? rows[0] : g.add(Op::Concat, rows, {{"axis", i64(0)}});
}

bool unroll(Graph& g, NodeId id, const Trips& t) {
  const Node n = g.node(id);
  Rewrite rewrite(g, "simplify_loops", {id});
  if (t.count > 1) rewrite.may_add_nodes(t.count * (deep_node_count(*t.body) + t.scans + 1));
  std::vector<ValueId> state(n.inputs.begin() + 2, n.inputs.begin() + 2 + t.states);
  const std::vector<ValueId> captures(n.inputs.begin() + 2 + t.states, n.inputs.end());
  std::vector<std::vector<ValueId>> scans(static_cast<size_t>(t.scans));
  for (i64 trip = 0; trip < t.count; ++trip) {
    std::vector<ValueId> arguments = {g.add_constant(Tensor::scalar<i64>(trip)),
                                      g.add_constant(Tensor::scalar<bool>(true))};
    arguments.insert(arguments.end(), state.begin(), state.end());
    arguments.insert(arguments.end(), captures.begin(), captures.end());
    const std::vector<ValueId> results = passes::inline_body(g, *t.body, arguments);
    state.assign(results.begin() + 1, results.begin() + 1 + t.states);
    for (i64 s = 0; s < t.scans; ++s) scans[size_t(s)].push_back(results[size_t(1 + t.states + s)]);
  }
  for (i64 i = 0; i < std::ssize(n.outputs); ++i) {
    const ValueId old = n.outputs[size_t(i)];
    if (g.use_count(old) == 0) continue;
    g.replace_uses(old, i < t.states ? state[size_t(i)] : joined(g, scans[size_t(i - t.states)]));
  }
  passes::erase_if_dead(g, id);
  return rewrite.commit();
}

/// Why the loop stays; empty when it went.
std::string simplify(Graph& g, NodeId id, const PassOptions& options) {
  std::string why;
  const std::optional<Trips> trips = trips_of(g, g.node(id), why);
  if (!trips) return why;
  if (trips->count > std::max<i64>(options.unroll, 1)) return "too many trips to write out";
  const std::vector<ValueId>& outputs = g.node(id).outputs;
  for (i64 i = trips->states; trips->count == 0 && i < std::ssize(outputs); ++i)
    if (g.use_count(outputs[size_t(i)]) > 0) return "an empty scan output is used";
  // One trip: an Unsqueeze for each scan output must not make the graph larger.
  if (trips->count == 1 && options.unroll < 1 && trips->scans > 1) return "several scan outputs";
  return unroll(g, id, *trips) ? "" : "the check of the rewrite failed";
}

}  // namespace

PassStats simplify_loops(Graph& graph, const PassOptions& options) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    if (!graph.alive(id) || name(graph.node(id).op) != "Loop") continue;
    const std::string where = graph.describe(id);
    const std::string why = simplify(graph, id, options);
    if (why.empty())
      ++stats.changed;
    else
      stats.skipped.push_back({where, why});
  }
  return stats;
}

}  // namespace sinter
