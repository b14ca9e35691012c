// SPDX-License-Identifier: Apache-2.0
// Turns shape arithmetic into constants.
//
//   before   s = Shape(x); n = Gather(s, 0); t = Concat(Unsqueeze(n), [-1]); y = Reshape(x, t)
//   after    y = Reshape(x, [0,-1])
//
// Inference follows the content of small integer tensors symbolically (ValueType::dims). A tensor
// whose entries are all numbers becomes a constant. Parameters with symbols are written by what
// their operator makes of them:
//
//   Reshape   numbers; 0 for the input's dimension at the same place; at most one -1 for the rest
//   Expand    1 where the output dimension is the input's
//   Slice     2^63 - 1 for an end that is certainly not before the end of its axis
//   Resize    scales for sizes that are whole multiples of the input's
//
// What fed the parameter dies with it.
//
// Left alone (counted as skipped): a target with two dimensions that are neither numbers nor
// copied. The -1 beside a copied dimension is exact when no copied dimension is 0 at run time
// (PassOptions::assume_nonempty). Otherwise exact (E0).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/detail/reshape_target.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// The content of `v` when inference knows every entry as a number.
std::optional<Tensor> known_content(const Graph& g, ValueId v) {
  const ValueType& type = g.value(v).type;
  if (!type.dims || !type.shape) return std::nullopt;
  const std::optional<Dims> shape = static_dims(*type.shape);
  const std::optional<std::vector<i64>> entries = static_dims(*type.dims);
  if (!shape || !entries || !(is_integer(type.dtype) || type.dtype == DType::boolean))
    return std::nullopt;
  if (element_count(*shape) != std::ssize(*entries)) return std::nullopt;
  return convert(Tensor::of<i64>(*shape, std::span<const i64>(*entries)), type.dtype);
}

i64 replace_known_contents(Graph& g) {
  i64 changed = 0;
  for (NodeId id : g.topological_order()) {
    if (!g.alive(id) || g.node(id).op == Op::Constant) continue;
    if (!is_pure(g, g.node(id))) continue;
    const std::vector<ValueId> outputs = g.node(id).outputs;
    for (ValueId v : outputs) {
      if (!g.alive(v) || g.use_count(v) == 0) continue;
      std::optional<Tensor> content = known_content(g, v);
      if (!content) continue;
      Rewrite rewrite(g, "known_content", {id});
      passes::replace_and_erase(g, v, g.add_constant(std::move(*content)));
      changed += i64(rewrite.commit());
    }
  }
  return changed;
}

/// Replaces parameter `index` of the node by numbers.
void set_parameter(Graph& g, NodeId id, i64 index, const std::vector<i64>& numbers) {
  const ValueId old = g.node(id).inputs[size_t(index)];
  const Tensor tensor = Tensor::of<i64>({std::ssize(numbers)}, std::span<const i64>(numbers));
  g.set_input(id, index, g.add_constant(convert(tensor, g.dtype(old))));
  if (g.value(old).producer.valid()) passes::erase_if_dead(g, g.value(old).producer);
}

bool resolve_reshape(Graph& g, NodeId id, const PassOptions& options, PassStats& stats) {
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
  if (passes::copies_beside_inferred(*target) && !options.assume_nonempty) {
    stats.skipped.push_back({g.describe(id), "a copied dimension might be 0"});
    return false;
  }
  Rewrite rewrite(g, "reshape_target", {id});
  if (passes::copies_beside_inferred(*target)) rewrite.assumes("nonempty");
  set_parameter(g, id, 1, *target);
  g.erase_attribute(id, "allowzero");
  return rewrite.commit();
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
  Rewrite rewrite(g, "expand_target", {id});
  set_parameter(g, id, 1, target);
  return rewrite.commit();
}

