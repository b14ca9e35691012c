// SPDX-License-Identifier: Apache-2.0
#include "onnx/import.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>

#include "base/file.h"
#include "onnx/model.h"
#include "onnx/tensor_proto.h"
#include "onnx/upgrade.h"

namespace sinter {
namespace {

using namespace onnx;
using Names = std::map<std::string, ValueId, std::less<>>;

constexpr int kMaxCallDepth = 32;          // of model-local functions
constexpr i64 kMaxInlinedNodes = 1 << 20;  // a bound on what nested calls may expand to

bool is_default_domain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

std::string describe(const NodeProto& n) {
  const std::string_view shown = !n.name.empty()     ? n.name
                                 : n.outputs.empty() ? std::string_view()
                                                     : n.outputs[0];
  return std::string(n.op_type) + " \"" + std::string(shown) + "\"";
}

/// Positions of `nodes` so that producers come first, stable by position.
/// throws  Error(bad_input) naming a node that reads what nobody gives, or is on a cycle
std::vector<size_t> sorted(const std::vector<NodeProto>& nodes, const Names& given,
                           std::string_view what) {
  std::map<std::string_view, size_t> producer;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (std::string_view out : nodes[i].outputs)
      require(out.empty() || (producer.emplace(out, i).second && given.find(out) == given.end()),
              ErrorKind::bad_input, what, ": ", describe(nodes[i]), ": value \"", out,
              "\" is defined twice");
  std::vector<size_t> waiting(nodes.size(), 0), order;
  std::vector<std::vector<size_t>> readers(nodes.size());
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (std::string_view in : nodes[i].inputs) {
      if (in.empty() || given.find(in) != given.end()) continue;
      const auto from = producer.find(in);
      require(from != producer.end(), ErrorKind::bad_input, what, ": ", describe(nodes[i]),
              ": reads \"", in, "\", which no input, initializer or node defines");
      readers[from->second].push_back(i);
      ++waiting[i];
    }
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
    require(waiting[i] == 0, ErrorKind::bad_input, what, ": ", describe(nodes[i]),
            ": is on a cycle or reads from one");
  return order;
}

class Importer {
 public:
  Importer(const ModelProto& model, TensorSource source, std::string_view what)
      : model_(model), source_(std::move(source)), what_(what) {}

  Graph run() {
    require(model_.graph.has_value(), ErrorKind::bad_input, what_,
            ": truncated or not an ONNX model (no graph)");
    require(model_.ir_version <= 0xFFFF, ErrorKind::bad_input, what_, ": IR version ",
            model_.ir_version, " is not sound");
    require(!model_.graph->has_sparse, ErrorKind::unsupported, what_,
            ": sparse initializers are not supported");
    const i64 opset = opset_of(model_.opsets);
    graph_.info.ir_version = model_.ir_version;
    graph_.info.opset = opset;
    graph_.info.graph_name = model_.graph->name;
    graph_.info.producer_name = model_.producer_name;
    graph_.info.producer_version = model_.producer_version;
    graph_.info.doc = model_.doc;
    for (const auto& [key, value] : model_.metadata) graph_.info.metadata.emplace_back(key, value);
    Names names;
    interface(names);
    for (size_t i : sorted(model_.graph->nodes, names, what_))
      node(model_.graph->nodes[i], names, opset, nullptr, "", 0);
    for (const ValueInfoProto& o : model_.graph->outputs) {
      const auto v = names.find(o.name);
      require(v != names.end(), ErrorKind::bad_input, what_, ": output \"", o.name,
              "\" is not defined by any node, input or initializer");
      graph_.add_output(std::string(o.name), v->second);
    }
    return std::move(graph_);
  }

 private:
  /// Version of the default domain; 0 when the list has none.
  i64 opset_of(const std::vector<OpsetProto>& opsets) const {
    i64 version = 0;
    for (const OpsetProto& o : opsets)
      if (is_default_domain(o.domain)) version = o.version;
    if (opsets.empty() && model_.ir_version < 3) version = 1;
    require(version <= kNewestOpset, ErrorKind::unsupported, what_, ": opset ", version,
            ": opsets up to ", kNewestOpset, " are supported; export the model again with opset ",
            kNewestOpset);
    return version;
  }

  void interface(Names& names) {
    const GraphProto& g = *model_.graph;
    std::set<std::string_view> constants;
    for (const TensorProto& t : g.initializers) {
      require(constants.insert(t.name).second, ErrorKind::bad_input, what_, ": initializer \"",
              t.name, "\" is defined twice");
      names[std::string(t.name)] =
          graph_.add_constant(to_tensor(t, source_, what_), std::string(t.name));
    }
    for (const ValueInfoProto& v : g.inputs) {
      if (constants.count(v.name) > 0) continue;
      require(v.is_tensor && v.elem_type > 0 && v.elem_type < 256 &&
                  name(DType(v.elem_type)) != "unknown",
              ErrorKind::unsupported, what_, ": input \"", v.name,
              "\": only tensors of known element types are supported");
      names[std::string(v.name)] =
          graph_.add_input(std::string(v.name), DType(v.elem_type), shape_of(v));
    }
  }

