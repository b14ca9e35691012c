// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "onnx/exporter.h"
#include "onnx/rewrite_proto.h"

namespace sinter::onnx {

void Exporter::write_opset(pbf_writer& w, int tag, std::string_view domain, i64 version) {
  pbf_writer o(w, u32(tag));
  put(o, 1, domain);
  o.add_int64(2, version);
}

void Exporter::write_node(Frame& f, const Node& n) {
  if (n.op == Op::Opaque) return write_opaque(f, n);
  if (info(n.op).opset == 0) return write_own(f, n);
  // The newest form stands for versions that came after it (Opaque nodes of such a model).
  const auto lowered = lower(f.g, n, std::min(opset_, kNewestLowered));
  SINTER_ASSERT(lowered.has_value());
  std::vector<std::string> inputs;
  for (const Operand& in : lowered->inputs) {
    if (in.constant != nullptr) {
      inputs.push_back(fresh(f.names[n.outputs[0]] + "_in" + std::to_string(inputs.size())));
      initializer(f, *in.constant, inputs.back());
      kept_.push_back(in.constant);
    } else {
      inputs.push_back(in.valid() ? f.names[in.value] : "");
    }
  }
  pbf_writer nodes(f.nodes), w(nodes, 1);
  for (const std::string& in : inputs) put(w, 1, in);
  // An unread output may be left out, unless the operator always has it or how many there are is
  // its meaning.
  const bool is_variadic = info(n.op).max_outputs < 0;
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    const bool stays = is_variadic || i64(i) < std::max(1, info(n.op).min_outputs) ||
                       f.g.use_count(n.outputs[i]) > 0;
    put(w, 2, stays ? f.names[n.outputs[i]] : "");
  }
  put(w, 3, node_name(n.name, lowered->op_type));
  put(w, 4, lowered->op_type);
  const std::span<const ValueId> captures =
      std::span(n.inputs).last(static_cast<size_t>(capture_count(n)));
  for (const auto& [key, value] : lowered->attributes)
    if (n.op == Op::Optional)
      w.add_message(5, std::get<std::string>(value));  // `type`, as the file has it
    else
      write_attribute(f, w, key, value, captures);
  if (!domain_of(n.op).empty()) put(w, 7, domain_of(n.op));
}

/// As in the file; a subgraph's captures get the names that they have now.
void Exporter::write_opaque(Frame& f, const Node& n) {
  const Attributes& a = n.attributes;
  const std::string op = a.text("op_type", ""), domain = a.text("domain", "");
  std::string proto = a.text("proto", "");
  const size_t captures = size_t(capture_count(n)), own = n.inputs.size() - captures;
  if (op == "Constant" && domain.empty() && n.inputs.empty() &&
      write_opaque_constant(f, proto, f.names[n.outputs[0]]))
    return;
  if (const auto names = a.texts("names"); !names.empty()) {
    Renames renames;
    for (size_t i = 0; i < captures && i < names.size(); ++i)
      if (f.names[n.inputs[own + i]] != names[i]) renames[names[i]] = f.names[n.inputs[own + i]];
    if (!renames.empty()) proto = rewrite_node(proto, renames, nullptr);
  }
  const std::vector<i64> absent = a.integers("absent");
  std::string message;
  pbf_writer w(message);
  for (size_t i = 0; i < own; ++i) put(w, 1, n.inputs[i].valid() ? f.names[n.inputs[i]] : "");
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    const bool is_absent = std::find(absent.begin(), absent.end(), i64(i)) != absent.end() &&
                           f.g.use_count(n.outputs[i]) == 0;
    put(w, 2, is_absent ? "" : f.names[n.outputs[i]]);
  }
  put(w, 3, node_name(n.name, op));
  put(w, 4, op);
  message += proto;
  if (!domain.empty()) put(w, 7, domain);
  pbf_writer(f.nodes).add_message(1, message);
}

/// A Constant of an unknown element type is an initializer; false when it is another Constant.
bool Exporter::write_opaque_constant(Frame& f, const std::string& proto, const std::string& name) {
  const NodeProto raw = parse_node(std::as_bytes(std::span(proto.data(), proto.size())), name);
  if (raw.attributes.size() != 1 || !raw.attributes[0].t || raw.attributes[0].name != "value")
    return false;
  std::string tensor(raw.attributes[0].t->raw);
  if (raw.attributes[0].t->name != name)
    pbf_writer(tensor).add_string(8, name);  // the last name counts
  f.initializers.add_message(5, tensor);
  return true;
}

