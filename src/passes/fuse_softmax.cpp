// SPDX-License-Identifier: Apache-2.0
// Recognizes what is spelled out with reductions.
//
//   Exp(z) / ReduceSum(Exp(z))                   Softmax(x)      z = x or x - ReduceMax(x)
//   Log(Softmax(x))                              LogSoftmax(x)
//   x - ReduceLogSumExp(x)                       LogSoftmax(x)
//   Sqrt(ReduceSum(x*x)), Sqrt(ReduceSumSquare)  ReduceL2(x)
//   ReduceSum(x*x)                               ReduceSumSquare(x)
//   ReduceSum(Abs(x))                            ReduceL1(x)
//   Log(ReduceSum(Exp(x)))                       ReduceLogSumExp(x)
//   Log(ReduceSum(x))                            ReduceLogSum(x)
//
// Legality (S, U1): Softmax: every reduction over the same one axis with keepdims = 1. The others
// keep axes and attributes of the reduction. Middle values have no other reader. Sums by another
// kernel (E2); the fused forms stay finite where Exp overflows or Softmax is 0 (E3).

#include "passes/detail/refuse.h"

namespace sinter {
namespace {

using passes::Match;

bool is_reduction(Op op) { return name(op).substr(0, 6) == "Reduce"; }

/// The one axis of all reductions of the match, which keep their dimensions.
std::optional<i64> one_axis(const Graph& g, const Match& m) {
  std::optional<i64> axis;
  for (NodeId id : m.nodes) {
    const Node& node = g.node(id);
    if (!is_reduction(node.op)) continue;
    const auto axes = passes::reduced_axes(g, node);
    if (!axes || axes->size() != 1 || node.attributes.integer("keepdims", 1) != 1 ||
        (axis && axis != (*axes)[0]))
      return std::nullopt;
    axis = (*axes)[0];
  }
  return axis;
}

ValueId over_one_axis(Graph& g, const Match& m, Op op) {
  const std::optional<i64> axis = one_axis(g, m);
  if (!axis) return {};
  return passes::add_like_root(g, m, op, {m.value("x")}, {{"axis", *axis}});
}

ValueId softmax(Graph& g, const Match& m) { return over_one_axis(g, m, Op::Softmax); }
ValueId log_softmax(Graph& g, const Match& m) { return over_one_axis(g, m, Op::LogSoftmax); }

ValueId log_of_softmax(Graph& g, const Match& m) {
  const Attributes attributes = g.node(m.nodes_of(g, Op::Softmax)[0]).attributes;
  return passes::add_like_root(g, m, Op::LogSoftmax, {m.value("x")}, attributes);
}

/// Another reduction with the operands and attributes of the one that matched.
template <Op kOp>
ValueId reduction(Graph& g, const Match& m) {
  for (NodeId id : m.nodes) {
    const Node old = g.node(id);
    if (!is_reduction(old.op)) continue;
    if (!passes::reduced_axes(g, old)) return {};  // before opset 18 only ReduceSum takes them
    std::vector<ValueId> inputs = old.inputs;
    inputs[0] = m.value("x");
    return passes::add_like_root(g, m, kOp, inputs, old.attributes);
  }
  return {};
}

const std::vector<passes::Refusion>& rows() {
  static const std::string exp = "Exp(x)", shifted = "Exp(Sub(x,ReduceMax(x,?)))";
  static const std::string square = "{Mul(x,x)|Pow(x,2)}";
  static const std::vector<passes::Refusion> table = {
      {13, "Div(" + shifted + ",ReduceSum(" + shifted + ",?))", softmax},
      {13, "Div(" + exp + ",ReduceSum(" + exp + ",?))", softmax},
      {13, "Log(Softmax(x))", log_of_softmax},
      {13, "Sub(x,{ReduceLogSumExp(x,?)|Log(ReduceSum(Exp(x),?))})", log_softmax},
      {11, "Sqrt({ReduceSumSquare(x,?)|ReduceSum(" + square + ",?)})", reduction<Op::ReduceL2>},
      {11, "ReduceSum(" + square + ",?)", reduction<Op::ReduceSumSquare>},
      {11, "ReduceSum(Abs(x),?)", reduction<Op::ReduceL1>},
      {11, "Log(ReduceSum(Exp(x),?))", reduction<Op::ReduceLogSumExp>},
      {11, "Log(ReduceSum(x,?))", reduction<Op::ReduceLogSum>},
  };
  return table;
}

}  // namespace

PassStats fuse_softmax(Graph& graph, const PassOptions& options) {
  return passes::refuse(graph, options, "fuse_softmax", rows());
}

}  // namespace sinter
