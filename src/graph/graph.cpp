// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.h"

#include <algorithm>
#include <queue>

#include "base/bytes.h"
#include "graph/edit_log.h"

namespace sinter {

// -- building ------------------------------------------------------------------------------------

std::string Graph::fresh_name(std::string_view hint) {
  std::string name;
  do name = std::string(hint) + "_" + std::to_string(next_name_++);
  while (by_name_.count(name) > 0);
  return name;
}

ValueId Graph::new_value(std::string name) {
  const ValueId id{i32(values_.size())};
  if (name.empty()) name = fresh_name("v");
  require(by_name_.emplace(name, id).second, ErrorKind::bad_input, "value \"", name,
          "\" is defined twice");
  values_.emplace_back().name = std::move(name);
  alive_values_.push_back(true);
  return id;
}

namespace {

/// Sizes that no address can reach are refused where they appear, so that nothing later overflows.
void check_size(const ValueType& type, std::string_view what) {
  const auto dims = type.shape ? static_dims(*type.shape) : std::nullopt;
  if (!dims) return;
  try {
    checked_multiply(element_count(*dims), std::max<i64>(1, element_size(type.dtype)), what);
  } catch (const Error&) {
    fail(ErrorKind::unsupported, what, ": a tensor of shape ", to_text(*dims), " is too large");
  }
}

}  // namespace

ValueId Graph::add_input(std::string name, DType dtype, std::optional<Shape> shape) {
  require(dtype != DType::none, ErrorKind::bad_input, "input \"", name, "\" has no element type");
  return add_input(std::move(name), {dtype, std::move(shape), std::nullopt});
}

ValueId Graph::add_input(std::string name, ValueType type) {
  check_size(type, "input \"" + name + "\"");
  const ValueId id = new_value(std::move(name));
  Value& v = values_.back();
  v.type = std::move(type);
  v.is_input = true;
  if (log_.log) log_.log->save_inputs();
  inputs_.push_back(id);
  return id;
}

ValueId Graph::add_constant(TensorPtr tensor, std::string name) {
  SINTER_ASSERT(tensor != nullptr && tensor->dtype() != DType::none);
  const ValueId id = new_value(name.empty() ? fresh_name("c") : std::move(name));
  Value& v = values_.back();
  v.type = {tensor->dtype(), to_shape(tensor->dims()), std::nullopt};
  v.constant = std::move(tensor);
  return id;
}

ValueId Graph::add_constant(Tensor tensor, std::string name) {
  return add_constant(std::make_shared<const Tensor>(std::move(tensor)), std::move(name));
}

void Graph::check_signature(const Node& node, std::string_view description) const {
  const OpInfo& op = sinter::info(node.op);
  const i64 in = std::ssize(node.inputs), out = std::ssize(node.outputs);
  require(in >= op.min_inputs && (op.max_inputs < 0 || in <= op.max_inputs), ErrorKind::bad_input,
          description, ": expected ", op.min_inputs, " to ",
          op.max_inputs < 0 ? std::string("any number of") : std::to_string(op.max_inputs),
          " inputs, found ", in);
  require(out >= op.min_outputs && (op.max_outputs < 0 || out <= op.max_outputs),
          ErrorKind::bad_input, description, ": expected at most ", op.max_outputs,
          " outputs, found ", out);
  for (i64 i = 0; i < op.min_inputs; ++i)
    require(node.inputs[size_t(i)].valid(), ErrorKind::bad_input, description, ": input ", i,
            " is required");
  for (const auto& [key, value] : node.attributes) {
    const char kind = attribute_kind(op, key);
    require(kind != 0, ErrorKind::bad_input, description, ": unknown attribute ", key);
    require(kind_of(value) == kind, ErrorKind::bad_input, description, ": attribute ", key,
            " has another kind than its operator's");
  }
}

NodeId Graph::add_node(Op op, std::vector<ValueId> inputs, Attributes attributes,
                       std::vector<std::string> outputs, std::string name) {
  if (outputs.empty()) outputs.emplace_back();
  const NodeId id{i32(nodes_.size())};
  Node node{op, std::move(name), std::move(inputs), {}, std::move(attributes)};
  node.outputs.resize(outputs.size());
  check_signature(node, std::string(sinter::name(op)) + " \"" +
                            (node.name.empty() ? outputs[0] : node.name) + "\"");
  for (ValueId input : node.inputs)
    SINTER_ASSERT(!input.valid() || (input.index < value_bound() && alive(input)));
  for (size_t i = 0; i < outputs.size(); ++i) {
    node.outputs[i] = new_value(std::move(outputs[i]));
    values_.back().producer = id;
  }
  for (ValueId input : node.inputs) add_reader(input, id);
  nodes_.push_back(std::move(node));
  alive_nodes_.push_back(true);
  ++node_count_;
  try {
    infer(id);
  } catch (...) {
    erase_node(id);
    throw;
  }
  return id;
}

ValueId Graph::add(Op op, std::vector<ValueId> inputs, Attributes attributes,
                   std::string output_name) {
  return node(add_node(op, std::move(inputs), std::move(attributes), {std::move(output_name)}))
      .outputs[0];
}

void Graph::add_output(std::string name, ValueId value, std::optional<Shape> declared) {
  for (const GraphOutput& o : outputs_)
    require(o.name != name, ErrorKind::bad_input, "output \"", name, "\" is defined twice");
  if (log_.log) log_.log->save_outputs();
  outputs_.push_back({std::move(name), value, std::move(declared)});
}

// -- reading -------------------------------------------------------------------------------------

namespace {

template <class Id, class Keep>
std::vector<Id> ids_where(i64 bound, const Keep& keep) {
  std::vector<Id> ids;
  for (i32 i = 0; i < bound; ++i)
    if (keep(Id{i})) ids.push_back(Id{i});
  return ids;
}

}  // namespace

std::vector<NodeId> Graph::nodes() const {
  return ids_where<NodeId>(node_bound(), [&](NodeId n) { return alive(n); });
}
std::vector<NodeId> Graph::nodes_of(Op op) const {
  return ids_where<NodeId>(node_bound(), [&](NodeId n) { return alive(n) && node(n).op == op; });
}
std::vector<ValueId> Graph::values() const {
  return ids_where<ValueId>(value_bound(), [&](ValueId v) { return alive(v); });
}
std::vector<ValueId> Graph::constants() const {
  return ids_where<ValueId>(value_bound(),
                            [&](ValueId v) { return alive(v) && value(v).constant; });
}

std::vector<NodeId> Graph::topological_order() const {
  std::vector<i32> waiting(nodes_.size(), 0);
  std::priority_queue<i32, std::vector<i32>, std::greater<>> ready;
  for (NodeId n : nodes()) {
    for (ValueId v : node(n).inputs)
      if (v.valid() && value(v).producer.valid()) ++waiting[size_t(n.index)];
    if (waiting[size_t(n.index)] == 0) ready.push(n.index);
  }
  std::vector<NodeId> order;
  while (!ready.empty()) {
    const NodeId n{ready.top()};
    ready.pop();
    order.push_back(n);
    for (ValueId v : node(n).outputs)
      for (NodeId reader : value(v).readers)
        if (--waiting[size_t(reader.index)] == 0) ready.push(reader.index);
  }
  if (std::ssize(order) != node_count_)
    for (NodeId n : nodes())
      require(waiting[size_t(n.index)] <= 0, ErrorKind::bad_input, describe(n),
              ": is on a cycle or reads from one");
  return order;
}

const Node* Graph::producer(ValueId id) const {
  if (!id.valid() || !value(id).producer.valid()) return nullptr;
  return &node(value(id).producer);
}

const Tensor* Graph::constant(ValueId id) const {
  return id.valid() ? value(id).constant.get() : nullptr;
}

i64 Graph::use_count(ValueId id) const {
  return std::ssize(value(id).readers) +
         std::count_if(outputs_.begin(), outputs_.end(),
                       [&](const GraphOutput& o) { return o.value == id; });
}

bool Graph::is_output(ValueId id) const {
  return std::any_of(outputs_.begin(), outputs_.end(),
                     [&](const GraphOutput& o) { return o.value == id; });
}

std::optional<ValueId> Graph::find_value(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? std::nullopt : std::optional(it->second);
}

std::string Graph::describe(NodeId id) const {
  const Node& n = node(id);
  const std::string& shown = n.name.empty() ? value(n.outputs[0]).name : n.name;
  return std::string(sinter::name(n.op)) + " \"" + shown + "\"";
}

// -- editing -------------------------------------------------------------------------------------

void Graph::edits(NodeId id) {
  if (log_.log) log_.log->save(id);
}

void Graph::edits(ValueId id) {
  if (log_.log) log_.log->save(id);
}

void Graph::set_type(ValueId id, ValueType type) {
  edits(id);
  values_[size_t(id.index)].type = std::move(type);
}

void Graph::add_reader(ValueId id, NodeId node) {
  if (!id.valid()) return;
  edits(id);
  values_[size_t(id.index)].readers.push_back(node);
}

void Graph::drop_reader(ValueId id, NodeId node) {
  if (!id.valid()) return;
  edits(id);
  std::vector<NodeId>& readers = values_[size_t(id.index)].readers;
  const auto it = std::find(readers.begin(), readers.end(), node);
  SINTER_ASSERT(it != readers.end());
  readers.erase(it);
}

void Graph::replace_uses(ValueId from, ValueId to) {
  SINTER_ASSERT(alive(from) && alive(to));
  if (from == to) return;
  edits(from);
  edits(to);
  std::vector<NodeId>& readers = values_[size_t(from.index)].readers;
  for (NodeId reader : readers) {
    edits(reader);
    // One entry per use: each pass over the inputs moves one of them.
    auto& inputs = nodes_[size_t(reader.index)].inputs;
    *std::find(inputs.begin(), inputs.end(), from) = to;
    values_[size_t(to.index)].readers.push_back(reader);
  }
  readers.clear();
  if (!is_output(from)) return;
  if (log_.log) log_.log->save_outputs();
  for (GraphOutput& o : outputs_)
    if (o.value == from) o.value = to;
}

void Graph::set_input(NodeId id, i64 index, ValueId value) {
  edits(id);
  ValueId& slot = nodes_[size_t(id.index)].inputs[size_t(index)];
  drop_reader(slot, id);
  slot = value;
  add_reader(value, id);
}

void Graph::set_inputs(NodeId id, std::vector<ValueId> inputs) {
  edits(id);
  Node& n = nodes_[size_t(id.index)];
  for (ValueId v : n.inputs) drop_reader(v, id);
  n.inputs = std::move(inputs);
  for (ValueId v : n.inputs) add_reader(v, id);
}

void Graph::set_attribute(NodeId id, std::string name, AttributeValue value) {
  edits(id);
  nodes_[size_t(id.index)].attributes.set(std::move(name), std::move(value));
}

void Graph::erase_attribute(NodeId id, std::string_view name) {
  edits(id);
  nodes_[size_t(id.index)].attributes.erase(name);
}

void Graph::erase_node(NodeId id) {
  SINTER_ASSERT(alive(id));
  Node& n = nodes_[size_t(id.index)];
  for (ValueId v : n.outputs) SINTER_ASSERT(use_count(v) == 0);
  edits(id);
  for (ValueId v : n.inputs) drop_reader(v, id);
  for (ValueId v : n.outputs) {
    edits(v);
    by_name_.erase(value(v).name);
    alive_values_[size_t(v.index)] = false;
  }
  alive_nodes_[size_t(id.index)] = false;
  --node_count_;
}

void Graph::erase_constant(ValueId id) {
  SINTER_ASSERT(alive(id) && value(id).constant && use_count(id) == 0);
  edits(id);
  by_name_.erase(value(id).name);
  values_[size_t(id.index)].constant = nullptr;
  alive_values_[size_t(id.index)] = false;
}

void Graph::erase_input(ValueId id) {
  SINTER_ASSERT(alive(id) && value(id).is_input && use_count(id) == 0);
  edits(id);
  if (log_.log) log_.log->save_inputs();
  std::erase(inputs_, id);
  by_name_.erase(value(id).name);
  alive_values_[size_t(id.index)] = false;
}

bool Graph::infer(NodeId id) {
  const Node& n = node(id);
  const auto is_unknown = [&](ValueId v) { return v.valid() && dtype(v) == DType::unknown; };
  const bool reads_unknown = std::any_of(n.inputs.begin(), n.inputs.end(), is_unknown);
  bool changed = false;
  const auto assign = [&](ValueId v, ValueType type) {
    if (same_type(value(v).type, type)) return;
    set_type(v, std::move(type));
    changed = true;
  };
  if (n.op == Op::Opaque || reads_unknown) {
    for (ValueId v : n.outputs)
      if (n.op != Op::Opaque || dtype(v) == DType::none)
        assign(v, {DType::unknown, std::nullopt, std::nullopt});
    return changed;
  }
  std::vector<ValueType> in(n.inputs.size()), out(n.outputs.size());
  std::vector<const Tensor*> constants(n.inputs.size(), nullptr);
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    if (!n.inputs[i].valid()) continue;
    in[i] = value(n.inputs[i]).type;
    constants[i] = constant(n.inputs[i]);
  }
  const std::string description = describe(id);
  InferContext context(description, n.attributes, in, constants, out);
  sinter::info(n.op).infer(context);
  for (const ValueType& type : out) check_size(type, description);
  for (size_t i = 0; i < out.size(); ++i) assign(n.outputs[i], std::move(out[i]));
  return changed;
}

