// SPDX-License-Identifier: Apache-2.0
// Everything is recomputed from the nodes and compared with what the graph stores: the use lists by
// counting, the types by inferring each node once more from the stored types of its inputs.
#include "graph/verify.h"

#include <algorithm>
#include <set>

namespace sinter {
namespace {

template <class... Parts>
void check(bool ok, const Parts&... parts) {
  require(ok, ErrorKind::internal, "verify: ", parts...);
}

bool in_range(const Graph& g, ValueId v) { return v.index >= 0 && v.index < g.value_bound(); }

void check_bodies(const Node& n, const std::string& where) {
  const i64 captures = capture_count(n);
  check(captures >= 0 && captures <= std::ssize(n.inputs), where, ": ", captures,
        " captures do not fit ", n.inputs.size(), " inputs");
  for (const auto& [key, body] : bodies(n)) {
    check(body != nullptr && captures <= std::ssize(body->inputs()), where, ": ", key,
          " does not take the captures");
    try {
      verify(*body);
    } catch (const Error& e) {
      check(false, where, ": ", key, ": ", e.what());
    }
  }
}

void check_node(const Graph& g, NodeId id) {
  const Node& n = g.node(id);
  const OpInfo& op = info(n.op);
  check(!n.outputs.empty(), op.name, " \"", n.name, "\": no outputs");
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    const ValueId v = n.outputs[i];
    check(in_range(g, v) && g.alive(v), op.name, " \"", n.name, "\": output ", i, " is not alive");
    check(g.value(v).producer == id, op.name, " \"", n.name, "\": output ", i,
          " names another producer");
    check(!g.value(v).is_input && !g.value(v).constant, op.name, " \"", n.name, "\": output ", i,
          " is an input or a constant");
  }
  const std::string where = g.describe(id);
  for (size_t i = 0; i < n.inputs.size(); ++i)
    check(!n.inputs[i].valid() || (in_range(g, n.inputs[i]) && g.alive(n.inputs[i])), where,
          ": input ", i, " is not alive");
  const i64 in = std::ssize(n.inputs), out = std::ssize(n.outputs);
  check(in >= op.min_inputs && (op.max_inputs < 0 || in <= op.max_inputs), where, ": ", in,
        " inputs do not fit the operator");
  check(out >= op.min_outputs && (op.max_outputs < 0 || out <= op.max_outputs), where, ": ", out,
        " outputs do not fit the operator");
  for (i64 i = 0; i < op.min_inputs; ++i)
    check(n.inputs[size_t(i)].valid(), where, ": input ", i, " is required");
  for (const auto& [key, value] : n.attributes)
    check(attribute_kind(op, key) == kind_of(value), where, ": attribute ", key,
          " is unknown or of another kind");
  check_bodies(n, where);
}

void check_value(const Graph& g, ValueId id, std::vector<NodeId> uses) {
  const Value& v = g.value(id);
  check(!v.name.empty(), "value ", id.index, " has no name");
  check(g.find_value(v.name) == id, "the name \"", v.name, "\" finds another value");
  check(int(v.is_input) + int(v.constant != nullptr) + int(v.producer.valid()) == 1, "value \"",
        v.name, "\" must be one of input, constant and result");
  std::vector<NodeId> readers = v.readers;
  std::sort(readers.begin(), readers.end());
  std::sort(uses.begin(), uses.end());
  check(readers == uses, "value \"", v.name, "\": ", readers.size(), " readers listed, ",
        uses.size(), " found, or others");
  if (v.producer.valid()) {
    check(v.producer.index < g.node_bound() && g.alive(v.producer), "value \"", v.name,
          "\": its producer is gone");
    const auto& outputs = g.node(v.producer).outputs;
    check(std::count(outputs.begin(), outputs.end(), id) == 1, "value \"", v.name,
          "\": its producer does not list it");
  }
  if (v.constant)
    check(v.type.dtype == v.constant->dtype() && v.type.shape &&
              same(*v.type.shape, to_shape(v.constant->dims())),
          "constant \"", v.name, "\": stored type and tensor differ");
}

void check_interface(const Graph& g) {
  std::set<ValueId> inputs;
  for (ValueId v : g.inputs()) {
    check(in_range(g, v) && g.alive(v) && g.value(v).is_input, "a graph input is gone");
    check(inputs.insert(v).second, "input \"", g.value(v).name, "\" is listed twice");
  }
  for (ValueId v : g.values())
    check(!g.value(v).is_input || inputs.count(v) == 1, "input \"", g.value(v).name,
          "\" is not listed");
  std::set<std::string_view> names;
  for (const GraphOutput& o : g.outputs()) {
    check(in_range(g, o.value) && g.alive(o.value), "output \"", o.name, "\": its value is gone");
    check(names.insert(o.name).second, "output \"", o.name, "\" is listed twice");
  }
}

std::string text(const ValueType& type) {
  return std::string(name(type.dtype)) + (type.shape ? to_text(*type.shape) : "[...]") +
         (type.dims ? " holding " + to_text(*type.dims) : "");
}

void check_types(const Graph& g, NodeId id) {
  const Node& n = g.node(id);
  const auto is_unknown = [&](ValueId v) { return v.valid() && g.dtype(v) == DType::unknown; };
  if (n.op == Op::Opaque || std::any_of(n.inputs.begin(), n.inputs.end(), is_unknown)) return;
  std::vector<ValueType> in(n.inputs.size()), out(n.outputs.size());
  std::vector<const Tensor*> constants(n.inputs.size(), nullptr);
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    if (!n.inputs[i].valid()) continue;
    in[i] = g.value(n.inputs[i]).type;
    constants[i] = g.constant(n.inputs[i]);
  }
  const std::string where = g.describe(id);
  InferContext context(where, n.attributes, in, constants, out);
  try {
    info(n.op).infer(context);
  } catch (const Error& e) {
    check(false, e.what());
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const ValueType& stored = g.value(n.outputs[i]).type;
    check(same_type(stored, out[i]), where, ": output ", i, " is stored as ", text(stored),
          " but inferred as ", text(out[i]));
  }
}

}  // namespace

void verify(const Graph& graph) {
  std::vector<std::vector<NodeId>> uses(size_t(graph.value_bound()));
  const std::vector<NodeId> nodes = graph.nodes();
  check(std::ssize(nodes) == graph.node_count(), "node count ", graph.node_count(), ", found ",
        nodes.size());
  for (NodeId n : nodes) {
    check_node(graph, n);
    for (ValueId v : graph.node(n).inputs)
      if (v.valid()) uses[size_t(v.index)].push_back(n);
  }
  for (ValueId v : graph.values()) check_value(graph, v, std::move(uses[size_t(v.index)]));
  check_interface(graph);
  try {
    for (NodeId n : graph.topological_order()) check_types(graph, n);
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::internal) throw;
    check(false, e.what());
  }
}

}  // namespace sinter
