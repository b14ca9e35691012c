// SPDX-License-Identifier: Apache-2.0
#include "onnx/import.h"

#include <algorithm>
#include <cctype>
#include <queue>

#include "base/file.h"
#include "onnx/importer.h"

namespace sinter {
namespace onnx {

std::string describe(const NodeProto& n) {
  const std::string_view shown = !n.name.empty()     ? n.name
                                 : n.outputs.empty() ? std::string_view()
                                                     : n.outputs[0];
  return std::string(n.op_type) + " \"" + std::string(shown) + "\"";
}

std::vector<size_t> sorted(const std::vector<NodeProto>& nodes, const Names& given) {
  std::map<std::string_view, size_t> producer;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (std::string_view out : nodes[i].outputs)
      require(out.empty() || (producer.emplace(out, i).second && given.find(out) == given.end()),
              ErrorKind::bad_input, describe(nodes[i]), ": value \"", out, "\" is defined twice");
  std::vector<size_t> waiting(nodes.size(), 0), order;
  std::vector<std::vector<size_t>> readers(nodes.size());
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto reads = [&](std::string_view in) {
      if (in.empty() || given.find(in) != given.end()) return;
      const auto from = producer.find(in);
      require(from != producer.end(), ErrorKind::bad_input, describe(nodes[i]), ": reads \"", in,
              "\", which no input, initializer or node defines");
      readers[from->second].push_back(i);
      ++waiting[i];
    };
    for (std::string_view in : nodes[i].inputs) reads(in);
    for (std::string_view in : nodes[i].captures) reads(in);
    if (waiting[i] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    order.push_back(i);
    for (size_t reader : readers[i])
      if (--waiting[reader] == 0) ready.push(reader);
  }
  for (size_t i = 0; i < nodes.size() && order.size() < nodes.size(); ++i)
    require(waiting[i] == 0, ErrorKind::bad_input, describe(nodes[i]),
            ": is on a cycle or reads from one");
  return order;
}

Dim Symbols::dim(std::string_view name) {
  const auto known = inside_.find(name);
  if (known != inside_.end()) return Dim::symbol(known->second);
  const auto fits = [](char c) { return std::isalnum(u8(c)) || c == '_' || c == '.' || c == ':'; };
  std::string inside(name);
  for (char& c : inside)
    if (!fits(c)) c = '_';
  if (std::isdigit(u8(inside[0]))) inside.insert(0, "d");
  while (!taken_.insert(inside).second) inside += "_";
  if (inside != name) renamed_.emplace_back(inside, std::string(name));
  inside_.emplace(std::string(name), inside);
  return Dim::symbol(inside);
}

ValueType value_type(const TypeProto& type, Symbols& symbols, std::string_view what) {
  ValueType out;
  out.dtype = DType::unknown;
  if (type.kind == TypeProto::Kind::sequence || type.kind == TypeProto::Kind::optional) {
    out.dtype = type.kind == TypeProto::Kind::sequence ? DType::sequence : DType::optional;
    if (type.element) {
      ValueType element = value_type(*type.element, symbols, what);
      if (element.dtype == DType::unknown) return {DType::unknown, {}, {}};
      out.element = std::make_shared<const ValueType>(std::move(element));
    }
    return out;
  }
  if (type.kind != TypeProto::Kind::tensor || !is_element_type(type.elem_type)) return out;
  out.dtype = DType(type.elem_type);
  if (!type.shape) return out;
  out.shape.emplace();
  for (const DimProto& d : *type.shape) {
    require(!d.value || *d.value >= 0, ErrorKind::bad_input, what, ": negative dimension ",
            d.value.value_or(0));
    out.shape->push_back(d.value            ? Dim(*d.value)
                         : !d.param.empty() ? symbols.dim(d.param)
                                            : Dim::unknown());
  }
  return out;
}

/// Version of the default domain; 0 when the list has none.
i64 Importer::opset_of(const std::vector<OpsetProto>& opsets) const {
  i64 version = 0;
  for (const OpsetProto& o : opsets)
    if (is_default_domain(o.domain)) version = o.version;
  if (opsets.empty() && model_.ir_version < 3) version = 1;  // files older than opset_import
  require(version >= 0 && version < 1000, ErrorKind::bad_input, "opset ", version, " is not sound");
  return version;
}

void Importer::model_info(const Scope& scope) const {
  const GraphProto& file = *model_.graph;
  ModelInfo& info = scope.graph->info;
  info.ir_version = model_.ir_version;
  info.opset = scope.opset;
  info.graph_name = file.name;
  info.producer_name = model_.producer_name;
  info.producer_version = model_.producer_version;
  info.doc = model_.doc;
  info.graph_doc = file.doc;
  info.domain = model_.domain;
  info.model_version = model_.model_version;
  for (const auto& [key, value] : model_.metadata) info.metadata.emplace_back(key, value);
}

Graph Importer::run() {
  require(model_.graph.has_value(), ErrorKind::bad_input,
          "truncated or not an ONNX model (no graph)");
  require(model_.ir_version >= 0 && model_.ir_version <= 0xFFFF, ErrorKind::bad_input,
          "IR version ", model_.ir_version, " is not sound");
  require(!model_.has_training_info, ErrorKind::unsupported,
          "training information (what a training step updates) is not supported; export the model "
          "for inference");
  const GraphProto& file = *model_.graph;
  Graph graph;
  NameSet names;
  Scope scope;
  scope.graph = &graph;
  scope.names = &names;
  scope.opsets = &model_.opsets;
  scope.opset = opset_of(model_.opsets);
  model_info(scope);
  for (const OpsetProto& o : model_.opsets)
    if (!is_default_domain(o.domain) && o.domain != "sinter")
      domains_[std::string(o.domain)] = o.version;
  reserve_names(file, scope);
  initializers(file, scope);
  inputs(file, scope);
  for (size_t i : sorted(file.nodes, scope.values)) node(file.nodes[i], scope);
  outputs(file, scope, false);
  for (const auto& [domain, version] : domains_) graph.info.domains.emplace_back(domain, version);
  graph.info.symbols = symbols_.renamed();
  for (const FunctionProto& f : model_.functions) keeps_functions_ |= !is_inlined(f);
  if (keeps_functions_)
    for (const FunctionProto& f : model_.functions) graph.info.functions.emplace_back(f.raw);
  return graph;
}

void Importer::reserve_names(const GraphProto& g, Scope& scope) {
  for (const TensorProto& t : g.initializers) scope.names->reserve(t.name);
  for (const SparseTensorProto& t : g.sparse_initializers) scope.names->reserve(t.values.name);
  for (const ValueInfoProto& v : g.inputs) scope.names->reserve(v.name);
  for (const NodeProto& n : g.nodes)
    for (std::string_view out : n.outputs) scope.names->reserve(out);
  for (const ValueInfoProto& v : g.values) scope.declared[v.name] = &v.type;
  for (const ValueInfoProto& v : g.outputs) scope.declared[v.name] = &v.type;
}

void Importer::initializers(const GraphProto& g, Scope& scope) {
  for (const TensorProto& t : g.initializers) initializer(t.name, t, scope);
  for (const SparseTensorProto& t : g.sparse_initializers) {
    require(!t.values.name.empty() && scope.values.find(t.values.name) == scope.values.end(),
            ErrorKind::bad_input, "sparse initializer \"", t.values.name,
            "\" has no name or is defined twice");
    const std::string name(t.values.name);
    scope.values[name] = scope.graph->add_constant(to_dense(t, source_), name);
  }
}

void Importer::initializer(std::string_view name, const TensorProto& proto, Scope& scope) {
  require(!name.empty(), ErrorKind::bad_input, "an initializer has no name");
  require(scope.values.find(name) == scope.values.end(), ErrorKind::bad_input, "initializer \"",
          name, "\" is defined twice");
  const bool passes_through =
      !is_element_type(proto.data_type) && proto.data_type > 0 && proto.data_type < 64;
  scope.values[std::string(name)] =
      !passes_through ? scope.graph->add_constant(to_tensor(proto, source_), std::string(name))
                      : opaque_constant(name, proto, scope);
}

/// The inputs of the model; those with a default are constants by now.
void Importer::inputs(const GraphProto& g, Scope& scope) {
  Graph& graph = *scope.graph;
  std::set<std::string_view> seen;
  for (const ValueInfoProto& v : g.inputs) {
    const std::string what = "input \"" + std::string(v.name) + "\"";
    require(!v.name.empty() && seen.insert(v.name).second, ErrorKind::bad_input, what,
            " has no name or is defined twice");
    ValueType type = value_type(v.type, symbols_, what);
    const auto known = scope.values.find(v.name);
    TensorPtr default_value;
    if (known != scope.values.end()) {
      default_value = graph.value(known->second).constant;
      if (model_.ir_version < 4) continue;
      if (!options_.keep_overridable || !default_value) {
        graph.info.defaulted_inputs.emplace_back(v.name);
        continue;
      }
      require(type.dtype == default_value->dtype(), ErrorKind::bad_input, what,
              ": its default has another element type");
      graph.erase_constant(known->second);
    }
    if (type.dtype == DType::unknown) graph.info.types[std::string(v.name)] = v.type.raw;
    const ValueId id = graph.add_input(std::string(v.name), std::move(type));
    if (default_value) graph.set_default(id, default_value);
    scope.values[std::string(v.name)] = id;
  }
}

/// An output's shape as the file has it; inference, not this, decides what is computed.
void Importer::outputs(const GraphProto& g, Scope& scope, bool is_body) {
  Graph& graph = *scope.graph;
  std::set<std::string_view> seen;
  for (const ValueInfoProto& o : g.outputs) {
    const auto v = scope.values.find(o.name);
    require(v != scope.values.end() && v->second.valid(), ErrorKind::bad_input, "output \"", o.name,
            "\" is not defined by any node, input or initializer");
    TypeProto declared = o.type;
    if (declared.shape)  // a promise that cannot be kept is none
      for (DimProto& d : *declared.shape)
        if (d.value.value_or(0) < 0) d.value.reset();
    ValueType type = value_type(declared, symbols_, "");
    const DType found = graph.dtype(v->second);
    if (!is_body && (found == DType::unknown || is_container(found)))
      graph.info.types[std::string(o.name)] = o.type.raw;
    std::string name(o.name);
    if (is_body && !seen.insert(o.name).second) name = scope.names->fresh(name);  // one value twice
    graph.add_output(name, v->second, std::move(type.shape));
  }
}

}  // namespace onnx

Graph import_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                  std::string_view what, const std::filesystem::path& folder,
                  const ImportOptions& options) {
  const onnx::ModelProto model = onnx::parse_model(bytes, what);
  try {
    return onnx::Importer(model, {std::move(owner), folder, {}}, options).run();
  } catch (const Error& e) {
    fail(e.kind(), what, ": ", e.what());
  }
}

Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options) {
  const auto file = MappedFile::open(path);
  const auto folder = path.parent_path();
  return import_onnx(file->bytes(), file, path.string(), folder.empty() ? "." : folder, options);
}

std::vector<Tensor> with_defaults(const Graph& graph, std::map<std::string, Tensor> given) {
  std::vector<Tensor> inputs;
  for (ValueId v : graph.inputs()) {
    const Value& value = graph.value(v);
    if (auto it = given.find(value.name); it != given.end()) {
      inputs.push_back(std::move(it->second));
      given.erase(it);
      continue;
    }
    require(value.default_value != nullptr, ErrorKind::bad_argument, "input \"", value.name,
            "\" is not given and has no default");
    inputs.push_back(value.default_value->clone());
  }
  require(given.empty(), ErrorKind::bad_argument, "\"", given.empty() ? "" : given.begin()->first,
          "\" is not an input");
  return inputs;
}

}  // namespace sinter
