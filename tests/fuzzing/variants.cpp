// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzzing/variants.h"

#include <algorithm>
#include <functional>

#include "onnx/export.h"
#include "onnx/import.h"

namespace sinter::fuzzing {
namespace {

/// Copies the nodes of `from` into `to` in the order `order`; `known` says what stands for inputs
/// and, after it, for all values.
void copy_nodes(const Graph& from, Graph& to, const std::vector<NodeId>& order,
                std::map<ValueId, ValueId>& known,
                const std::function<ValueId(const TensorPtr&)>& constant) {
  for (NodeId id : order) {
    const Node& n = from.node(id);
    std::vector<ValueId> inputs;
    for (ValueId v : n.inputs) {
      if (v.valid() && !known.contains(v)) known[v] = constant(from.value(v).constant);
      inputs.push_back(v.valid() ? known.at(v) : ValueId{});
    }
    if (const TensorPtr value = n.op == Op::Constant ? n.attributes.tensor("value") : nullptr) {
      known[n.outputs[0]] = constant(value);
      continue;
    }
    const NodeId copy =
        to.add_node(n.op, inputs, n.attributes, std::vector<std::string>(n.outputs.size()));
    for (size_t i = 0; i < n.outputs.size(); ++i) known[n.outputs[i]] = to.node(copy).outputs[i];
  }
}

std::vector<NodeId> random_order(const Graph& graph, Rng& rng) {
  std::map<NodeId, size_t> missing;
  std::vector<NodeId> ready, order;
  for (NodeId id : graph.nodes()) {
    for (ValueId v : graph.node(id).inputs) missing[id] += graph.producer(v) != nullptr;
    if (missing[id] == 0) ready.push_back(id);
  }
  while (!ready.empty()) {
    std::swap(ready.back(), ready[size_t(rng.below(std::ssize(ready)))]);
    const NodeId id = ready.back();
    ready.pop_back();
    order.push_back(id);
    for (ValueId v : graph.node(id).outputs)
      for (NodeId reader : graph.value(v).readers)
        if (--missing[reader] == 0) ready.push_back(reader);
  }
  return order;
}

ValueId constant_node(Graph& graph, const TensorPtr& tensor) {
  return graph.add(Op::Constant, {}, {{"value", tensor}});
}

ValueId of_output(const Graph& graph, const GraphOutput& output, std::map<ValueId, ValueId>& known,
                  const std::function<ValueId(const TensorPtr&)>& constant) {
  if (!known.contains(output.value))
    known[output.value] = constant(graph.value(output.value).constant);
  return known.at(output.value);
}

GraphPtr branch(const Graph& graph, const std::vector<TensorPtr>& outside, bool negated) {
  Graph body;
  std::map<ValueId, ValueId> known;
  std::map<const Tensor*, ValueId> captured;
  for (ValueId v : graph.inputs()) known[v] = body.add_input("", graph.value(v).type);
  for (const TensorPtr& t : outside)
    captured[t.get()] = body.add_input("", t->dtype(), to_shape(t->dims()));
  const auto constant = [&](const TensorPtr& t) {
    const auto at = captured.find(t.get());
    return at != captured.end() ? at->second : body.add_constant(t);
  };
  copy_nodes(graph, body, graph.topological_order(), known, constant);
  for (const GraphOutput& output : graph.outputs()) {
    ValueId v = of_output(graph, output, known, constant);
    if (negated && is_float(body.dtype(v))) v = body.add(Op::Neg, {v});
    body.add_output(output.name, v);
  }
  return std::make_shared<const Graph>(std::move(body));
}

}  // namespace

Graph rewritten(const Graph& graph, Rng& rng) {
  Graph copy;
  copy.info = graph.info;
  std::map<ValueId, ValueId> known;
  for (ValueId v : graph.inputs())
    known[v] = copy.add_input(graph.value(v).name, graph.value(v).type);
  const i64 unused_names = rng.below(7);
  for (i64 i = 0; i < unused_names; ++i)  // shifts the names of all that follows
    copy.erase_constant(copy.add_constant(Tensor::scalar<float>(0)));
  const auto constant = [&](const TensorPtr& t) {
    return rng.below(2) == 0 ? copy.add_constant(t) : constant_node(copy, t);
  };
  copy_nodes(graph, copy, random_order(graph, rng), known, constant);
  for (const GraphOutput& output : graph.outputs())
    copy.add_output(output.name, of_output(graph, output, known, constant));
  return copy;
}

Graph inside_if(const Graph& graph, bool constants_outside) {
  Graph around;
  around.info = graph.info;
  std::vector<ValueId> inputs = {{}};
  for (ValueId v : graph.inputs())
    inputs.push_back(around.add_input(graph.value(v).name, graph.value(v).type));
  inputs[0] = around.add_input("taken", DType::boolean, Shape{});
  std::vector<TensorPtr> outside;
  for (ValueId v : graph.constants())
    if (constants_outside && graph.use_count(v) > 0) {
      const TensorPtr& t = graph.value(v).constant;
      if (std::find(outside.begin(), outside.end(), t) != outside.end()) continue;
      outside.push_back(t);
      inputs.push_back(around.add_constant(t));
    }
  const i64 captures = std::ssize(inputs) - 1;
  const NodeId node = around.add_node(Op::If, inputs,
                                      {{"captures", captures},
                                       {"then_branch", branch(graph, outside, false)},
                                       {"else_branch", branch(graph, outside, true)}},
                                      std::vector<std::string>(graph.outputs().size()));
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    around.add_output(graph.outputs()[i].name, around.node(node).outputs[i]);
  return around;
}

Graph through_file(const Graph& graph, i64 opset) {
  Graph copy = graph.clone();
  copy.info.opset = opset;
  return import_onnx(export_onnx(copy), nullptr, "variant");
}

}  // namespace sinter::fuzzing
