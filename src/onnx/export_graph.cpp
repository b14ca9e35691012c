// SPDX-License-Identifier: Apache-2.0
// Graphs and the names in them. Names are unique over a graph and all graphs around it: the names
// of a body are given back when it is written, so that the next body may have them.
#include <algorithm>

#include "onnx/exporter.h"

namespace sinter::onnx {
namespace {

constexpr i64 kInlineBytes = 1024;  // smaller constants stay in the model file

/// Names that the graph, or graphs in it, define.
void defined_names(const GraphProto& g, std::vector<std::string_view>& names) {
  for (const TensorProto& t : g.initializers) names.push_back(t.name);
  for (const ValueInfoProto& v : g.inputs) names.push_back(v.name);
  for (const NodeProto& n : g.nodes) {
    names.insert(names.end(), n.outputs.begin(), n.outputs.end());
    for (const AttributeProto& a : n.attributes)
      for (const auto& inner : a.graphs) defined_names(*inner, names);
  }
}

/// Calls visit(graph) for the graph and every body in it.
template <class Visit>
void each_graph(const Graph& g, const Visit& visit) {
  visit(g);
  for (NodeId id : g.nodes())
    for (const auto& [key, body] : bodies(g.node(id))) each_graph(*body, visit);
}

}  // namespace

std::string Exporter::fresh(std::string name) {
  if (name.empty()) name = "v";
  while (taken_.count(name) > 0) name += "_";
  taken_.insert(name);
  given_.push_back(name);
  return name;
}

/// Node names are unique over the model; one that is not, or is none, gets a number.
std::string Exporter::node_name(const std::string& wanted, std::string_view op) {
  if (!wanted.empty() && used_names_.insert(wanted).second) return wanted;
  const std::string stem = wanted.empty() ? std::string(op) : wanted;
  std::string name;
  do name = stem + "_" + std::to_string(next_number_[stem]++);
  while (node_names_.count(name) > 0 || !used_names_.insert(name).second);
  return name;
}

/// Raw subgraphs keep their names, so nothing new may have one of them.
void Exporter::reserve_names() {
  each_graph(g_, [&](const Graph& g) {
    for (NodeId id : g.nodes()) {
      const Node& n = g.node(id);
      if (!n.name.empty()) node_names_.insert(n.name);
      if (n.op != Op::Opaque) continue;
      const std::string proto = n.attributes.text("proto", "");
      const NodeProto raw =
          parse_node(std::as_bytes(std::span(proto.data(), proto.size())), g.describe(id));
      std::vector<std::string_view> names;
      for (const AttributeProto& a : raw.attributes)
        for (const auto& inner : a.graphs) defined_names(*inner, names);
      taken_.insert(names.begin(), names.end());
    }
  });
}

Pieces Exporter::run() {
  opset_ = export_opset(g_);
  reserve_names();
  Pieces graph = main_graph();
  const ModelInfo& info = g_.info;
  std::string head, tail;
  {
    pbf_writer model(head);
    model.add_int64(1, std::max<i64>(functions_.empty() ? 4 : 8, info.ir_version));
    put(model, 2, info.producer_name);
    put(model, 3, info.producer_version);
    if (!info.domain.empty()) put(model, 4, info.domain);
    if (info.model_version != 0) model.add_int64(5, info.model_version);
    if (!info.doc.empty()) put(model, 6, info.doc);
  }
  pbf_writer model(tail);
  write_opset(model, 8, "", opset_);
  if (!functions_.empty()) write_opset(model, 8, "sinter", 1);
  for (const auto& [domain, version] : info.domains) write_opset(model, 8, domain, version);
  for (const auto& [key, value] : info.metadata) {
    pbf_writer e(model, 14);
    put(e, 1, key);
    put(e, 2, value);
  }
  for (Op op : functions_) write_function(model, op);
  for (const std::string& f : info.functions) model.add_message(25, f);
  Pieces out;
  out.add(head);
  out.add_message(7, std::move(graph));
  out.add(tail);
  return out;
}

/// The interface is never renamed; a result that is an output takes the output's name.
void Exporter::name_interface(Frame& f) {
  const Graph& g = f.g;
  for (const GraphOutput& o : g.outputs()) taken_.insert(o.name);
  for (ValueId v : g.inputs()) {
    f.names[v] = g.value(v).name;
    taken_.insert(f.names[v]);
  }
  for (const GraphOutput& o : g.outputs()) {
    f.output_names.push_back(o.name);
    const auto other = g.find_value(o.name);
    const bool is_input = other && g.value(*other).is_input;
    if (is_input && *other == o.value) continue;  // passed through under its own name
    require(!is_input, ErrorKind::bad_argument, "export: output \"", o.name,
            "\" has the name of an input that is another value");
    if (g.value(o.value).producer.valid() && f.names[o.value].empty())
      f.names[o.value] = o.name;
    else
      f.identities.push_back({o.value, o.name});
  }
}

/// A body's captures have the names of the values around it.
void Exporter::name_body(Frame& f, const Frame& outer, std::span<const ValueId> captures) {
  const Graph& g = f.g;
  const size_t own = g.inputs().size() - captures.size();
  for (size_t i = 0; i < own; ++i) f.names[g.inputs()[i]] = fresh(g.value(g.inputs()[i]).name);
  for (size_t i = 0; i < captures.size(); ++i)
    f.names[g.inputs()[own + i]] = outer.names[captures[i]];
  for (const GraphOutput& o : g.outputs()) {
    f.output_names.push_back(fresh(o.name));
    if (g.value(o.value).producer.valid() && f.names[o.value].empty())
      f.names[o.value] = f.output_names.back();
    else
      f.identities.push_back({o.value, f.output_names.back()});
  }
}

/// Constants that a graph around has too are read by the name there.
void Exporter::name_rest(Frame& f) {
  const auto name_around = [&](const Tensor* t) -> const std::string* {
    for (const Frame* o = f.outer; o != nullptr; o = o->outer)
      if (const auto it = o->constants.find(t); it != o->constants.end()) return &it->second;
    return nullptr;
  };
  for (ValueId v : f.g.values()) {
    if (!f.names[v].empty()) continue;
    const TensorPtr& tensor = f.g.value(v).constant;
    if (const std::string* around = tensor ? name_around(tensor.get()) : nullptr) {
      f.names[v] = *around;
      continue;
    }
    f.names[v] = fresh(f.g.value(v).name);
    if (!tensor) continue;
    f.constants.emplace(tensor.get(), f.names[v]);
    initializer(f, *tensor, f.names[v]);
  }
}

/// What several bodies share, or is large, is written once in the main graph.
void Exporter::hoist_constants(Frame& f) {
  std::map<const Tensor*, int> graphs;
  std::vector<std::pair<TensorPtr, std::string>> all;
  each_graph(g_, [&](const Graph& g) {
    std::set<const Tensor*> here;
    for (ValueId v : g.constants()) {
      const TensorPtr& t = g.value(v).constant;
      if (!here.insert(t.get()).second) continue;
      if (graphs[t.get()]++ == 0) all.emplace_back(t, g.value(v).name);
    }
  });
  for (const auto& [tensor, name] : all) {
    if (graphs[tensor.get()] < 2 && tensor->byte_size() <= kInlineBytes) continue;
    if (f.constants.count(tensor.get()) > 0) continue;
    const std::string inside = fresh(name);
    f.constants.emplace(tensor.get(), inside);
    initializer(f, *tensor, inside);
  }
}

/// What the file said of results of unknown operators; all others can be inferred again.
std::string Exporter::opaque_types(const Frame& f) const {
  std::string out;
  for (NodeId id : f.g.nodes_of(Op::Opaque))
    for (ValueId v : f.g.node(id).outputs)
      if (f.g.dtype(v) != DType::unknown && !f.g.is_output(v))
        pbf_writer(out).add_message(
            13, types_.value_info(f.names[v], f.g.value(v).type, "", std::nullopt, false));
  return out;
}

Pieces Exporter::main_graph() {
  Frame f{g_};
  name_interface(f);
  for (ValueId v : g_.inputs())
    if (const TensorPtr& t = g_.value(v).default_value) initializer(f, *t, f.names[v]);
  name_rest(f);
  hoist_constants(f);
  write_nodes(f);
  const auto raw = [&](const std::string& name) {
    const auto it = g_.info.types.find(name);
    return it == g_.info.types.end() ? std::string_view() : std::string_view(it->second);
  };
  std::string rest;
  pbf_writer w(rest);
  if (!g_.info.graph_doc.empty()) put(w, 10, g_.info.graph_doc);
  for (ValueId v : g_.inputs())
    w.add_message(11, types_.value_info(f.names[v], g_.value(v).type, raw(f.names[v]), {}, true));
  for (const GraphOutput& o : g_.outputs())
    w.add_message(
        12, types_.value_info(o.name, g_.value(o.value).type, raw(o.name), o.declared, false));
  rest += opaque_types(f);
  Pieces out;
  pbf_writer nodes(f.nodes);
  put(nodes, 2, g_.info.graph_name.empty() ? "sinter" : g_.info.graph_name);  // may not be empty
  out.add(f.nodes);
  out.add(std::move(f.initializers));
  out.add(rest);
  return out;
}

std::string Exporter::body(const Graph& g, const Frame& outer, std::span<const ValueId> captures) {
  const size_t mark = given_.size();
  Frame f{g};
  f.outer = &outer;
  name_body(f, outer, captures);
  name_rest(f);
  write_nodes(f);
  std::string out = std::move(f.nodes);
  pbf_writer w(out);
  put(w, 2, g.info.graph_name.empty() ? "body" : g.info.graph_name);
  f.initializers.each([&](std::span<const std::byte> b) {
    out.append(reinterpret_cast<const char*>(b.data()), b.size());
  });
  if (!g.info.graph_doc.empty()) put(w, 10, g.info.graph_doc);
  for (size_t i = 0; i + captures.size() < g.inputs().size(); ++i) {
    const ValueId v = g.inputs()[i];
    w.add_message(11, types_.value_info(f.names[v], g.value(v).type, "", {}, true));
  }
  for (size_t i = 0; i < g.outputs().size(); ++i)
    w.add_message(12, types_.value_info(f.output_names[i], g.value(g.outputs()[i].value).type, "",
                                        g.outputs()[i].declared, false));
  out += opaque_types(f);
  while (given_.size() > mark) {
    taken_.erase(given_.back());
    given_.pop_back();
  }
  return out;
}

void Exporter::write_nodes(Frame& f) {
  for (NodeId id : f.g.topological_order()) write_node(f, f.g.node(id));
  for (const auto& [value, output] : f.identities)
    write_call(f.nodes, "Identity", {f.names[value]}, output, 1);
}

void Exporter::initializer(Frame& f, const Tensor& t, const std::string& name) {
  const bool is_external =
      data_ != nullptr && t.dtype() != DType::string && t.byte_size() > kInlineBytes;
  if (is_external || t.dtype() == DType::string)
    return f.initializers.add_message(5, is_external ? data_->add(t, name) : to_proto(t, name));
  Pieces message;
  message.add(proto_head(t, name));
  message.add_header(9, t.byte_size());
  message.add(t.raw());
  f.initializers.add_message(5, std::move(message));
}

}  // namespace sinter::onnx
