// SPDX-License-Identifier: Apache-2.0
// A reduction keeps or drops its dimensions itself.
//
//   before   y = Unsqueeze(ReduceMean(x, axes, keepdims=0), axes)
//   after    y = ReduceMean(x, axes, keepdims=1)
//   before   y = Squeeze(ReduceMean(x, axes, keepdims=1), axes)
//   after    y = ReduceMean(x, axes, keepdims=0)
//
// All Reduce operators, ArgMax and ArgMin; for Unsqueeze and Squeeze also a Reshape or Flatten to
// the same shape. Legality (S, U1): the middle has no other reader; the shape of y is, as an
// expression, the one that the reduction has with the other keepdims. Exact (E0).

#include "passes/detail/edit.h"
#include "passes/detail/layout.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

bool is_reduction(Op op) {
  const std::string_view text = name(op);
  return text.substr(0, 6) == "Reduce" || text == "ArgMax" || text == "ArgMin";
}

bool fuse(Graph& g, NodeId id, PassStats& stats) {
  const Node reshape = g.node(id);
  const NodeId producer = g.value(reshape.inputs[0]).producer;
  if (!producer.valid() || !is_reduction(g.node(producer).op)) return false;
  const Node reduce = g.node(producer);
  if (const std::string why = passes::why_not_one_reader(g, reduce.outputs[0]); !why.empty()) {
    stats.skipped.push_back({g.describe(id), why});
    return false;
  }
  Attributes attributes = reduce.attributes;
  attributes.set("keepdims", i64{1 - attributes.integer("keepdims", 1)});
  Rewrite rewrite(g, "fuse_reduce_reshape", {id, producer});
  const NodeId now = g.add_node(reduce.op, reduce.inputs, attributes, {}, reduce.name);
  const ValueId result = g.node(now).outputs[0];
  const auto &before = g.shape(reshape.outputs[0]), &after = g.shape(result);
  if (!before || !after || !same(*before, *after)) {
    g.erase_node(now);
    return false;
  }
  passes::replace_and_erase(g, reshape.outputs[0], result);
  return rewrite.commit();
}

}  // namespace

PassStats fuse_reduce_reshape(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.topological_order())
    if (graph.alive(id) && passes::moves_elements(graph.node(id).op) &&
        graph.node(id).op != Op::Transpose)
      stats.changed += fuse(graph, id, stats);
  return stats;
}

}  // namespace sinter