void Exporter::write_call(std::string& nodes, std::string_view op, std::vector<std::string> inputs,
                          std::string_view output, int tag) {
  pbf_writer into(nodes), w(into, u32(tag));
  for (const std::string& in : inputs) put(w, 1, in);
  put(w, 2, output);
  if (tag == 1) put(w, 3, node_name("", op));  // nodes of functions need no names
  put(w, 4, op);
}

/// y = (a x + b) x + c, or y = s x + t, in standard operators; `tag` is the node field.
void Exporter::write_steps(std::string& nodes, Op op, const std::vector<std::string>& in,
                           const std::string& y, const std::string& scope, int tag) {
  if (op == Op::ChannelAffine) {
    write_call(nodes, "Mul", {in[0], in[1]}, scope + "scaled", tag);
    write_call(nodes, "Add", {scope + "scaled", in[2]}, y, tag);
    return;
  }
  write_call(nodes, "Mul", {in[0], in[1]}, scope + "ax", tag);
  write_call(nodes, "Add", {scope + "ax", in[2]}, scope + "ax_b", tag);
  write_call(nodes, "Mul", {scope + "ax_b", in[0]}, scope + "axx_bx", tag);
  write_call(nodes, "Add", {scope + "axx_bx", in[3]}, y, tag);
}

/// An operator of domain "sinter": a call, or its steps.
void Exporter::write_own(Frame& f, const Node& n) {
  std::vector<std::string> in;
  for (ValueId v : n.inputs) in.push_back(f.names[v]);
  const std::string y = f.names[n.outputs[0]];
  if (!options_.expand_functions) {
    functions_.insert(n.op);
    pbf_writer nodes(f.nodes), w(nodes, 1);
    for (const std::string& i : in) put(w, 1, i);
    put(w, 2, y);
    put(w, 3, node_name(n.name, name(n.op)));
    put(w, 4, name(n.op));
    put(w, 7, "sinter");
    return;
  }
  std::string scope = y + "/";
  while (taken_.lower_bound(scope) != taken_.end() &&
         taken_.lower_bound(scope)->rfind(scope, 0) == 0)
    scope += "/";  // no name of the graph begins so
  taken_.insert(scope);
  write_steps(f.nodes, n.op, in, y, scope, 1);
}

void Exporter::write_function(pbf_writer& model, Op op) {
  const std::vector<std::string> in = op == Op::ChannelAffine
                                          ? std::vector<std::string>{"x", "s", "t"}
                                          : std::vector<std::string>{"x", "a", "b", "c"};
  std::string f;
  pbf_writer w(f);
  put(w, 1, name(op));
  for (const std::string& i : in) put(w, 4, i);
  put(w, 5, "y");
  write_steps(f, op, in, "y", "", 7);
  write_opset(w, 9, "", opset_);
  put(w, 10, "sinter");
  model.add_message(25, f);
}

void Exporter::write_attribute(Frame& f, pbf_writer& node, const std::string& key,
                               const AttributeValue& value, std::span<const ValueId> captures) {
  pbf_writer a(node, 5);
  put(a, 1, key);
  struct Visitor {
    Exporter& exporter;
    Frame& f;
    pbf_writer& a;
    std::span<const ValueId> captures;
    int operator()(float v) const { return a.add_float(2, v), 1; }
    int operator()(i64 v) const { return a.add_int64(3, v), 2; }
    int operator()(const std::string& v) const { return a.add_bytes(4, v), 3; }
    int operator()(const TensorPtr& v) const { return a.add_message(5, to_proto(*v, "")), 4; }
    int operator()(const GraphPtr& v) const {
      return a.add_message(6, exporter.body(*v, f, captures)), 5;
    }
    int operator()(const std::vector<float>& v) const {
      for (float x : v) a.add_float(7, x);
      return 6;
    }
    int operator()(const std::vector<i64>& v) const {
      for (i64 x : v) a.add_int64(8, x);
      return 7;
    }
    int operator()(const std::vector<std::string>& v) const {
      for (const std::string& s : v) a.add_bytes(9, s);
      return 8;
    }
  };
  a.add_enum(20, std::visit(Visitor{*this, f, a, captures}, value));
}

}  // namespace sinter::onnx
