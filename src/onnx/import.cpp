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
constexpr i64 kMaxInlinedNodes = 1 << 18;  // a bound on what nested calls may expand to

bool is_default_domain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

std::string describe(const NodeProto& n) {
  const std::string_view shown = !n.name.empty()     ? n.name
                                 : n.outputs.empty() ? std::string_view()
                                                     : n.outputs[0];
  return std::string(n.op_type) + " \"" + std::string(shown) + "\"";
}

/// Positions of `nodes` so that producers come first, stable by position.
/// throws  Error(bad_input) naming a node that reads what nobody gives, or is on a cycle
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
    for (std::string_view in : nodes[i].inputs) {
      if (in.empty() || given.find(in) != given.end()) continue;
      const auto from = producer.find(in);
      require(from != producer.end(), ErrorKind::bad_input, describe(nodes[i]), ": reads \"", in,
              "\", which no input, initializer or node defines");
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
    require(waiting[i] == 0, ErrorKind::bad_input, describe(nodes[i]),
            ": is on a cycle or reads from one");
  return order;
}

/// What the names inside one graph or function body stand for.
struct Scope {
  Names values;
  std::map<std::string_view, const AttributeProto*> attributes;  // that references may name
  std::map<std::string_view, std::string> result_names;          // a function's outputs, outside
  std::string prefix;                                            // of values inside a function
  i64 opset = 0;
  int depth = 0;
};

class Importer {
 public:
  Importer(const ModelProto& model, TensorSource source)
      : model_(model), source_(std::move(source)) {}

  Graph run() {
    require(model_.graph.has_value(), ErrorKind::bad_input,
            "truncated or not an ONNX model (no graph)");
    require(model_.ir_version >= 0 && model_.ir_version <= 0xFFFF, ErrorKind::bad_input,
            "IR version ", model_.ir_version, " is not sound");
    const GraphProto& file = *model_.graph;
    require(!file.has_sparse, ErrorKind::unsupported, "sparse initializers are not supported");
    Scope scope;
    scope.opset = opset_of(model_.opsets);
    graph_.info = {model_.ir_version,
                   scope.opset,
                   std::string(file.name),
                   std::string(model_.producer_name),
                   std::string(model_.producer_version),
                   std::string(model_.doc),
                   {},
                   {}};
    for (const auto& [key, value] : model_.metadata) graph_.info.metadata.emplace_back(key, value);
    interface(file, scope);
    for (size_t i : sorted(file.nodes, scope.values)) node(file.nodes[i], scope);
    for (const ValueInfoProto& o : file.outputs) {
      const auto v = scope.values.find(o.name);
      require(v != scope.values.end(), ErrorKind::bad_input, "output \"", o.name,
              "\" is not defined by any node, input or initializer");
      graph_.add_output(std::string(o.name), v->second, declared_shape(o));
    }
    return std::move(graph_);
  }

 private:
  /// Version of the default domain; 0 when the list has none.
  i64 opset_of(const std::vector<OpsetProto>& opsets) const {
    i64 version = 0;
    for (const OpsetProto& o : opsets)
      if (is_default_domain(o.domain)) version = o.version;
    if (opsets.empty() && model_.ir_version < 3) version = 1;  // files older than opset_import
    require(version >= 0 && version <= kNewestOpset, ErrorKind::unsupported, "opset ", version,
            ": 7 to ", kNewestOpset, " are supported; export the model again with opset ",
            kNewestOpset);
    return version;
  }

  void interface(const GraphProto& g, Scope& scope) {
    for (const TensorProto& t : g.initializers) names_.reserve(t.name);
    for (const ValueInfoProto& v : g.inputs) names_.reserve(v.name);
    for (const NodeProto& n : g.nodes)
      for (std::string_view out : n.outputs) names_.reserve(out);
    for (const TensorProto& t : g.initializers) {
      require(!t.name.empty(), ErrorKind::bad_input, "an initializer has no name");
      require(scope.values.find(t.name) == scope.values.end(), ErrorKind::bad_input,
              "initializer \"", t.name, "\" is defined twice");
      scope.values[std::string(t.name)] =
          graph_.add_constant(to_tensor(t, source_), std::string(t.name));
    }
    for (const ValueInfoProto& v : g.inputs) {
      const auto known = scope.values.find(v.name);
      if (known != scope.values.end() && graph_.constant(known->second)) {
        // Up to IR version 3 every initializer had to be an input too: that says nothing.
        if (model_.ir_version >= 4) graph_.info.defaulted_inputs.emplace_back(v.name);
        continue;
      }
      require(!v.name.empty() && known == scope.values.end(), ErrorKind::bad_input, "input \"",
              v.name, "\" has no name or is defined twice");
      require(v.is_tensor && v.elem_type > 0 && v.elem_type < 256 &&
                  name(DType(v.elem_type)) != "unknown",
              ErrorKind::unsupported, "input \"", v.name,
              "\": only tensors of known element types are supported");
      scope.values[std::string(v.name)] =
          graph_.add_input(std::string(v.name), DType(v.elem_type), shape_of(v));
    }
  }

