// SPDX-License-Identifier: Apache-2.0
// What sinter does not know passes through as Op::Opaque: the node's name, domain, inputs and
// outputs as values of the graph, everything else as the bytes of the file.
#include <protozero/pbf_writer.hpp>

#include "onnx/importer.h"
#include "onnx/rewrite_proto.h"

namespace sinter::onnx {

namespace {

/// What raw subgraphs among the attributes hold, at any depth.
struct Inside {
  bool has_graphs = false, has_standard_nodes = false;
  std::set<std::string_view> domains = {};
};

void look_into(const NodeProto& n, Inside& inside) {
  for (const AttributeProto& a : n.attributes)
    for (const auto& g : a.graphs) {
      inside.has_graphs = true;
      for (const NodeProto& inner : g->nodes) {
        inside.has_standard_nodes |= is_default_domain(inner.domain);
        if (!is_default_domain(inner.domain)) inside.domains.insert(inner.domain);
        look_into(inner, inside);
      }
    }
}

}  // namespace

/// Records that nodes of `domain` are kept; they need the version that `opsets` names.
void Importer::need_domain(std::string_view domain, const std::vector<OpsetProto>& opsets) {
  for (const OpsetProto& o : opsets) {
    if (o.domain != domain) continue;
    const i64 version = domains_.emplace(std::string(domain), o.version).first->second;
    require(version == o.version, ErrorKind::unsupported, "domain ", domain,
            " is used in the versions ", version, " and ", o.version);
  }
}

std::vector<ValueId> Importer::opaque_node(const NodeProto& n, std::vector<ValueId> inputs,
                                           Scope& scope, const std::string& reason) {
  Graph& graph = *scope.graph;
  Attributes attributes{{"op_type", std::string(n.op_type)}, {"reason", reason}};
  const bool is_tensor =  // a Constant means the same in every version
      n.op_type == "Constant" && n.attributes.size() == 1 && n.attributes[0].name == "value";
  Inside inside;
  look_into(n, inside);
  keeps_functions_ |= inside.has_graphs;  // a raw subgraph may call any of them
  if ((is_default_domain(n.domain) && !is_tensor) || inside.has_standard_nodes)
    attributes.set("version", scope.opset);
  if (!is_default_domain(n.domain)) {
    attributes.set("domain", std::string(n.domain));
    inside.domains.insert(n.domain);
  }
  for (std::string_view domain : inside.domains) need_domain(domain, *scope.opsets);
  std::string proto;
  {
    protozero::pbf_writer w(proto);
    for (const AttributeProto& a : n.attributes) w.add_message(5, a.raw.data(), a.raw.size());
    if (!n.doc.empty()) w.add_string(6, n.doc.data(), n.doc.size());
    if (!n.overload.empty()) w.add_string(8, n.overload.data(), n.overload.size());
  }
  if (scope.calls > 0) proto = rewrite_node(proto, {}, &scope.attributes);
  if (!proto.empty()) attributes.set("proto", std::move(proto));
  if (!n.captures.empty()) {
    for (std::string_view name : n.captures) inputs.push_back(scope.values.find(name)->second);
    attributes.set("captures", i64(std::ssize(n.captures)));
    attributes.set("names", std::vector<std::string>(n.captures.begin(), n.captures.end()));
  }
  std::vector<std::string> outputs = result_names(n, scope);
  std::vector<i64> absent;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].empty()) {
      absent.push_back(i64(i));
      outputs[i] = scope.names->fresh(n.op_type);
    }
  if (!absent.empty()) attributes.set("absent", absent);
  std::string name = n.name.empty() ? "" : scope.prefix + std::string(n.name);
  const NodeId id = graph.add_node(Op::Opaque, std::move(inputs), std::move(attributes),
                                   std::move(outputs), std::move(name));
  const std::vector<ValueId> results = graph.node(id).outputs;
  for (size_t i = 0; i < results.size(); ++i)
    if (const auto type = scope.declared.find(n.outputs[i]); type != scope.declared.end())
      graph.set_result_type(results[i], value_type(*type->second, symbols_, describe(n)));
  return results;
}

/// An initializer of an element type that sinter does not know.
ValueId Importer::opaque_constant(std::string_view name, const TensorProto& proto, Scope& scope) {
  const std::string tensor = inline_proto(proto, source_);
  std::string attribute, node;
  {
    protozero::pbf_writer a(attribute);
    a.add_string(1, "value");
    a.add_message(5, tensor);
    a.add_enum(20, 4);
  }
  protozero::pbf_writer(node).add_message(5, attribute);
  const NodeId id = scope.graph->add_node(
      Op::Opaque, {},
      {{"op_type", "Constant"},
       {"proto", std::move(node)},
       {"reason", "element type number " + std::to_string(proto.data_type) + " is not supported"}},
      {std::string(name)});
  return scope.graph->node(id).outputs[0];
}

}  // namespace sinter::onnx
