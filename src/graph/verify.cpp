// SPDX-License-Identifier: Apache-2.0
#include "graph/verify.h"

#include <algorithm>

namespace sinter {
namespace {

template <class... Parts>
void expect(bool ok, const Parts&... parts) {
  require(ok, ErrorKind::internal, "graph: ", parts...);
}

bool same_dims(const std::optional<std::vector<Dim>>& a, const std::optional<std::vector<Dim>>& b) {
  return a.has_value() == b.has_value() && (!a || to_text(*a) == to_text(*b));
}

/// Unknown dimensions are equal to nothing, so types are compared by their text.
bool same_type(const ValueType& a, const ValueType& b) {
  return a.dtype == b.dtype && same_dims(a.shape, b.shape) && same_dims(a.dims, b.dims);
}

void verify_node(const Graph& g, NodeId id) {
  const Node& n = g.node(id);
  const OpInfo& op = info(n.op);
  const i64 in = std::ssize(n.inputs), out = std::ssize(n.outputs);
  expect(in >= op.min_inputs && (op.max_inputs < 0 || in <= op.max_inputs), g.describe(id), ": ",
         in, " inputs");
  expect(out >= op.min_outputs && (op.max_outputs < 0 || out <= op.max_outputs), g.describe(id),
         ": ", out, " outputs");
  for (ValueId v : n.inputs) {
    if (!v.valid()) continue;
    expect(g.alive(v), g.describe(id), ": reads a value that was erased");
    const auto& readers = g.value(v).readers;
    expect(std::count(readers.begin(), readers.end(), id) ==
               std::count(n.inputs.begin(), n.inputs.end(), v),
           g.describe(id), ": use list of \"", g.value(v).name, "\" is wrong");
  }
  for (ValueId v : n.outputs)
    expect(g.alive(v) && g.value(v).producer == id, g.describe(id), ": does not own its output");
}

void verify_type(const Graph& g, NodeId id) {
  const Node& n = g.node(id);
  std::vector<ValueType> in(n.inputs.size()), out(n.outputs.size());
  std::vector<const Tensor*> constants(n.inputs.size(), nullptr);
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    if (!n.inputs[i].valid()) continue;
    in[i] = g.value(n.inputs[i]).type;
    constants[i] = g.constant(n.inputs[i]);
  }
  const std::string description = g.describe(id);
  InferContext context(description, n.attributes, in, constants, out);
  info(n.op).infer(context);
  for (size_t i = 0; i < out.size(); ++i)
    expect(same_type(out[i], g.value(n.outputs[i]).type), description, ": output ", i,
           " is stored as ", name(g.dtype(n.outputs[i])), ", inferred as ", name(out[i].dtype),
           out[i].shape ? to_text(*out[i].shape) : "", ": stale type");
}

}  // namespace

void verify(const Graph& g) {
  for (NodeId id : g.nodes()) verify_node(g, id);
  for (ValueId v : g.values()) {
    const Value& value = g.value(v);
    expect(g.find_value(value.name) == v, "name \"", value.name, "\" is not registered");
    expect(int(value.is_input) + int(value.constant != nullptr) + int(value.producer.valid()) == 1,
           "\"", value.name, "\" is not exactly one of input, constant and result");
    expect(!value.producer.valid() || g.alive(value.producer), "\"", value.name,
           "\": its producer was erased");
    for (NodeId reader : value.readers)
      expect(g.alive(reader), "\"", value.name, "\": a reader was erased");
  }
  for (const GraphOutput& o : g.outputs())
    expect(g.alive(o.value), "output \"", o.name, "\" points to an erased value");
  for (ValueId v : g.inputs()) expect(g.alive(v), "an input was erased");
  for (NodeId id : g.topological_order()) verify_type(g, id);
}

}  // namespace sinter
