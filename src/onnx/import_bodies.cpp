// SPDX-License-Identifier: Apache-2.0
// Bodies of control-flow nodes become closed graphs: what a body reads of the graphs around it
// becomes an input at its end and an input of the node at its end. Constants around it are copied
// into it instead (the tensor is shared), so that they fold like any other.
#include <algorithm>

#include "onnx/importer.h"

namespace sinter::onnx {
namespace {

constexpr i64 kMaxRetries = 256;  // of bodies; nested ones would multiply

}  // namespace

/// The types of the captures, or only their element types: a branch that is never taken may
/// contradict their shapes (exporters guard a Squeeze by an If that asks for the size).
Graph Importer::body_of(const GraphProto& g, const std::vector<std::string_view>& captures,
                        const std::vector<ValueId>& given, const Scope& outer) {
  try {
    return body(g, captures, given, outer, true);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::bad_input || ++retries_ > kMaxRetries) throw;
    return body(g, captures, given, outer, false);
  }
}

/// Sets the 'g' attributes of `raw`, `captures`, and the inputs that carry them. All bodies of one
/// node take the same captures.
void Importer::read_bodies(const NodeProto& n, const Scope& scope, RawNode& raw) {
  std::vector<std::string_view> captures;
  std::vector<ValueId> outside;
  for (std::string_view name : n.captures) {
    const ValueId v = scope.values.find(name)->second;
    require(v.valid(), ErrorKind::bad_input, "a subgraph reads \"", name, "\", which is absent");
    if (scope.graph->constant(v)) continue;
    captures.push_back(name);
    outside.push_back(v);
  }
  for (const AttributeProto& a : n.attributes) {
    const AttributeProto* given = resolve(a, scope.attributes);
    if (given == nullptr || attribute_kind(info(raw.op), a.name) != 'g') continue;
    require(given->type == 5 && given->graphs.size() == 1, ErrorKind::bad_input, "attribute ",
            a.name, ": expected one graph");
    Graph g = body_of(*given->graphs[0], captures, raw.inputs, scope);
    raw.attributes.set(std::string(a.name), std::make_shared<const Graph>(std::move(g)));
  }
  if (outside.empty()) return;
  raw.attributes.set("captures", i64(std::ssize(outside)));
  if (raw.op == Op::Loop) raw.inputs.resize(std::max<size_t>(raw.inputs.size(), 2));  // "", ""
  raw.inputs.insert(raw.inputs.end(), outside.begin(), outside.end());
}

Graph Importer::body(const GraphProto& g, const std::vector<std::string_view>& captures,
                     const std::vector<ValueId>& given, const Scope& outer, bool with_shapes) {
  Graph graph;
  NameSet names;
  Scope scope;
  scope.graph = &graph;
  scope.names = &names;
  scope.attributes = outer.attributes;
  scope.opsets = outer.opsets;
  scope.opset = outer.opset;
  scope.calls = outer.calls;
  graph.info.ir_version = model_.ir_version;
  graph.info.opset = outer.opset;
  graph.info.graph_name = g.name;
  graph.info.graph_doc = g.doc;
  reserve_names(g, scope);
  initializers(g, scope);
  body_inputs(g, given, outer, scope);
  const std::vector<std::string_view> read = free_names(g);
  for (std::string_view name : read) names.reserve(name);
  for (std::string_view name : captures) {
    const bool is_read = std::find(read.begin(), read.end(), name) != read.end();
    ValueType type = outer.graph->value(outer.values.find(name)->second).type;
    if (!with_shapes) type = {type.dtype, std::nullopt, std::nullopt, type.element};
    const ValueId v = graph.add_input(is_read ? std::string(name) : names.fresh(name), type);
    if (is_read) scope.values[std::string(name)] = v;
  }
  for (std::string_view name : read) {
    const auto around = outer.values.find(name);
    if (around == outer.values.end() || !around->second.valid()) continue;  // sorted() says so
    if (const TensorPtr& tensor = outer.graph->value(around->second).constant)
      scope.values[std::string(name)] = graph.add_constant(tensor, std::string(name));
  }
  for (size_t i : sorted(g.nodes, scope.values)) node(g.nodes[i], scope);
  outputs(g, scope, true);
  return graph;
}

/// `given`, the inputs of the node, tell element types that the body's own inputs may lack: Loop,
/// Scan and SequenceMap hand theirs over in order. Shapes may change on the way.
void Importer::body_inputs(const GraphProto& g, const std::vector<ValueId>& given,
                           const Scope& outer, Scope& scope) {
  for (size_t i = 0; i < g.inputs.size(); ++i) {
    const ValueInfoProto& v = g.inputs[i];
    const std::string what = "body input \"" + std::string(v.name) + "\"";
    if (scope.values.find(v.name) != scope.values.end()) continue;  // an initializer
    require(!v.name.empty(), ErrorKind::bad_input, what, " has no name");
    ValueType type = value_type(v.type, symbols_, what);
    const bool has_type = v.type.kind != TypeProto::Kind::none &&
                          (v.type.kind != TypeProto::Kind::tensor || v.type.elem_type != 0);
    if (!has_type && i < given.size() && given[i].valid()) {
      const ValueType& around = outer.graph->value(given[i]).type;
      type = {around.dtype, std::nullopt, std::nullopt, around.element};
    }
    scope.values[std::string(v.name)] =
        scope.graph->add_input(std::string(v.name), std::move(type));
  }
}

}  // namespace sinter::onnx
