// SPDX-License-Identifier: Apache-2.0
#include "runtime/detail/bind.h"

#include <set>

#include "graph/evaluate.h"

namespace sinter {
namespace {

constexpr i64 kLargestFold = i64(64) << 20;  // bytes; larger results are computed in every run

// -- bind ----------------------------------------------------------------------------------------

void bind_symbol(std::map<std::string, i64>& symbols, const std::string& symbol, i64 size) {
  require(size >= 1, ErrorKind::bad_argument, "compile: symbol ", symbol,
          ": expected a size of at least 1, found ", size);
  const auto [it, fresh] = symbols.emplace(symbol, size);
  require(fresh || it->second == size, ErrorKind::bad_argument, "compile: symbol ", symbol,
          " is bound to ", it->second, " and to ", size);
}

/// Reads the full shapes: fills `symbols` from them and returns the inputs' shapes.
void bind_shape(const Value& input, const Dims& dims, std::map<std::string, i64>& symbols) {
  if (!input.type.shape) return;
  const Shape& shape = *input.type.shape;
  require(shape.size() == dims.size(), ErrorKind::bad_argument, "compile: input \"", input.name,
          "\": expected shape ", to_text(shape), ", found ", to_text(dims));
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (const std::optional<i64> number = shape[axis].value())
      require(*number == dims[axis], ErrorKind::bad_argument, "compile: input \"", input.name,
              "\": expected shape ", to_text(shape), ", found ", to_text(dims));
    else if (shape[axis].is_known())
      bind_symbol(symbols, shape[axis].text(), dims[axis]);
  }
}

}  // namespace

void bind_inputs(Graph& graph, const InputShapes& bound) {
  std::map<std::string, i64> symbols;
  for (const auto& [symbol, size] : bound.symbols) bind_symbol(symbols, symbol, size);
  std::set<std::string> inputs, known;
  for (ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    inputs.insert(input.name);
    if (const auto it = bound.shapes.find(input.name); it != bound.shapes.end())
      bind_shape(input, it->second, symbols);
    if (!input.type.shape) continue;
    for (const Dim& dim : *input.type.shape)
      if (dim.is_known() && !dim.value()) known.insert(dim.text());
  }
  for (const auto& entry : bound.shapes)
    require(inputs.count(entry.first) > 0, ErrorKind::bad_argument,
            "compile: the graph has no input \"", entry.first, "\"");
  for (const auto& entry : bound.symbols)
    require(known.count(entry.first) > 0, ErrorKind::bad_argument,
            "compile: no input has a dimension \"", entry.first, "\"");
  for (ValueId id : graph.inputs()) {
    const ValueType type = graph.value(id).type;
    if (const auto it = bound.shapes.find(graph.value(id).name); it != bound.shapes.end()) {
      element_count(it->second);
      graph.set_input_type(id, type.dtype, to_shape(it->second));
      continue;
    }
    if (!type.shape) continue;
    Shape shape = *type.shape;
    for (Dim& dim : shape)
      if (const auto size = symbols.find(dim.text()); dim.is_known() && size != symbols.end())
        dim = Dim(size->second);
    graph.set_input_type(id, type.dtype, std::move(shape));
  }
}

// -- fold ----------------------------------------------------------------------------------------

namespace {

std::optional<Tensor> known_content(const Value& value) {
  if (!value.type.dims || !value.type.shape || value.type.dtype != DType::i64) return std::nullopt;
  const std::optional<std::vector<i64>> dims = static_dims(*value.type.shape);
  if (!dims) return std::nullopt;
  std::vector<i64> content;
  for (const Dim& dim : *value.type.dims) {
    if (!dim.value()) return std::nullopt;
    content.push_back(*dim.value());
  }
  if (element_count(*dims) != std::ssize(content)) return std::nullopt;
  return Tensor::of<i64>(*dims, content);
}

bool outputs_are_small(const Graph& graph, const Node& node) {
  for (ValueId out : node.outputs) {
    const std::optional<Shape>& shape = graph.shape(out);
    const std::optional<std::vector<i64>> dims = shape ? static_dims(*shape) : std::nullopt;
    if (!dims || element_count(*dims) * element_size(graph.dtype(out)) > kLargestFold) return false;
  }
  return true;
}

}  // namespace

void infer_and_fold(Graph& graph) {
  for (NodeId id : graph.topological_order()) {
    graph.infer(id);
    const Node node = graph.node(id);
    std::vector<const Tensor*> inputs;
    bool constant = true;
    for (ValueId in : node.inputs) {
      inputs.push_back(graph.constant(in));
      constant = constant && (!in.valid() || inputs.back() != nullptr);
    }
    for (ValueId out : node.outputs)
      if (std::optional<Tensor> content = known_content(graph.value(out)))
        graph.replace_uses(out, graph.add_constant(std::move(*content)));
    if (!constant || !outputs_are_small(graph, node)) continue;
    std::vector<Tensor> results;
    try {
      results = evaluate_op(node.op, node.attributes, inputs, std::ssize(node.outputs),
                            graph.describe(id));
    } catch (const Error&) {
      continue;  // the same error comes from the run, if the run gets there
    }
    for (size_t i = 0; i < results.size() && i < node.outputs.size(); ++i)
      graph.replace_uses(node.outputs[i], graph.add_constant(std::move(results[i])));
  }
}

}  // namespace sinter