  static std::optional<Shape> shape_of(const ValueInfoProto& v) {
    if (!v.shape) return std::nullopt;
    Shape shape;
    for (const DimProto& d : *v.shape) {
      require(!d.value || *d.value >= 0, ErrorKind::bad_input, "input \"", v.name,
              "\": negative dimension ", d.value.value_or(0));
      shape.push_back(d.value            ? Dim(*d.value)
                      : !d.param.empty() ? Dim::symbol(d.param)
                                         : Dim::unknown());
    }
    return shape;
  }

  /// An output's shape as the file has it; inference, not this, decides what is computed.
  static std::optional<Shape> declared_shape(const ValueInfoProto& v) {
    if (!v.shape) return std::nullopt;
    Shape shape;
    for (const DimProto& d : *v.shape)
      shape.push_back(d.value && *d.value >= 0 ? Dim(*d.value)
                      : !d.param.empty()       ? Dim::symbol(d.param)
                                               : Dim::unknown());
    return shape;
  }

  /// The model-local function that `n` calls, or nullptr when it is an operator.
  const FunctionProto* function_of(const NodeProto& n) const {
    for (const FunctionProto& f : model_.functions)
      if (f.name == n.op_type && f.domain == n.domain) return stands_for_operator(f) ? nullptr : &f;
    return nullptr;
  }

  /// True for the bodies that export_onnx writes, whatever they call their values: each node
  /// combines the result before it, at first x, with the operand listed here. The same name with
  /// another body is inlined.
  static bool stands_for_operator(const FunctionProto& f) {
    struct Step {
      std::string_view op;
      size_t operand;  // of the function's inputs
    };
    constexpr Step kAffine[] = {{"Mul", 1}, {"Add", 2}};
    constexpr Step kQuadratic[] = {{"Mul", 1}, {"Add", 2}, {"Mul", 0}, {"Add", 3}};
    const bool is_affine = f.name == "ChannelAffine";
    if (f.domain != "sinter" || (!is_affine && f.name != "ChannelQuadratic")) return false;
    const std::span<const Step> steps =
        is_affine ? std::span<const Step>(kAffine) : std::span<const Step>(kQuadratic);
    if (f.inputs.size() != (is_affine ? 3 : 4) || f.outputs.size() != 1 ||
        f.nodes.size() != steps.size())
      return false;
    std::set<std::string_view> defined(f.inputs.begin(), f.inputs.end());
    if (defined.size() != f.inputs.size() || defined.count("") > 0) return false;
    std::string_view before = f.inputs[0];
    for (size_t i = 0; i < steps.size(); ++i) {
      const NodeProto& n = f.nodes[i];
      const std::vector<std::string_view> wanted = {before, f.inputs[steps[i].operand]};
      if (!is_default_domain(n.domain) || n.op_type != steps[i].op || n.inputs != wanted ||
          n.outputs.size() != 1 || n.outputs[0].empty() || !n.attributes.empty() ||
          !defined.insert(n.outputs[0]).second)
        return false;
      before = n.outputs[0];
    }
    return before == f.outputs[0];
  }

  /// The attribute itself, or what it refers to; nullptr when the call does not give that.
  static const AttributeProto* resolve(const AttributeProto& a, const Scope& scope) {
    if (a.reference.empty()) return &a;
    const auto given = scope.attributes.find(a.reference);
    return given == scope.attributes.end() ? nullptr : given->second;
  }

  /// The attribute's value as graph/attributes.h holds it.
  AttributeValue attribute(const AttributeProto& a) {
    switch (a.type) {
      case 1:
        return a.f;
      case 2:
        return a.i;
      case 3:
        return std::string(a.s);
      case 4:
        require(a.t.has_value(), ErrorKind::bad_input, "attribute ", a.name, " has no tensor");
        return std::make_shared<const Tensor>(to_tensor(*a.t, source_));
      case 6:
        return a.floats;
      case 7:
        return a.ints;
      case 8:
        return std::vector<std::string>(a.strings.begin(), a.strings.end());
      default:
        fail(ErrorKind::unsupported, "attribute ", a.name,
             a.has_graph ? " is a subgraph, which is not supported" : " has an unsupported kind");
    }
  }

