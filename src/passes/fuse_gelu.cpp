// SPDX-License-Identifier: Apache-2.0
// Recognizes the Gaussian error linear unit and its relatives that are x times a gate.
//
//   before   y = 0.5 * x * (1 + Erf(x / sqrt(2)))                         in any association
//   after    y = Gelu(x)                                                  from opset 20 on
//   before   y = 0.5 * x * (1 + Tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))
//   after    y = Gelu(x) approximate="tanh"                               from opset 20 on
//   before   y = x * Tanh(Softplus(x))    after  y = Mish(x)              from opset 18 on
//   before   y = x * Sigmoid(a * x)       after  y = Swish(x) alpha=a     from opset 24 on
//
// Legality (K, U1, T): the numbers are constants of one element, right up to the rounding of their
// type; middle values have no other reader; the result keeps type and shape. E2.

#include "passes/detail/refuse.h"

namespace sinter {
namespace {

using passes::Match;

ValueId gelu(Graph& g, const Match& m) {
  return passes::add_like_root(g, m, Op::Gelu, {m.value("x")});
}

ValueId gelu_tanh(Graph& g, const Match& m) {
  return passes::add_like_root(g, m, Op::Gelu, {m.value("x")}, {{"approximate", "tanh"}});
}

ValueId mish(Graph& g, const Match& m) {
  return passes::add_like_root(g, m, Op::Mish, {m.value("x")});
}

ValueId swish(Graph& g, const Match& m) {
  const auto a = m.numbers.find("a");
  if (a == m.numbers.end()) return passes::add_like_root(g, m, Op::Swish, {m.value("x")});
  if (double(float(a->second)) != a->second) return {};
  return passes::add_like_root(g, m, Op::Swish, {m.value("x")}, {{"alpha", float(a->second)}});
}

/// 0.5 * x * gate, every way to associate it.
void add_halved(std::vector<passes::Refusion>& table, const std::string& gate,
                ValueId (*build)(Graph&, const Match&)) {
  const std::string ways[] = {
      "Mul(Mul(x," + gate + "),0.5)", "Mul(Mul(x,0.5)," + gate + ")",
      "Mul(x,Mul(" + gate + ",0.5))", "Mul(Div(x,2)," + gate + ")",
      "Mul(x,Div(" + gate + ",2))",   "Div(Mul(x," + gate + "),2)",
  };
  for (const std::string& way : ways) table.push_back({20, way, build});
}

std::vector<passes::Refusion> rows() {
  const std::string half_root = "0.7071067811865476", root = "1.4142135623730951";
  const std::string erf = "Erf({Div(x," + root + ")|Mul(x," + half_root + ")})";
  const std::string slope = "0.7978845608028654", cubic = "0.044715";
  const std::string cube = "{Pow(x,3)|Mul(x,{Mul(x,x)|Pow(x,2)})}";
  const std::string factored =
      "Add({Mul({Mul(x,x)|Pow(x,2)}," + cubic + ")|Mul(Mul(x," + cubic + "),x)},1)";
  const std::string tanh = "Tanh({Mul(Add(x,Mul(" + cube + "," + cubic + "))," + slope +
                           ")|Mul(Mul(x," + slope + ")," + factored + ")|Mul(Mul(x," + factored +
                           ")," + slope + ")|Mul(x,Mul(" + factored + "," + slope + "))})";
  std::vector<passes::Refusion> table;
  add_halved(table, "Add(" + erf + ",1)", gelu);
  add_halved(table, "Add(" + tanh + ",1)", gelu_tanh);
  table.push_back({20, "Mul(x,Add(Mul(" + erf + ",0.5),0.5))", gelu});
  table.push_back({20, "Mul(x,Add(Mul(" + tanh + ",0.5),0.5))", gelu_tanh});
  table.push_back({18, "Mul(x,Tanh({Softplus(x)|Log(Add(Exp(x),1))}))", mish});
  table.push_back({24, "Mul(x,Sigmoid({Mul(x,$a)|x}))", swish});
  return table;
}

}  // namespace

PassStats fuse_gelu(Graph& graph, const PassOptions& options) {
  return passes::refuse(graph, options, "fuse_gelu", rows());
}

}  // namespace sinter
