// SPDX-License-Identifier: Apache-2.0
// Scan of opset 8 has a batch axis in front of every state and scanned input, and walks axis 1.
// That is a Scan over the batch, without states, whose body is a Scan over one entry of the batch:
//   before   Scan("", state [b,..], x [b,t,..]) body
//   after    Scan(state, x) over axis 0, body { Scan(state, x) body }
// Lengths that differ between the entries (the first input) have no such form.
#include <algorithm>

#include "onnx/upgrade.h"

namespace sinter::onnx {
namespace {

/// The type of one entry along the first axis.
ValueType entry_of(ValueType type) {
  type.dims.reset();
  if (type.shape && !type.shape->empty()) type.shape->erase(type.shape->begin());
  return type;
}

}  // namespace

void upgrade_scan(Graph& graph, RawNode& n, i64 opset) {
  if (opset >= 9) return;
  require(!n.inputs.empty() && !n.inputs[0].valid(), ErrorKind::unsupported, n.description,
          ": lengths that differ within a batch are not supported");
  n.inputs.erase(n.inputs.begin());
  const i64 captures = n.attributes.integer("captures", 0);
  const i64 walked = std::ssize(n.inputs) - captures;
  const GraphPtr body = n.attributes.graph("body");
  require(walked >= 1 && body != nullptr, ErrorKind::bad_input, n.description,
          ": expected a body and scanned inputs");
  Attributes inner{{"body", body}, {"captures", captures}};
  inner.set("num_scan_inputs", n.attributes.integer("num_scan_inputs", 0));
  if (n.attributes.has("directions"))
    inner.set("scan_input_directions", n.attributes.integers("directions"));
  Graph entry;
  entry.info = body->info;
  std::vector<ValueId> inputs;
  for (i64 i = 0; i < std::ssize(n.inputs); ++i) {
    require(n.inputs[size_t(i)].valid(), ErrorKind::bad_input, n.description, ": input ", i + 1,
            " is absent");
    const ValueType& type = graph.value(n.inputs[size_t(i)]).type;
    inputs.push_back(
        entry.add_input("in_" + std::to_string(i), i < walked ? entry_of(type) : type));
  }
  std::vector<std::string> outputs(n.outputs.size());
  const NodeId id = entry.add_node(Op::Scan, std::move(inputs), std::move(inner), outputs);
  for (size_t i = 0; i < outputs.size(); ++i)
    entry.add_output("out_" + std::to_string(i), entry.node(id).outputs[i]);
  n.attributes = {{"body", std::make_shared<const Graph>(std::move(entry))},
                  {"captures", captures},
                  {"num_scan_inputs", walked}};
}

}  // namespace sinter::onnx
