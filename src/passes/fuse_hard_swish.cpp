// SPDX-License-Identifier: Apache-2.0
// Recognizes the piecewise linear gates of mobile networks.
//
//   before   y = Clip(a*x + c, 0, h) / h            any of *1/h, /h; h = 1 needs none
//   after    y = HardSigmoid(x)   alpha = a/h, beta = c/h
//
//   before   y = x * Clip(x + 3, 0, 6) / 6          the 6 at any factor
//            y = x * HardSigmoid(x)                 alpha = 1/6, beta = 1/2
//   after    y = HardSwish(x)     from opset 14 on; below x * HardSigmoid(x)
//
// Legality (K, U1, T): the numbers are constants of one element (3, 6, 1/6 up to the rounding of
// their type), h > 0, the middle values have no other reader, the result keeps type and shape.
// alpha and beta are stored as float32; for float64 they must fit exactly. Sums are scaled before
// they are clipped instead of after: one rounding differs (E2). Runs before scales are folded into
// neighbours.

#include "passes/detail/refuse.h"

namespace sinter {
namespace {

using passes::Match;

ValueId hard_sigmoid(Graph& g, const Match& m, ValueId x, double alpha, double beta) {
  const bool fits = double(float(alpha)) == alpha && double(float(beta)) == beta;
  if (g.dtype(x) == DType::f64 && !fits) return {};
  return passes::add_like_root(g, m, Op::HardSigmoid, {x},
                               {{"alpha", float(alpha)}, {"beta", float(beta)}});
}

double number_or(const Match& m, std::string_view name, double absent) {
  return m.numbers.find(name) == m.numbers.end() ? absent : m.number(name);
}

/// a*x + c under a Clip to [0, h] that is scaled by s (1/h) or divided by h.
ValueId scaled_clip(Graph& g, const Match& m) {
  const ValueId x = m.value("x");
  const double h = number_or(m, "h", 1), s = number_or(m, "s", 1 / h);
  const double a = number_or(m, "a", 1) / number_or(m, "d", 1);
  const double c = number_or(m, "c", 0) - number_or(m, "n", 0);
  if (!(h > 0) || !passes::close_in(g.dtype(x), s, 1 / h)) return {};
  return hard_sigmoid(g, m, x, a / h, c / h);
}

ValueId hard_swish(Graph& g, const Match& m) {
  return passes::add_like_root(g, m, Op::HardSwish, {m.value("x")});
}

ValueId gated(Graph& g, const Match& m) {
  const ValueId x = m.value("x"), gate = hard_sigmoid(g, m, x, 1.0 / 6, 0.5);
  return gate.valid() ? passes::add_like_root(g, m, Op::Mul, {x, gate}) : gate;
}

ValueId gate_by_attributes(Graph& g, const Match& m) {
  const Node& gate = g.node(m.nodes_of(g, Op::HardSigmoid)[0]);
  const bool sixth = passes::close_in(DType::f32, gate.attributes.real("alpha", 0.2f), 1.0 / 6);
  return sixth && gate.attributes.real("beta", 0.5f) == 0.5f ? hard_swish(g, m) : ValueId{};
}

/// Every spelling of `inside` clipped to [0, high].
std::vector<std::string> clips(const std::string& inside, const std::string& high) {
  return {"Clip(" + inside + ",0," + high + ")", "Min(Relu(" + inside + ")," + high + ")",
          "Min(Max(" + inside + ",0)," + high + ")", "Max(Min(" + inside + "," + high + "),0)"};
}

std::string any_of(const std::vector<std::string>& spellings) {
  std::string text;
  for (const std::string& spelling : spellings) text += (text.empty() ? "{" : "|") + spelling;
  return text + "}";
}

std::vector<passes::Refusion> rows() {
  const std::string gate = any_of(clips("Add(x,3)", "6")), sixth = "0.16666666666666666";
  const std::string swishes[] = {
      "Div(Mul(x," + gate + "),6)",
      "Mul(x,Div(" + gate + ",6))",
      "Mul(Div(x,6)," + gate + ")",
      "Mul(Mul(x," + gate + ")," + sixth + ")",
      "Mul(x,Mul(" + gate + "," + sixth + "))",
      "Mul(Mul(x," + sixth + ")," + gate + ")",
  };
  const std::string scaled = "{Mul(x,$a)|Div(x,$d)}";
  const std::string sum = "{Add(" + scaled + ",$c)|Sub(" + scaled + ",$n)|Add(x,$c)|Sub(x,$n)}";
  const std::string any_clip = any_of(clips(sum, "$h"));
  std::vector<passes::Refusion> table;
  for (const std::string& swish : swishes) table.push_back({14, swish, hard_swish});
  for (const std::string& swish : swishes) table.push_back({6, swish, gated});
  table.push_back({6, "Div(" + any_clip + ",$h)", scaled_clip});
  table.push_back({6, "Mul(" + any_clip + ",$s)", scaled_clip});
  for (const std::string& spelling : clips(sum, "1")) table.push_back({6, spelling, scaled_clip});
  table.push_back({14, "Mul(x,HardSigmoid(x))", gate_by_attributes});
  return table;
}

}  // namespace

PassStats fuse_hard_swish(Graph& graph, const PassOptions& options) {
  return passes::refuse(graph, options, "fuse_hard_swish", rows());
}

}  // namespace sinter