void Graph::infer_from(const std::vector<NodeId>& start) {
  // A node may come before one that it reads from, with types that do not fit yet: those that
  // refuse wait until the others are done.
  std::vector<NodeId> queue = start, refused;
  std::vector<bool> waiting(nodes_.size(), false);
  const auto run = [&](NodeId id) {
    if (!infer(id)) return;
    for (ValueId v : node(id).outputs)
      for (NodeId reader : value(v).readers)
        if (!waiting[size_t(reader.index)]) {
          waiting[size_t(reader.index)] = true;
          queue.push_back(reader);
        }
  };
  for (NodeId id : start) waiting[size_t(id.index)] = true;
  for (size_t last = 0; !queue.empty(); last = refused.size(), queue.swap(refused)) {
    refused.clear();
    std::optional<Error> error;
    for (size_t i = 0; i < queue.size(); ++i) {
      const NodeId id = queue[i];
      waiting[size_t(id.index)] = false;
      if (!alive(id)) continue;
      try {
        run(id);
      } catch (const Error& e) {
        if (!error) error = e;
        refused.push_back(id);
      }
    }
    if (refused.empty()) return;
    if (last > 0 && refused.size() >= last) throw *error;
    queue.clear();
  }
}

void Graph::infer_all() {
  for (NodeId n : topological_order()) infer(n);
}

