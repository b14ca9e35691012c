// SPDX-License-Identifier: Apache-2.0
// Only nodes that an output needs are run, in topological order, and a tensor is dropped after its
// last reader. Under Precision::widened every float32 tensor is float64 from the start: inputs and
// constants are converted, a Cast to float32 goes to float64, and what an operator creates as
// float32 (ConstantOfShape, Constant) is converted at once, exactly.
#include "graph/evaluate.h"

#include <algorithm>

namespace sinter {
namespace {

DType widened_type(DType type) { return type == DType::f32 ? DType::f64 : type; }

/// Everything of check_input but the element type.
void check_shape(const Value& value, const Dims& dims, std::map<std::string, i64>& symbols) {
  if (!value.type.shape) return;
  const Shape& shape = *value.type.shape;
  bool fits = shape.size() == dims.size();
  for (size_t a = 0; fits && a < shape.size(); ++a) {
    if (const auto number = shape[a].value())
      fits = *number == dims[a];
    else if (shape[a].is_known())
      fits = symbols.emplace(shape[a].text(), dims[a]).first->second == dims[a];
  }
  if (fits) return;
  std::string bound;
  for (const Dim& d : shape)
    if (const auto it = symbols.find(d.text()); it != symbols.end())
      bound += (bound.empty() ? " with " : ", ") + it->first + " = " + std::to_string(it->second);
  fail(ErrorKind::bad_argument, "input \"", value.name, "\": expected shape ", to_text(shape),
       bound, ", found ", to_text(dims));
}

/// A tensor of the run: owned by it, or borrowed from the caller or the graph.
struct Slot {
  Tensor owned;
  const Tensor* tensor = nullptr;
  i64 readers = 0;  ///< uses by needed nodes and outputs that are still to come

  void own(Tensor t) {
    owned = std::move(t);
    tensor = &owned;
  }
  void drop() {
    owned = Tensor();
    tensor = nullptr;
  }
};

class Run {
 public:
  Run(const Graph& graph, Precision precision)
      : graph_(graph),
        widen_(precision == Precision::widened),
        slots_(static_cast<size_t>(graph.value_bound())) {}

  std::vector<Tensor> operator()(std::span<const Tensor> inputs) {
    place_inputs(inputs);
    const std::vector<NodeId> order = graph_.topological_order();
    const std::vector<bool> needed = mark_needed(order);
    for (NodeId node : order)
      if (needed[size_t(node.index)]) run_node(node);
    std::vector<Tensor> results;
    for (const GraphOutput& output : graph_.outputs()) {
      Slot& slot = place_constant(output.value);
      const bool last = --slot.readers == 0 && slot.tensor == &slot.owned;
      results.push_back(last ? std::move(slot.owned) : slot.tensor->clone());
    }
    return results;
  }

 private:
  Slot& slot(ValueId value) { return slots_[size_t(value.index)]; }

  void place_inputs(std::span<const Tensor> inputs) {
    require(inputs.size() == graph_.inputs().size(), ErrorKind::bad_argument, "evaluate: expected ",
            graph_.inputs().size(), " inputs, found ", inputs.size());
    std::map<std::string, i64> symbols;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ValueId value = graph_.inputs()[i];
      const bool converts = widen_ && graph_.dtype(value) == DType::f32;
      const Tensor& given = inputs[i];
      if (converts && given.dtype() == DType::f64) {
        check_shape(graph_.value(value), given.dims(), symbols);
        slot(value).tensor = &given;
        continue;
      }
      check_input(graph_, value, given, symbols);
      if (converts)
        slot(value).own(convert(given, DType::f64));
      else
        slot(value).tensor = &given;
    }
  }

  /// Nodes that an output depends on; counts the readers of every value on the way.
  std::vector<bool> mark_needed(const std::vector<NodeId>& order) {
    std::vector<bool> needed(size_t(graph_.node_bound()), false);
    const auto use = [&](ValueId value) {
      if (!value.valid()) return;
      ++slot(value).readers;
      if (const NodeId p = graph_.value(value).producer; p.valid()) needed[size_t(p.index)] = true;
    };
    for (const GraphOutput& output : graph_.outputs()) use(output.value);
    for (auto node = order.rbegin(); node != order.rend(); ++node)
      if (needed[size_t(node->index)])
        for (ValueId value : graph_.node(*node).inputs) use(value);
    return needed;
  }

  Slot& place_constant(ValueId value) {
    Slot& s = slot(value);
    const Tensor* constant = graph_.constant(value);
    if (s.tensor != nullptr || constant == nullptr) return s;
    if (widen_ && constant->dtype() == DType::f32)
      s.own(convert(*constant, DType::f64));
    else
      s.tensor = constant;
    return s;
  }

  void run_node(NodeId id) {
    const Node& node = graph_.node(id);
    std::vector<const Tensor*> inputs;
    for (ValueId value : node.inputs)
      inputs.push_back(value.valid() ? place_constant(value).tensor : nullptr);
    Attributes attributes = node.attributes;
    if (widen_ && node.op == Op::Cast)
      attributes.set("to", i64(widened_type(DType(attributes.integer("to", 0)))));
    std::vector<Tensor> results =
        evaluate_op(node.op, attributes, inputs, std::ssize(node.outputs), graph_.describe(id));
    for (size_t i = 0; i < results.size(); ++i) {
      Slot& s = slot(node.outputs[i]);
      if (s.readers == 0) continue;
      const bool convert_it = widen_ && results[i].dtype() == DType::f32;
      s.own(convert_it ? convert(results[i], DType::f64) : std::move(results[i]));
    }
    for (ValueId value : node.inputs)
      if (value.valid() && --slot(value).readers == 0) slot(value).drop();
  }

  const Graph& graph_;
  bool widen_;
  std::vector<Slot> slots_;
};

}  // namespace

std::vector<Tensor> evaluate(const Graph& graph, std::span<const Tensor> inputs,
                             Precision precision) {
  return Run(graph, precision)(inputs);
}

std::vector<Tensor> evaluate_op(Op op, const Attributes& attributes,
                                std::span<const Tensor* const> inputs, i64 outputs,
                                std::string_view node) {
  const OpInfo& row = info(op);
  if (node.empty()) node = row.name;
  const i64 count = std::ssize(inputs);
  require(count >= row.min_inputs && (row.max_inputs < 0 || count <= row.max_inputs),
          ErrorKind::bad_input, node, ": expected at least ", row.min_inputs, " inputs",
          row.max_inputs < 0 ? std::string() : " and at most " + std::to_string(row.max_inputs),
          ", found ", count);
  for (i64 i = 0; i < row.min_inputs; ++i)
    require(inputs[size_t(i)] != nullptr, ErrorKind::bad_input, node, ": input ", i,
            " is required");
  require(outputs >= row.min_outputs && (row.max_outputs < 0 || outputs <= row.max_outputs),
          ErrorKind::bad_input, node, ": expected ", row.min_outputs, " to ", row.max_outputs,
          " outputs, found ", outputs);
  try {
    return row.evaluate({node, attributes, inputs, outputs});
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.starts_with(node)) throw;
    throw Error(error.kind(), std::string(node) + ": " + message);
  }
}

void check_input(const Graph& graph, ValueId input, const Tensor& tensor,
                 std::map<std::string, i64>& symbols) {
  const Value& value = graph.value(input);
  require(tensor.dtype() == value.type.dtype, ErrorKind::bad_argument, "input \"", value.name,
          "\": expected element type ", name(value.type.dtype), ", found ", name(tensor.dtype()));
  check_shape(value, tensor.dims(), symbols);
}

}  // namespace sinter
