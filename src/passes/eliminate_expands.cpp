// SPDX-License-Identifier: Apache-2.0
// Reads what was there before an Expand or a Tile that only repeats dimensions of 1, where the
// reader broadcasts anyway.
//
//   before   y = Add(Expand(x, s), z)
//   after    y = Add(x, z)                when x and z alone broadcast to the shape of y
//
// Readers: elementwise nodes of several operands, the leading dimensions of MatMul, Expand.
// Legality (S, U1): the shape of the result is the same expression before and after; every reader
// of the expanded value can do without it, so that the node goes. For MatMul the last two
// dimensions are not expanded. Exact (E0).

#include "passes/detail/edit.h"
#include "passes/detail/elementwise.h"
#include "passes/detail/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// True when `node` only repeats dimensions of 1 or adds dimensions in front.
bool only_broadcasts(const Graph& g, const Node& node) {
  if (node.op != Op::Expand && node.op != Op::Tile) return false;
  const auto &from = g.shape(node.inputs[0]), &to = g.shape(node.outputs[0]);
  return from && to && passes::broadcasts_into(*from, *to);
}

bool keeps_matrices(const Graph& g, const Node& expand) {
  const Shape &from = *g.shape(expand.inputs[0]), &to = *g.shape(expand.outputs[0]);
  if (from.size() < 2) return false;
  return same(from[from.size() - 1], to[to.size() - 1]) &&
         same(from[from.size() - 2], to[to.size() - 2]);
}

/// True when `reader` may read the operand of `expand` instead of its result.
bool accepts(const Graph& g, const Node& reader, const Node& expand) {
  const ValueId wide = expand.outputs[0];
  if (reader.op == Op::MatMul) return keeps_matrices(g, expand);
  if (reader.op == Op::Expand) return reader.inputs[0] == wide && reader.inputs[1] != wide;
  // The slope of PRelu broadcasts into x but not the other way round.
  if (name(reader.op) == "PRelu") return reader.inputs[0] != wide;
  return passes::is_broadcasting(reader.op);
}

/// The node without the expansion, when its result keeps its shape; else an invalid id and no edit.
NodeId without(Graph& g, NodeId reader, const Node& expand) {
  const Node old = g.node(reader);
  std::vector<ValueId> inputs = old.inputs;
  for (ValueId& v : inputs)
    if (v == expand.outputs[0]) v = expand.inputs[0];
  const NodeId now = g.add_node(old.op, inputs, old.attributes, {}, old.name);
  const auto &before = g.shape(old.outputs[0]), &after = g.shape(g.node(now).outputs[0]);
  if (before && after && same(*before, *after)) return now;
  g.erase_node(now);
  return {};
}

bool eliminate(Graph& g, NodeId id, PassStats& stats) {
  const Node expand = g.node(id);
  const ValueId wide = expand.outputs[0];
  if (!only_broadcasts(g, expand) || g.is_output(wide) || g.use_count(wide) == 0) return false;
  std::vector<NodeId> matched = {id}, readers;
  for (NodeId reader : g.value(wide).readers) {
    if (!accepts(g, g.node(reader), expand)) return false;
    if (readers.empty() || readers.back() != reader) readers.push_back(reader);
  }
  matched.insert(matched.end(), readers.begin(), readers.end());
  Rewrite rewrite(g, "eliminate_expands", matched);
  std::vector<NodeId> made;
  for (NodeId reader : readers) {
    made.push_back(without(g, reader, expand));
    if (made.back().valid()) continue;
    made.pop_back();
    for (NodeId node : made) g.erase_node(node);
    stats.skipped.push_back({g.describe(id), "the result of " + g.describe(reader) +
                                                 " would be smaller or is not known"});
    return false;
  }
  for (size_t i = 0; i < readers.size(); ++i)
    passes::replace_and_erase(g, g.node(readers[i]).outputs[0], g.node(made[i]).outputs[0]);
  return rewrite.commit();
}

}  // namespace

PassStats eliminate_expands(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (i64 before = -1; before != stats.changed;) {  // Expand of Expand takes two rounds
    before = stats.changed;
    stats.skipped.clear();
    for (NodeId id : graph.nodes())
      if (graph.alive(id)) stats.changed += eliminate(graph, id, stats);
  }
  return stats;
}

}  // namespace sinter
