// SPDX-License-Identifier: Apache-2.0
// Turns shape arithmetic into constants.
//
//   before   s = Shape(x); n = Gather(s, 0); t = Concat(Unsqueeze(n), [-1]); y = Reshape(x, t)
//   after    y = Reshape(x, [0,-1])
//
// Inference follows the content of small integer tensors symbolically (ValueType::dims). A tensor
// whose entries are all numbers becomes a constant. A Reshape target with symbols is written with
// numbers where the output dimension is one, 0 where it equals the input dimension at the same
// place, and at most one -1 for what remains. An Expand target takes 1 where the output dimension
// is the input's. What fed the target dies with it.
//
// Left alone (counted as skipped): a target with two dimensions that are neither numbers nor
// copied. The -1 beside a copied dimension assumes that no copied dimension is 0 at run time. Exact
// (E0).

#include "passes/detail/edit.h"
#include "passes/detail/reshape_target.h"
#include "passes/passes.h"

namespace sinter {
namespace {

/// The content of `v` when inference knows every entry as a number.
std::optional<Tensor> known_content(const Graph& g, ValueId v) {
  const ValueType& type = g.value(v).type;
  if (!type.dims || !type.shape) return std::nullopt;
  const std::optional<Dims> shape = static_dims(*type.shape);
  const std::optional<std::vector<i64>> entries = static_dims(*type.dims);
  if (!shape || !entries || (type.dtype != DType::i64 && type.dtype != DType::i32))
    return std::nullopt;
  if (element_count(*shape) != std::ssize(*entries)) return std::nullopt;
  return convert(Tensor::of<i64>(*shape, std::span<const i64>(*entries)), type.dtype);
}

i64 replace_known_contents(Graph& g) {
  i64 changed = 0;
  for (NodeId id : g.topological_order()) {
    if (!g.alive(id) || g.node(id).op == Op::Constant) continue;
    const std::vector<ValueId> outputs = g.node(id).outputs;
    for (ValueId v : outputs) {
      if (!g.alive(v) || g.use_count(v) == 0) continue;
      std::optional<Tensor> content = known_content(g, v);
      if (!content) continue;
      passes::replace_and_erase(g, v, g.add_constant(std::move(*content)));
      ++changed;
    }
  }
  return changed;
}

void set_target(Graph& g, NodeId id, const std::vector<i64>& target) {
  const ValueId old = g.node(id).inputs[1];
  g.set_input(id, 1,
              g.add_constant(Tensor::of<i64>({std::ssize(target)}, std::span<const i64>(target))));
  if (g.value(old).producer.valid()) passes::erase_if_dead(g, g.value(old).producer);
}

bool resolve_reshape(Graph& g, NodeId id, PassStats& stats) {
  const Node& n = g.node(id);
  if (g.constant(n.inputs[1]) != nullptr || !g.shape(n.outputs[0])) return false;
  // With an unknown input shape, numbers and one -1 may still do.
  const Shape in = g.shape(n.inputs[0]).value_or(Shape{});
  const auto target = passes::reshape_target(in, *g.shape(n.outputs[0]));
  if (!target) {
    stats.skipped.push_back({g.describe(id), "target " + to_text(*g.shape(n.outputs[0])) +
                                                 " has two dimensions that are not copied"});
    return false;
  }
  set_target(g, id, *target);
  g.erase_attribute(id, "allowzero");
  return true;
}

bool resolve_expand(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  if (g.constant(n.inputs[1]) != nullptr || !g.shape(n.inputs[0]) || !g.shape(n.outputs[0]))
    return false;
  const Shape &in = *g.shape(n.inputs[0]), &out = *g.shape(n.outputs[0]);
  std::vector<i64> target(out.size(), 1);
  const size_t shift = out.size() - in.size();
  for (size_t i = 0; i < out.size(); ++i) {
    if (i >= shift && same(out[i], in[i - shift])) continue;
    const std::optional<i64> number = out[i].value();
    if (!number) return false;
    target[i] = *number;
  }
  set_target(g, id, target);
  return true;
}

}  // namespace

PassStats simplify_shape_chains(Graph& graph) {
  PassStats stats;
  stats.changed = replace_known_contents(graph);
  for (NodeId id : graph.nodes_of(Op::Reshape)) stats.changed += resolve_reshape(graph, id, stats);
  for (NodeId id : graph.nodes_of(Op::Expand)) stats.changed += resolve_expand(graph, id);
  return stats;
}

}  // namespace sinter