  std::optional<Shape> shape_of(const ValueInfoProto& v) const {
    if (!v.shape) return std::nullopt;
    Shape shape;
    for (const DimProto& d : *v.shape) {
      require(!d.value || *d.value >= 0, ErrorKind::bad_input, what_, ": input \"", v.name,
              "\": negative dimension ", d.value.value_or(0));
      shape.push_back(d.value            ? Dim(*d.value)
                      : !d.param.empty() ? Dim::symbol(d.param)
                                         : Dim::unknown());
    }
    return shape;
  }

  const FunctionProto* function_of(const NodeProto& n) const {
    for (const FunctionProto& f : model_.functions)
      if (f.name == n.op_type && f.domain == n.domain) return &f;
    return nullptr;
  }

  /// The attribute's value as graph/attributes.h holds it. `call` gives what references stand for.
  std::optional<AttributeValue> attribute(const AttributeProto& a, const NodeProto* call,
                                          const std::string& node) const {
    if (!a.reference.empty()) {
      if (call != nullptr)
        for (const AttributeProto& given : call->attributes)
          if (given.name == a.reference) return attribute(given, nullptr, node);
      return std::nullopt;  // not given: the operator's default holds
    }
    switch (a.type) {
      case 1:
        return a.f;
      case 2:
        return a.i;
      case 3:
        return std::string(a.s);
      case 4:
        require(a.t.has_value(), ErrorKind::bad_input, what_, ": ", node, ": attribute ", a.name,
                " has no tensor");
        return std::make_shared<const Tensor>(to_tensor(*a.t, source_, what_));
      case 6:
        return a.floats;
      case 7:
        return a.ints;
      case 8:
        return std::vector<std::string>(a.strings.begin(), a.strings.end());
      default:
        fail(ErrorKind::unsupported, what_, ": ", node, ": attribute ", a.name,
             a.has_graph ? " is a subgraph, which is not supported" : " has an unsupported kind");
    }
  }

  /// Adds one node of the file, or of a function body (`call` set, `prefix` makes names unique).
  void node(const NodeProto& n, Names& names, i64 opset, const NodeProto* call,
            const std::string& prefix, int depth) {
    const std::string description = describe(n);
    require(++nodes_ <= kMaxInlinedNodes, ErrorKind::unsupported, what_,
            ": functions expand to more than ", kMaxInlinedNodes, " nodes");
    std::vector<ValueId> inputs;
    for (std::string_view in : n.inputs)
      inputs.push_back(in.empty() ? ValueId{} : names.find(in)->second);
    const bool own = n.domain == "sinter";
    if (const FunctionProto* f = function_of(n); f != nullptr && !(own && find_op(n.op_type)))
      return inline_call(n, *f, inputs, names, call, prefix, depth);
    const auto op = find_op(n.op_type);
    require(op && own == (info(*op).opset == 0) && (own || is_default_domain(n.domain)),
            ErrorKind::unsupported, what_, ": ", description, ": operator ", n.op_type,
            n.domain.empty() ? "" : " of domain " + std::string(n.domain),
            " is not supported; `sinter inspect --operators` lists those that are");
    require(own || opset > 0, ErrorKind::bad_input, what_, ": ", description,
            ": no version of the ONNX operators is named in opset_import");
    RawNode raw{*op, std::string(n.name), description, std::move(inputs), {}, {}};
    for (std::string_view out : n.outputs)
      raw.outputs.push_back(out.empty() ? "" : prefix + std::string(out));
    while (!raw.outputs.empty() && raw.outputs.back().empty()) raw.outputs.pop_back();
    while (!raw.inputs.empty() && !raw.inputs.back().valid()) raw.inputs.pop_back();
    try {
      read_attributes(n, call, raw);
      if (*op == Op::Constant)
        constant(raw);
      else
        add(raw, opset);
    } catch (const Error& e) {
      const std::string text = e.what();
      if (text.find(description) != std::string::npos)
        throw Error(e.kind(), text.rfind(what_, 0) == 0 ? text : what_ + ": " + text);
      throw Error(e.kind(), what_ + ": " + description + ": " + text);
    }
    for (size_t i = 0; i < n.outputs.size(); ++i)
      if (!n.outputs[i].empty())
        if (const auto v = graph_.find_value(prefix + std::string(n.outputs[i])))
          names[std::string(n.outputs[i])] = *v;
  }

