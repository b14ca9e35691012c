// SPDX-License-Identifier: Apache-2.0
// One node of the file or of a function body. A node that cannot be brought to the internal form
// becomes Opaque; what the attempt added to the graph is taken back first.
#include <algorithm>

#include "onnx/importer.h"
#include "onnx/opsets.h"

namespace sinter::onnx {
namespace {

constexpr i64 kMaxInlinedNodes = 1 << 18;  // a bound on what nested calls may expand to

/// Erases what was added since the marks: all of it is unused or used by what goes too.
void take_back(Graph& graph, i64 nodes, i64 values) {
  for (i64 i = graph.node_bound(); i-- > nodes;)
    if (graph.alive(NodeId{i32(i)})) graph.erase_node(NodeId{i32(i)});
  for (i64 i = graph.value_bound(); i-- > values;) {
    const ValueId v{i32(i)};
    if (graph.alive(v) && graph.value(v).constant) graph.erase_constant(v);
  }
}

}  // namespace

const AttributeProto* resolve(const AttributeProto& a, const FunctionAttributes& given) {
  if (a.reference.empty()) return &a;
  const auto it = given.find(a.reference);
  return it == given.end() ? nullptr : it->second;
}

AttributeValue Importer::attribute(const AttributeProto& a) {
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
    case 13:  // a type is kept as the file has it
      return std::string(a.raw);
    case 11:
      require(a.sparse != nullptr, ErrorKind::bad_input, "attribute ", a.name, " has no tensor");
      return std::make_shared<const Tensor>(to_dense(*a.sparse, source_));
    default:
      fail(ErrorKind::unsupported, "attribute ", a.name, " has an unsupported kind");
  }
}

void Importer::read_attributes(const NodeProto& n, const Scope& scope, RawNode& raw) {
  for (const AttributeProto& a : n.attributes) {
    const AttributeProto* given = resolve(a, scope.attributes);
    if (given == nullptr) continue;  // the operator's default holds
    if (given->type == 5 && attribute_kind(info(raw.op), a.name) == 'g') continue;  // read_bodies
    const AttributeValue value = attribute(*given);
    // Newer attributes that say what the operator does anyway.
    const auto rows = attributes_since();
    if (attribute_kind(info(raw.op), a.name) == 0 &&
        std::any_of(rows.begin(), rows.end(), [&](const AttributeSince& row) {
          return row.op == n.op_type && row.name == a.name && is_neutral(value, row);
        }))
      continue;
    const bool known = raw.op == Op::Constant ||
                       kind_of(value) == attribute_kind(info(raw.op), a.name) ||
                       kind_of(value) == legacy_kind(raw.op, a.name);
    require(known, ErrorKind::unsupported, "attribute ", a.name,
            " is unknown or has an unexpected kind");
    raw.attributes.set(std::string(a.name), value);
  }
}

/// Errors get the node's description in front.
void Importer::node(const NodeProto& n, Scope& scope) {
  const std::string description = describe(n);
  try {
    require(scope.calls == 0 || ++inlined_ <= kMaxInlinedNodes, ErrorKind::unsupported,
            "functions expand to more than ", kMaxInlinedNodes, " nodes");
    const auto value_of = [&](std::string_view in) {
      const auto v = scope.values.find(in);
      require(in.empty() || v != scope.values.end(), ErrorKind::unsupported, "reads \"", in,
              "\", an output that exists in training only");
      return in.empty() ? ValueId{} : v->second;
    };
    std::vector<ValueId> inputs;
    for (std::string_view in : n.inputs) inputs.push_back(value_of(in));
    for (std::string_view in : n.captures) value_of(in);
    const FunctionProto* f = function_of(n);
    if (f != nullptr && is_inlined(*f))
      inline_call(n, *f, std::move(inputs), scope);
    else
      operator_node(n, std::move(inputs), scope);
  } catch (const Error& e) {
    const std::string text = e.what();
    throw Error(e.kind(), text.rfind(description, 0) == 0 ? text : description + ": " + text);
  }
}

void Importer::check_known(const NodeProto& n, const Scope& scope, const OpInfo* op) const {
  const bool is_own = n.domain == "sinter", is_standard = is_default_domain(n.domain);
  require(!is_standard || scope.opset > 0, ErrorKind::bad_input,
          "no version of the ONNX operators is named in opset_import");
  require(op != nullptr && op->op != Op::Opaque &&
              domain_of(op->op) == (is_standard ? std::string_view() : n.domain),
          ErrorKind::unsupported, "operator ", n.op_type,
          n.domain.empty() ? "" : " of domain " + std::string(n.domain), " (opset ", scope.opset,
          ") is not supported; `sinter inspect --operators` lists those that are");
  require(!is_standard || scope.opset <= kNewestOpset || op->op == Op::Constant,
          ErrorKind::unsupported, "opset ", scope.opset, " is newer than ", kNewestOpset);
  require(function_of(n) == nullptr || is_own, ErrorKind::unsupported, "function ", n.op_type,
          " of domain ", n.domain, " is kept as a call");
}

