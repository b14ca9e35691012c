// SPDX-License-Identifier: Apache-2.0
// Evaluates nodes whose inputs are all constants.
//
//   before   t = Transpose(W, perm=[1,0]);  y = MatMul(x, t)
//   after    y = MatMul(x, W')                                  W' = the transposed tensor
//
// The reference evaluation of graph/ops is used, in the element type, so the bits are those that
// running the node would have given (E0). Constant nodes fold without copying.
//
// The size guard: the result may take as many bytes as the constants that die with the node, or
// PassOptions::fold_budget (64 KiB); what all rewrites together may add is bounded by the driver.
// So a model whose weights are made by ConstantOfShape stays small, and a large weight that
// something else reads is not stored twice.
//
// Left alone (counted as skipped): what the guard refuses; operators that draw random numbers or
// that sinter does not know; QuantizeLinear and DequantizeLinear, which say where integers are
// meant; casts whose result ONNX leaves open; containers; loops of more than 16 trips; nodes that
// cannot be evaluated (the message says why).

#include <limits>

#include "graph/evaluate.h"
#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr i64 kMaxTrips = 16, kStringBytes = 32;  // an estimate of a string in a file

bool all_inputs_constant(const Graph& graph, const Node& node) {
  for (ValueId v : node.inputs)
    if (v.valid() && graph.constant(v) == nullptr) return false;
  return true;
}

i64 bytes_of(const Tensor& t) {
  return t.dtype() == DType::string ? t.size() * kStringBytes : t.byte_size();
}

/// Bytes of the constants that nothing reads once the node is gone.
i64 dying_bytes(const Graph& graph, const Node& node) {
  if (node.op == Op::Constant && node.attributes.tensor("value"))
    return bytes_of(*node.attributes.tensor("value"));
  i64 bytes = 0;
  for (ValueId v : node.inputs)
    if (v.valid() && graph.use_count(v) == 1) bytes += bytes_of(*graph.constant(v));
  return bytes;
}

/// Bytes of the outputs when their shapes are numbers, else -1.
i64 result_bytes(const Graph& graph, const Node& node) {
  i64 bytes = 0;
  for (ValueId v : node.outputs) {
    const std::optional<Shape>& shape = graph.shape(v);
    const auto dims = shape ? static_dims(*shape) : std::nullopt;
    if (!dims) return -1;
    const i64 element = element_size(graph.dtype(v));
    if (__builtin_add_overflow(bytes, element_count(*dims) * (element > 0 ? element : kStringBytes),
                               &bytes))
      return -1;
  }
  return bytes;
}

bool repeats_often(const Graph& graph, const Node& node) {
  const std::string_view op = name(node.op);
  if (op == "SequenceMap" || op == "Scan") return true;
  if (op != "Loop") return false;
  const auto trips = passes::scalar_value(graph, passes::input_or_none(node, 0));
  return !trips || *trips > kMaxTrips;
}

/// ONNX leaves open which digits stand for a float, and what a NaN or a number outside the range of
/// an integer type becomes; there runtimes differ.
bool is_open_cast(const Tensor& from, DType to) {
  if (!is_float(from.dtype()) || to == DType::boolean || is_float(to)) return false;
  if (to == DType::string) return from.size() > 0;
  return for_type(to, "Cast", [&](auto t) {
    using To = decltype(t);
    if constexpr (std::is_integral_v<To>) {
      const double low = double(std::numeric_limits<To>::min()) - 1;
      const double high = double(std::numeric_limits<To>::max()) + 1;
      for (i64 i = 0; i < from.size(); ++i)
        if (!(from.as_double(i) > low && from.as_double(i) < high)) return true;
    }
    return false;
  });
}

/// Why the node must not be folded whatever it costs; empty when it may.
std::string refusal(const Graph& graph, const Node& node) {
  const std::string_view op = name(node.op);
  if (!is_pure(graph, node)) return "is not pure";
  if (op == "QuantizeLinear" || op == "DequantizeLinear" || op == "DynamicQuantizeLinear")
    return "says where integers are meant";
  if ((node.op == Op::Cast || node.op == Op::CastLike) &&
      is_open_cast(*graph.constant(node.inputs[0]), graph.dtype(node.outputs[0])))
    return "is a cast that runtimes do differently";
  if (repeats_often(graph, node)) return "may run its body more than 16 times";
  for (ValueId v : node.outputs)
    if (is_container(graph.dtype(v)) || graph.dtype(v) == DType::unknown) return "gives no tensor";
  return "";
}

/// Why the result may not be stored; empty when it may.
std::string too_large(const Graph& graph, const Node& node, const PassOptions& options) {
  const i64 bytes = result_bytes(graph, node);
  if (bytes < 0) return "the size of the result is not known";
  if (bytes <= options.fold_budget || bytes <= dying_bytes(graph, node)) return "";
  return "the constant would take " + std::to_string(bytes) + " bytes";
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

PassStats fold_constants(Graph& graph, const PassOptions& options) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || !all_inputs_constant(graph, graph.node(id))) continue;
    const std::string where = graph.describe(id);
    std::string why = refusal(graph, graph.node(id));
    if (why.empty()) why = too_large(graph, graph.node(id), options);
    std::vector<TensorPtr> results;
    if (why.empty()) {
      try {
        results = fold(graph, id);
      } catch (const Error& error) {
        why = error.what();
      }
    }
    if (!why.empty()) {
      stats.skipped.push_back({where, why});
      continue;
    }
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    Rewrite rewrite(graph, "fold_constants", {id});
    for (size_t i = 0; i < outputs.size(); ++i)
      if (graph.use_count(outputs[i]) > 0)
        graph.replace_uses(outputs[i], graph.add_constant(results[i]));
    passes::erase_if_dead(graph, id);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
