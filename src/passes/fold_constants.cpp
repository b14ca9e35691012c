// SPDX-License-Identifier: Apache-2.0
// Evaluates nodes whose inputs are all constants.
//
//   before   t = Transpose(W, perm=[1,0]);  y = MatMul(x, t)
//   after    y = MatMul(x, W')                                  W' = the transposed tensor
//
// The reference evaluation of graph/ops is used, in the element type, so the bits are those that
// running the node would have given (E0). Constant nodes fold without copying.
//
// Left alone (counted as skipped): a result above 64 KiB that is larger than the constants that die
// with the node (a ConstantOfShape or Expand must not blow the file up); training-mode
// BatchNormalization and Dropout; nodes that cannot be evaluated (the message says why).

#include "graph/evaluate.h"
#include "passes/detail/edit.h"
#include "passes/passes.h"

namespace sinter {
namespace {

constexpr i64 kFreeBytes = i64(64) << 10;

bool all_inputs_constant(const Graph& graph, const Node& node) {
  for (ValueId v : node.inputs)
    if (v.valid() && graph.constant(v) == nullptr) return false;
  return true;
}

/// Bytes of the constants that nothing reads once the node is gone.
i64 dying_bytes(const Graph& graph, const Node& node) {
  i64 bytes = 0;
  for (ValueId v : node.inputs)
    if (v.valid() && graph.use_count(v) == 1) bytes += graph.constant(v)->byte_size();
  return bytes;
}

/// Bytes of the outputs when their shapes are numbers, else -1.
i64 result_bytes(const Graph& graph, const Node& node) {
  i64 bytes = 0;
  for (ValueId v : node.outputs) {
    const std::optional<Shape>& shape = graph.shape(v);
    const auto dims = shape ? static_dims(*shape) : std::nullopt;
    if (!dims) return -1;
    bytes += element_count(*dims) * std::max<i64>(1, element_size(graph.dtype(v)));
  }
  return bytes;
}

/// Why the node must not be folded; empty when it may.
std::string refusal(const Graph& graph, const Node& node) {
  if (node.op == Op::BatchNormalization && node.attributes.integer("training_mode", 0) != 0)
    return "is in training mode";
  if (node.op == Op::Dropout && node.inputs.size() > 2 && node.inputs[2].valid() &&
      graph.constant(node.inputs[2])->as_int(0) != 0)
    return "is in training mode";
  const i64 bytes = result_bytes(graph, node);
  if (bytes < 0) return "the size of the result is not known";
  if (bytes > kFreeBytes && bytes > dying_bytes(graph, node))
    return "the constant would take " + std::to_string(bytes) + " bytes";
  return "";
}

std::vector<TensorPtr> fold(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op == Op::Constant && node.attributes.tensor("value"))
    return {node.attributes.tensor("value")};
  std::vector<const Tensor*> inputs;
  for (ValueId v : node.inputs) inputs.push_back(graph.constant(v));
  std::vector<TensorPtr> results;
  for (Tensor& t :
       evaluate_op(node.op, node.attributes, inputs, std::ssize(node.outputs), graph.describe(id)))
    results.push_back(std::make_shared<const Tensor>(std::move(t)));
  return results;
}

}  // namespace

PassStats fold_constants(Graph& graph) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || !all_inputs_constant(graph, graph.node(id))) continue;
    const std::string where = graph.describe(id);
    if (std::string why = refusal(graph, graph.node(id)); !why.empty()) {
      stats.skipped.push_back({where, why});
      continue;
    }
    std::vector<TensorPtr> results;
    try {
      results = fold(graph, id);
    } catch (const Error& error) {
      stats.skipped.push_back({where, error.what()});
      continue;
    }
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    for (size_t i = 0; i < outputs.size(); ++i)
      if (graph.use_count(outputs[i]) > 0)
        graph.replace_uses(outputs[i], graph.add_constant(results[i]));
    passes::erase_if_dead(graph, id);
    ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
