// SPDX-License-Identifier: Apache-2.0
// Keeps one of nodes that compute the same from the same.
//
//   before   a = Shape(x);  b = Shape(x);  y = Add(a, b)
//   after    a = Shape(x);  y = Add(a, a)
//
// Two nodes are the same when operator, attributes (bodies included), inputs and number of outputs
// are; the operands of commutative operators may change places. One sweep in topological order, so
// that equal operands have become one value before their readers are compared. Equal constants are
// one value after eliminate_duplicate_constants.
//
// Left alone: nodes that are not pure (random operators, training mode, bodies with such) and
// Opaque ones, because two draws or two calls are not one; nodes whose results are both graph
// outputs, because the file needs a node for each. Exact (E0).
#include <algorithm>
#include <unordered_map>

#include "passes/detail/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr std::string_view kCommutative[] = {"Add",        "Mul",       "And",       "Or",  "Xor",
                                             "Max",        "Min",       "Equal",     "Sum", "Mean",
                                             "BitwiseAnd", "BitwiseOr", "BitwiseXor"};

std::vector<ValueId> canonical_inputs(const Node& n) {
  std::vector<ValueId> inputs = n.inputs;
  const bool two = inputs.size() == 2;  // more operands: another order of a sum is another sum
  if (two && std::find(std::begin(kCommutative), std::end(kCommutative), name(n.op)) !=
                 std::end(kCommutative))
    std::sort(inputs.begin(), inputs.end());
  return inputs;
}

u64 hash_of(const Node& n) {
  u64 hash = u64(n.op) * 0x9E3779B97F4A7C15u + n.outputs.size();
  for (ValueId v : canonical_inputs(n)) hash = (hash ^ u64(u32(v.index))) * 0x100000001B3u;
  return hash ^ (hash >> 29);
}

bool is_same(const Node& a, const Node& b) {
  return a.op == b.op && a.outputs.size() == b.outputs.size() &&
         canonical_inputs(a) == canonical_inputs(b) && a.attributes == b.attributes;
}

bool both_are_outputs(const Graph& g, const Node& a, const Node& b) {
  for (size_t i = 0; i < a.outputs.size(); ++i)
    if (g.is_output(a.outputs[i]) && g.is_output(b.outputs[i])) return true;
  return false;
}

bool merge(Graph& g, NodeId kept, NodeId other) {
  Rewrite rewrite(g, "eliminate_common_subexpressions", {kept, other});
  const std::vector<ValueId> to = g.node(kept).outputs, from = g.node(other).outputs;
  for (size_t i = 0; i < from.size(); ++i) g.replace_uses(from[i], to[i]);
  passes::erase_if_dead(g, other);
  return rewrite.commit();
}

}  // namespace

PassStats eliminate_common_subexpressions(Graph& graph, const PassOptions&) {
  PassStats stats;
  std::unordered_multimap<u64, NodeId> seen;
  for (NodeId id : graph.topological_order()) {
    const Node& n = graph.node(id);
    if (!graph.alive(id) || n.op == Op::Constant || !is_pure(graph, n)) continue;
    const u64 hash = hash_of(n);
    NodeId kept;
    const auto [first, last] = seen.equal_range(hash);
    for (auto it = first; it != last && !kept.valid(); ++it)
      if (is_same(graph.node(it->second), n)) kept = it->second;
    if (!kept.valid())
      seen.emplace(hash, id);
    else if (both_are_outputs(graph, graph.node(kept), n))
      stats.skipped.push_back({graph.describe(id), "both results are graph outputs"});
    else
      stats.changed += i64(merge(graph, kept, id));
  }
  return stats;
}

}  // namespace sinter
