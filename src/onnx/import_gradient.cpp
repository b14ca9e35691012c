// SPDX-License-Identifier: Apache-2.0
// Gradient (domain ai.onnx.preview.training) becomes the nodes that compute it, in reverse mode:
// from y back to the values that `xs` names, through Add, Sub, Mul, Neg and Identity of operands
// that do not broadcast. The node must be given the very values that its attributes name.
//   y = a + b   dy/da = dy        dy/db = dy
//   y = a - b   dy/da = dy        dy/db = -dy
//   y = a * b   dy/da = dy * b    dy/db = dy * a
#include <algorithm>

#include "onnx/importer.h"

namespace sinter::onnx {
namespace {

/// Sums up what flows into each value.
class Reverse {
 public:
  Reverse(Graph& graph, NameSet& names) : graph_(graph), names_(names) {}

  /// The derivative of y with respect to each of `xs`; `stops` are not followed further back.
  std::vector<ValueId> operator()(ValueId y, const std::vector<ValueId>& xs,
                                  const std::vector<ValueId>& stops) {
    flow_[y] = filled(y, 1);
    const std::vector<NodeId> order = graph_.topological_order();
    for (auto node = order.rbegin(); node != order.rend(); ++node) {
      const Node& n = graph_.node(*node);
      const bool is_stop = std::find(stops.begin(), stops.end(), n.outputs[0]) != stops.end();
      if (!is_stop && flow_.count(n.outputs[0]) > 0) step_back(Node(n));
    }
    std::vector<ValueId> results;
    for (ValueId x : xs) results.push_back(flow_.count(x) > 0 ? flow_[x] : filled(x, 0));
    return results;
  }

 private:
  ValueId add(Op op, std::vector<ValueId> inputs) {
    return graph_.add(op, std::move(inputs), {}, names_.fresh("gradient"));
  }

  /// A constant of the type of `like`.
  ValueId filled(ValueId like, float value) {
    const auto& shape = graph_.shape(like);
    const auto dims = shape ? static_dims(*shape) : std::nullopt;
    require(dims && element_count(*dims) <= kMost, ErrorKind::unsupported,
            "the gradient of a value of unknown or large shape is not supported");
    Tensor t(DType::f32, *dims);
    for (float& v : t.mutable_data<float>()) v = value;
    return graph_.add_constant(convert(t, graph_.dtype(like)), names_.fresh("gradient"));
  }

  void flow(ValueId to, ValueId gradient, ValueId whole) {
    const auto &a = graph_.shape(to), &b = graph_.shape(whole);
    require(a && b && same(*a, *b), ErrorKind::unsupported,
            "the gradient of an operand that broadcasts is not supported");
    const auto [it, is_new] = flow_.emplace(to, gradient);
    if (!is_new) it->second = add(Op::Add, {it->second, gradient});
  }

  void step_back(const Node& n) {
    const ValueId y = n.outputs[0], gradient = flow_[y];
    switch (n.op) {
      case Op::Identity:
        return flow(n.inputs[0], gradient, y);
      case Op::Neg:
        return flow(n.inputs[0], add(Op::Neg, {gradient}), y);
      case Op::Add:
      case Op::Sub:
        flow(n.inputs[0], gradient, y);
        return flow(n.inputs[1], n.op == Op::Add ? gradient : add(Op::Neg, {gradient}), y);
      case Op::Mul:
        flow(n.inputs[0], add(Op::Mul, {gradient, n.inputs[1]}), y);
        return flow(n.inputs[1], add(Op::Mul, {gradient, n.inputs[0]}), y);
      default:
        fail(ErrorKind::unsupported, "the gradient of ", name(n.op), " is not supported");
    }
  }

  static constexpr i64 kMost = i64(1) << 24;  // elements of a constant that is made here
  Graph& graph_;
  NameSet& names_;
  std::map<ValueId, ValueId> flow_;
};

}  // namespace

std::vector<ValueId> Importer::gradient(const NodeProto& n, const std::vector<ValueId>& inputs,
                                        Scope& scope) {
  std::vector<ValueId> xs, named;
  ValueId y;
  const auto value_of = [&](std::string_view name) {
    const auto v = scope.values.find(name);
    require(v != scope.values.end() && v->second.valid(), ErrorKind::unsupported, "\"", name,
            "\" is not defined before the node");
    return v->second;
  };
  for (std::string_view list : {"xs", "zs"})
    for (const AttributeProto& a : n.attributes)
      if (a.name == list && a.reference.empty())
        for (std::string_view name : a.strings) {
          named.push_back(value_of(name));
          if (list == "xs") xs.push_back(named.back());
        }
  for (const AttributeProto& a : n.attributes)
    if (a.name == "y" && a.reference.empty()) y = value_of(a.s);
  require(y.valid() && !xs.empty() && inputs == named, ErrorKind::unsupported,
          "a Gradient at other values than those that xs and zs name is not supported");
  require(n.outputs.size() <= xs.size(), ErrorKind::bad_input, "expected at most ", xs.size(),
          " outputs, found ", n.outputs.size());
  return Reverse(*scope.graph, *scope.names)(y, xs, named);
}

}  // namespace sinter::onnx
