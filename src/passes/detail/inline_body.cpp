// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/inline_body.h"

namespace sinter::passes {

std::vector<ValueId> inline_body(Graph& graph, const Graph& body,
                                 const std::vector<ValueId>& arguments) {
  SINTER_ASSERT(arguments.size() == body.inputs().size());
  ValueMap<ValueId> copies;
  for (size_t i = 0; i < arguments.size(); ++i) copies[body.inputs()[i]] = arguments[i];
  const auto copy_of = [&](ValueId v) {
    if (v.valid() && !copies[v].valid() && body.constant(v) != nullptr)
      copies[v] = graph.add_constant(body.value(v).constant);
    return v.valid() ? copies[v] : v;
  };
  for (NodeId id : body.topological_order()) {
    const Node& n = body.node(id);
    std::vector<ValueId> inputs;
    for (ValueId v : n.inputs) inputs.push_back(copy_of(v));
    const NodeId copy = graph.add_node(n.op, std::move(inputs), n.attributes,
                                       std::vector<std::string>(n.outputs.size()), n.name);
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      copies[n.outputs[i]] = graph.node(copy).outputs[i];
      if (n.op == Op::Opaque)
        graph.set_result_type(graph.node(copy).outputs[i], body.value(n.outputs[i]).type);
    }
  }
  std::vector<ValueId> outputs;
  for (const GraphOutput& o : body.outputs()) outputs.push_back(copy_of(o.value));
  return outputs;
}

}  // namespace sinter::passes