  void read_attributes(const NodeProto& n, const NodeProto* call, RawNode& raw) const {
    for (const AttributeProto& a : n.attributes) {
      auto value = attribute(a, call, raw.description);
      if (!value) continue;
      constexpr std::string_view kKinds = "ifstIFS";  // in the order of AttributeValue
      const char kind = kKinds[value->index()];
      const bool known = raw.op == Op::Constant || kind == attribute_kind(info(raw.op), a.name) ||
                         kind == legacy_kind(raw.op, a.name);
      require(known, ErrorKind::unsupported, raw.description, ": attribute ", a.name,
              " is unknown or has an unexpected kind");
      raw.attributes.set(std::string(a.name), std::move(*value));
    }
  }

  void add(RawNode& raw, i64 opset) {
    upgrade(graph_, raw, opset);
    graph_.add_node(raw.op, std::move(raw.inputs), std::move(raw.attributes),
                    std::move(raw.outputs), std::move(raw.name));
  }

  /// A Constant node becomes a constant of the graph, whichever attribute carries it.
  void constant(RawNode& raw) {
    require(raw.outputs.size() == 1 && !raw.attributes.empty(), ErrorKind::bad_input,
            "expected one output and a value");
    const auto& [key, value] = *raw.attributes.begin();
    Tensor t;
    if (const auto* tensor = std::get_if<TensorPtr>(&value)) {
      graph_.add_constant(*tensor, raw.outputs[0]);
      return;
    }
    if (const auto* v = std::get_if<i64>(&value))
      t = Tensor::scalar(*v);
    else if (const auto* f = std::get_if<float>(&value))
      t = Tensor::scalar(*f);
    else if (const auto* list = std::get_if<std::vector<i64>>(&value))
      t = Tensor::of<i64>({std::ssize(*list)}, std::span<const i64>(*list));
    else if (const auto* reals = std::get_if<std::vector<float>>(&value))
      t = Tensor::of<float>({std::ssize(*reals)}, std::span<const float>(*reals));
    else if (const auto* s = std::get_if<std::string>(&value))
      t = texts({}, {*s});
    else
      t = texts({std::ssize(std::get<std::vector<std::string>>(value))},
                std::get<std::vector<std::string>>(value));
    graph_.add_constant(std::move(t), raw.outputs[0]);
  }

  static Tensor texts(Dims dims, std::vector<std::string> values) {
    Tensor t(DType::string, std::move(dims));
    t.mutable_strings() = std::move(values);
    return t;
  }

  void inline_call(const NodeProto& n, const FunctionProto& f, const std::vector<ValueId>& inputs,
                   Names& names, const NodeProto* outer, const std::string& prefix, int depth) {
    require(depth < kMaxCallDepth, ErrorKind::bad_input, what_, ": ", describe(n),
            ": functions call each other more than ", kMaxCallDepth, " deep");
    require(inputs.size() <= f.inputs.size() && n.outputs.size() <= f.outputs.size(),
            ErrorKind::bad_input, what_, ": ", describe(n), ": function ", f.name, " takes ",
            f.inputs.size(), " inputs and gives ", f.outputs.size(), " outputs, found ",
            inputs.size(), " and ", n.outputs.size());
    NodeProto call = n;  // references to the caller's own attributes resolved first
    for (AttributeProto& a : call.attributes)
      if (!a.reference.empty() && outer != nullptr)
        for (const AttributeProto& given : outer->attributes)
          if (given.name == a.reference) {
            const std::string_view keep = a.name;
            a = given;
            a.name = keep;
          }
    Names inner;
    for (size_t i = 0; i < f.inputs.size(); ++i)
      inner[std::string(f.inputs[i])] = i < inputs.size() ? inputs[i] : ValueId{};
    const std::string scope = prefix + std::string(f.name) + "_" + std::to_string(calls_++) + "/";
    const i64 opset = opset_of(f.opsets.empty() ? model_.opsets : f.opsets);
    for (size_t i : sorted(f.nodes, inner, what_))
      node(f.nodes[i], inner, opset, &call, scope, depth + 1);
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      if (n.outputs[i].empty()) continue;
      const auto v = inner.find(f.outputs[i]);
      require(v != inner.end(), ErrorKind::bad_input, what_, ": function ", f.name, ": output \"",
              f.outputs[i], "\" is not defined");
      names[std::string(n.outputs[i])] = v->second;
    }
  }

  const ModelProto& model_;
  const TensorSource source_;
  const std::string what_;
  Graph graph_;
  i64 nodes_ = 0, calls_ = 0;
};

}  // namespace

Graph import_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                  std::string_view what, const std::filesystem::path& folder) {
  const ModelProto model = parse_model(bytes, what);
  return Importer(model, {std::move(owner), folder}, what).run();
}

Graph import_onnx(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto folder = path.parent_path();
  return import_onnx(file->bytes(), file, path.string(), folder.empty() ? "." : folder);
}

}  // namespace sinter