/// The axes that the Slice cuts, one per end; empty when they are not known.
std::vector<i64> sliced_axes(const Graph& g, const Node& n, i64 count, i64 rank) {
  if (n.inputs.size() > 4 && n.inputs[4].valid()) {
    const Tensor* steps = g.constant(n.inputs[4]);
    if (steps == nullptr) return {};
    for (i64 i = 0; i < steps->size(); ++i)
      if (steps->as_int(i) <= 0) return {};
  }
  std::vector<i64> axes;
  if (n.inputs.size() > 3 && n.inputs[3].valid()) {
    if (g.constant(n.inputs[3]) == nullptr) return {};
    axes = g.constant(n.inputs[3])->as_ints();
  } else {
    for (i64 a = 0; a < count; ++a) axes.push_back(a);
  }
  for (i64& a : axes) a = passes::normalized(a, rank);
  return std::ssize(axes) == count ? axes : std::vector<i64>();
}

bool resolve_slice(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  const auto& ends = g.value(n.inputs[2]).type.dims;
  if (g.constant(n.inputs[2]) != nullptr || !ends || !shape) return false;
  const std::vector<i64> axes = sliced_axes(g, n, std::ssize(*ends), std::ssize(*shape));
  if (axes.empty()) return false;
  std::vector<i64> numbers;
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim &end = (*ends)[i], &size = (*shape)[size_t(axes[i])];
    const std::optional<bool> stops_before = is_less(end, size);
    if (!end.value() && stops_before.value_or(true)) return false;
    numbers.push_back(end.value().value_or(INT64_MAX));
  }
  // i32 parameters cannot hold the number; they are rare.
  if (g.dtype(n.inputs[2]) != DType::i64) return false;
  Rewrite rewrite(g, "slice_end", {id});
  set_parameter(g, id, 2, numbers);
  return rewrite.commit();
}

/// Sizes that are the input's times whole numbers say the same as those numbers as scales.
bool resolve_resize(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  if (!passes::has_input(n, 3) || g.constant(n.inputs[3]) != nullptr) return false;
  const std::optional<Shape>& in = g.shape(n.inputs[0]);
  const auto& sizes = g.value(n.inputs[3]).type.dims;
  const bool plain =
      !n.attributes.has("axes") && !n.attributes.has("keep_aspect_ratio_policy") &&
      n.attributes.text("coordinate_transformation_mode", "") != "tf_crop_and_resize";
  if (!in || !sizes || sizes->size() != in->size() || !plain) return false;
  std::vector<float> scales;
  for (size_t a = 0; a < in->size(); ++a) {
    const std::optional<i64> ratio = floor_div((*sizes)[a], (*in)[a]).value();
    if (!ratio || *ratio < 1 || !same((*in)[a] * Dim(*ratio), (*sizes)[a])) return false;
    scales.push_back(float(*ratio));
  }
  const ValueId old = n.inputs[3];
  Rewrite rewrite(g, "resize_scales", {id});
  const Tensor factors = Tensor::of<float>({std::ssize(scales)}, std::span<const float>(scales));
  g.set_inputs(id, {n.inputs[0], n.inputs[1], g.add_constant(factors.clone())});
  if (g.value(old).producer.valid()) passes::erase_if_dead(g, g.value(old).producer);
  return rewrite.commit();
}

}  // namespace

PassStats simplify_shape_chains(Graph& graph, const PassOptions& options) {
  PassStats stats;
  stats.changed = replace_known_contents(graph);
  for (NodeId id : graph.nodes_of(Op::Reshape))
    if (graph.alive(id)) stats.changed += i64(resolve_reshape(graph, id, options, stats));
  for (NodeId id : graph.nodes_of(Op::Expand))
    if (graph.alive(id)) stats.changed += i64(resolve_expand(graph, id));
  for (NodeId id : graph.nodes_of(Op::Slice))
    if (graph.alive(id)) stats.changed += i64(resolve_slice(graph, id));
  for (NodeId id : graph.nodes())
    if (graph.alive(id) && name(graph.node(id).op) == "Resize")
      stats.changed += i64(resolve_resize(graph, id));
  return stats;
}

}  // namespace sinter