void Importer::operator_node(const NodeProto& n, std::vector<ValueId> inputs, Scope& scope) {
  Graph& graph = *scope.graph;
  require(!n.outputs.empty(), ErrorKind::bad_input, "has no outputs");
  std::vector<ValueId> results;
  const i64 nodes = graph.node_bound(), values = graph.value_bound();
  try {
    if (n.domain == "ai.onnx.preview.training" && n.op_type == "Gradient")
      return bind(n, gradient(n, inputs, scope), scope);
    auto op = find_op(n.op_type);
    if (!op && is_default_domain(n.domain)) op = renamed_op(n.op_type, scope.opset);
    check_known(n, scope, op ? &info(*op) : nullptr);
    if (!is_default_domain(n.domain) && n.domain != "sinter") need_domain(n.domain, *scope.opsets);
    RawNode raw{*op, scope.prefix + std::string(n.name), describe(n), inputs, {}, {}, scope.names};
    if (n.name.empty()) raw.name.clear();
    results = known_node(n, std::move(raw), scope);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    take_back(graph, nodes, values);
    results = opaque_node(n, std::move(inputs), scope, e.what());
  }
  bind(n, results, scope);
}

/// The names of the node's outputs stand for `results` from here on.
void Importer::bind(const NodeProto& n, const std::vector<ValueId>& results, Scope& scope) {
  for (size_t i = 0; i < std::min(results.size(), n.outputs.size()); ++i)
    if (!n.outputs[i].empty()) scope.values[std::string(n.outputs[i])] = results[i];
}

std::vector<ValueId> Importer::known_node(const NodeProto& n, RawNode raw, Scope& scope) {
  while (!raw.inputs.empty() && !raw.inputs.back().valid()) raw.inputs.pop_back();
  raw.outputs = result_names(n, scope);
  // An absent output at the end is left out, but how many a variadic one has is its meaning.
  while (info(raw.op).max_outputs >= 0 && !raw.outputs.empty() && raw.outputs.back().empty())
    raw.outputs.pop_back();
  require(!raw.outputs.empty(), ErrorKind::bad_input, "has no outputs");
  for (std::string& out : raw.outputs)  // the graph has no absent outputs, only unread ones
    if (out.empty()) out = scope.names->fresh(n.op_type);
  read_attributes(n, scope, raw);
  if (raw.op == Op::Constant) return {constant(raw, scope)};
  if (!n.captures.empty() || attribute_kind(info(raw.op), "captures") != 0)
    read_bodies(n, scope, raw);
  Graph& graph = *scope.graph;
  upgrade(graph, raw, scope.opset);
  return graph
      .node(graph.add_node(raw.op, std::move(raw.inputs), std::move(raw.attributes),
                           std::move(raw.outputs), std::move(raw.name)))
      .outputs;
}

std::vector<std::string> Importer::result_names(const NodeProto& n, const Scope& scope) const {
  std::vector<std::string> names;
  for (std::string_view out : n.outputs) names.push_back(result_name(out, scope));
  return names;
}

/// The name in the graph of a value that is called `name` in `scope`.
std::string Importer::result_name(std::string_view name, const Scope& scope) const {
  if (name.empty() || scope.prefix.empty()) return std::string(name);
  const auto outside = scope.result_names.find(name);
  return outside != scope.result_names.end() ? outside->second
                                             : scope.names->fresh(scope.prefix + std::string(name));
}

/// A Constant node becomes a constant of the graph, whichever attribute carries it.
ValueId Importer::constant(RawNode& raw, Scope& scope) {
  require(raw.outputs.size() == 1 && raw.attributes.begin() != raw.attributes.end() &&
              std::next(raw.attributes.begin()) == raw.attributes.end(),
          ErrorKind::bad_input, "expected one output and one value");
  struct Reader {
    TensorPtr operator()(const TensorPtr& t) const { return t; }
    TensorPtr operator()(const GraphPtr&) const {
      fail(ErrorKind::bad_input, "a constant cannot be a graph");
    }
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
  return scope.graph->add_constant(std::visit(Reader{}, raw.attributes.begin()->second),
                                   raw.outputs[0]);
}

}  // namespace sinter::onnx
