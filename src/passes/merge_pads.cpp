// SPDX-License-Identifier: Apache-2.0
// Merges Pad of Pad, and cancels a Slice that takes away exactly what a Pad added.
//
//   before   y = Pad(Pad(x, p, v), q, v)             after   y = Pad(x, p + q, v)
//   before   y = Slice(Pad(x, p), begins, ...)       after   y = x
//
// Legality: Pad of Pad needs one reader between, constant mode on both sides with the same value,
// and no negative pad. The Slice has steps 1, starts at the Pad's begin on every axis (0 where it
// does not slice) and its result has the shape of x by symbolic equality; the mode does not matter.
// Left alone (counted as skipped): those that break a condition. Elements are only moved (E0).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/detail/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::input_or_none;

/// begins then ends of all axes; nullopt when not constant or only for some axes.
std::optional<std::vector<i64>> full_pads(const Graph& g, const Node& pad) {
  const Tensor* pads = g.constant(pad.inputs[1]);
  if (pads == nullptr || input_or_none(pad, 3).valid()) return std::nullopt;
  return pads->as_ints();
}

std::optional<double> pad_value(const Graph& g, const Node& pad) {
  const ValueId v = input_or_none(pad, 2);
  return v.valid() ? passes::scalar_value(g, v) : 0.0;
}

std::string why_not_merged(const Graph& g, const Node& outer, const Node& inner) {
  if (std::string why = passes::why_not_one_reader(g, inner.outputs[0]); !why.empty()) return why;
  for (const Node* pad : {&outer, &inner}) {
    if (pad->attributes.text("mode", "constant") != "constant")
      return "the Pad mode is not constant";
    const auto pads = full_pads(g, *pad);
    if (!pads) return "the pads are not a constant";
    if (std::any_of(pads->begin(), pads->end(), [](i64 p) { return p < 0; }))
      return "the Pad crops";
  }
  const std::optional<double> a = pad_value(g, outer), b = pad_value(g, inner);
  return a && b && *a == *b ? "" : "the values differ";
}

bool merge(Graph& g, NodeId outer, NodeId inner) {
  std::vector<i64> pads = *full_pads(g, g.node(outer));
  const std::vector<i64> more = *full_pads(g, g.node(inner));
  for (size_t i = 0; i < pads.size(); ++i) pads[i] += more[i];
  Rewrite rewrite(g, "merge_pads", {outer, inner});
  g.set_input(outer, 0, g.node(inner).inputs[0]);
  g.set_input(outer, 1, g.add_constant(Tensor::of<i64>({std::ssize(pads)}, pads)));
  g.infer(outer);
  passes::erase_if_dead(g, inner);
  return rewrite.commit();
}

/// The Slice gives back the Pad's operand.
bool cancels(const Graph& g, const Node& slice, const Node& pad) {
  const auto pads = full_pads(g, pad), starts = passes::integers(g, slice.inputs[1]);
  auto axes = passes::integers(g, input_or_none(slice, 3));
  const auto steps = passes::integers(g, input_or_none(slice, 4));
  if (!pads || !starts || !axes || !steps ||
      !passes::same_shape(g, slice.outputs[0], pad.inputs[0]))
    return false;
  const i64 rank = std::ssize(*pads) / 2;
  if (axes->empty())
    for (i64 d = 0; d < std::ssize(*starts); ++d) axes->push_back(d);
  if (axes->size() != starts->size()) return false;
  if (std::any_of(steps->begin(), steps->end(), [](i64 s) { return s != 1; })) return false;
  std::vector<i64> begins(size_t(rank), 0);
  for (size_t i = 0; i < axes->size(); ++i)
    begins[size_t(passes::normalized((*axes)[i], rank))] = (*starts)[i];
  return std::equal(begins.begin(), begins.end(), pads->begin());
}

}  // namespace

PassStats merge_pads(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id)) continue;
    const Op op = graph.node(id).op;
    if (op != Op::Pad && op != Op::Slice) continue;
    const NodeId inner = graph.value(graph.node(id).inputs[0]).producer;
    if (!inner.valid() || graph.node(inner).op != Op::Pad) continue;
    if (op == Op::Slice) {
      if (!cancels(graph, graph.node(id), graph.node(inner))) continue;
      Rewrite rewrite(graph, "merge_pads", {inner, id});
      passes::replace_and_erase(graph, graph.node(id).outputs[0], graph.node(inner).inputs[0]);
      if (rewrite.commit()) ++stats.changed;
      continue;
    }
    const std::string why = why_not_merged(graph, graph.node(id), graph.node(inner));
    if (!why.empty())
      stats.skipped.push_back({graph.describe(id), why});
    else if (merge(graph, id, inner))
      ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