  void read_attributes(const NodeProto& n, const Scope& scope, RawNode& raw) {
    for (const AttributeProto& a : n.attributes) {
      const AttributeProto* given = resolve(a, scope);
      if (given == nullptr) continue;  // the operator's default holds
      const AttributeValue value = attribute(*given);
      constexpr std::string_view kKinds = "ifstIFS";  // in the order of AttributeValue
      const char kind = kKinds[value.index()];
      const bool known = raw.op == Op::Constant || kind == attribute_kind(info(raw.op), a.name) ||
                         kind == legacy_kind(raw.op, a.name);
      require(known, ErrorKind::unsupported, "attribute ", a.name,
              " is unknown or has an unexpected kind");
      raw.attributes.set(std::string(a.name), value);
    }
  }

  /// Adds one node of the file or of a function body. Errors get the node's description in front.
  void node(const NodeProto& n, Scope& scope) {
    const std::string description = describe(n);
    try {
      require(scope.depth == 0 || ++inlined_ <= kMaxInlinedNodes, ErrorKind::unsupported,
              "functions expand to more than ", kMaxInlinedNodes, " nodes");
      std::vector<ValueId> inputs;
      for (std::string_view in : n.inputs) {
        const auto v = scope.values.find(in);
        require(in.empty() || v != scope.values.end(), ErrorKind::unsupported, "reads \"", in,
                "\", an output that exists in training only");
        inputs.push_back(in.empty() ? ValueId{} : v->second);
      }
      while (!inputs.empty() && !inputs.back().valid()) inputs.pop_back();
      if (const FunctionProto* f = function_of(n))
        inline_call(n, *f, std::move(inputs), scope);
      else
        operator_node(n, std::move(inputs), scope, description);
    } catch (const Error& e) {
      const std::string text = e.what();
      throw Error(e.kind(), text.rfind(description, 0) == 0 ? text : description + ": " + text);
    }
  }

  void operator_node(const NodeProto& n, std::vector<ValueId> inputs, Scope& scope,
                     const std::string& description) {
    const bool own = n.domain == "sinter";
    const auto op = find_op(n.op_type);
    require(op && own == (info(*op).opset == 0) && (own || is_default_domain(n.domain)),
            ErrorKind::unsupported, "operator ", n.op_type,
            n.domain.empty() ? "" : " of domain " + std::string(n.domain), " (opset ", scope.opset,
            ") is not supported; `sinter inspect --operators` lists those that are");
    require(own || scope.opset > 0, ErrorKind::bad_input,
            "no version of the ONNX operators is named in opset_import");
    RawNode raw{*op, std::string(n.name), description, std::move(inputs), {}, {}, &names_};
    for (std::string_view out : n.outputs) raw.outputs.push_back(result_name(out, scope));
    // An absent output at the end is left out, but how many a variadic one has is its meaning.
    while (info(*op).max_outputs >= 0 && !raw.outputs.empty() && raw.outputs.back().empty())
      raw.outputs.pop_back();
    require(!raw.outputs.empty(), ErrorKind::bad_input, "has no outputs");
    for (std::string& out : raw.outputs)  // the graph has no absent outputs, only unread ones
      if (out.empty()) out = names_.fresh(n.op_type);
    read_attributes(n, scope, raw);
    const std::vector<ValueId> results =
        *op == Op::Constant ? std::vector<ValueId>{constant(raw)} : add(raw, scope.opset);
    for (size_t i = 0; i < std::min(results.size(), n.outputs.size()); ++i)
      if (!n.outputs[i].empty()) scope.values[std::string(n.outputs[i])] = results[i];
  }

  /// The name in the graph of a value that is called `name` in `scope`.
  std::string result_name(std::string_view name, const Scope& scope) {
    if (name.empty() || scope.depth == 0) return std::string(name);
    const auto outside = scope.result_names.find(name);
    return outside != scope.result_names.end() ? outside->second
                                               : names_.fresh(scope.prefix + std::string(name));
  }

