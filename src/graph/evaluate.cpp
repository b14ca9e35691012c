// SPDX-License-Identifier: Apache-2.0
// Only nodes that an output needs are run, in topological order, and a tensor is dropped after its
// last reader. Under Precision::widened every float32 tensor is float64 from the start: inputs and
// constants are converted, a type that an attribute names widens too, and what an operator creates
// as float32 (ConstantOfShape, Constant) is converted at once, exactly.
#include "graph/evaluate.h"

#include <algorithm>

namespace sinter {
namespace {

DType widened_type(DType type) { return type == DType::f32 ? DType::f64 : type; }

/// True when the tensor, or one inside the container, is float32.
bool has_f32(const Tensor& t) {
  return t.dtype() == DType::f32 ||
         (is_container(t.dtype()) && std::any_of(t.items().begin(), t.items().end(), has_f32));
}

Tensor widened(Tensor t) {
  if (t.dtype() == DType::f32) return convert(t, DType::f64);
  if (has_f32(t))
    for (Tensor& item : t.mutable_items()) item = widened(std::move(item));
  return t;
}

/// Attributes that name an element type that a result gets.
constexpr std::string_view kTypeNames[] = {"to", "dtype", "output_datatype"};

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

/// Evaluates one operator after a check of how many inputs and outputs it has.
std::vector<Tensor> checked_op(Op op, const EvalContext& ctx) {
  const OpInfo& row = info(op);
  const i64 count = std::ssize(ctx.inputs);
  ctx.check(count >= row.min_inputs && (row.max_inputs < 0 || count <= row.max_inputs),
            "expected at least ", row.min_inputs, " inputs",
            row.max_inputs < 0 ? std::string() : " and at most " + std::to_string(row.max_inputs),
            ", found ", count);
  for (i64 i = 0; i < row.min_inputs; ++i)
    ctx.check(ctx.inputs[size_t(i)] != nullptr, "input ", i, " is required");
  ctx.check(
      ctx.outputs >= row.min_outputs && (row.max_outputs < 0 || ctx.outputs <= row.max_outputs),
      "expected ", row.min_outputs, " to ", row.max_outputs, " outputs, found ", ctx.outputs);
  try {
    return row.evaluate(ctx);
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.starts_with(ctx.node)) throw;
    throw Error(error.kind(), std::string(ctx.node) + ": " + message);
  }
}

class Run {
 public:
  Run(const Graph& graph, bool widen, i64* body_runs)
      : graph_(graph),
        widen_(widen),
        body_runs_(body_runs),
        slots_(static_cast<size_t>(graph.value_bound())) {}

  /// The caller's inputs, checked against the graph's types.
  void place_inputs(std::span<const Tensor> inputs) {
    check_count(std::ssize(inputs));
    std::map<std::string, i64> symbols;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ValueId value = graph_.inputs()[i];
      if (widen_ && graph_.dtype(value) == DType::f32 && inputs[i].dtype() == DType::f64)
        check_shape(graph_.value(value), inputs[i].dims(), symbols);
      else
        check_input(graph_, value, inputs[i], symbols);
      place(value, inputs[i]);
    }
  }

  /// The inputs of a body; see evaluate_body.
  void place_body_inputs(std::span<const Tensor* const> inputs) {
    check_count(std::ssize(inputs));
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ValueId value = graph_.inputs()[i];
      require(inputs[i] != nullptr, ErrorKind::bad_input, "body input \"", graph_.value(value).name,
              "\" is absent");
      const Tensor& given = *inputs[i];
      const DType wanted = widen_ ? widened_type(graph_.dtype(value)) : graph_.dtype(value);
      if (wanted == DType::optional && given.dtype() != DType::optional) {
        std::vector<Tensor> item;
        item.push_back(given.clone());
        slot(value).own(Tensor::optional(std::move(item)));
        continue;
      }
      const DType found = widen_ ? widened_type(given.dtype()) : given.dtype();
      require(found == wanted || wanted == DType::unknown, ErrorKind::bad_input, "body input \"",
              graph_.value(value).name, "\": expected element type ", name(wanted), ", found ",
              name(found));
      place(value, given);
    }
  }

  std::vector<Tensor> operator()() {
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

  void check_count(i64 found) const {
    require(found == std::ssize(graph_.inputs()), ErrorKind::bad_argument, "evaluate: expected ",
            graph_.inputs().size(), " inputs, found ", found);
  }

  /// Borrows the tensor, or owns it widened.
  void place(ValueId value, const Tensor& given) {
    if (widen_ && has_f32(given))
      slot(value).own(widened(given.clone()));
    else
      slot(value).tensor = &given;
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
    place(value, *constant);
    return s;
  }

  void run_node(NodeId id) {
    const Node& node = graph_.node(id);
    std::vector<const Tensor*> inputs;
    for (ValueId value : node.inputs)
      inputs.push_back(value.valid() ? place_constant(value).tensor : nullptr);
    Attributes attributes = node.attributes;
    if (widen_)
      for (std::string_view key : kTypeNames)
        if (attributes.has(key) && attribute_kind(info(node.op), key) == 'i')
          attributes.set(std::string(key), i64(widened_type(DType(attributes.integer(key, 0)))));
    const std::string description = graph_.describe(id);
    std::vector<Tensor> results = checked_op(
        node.op, {description, attributes, inputs, std::ssize(node.outputs), widen_, body_runs_});
    for (size_t i = 0; i < results.size(); ++i) {
      Slot& s = slot(node.outputs[i]);
      if (s.readers == 0) continue;
      s.own(widen_ ? widened(std::move(results[i])) : std::move(results[i]));
    }
    for (ValueId value : node.inputs)
      if (value.valid() && --slot(value).readers == 0) slot(value).drop();
  }

  const Graph& graph_;
  bool widen_;
  i64* body_runs_;
  std::vector<Slot> slots_;
};

}  // namespace

std::vector<Tensor> evaluate(const Graph& graph, std::span<const Tensor> inputs,
                             Precision precision) {
  i64 body_runs = kMaxBodyRuns;
  Run run(graph, precision == Precision::widened, &body_runs);
  run.place_inputs(inputs);
  return run();
}

std::vector<Tensor> evaluate_body(const EvalContext& around, const Graph& body,
                                  std::span<const Tensor* const> inputs) {
  i64 own_runs = kMaxBodyRuns;
  i64* runs = around.body_runs != nullptr ? around.body_runs : &own_runs;
  require(--*runs >= 0, ErrorKind::unsupported, around.node, ": bodies run more than ",
          kMaxBodyRuns, " times");
  Run run(body, around.widened, runs);
  run.place_body_inputs(inputs);
  return run();
}

std::vector<Tensor> evaluate_op(Op op, const Attributes& attributes,
                                std::span<const Tensor* const> inputs, i64 outputs,
                                std::string_view node) {
  i64 body_runs = kMaxBodyRuns;
  return checked_op(
      op, {node.empty() ? info(op).name : node, attributes, inputs, outputs, false, &body_runs});
}

void check_input(const Graph& graph, ValueId input, const Tensor& tensor,
                 std::map<std::string, i64>& symbols) {
  const Value& value = graph.value(input);
  require(tensor.dtype() == value.type.dtype, ErrorKind::bad_argument, "input \"", value.name,
          "\": expected element type ", name(value.type.dtype), ", found ", name(tensor.dtype()));
  check_shape(value, tensor.dims(), symbols);
}

}  // namespace sinter