void Graph::set_input_type(ValueId input, DType dtype, std::optional<Shape> shape) {
  set_input_type(input, ValueType{dtype, std::move(shape), std::nullopt});
}

void Graph::set_input_type(ValueId input, ValueType type) {
  SINTER_ASSERT(value(input).is_input);
  set_type(input, std::move(type));
}

void Graph::set_default(ValueId input, TensorPtr tensor) {
  SINTER_ASSERT(value(input).is_input && tensor && tensor->dtype() == dtype(input));
  values_[size_t(input.index)].default_value = std::move(tensor);
}

void Graph::set_result_type(ValueId result, ValueType type) {
  SINTER_ASSERT(value(result).producer.valid() && node(value(result).producer).op == Op::Opaque);
  set_type(result, std::move(type));
}

// -- questions -----------------------------------------------------------------------------------

std::vector<std::pair<std::string, GraphPtr>> bodies(const Node& node) {
  std::vector<std::pair<std::string, GraphPtr>> found;
  for (const auto& [key, value] : node.attributes)
    if (const auto* body = std::get_if<GraphPtr>(&value)) found.emplace_back(key, *body);
  return found;
}

i64 capture_count(const Node& node) { return node.attributes.integer("captures", 0); }

i64 constant_bytes(const Graph& graph) {
  i64 bytes = 0;
  for (ValueId v : graph.constants()) bytes += graph.constant(v)->byte_size();
  for (NodeId n : graph.nodes())
    for (const auto& [key, body] : bodies(graph.node(n))) bytes += constant_bytes(*body);
  return bytes;
}

i64 deep_node_count(const Graph& graph) {
  i64 count = graph.node_count();
  for (NodeId n : graph.nodes())
    for (const auto& [key, body] : bodies(graph.node(n))) count += deep_node_count(*body);
  return count;
}

bool is_pure(const Graph& graph, const Node& node) {
  constexpr std::string_view kRandom[] = {"RandomUniform",    "RandomNormal", "RandomUniformLike",
                                          "RandomNormalLike", "Bernoulli",    "Multinomial"};
  const std::string_view op = name(node.op);
  if (node.op == Op::Opaque ||
      std::find(std::begin(kRandom), std::end(kRandom), op) != std::end(kRandom))
    return false;
  if (node.op == Op::BatchNormalization) return node.attributes.integer("training_mode", 0) == 0;
  if (node.op == Op::Dropout && node.inputs.size() > 2 && node.inputs[2].valid()) {
    const Tensor* training = graph.constant(node.inputs[2]);
    return training != nullptr && training->as_int(0) == 0;
  }
  for (const auto& [key, body] : bodies(node))
    for (NodeId inner : body->nodes())
      if (!is_pure(*body, body->node(inner))) return false;
  return true;
}

}  // namespace sinter