  std::vector<ValueId> add(RawNode& raw, i64 opset) {
    upgrade(graph_, raw, opset);
    return graph_
        .node(graph_.add_node(raw.op, std::move(raw.inputs), std::move(raw.attributes),
                              std::move(raw.outputs), std::move(raw.name)))
        .outputs;
  }

  /// A Constant node becomes a constant of the graph, whichever attribute carries it.
  ValueId constant(RawNode& raw) {
    require(raw.outputs.size() == 1 && raw.attributes.begin() != raw.attributes.end() &&
                std::next(raw.attributes.begin()) == raw.attributes.end(),
            ErrorKind::bad_input, "expected one output and one value");
    struct Reader {
      TensorPtr operator()(const TensorPtr& t) const { return t; }
      TensorPtr operator()(i64 v) const { return share(Tensor::scalar(v)); }
      TensorPtr operator()(float v) const { return share(Tensor::scalar(v)); }
      TensorPtr operator()(const std::string& v) const { return texts({}, {v}); }
      TensorPtr operator()(const std::vector<i64>& v) const {
        return share(Tensor::of<i64>({std::ssize(v)}, std::span<const i64>(v)));
      }
      TensorPtr operator()(const std::vector<float>& v) const {
        return share(Tensor::of<float>({std::ssize(v)}, std::span<const float>(v)));
      }
      TensorPtr operator()(const std::vector<std::string>& v) const {
        return texts({std::ssize(v)}, v);
      }
      static TensorPtr share(Tensor t) { return std::make_shared<const Tensor>(std::move(t)); }
      static TensorPtr texts(Dims dims, std::vector<std::string> values) {
        Tensor t(DType::string, std::move(dims));
        t.mutable_strings() = std::move(values);
        return share(std::move(t));
      }
    };
    return graph_.add_constant(std::visit(Reader{}, raw.attributes.begin()->second),
                               raw.outputs[0]);
  }

  /// The body takes the call's place; values inside it get the prefix "<function>_<number>/".
  void inline_call(const NodeProto& n, const FunctionProto& f, std::vector<ValueId> inputs,
                   Scope& outer) {
    require(outer.depth < kMaxCallDepth, ErrorKind::bad_input,
            "functions call each other more than ", kMaxCallDepth, " deep");
    require(inputs.size() <= f.inputs.size() && n.outputs.size() <= f.outputs.size(),
            ErrorKind::bad_input, "function ", f.name, " takes ", f.inputs.size(),
            " inputs and gives ", f.outputs.size(), " outputs, found ", inputs.size(), " and ",
            n.outputs.size());
    inputs.resize(f.inputs.size());
    Scope inner;
    inner.depth = outer.depth + 1;
    inner.opset = opset_of(f.opsets.empty() ? model_.opsets : f.opsets);
    inner.prefix = outer.prefix + std::string(f.name) + "_" + std::to_string(calls_++) + "/";
    for (const AttributeProto& a : f.defaults) inner.attributes[a.name] = &a;
    for (const AttributeProto& a : n.attributes)
      if (const AttributeProto* given = resolve(a, outer)) inner.attributes[a.name] = given;
    for (size_t i = 0; i < f.inputs.size(); ++i) inner.values[std::string(f.inputs[i])] = inputs[i];
    for (size_t i = 0; i < n.outputs.size(); ++i)
      if (!n.outputs[i].empty())
        inner.result_names.emplace(f.outputs[i], result_name(n.outputs[i], outer));
    for (size_t i : sorted(f.nodes, inner.values)) node(f.nodes[i], inner);
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      if (n.outputs[i].empty()) continue;
      const auto v = inner.values.find(f.outputs[i]);
      require(v != inner.values.end() && v->second.valid(), ErrorKind::bad_input, "function ",
              f.name, ": output \"", f.outputs[i], "\" is not defined");
      outer.values[std::string(n.outputs[i])] = v->second;
    }
  }

  const ModelProto& model_;
  TensorSource source_;
  NameSet names_;
  Graph graph_;
  i64 inlined_ = 0, calls_ = 0;
};

}  // namespace

Graph import_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                  std::string_view what, const std::filesystem::path& folder) {
  const ModelProto model = parse_model(bytes, what);
  try {
    return Importer(model, {std::move(owner), folder, {}}).run();
  } catch (const Error& e) {
    fail(e.kind(), what, ": ", e.what());
  }
}

Graph import_onnx(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto folder = path.parent_path();
  return import_onnx(file->bytes(), file, path.string(), folder.empty() ? "." : folder);
}

}  // namespace sinter
