// SPDX-License-Identifier: Apache-2.0
// Recognizes small activations that are spelled out.
//
//   Log(1 + Exp(x))                              Softplus(x)
//   Max(x, a*x), 0 < a < 1                       LeakyRelu(x) alpha=a
//   Where(x > 0, x, a*x)                         LeakyRelu(x) alpha=a
//   Relu(x) + s*Relu(-x)                         PRelu(x, -s)
//   Relu(x) - s*Relu(-x)                         PRelu(x, s)
//   Min(Max(x, a), b), Max(Min(x, b), a), a <= b Clip(x, a, b)
//
// Legality (K, U1, T): a, b constants of one element; s a constant that broadcasts into x; alpha
// exact as a float32; middle values have no other reader; the result keeps type and shape. Exact
// (E0) but for Softplus, which stays finite where Exp overflows (E3).

#include "passes/detail/edit.h"
#include "passes/detail/refuse.h"

namespace sinter {
namespace {

using passes::Match;

ValueId softplus(Graph& g, const Match& m) {
  return passes::add_like_root(g, m, Op::Softplus, {m.value("x")});
}

ValueId leaky(Graph& g, const Match& m) {
  const double a = m.number("a");
  if (double(float(a)) != a) return {};
  return passes::add_like_root(g, m, Op::LeakyRelu, {m.value("x")}, {{"alpha", float(a)}});
}

ValueId leaky_below_one(Graph& g, const Match& m) {
  return m.number("a") > 0 && m.number("a") < 1 ? leaky(g, m) : ValueId{};
}

ValueId prelu(Graph& g, const Match& m, bool negate) {
  const ValueId x = m.value("x"), s = m.value("s");
  const Tensor* slope = g.constant(s);
  if (slope == nullptr || !passes::is_foldable(slope->dtype()) || !g.shape(x) ||
      !passes::broadcasts_into(*g.shape(s), *g.shape(x)))
    return {};
  if (!negate) return passes::add_like_root(g, m, Op::PRelu, {x, s});
  std::vector<double> values = passes::doubles(*slope);
  for (double& v : values) v = -v;
  const ValueId negated = g.add_constant(passes::rounded(slope->dtype(), slope->dims(), values));
  return passes::add_like_root(g, m, Op::PRelu, {x, negated});
}

ValueId prelu_of_sum(Graph& g, const Match& m) { return prelu(g, m, true); }
ValueId prelu_of_difference(Graph& g, const Match& m) { return prelu(g, m, false); }

ValueId clip(Graph& g, const Match& m) {
  const double low = m.number("a"), high = m.number("b");
  if (!(low <= high)) return {};
  const ValueId x = m.value("x");
  const auto bound = [&](double v) {
    return g.add_constant(convert(Tensor::scalar<double>(v), g.dtype(x)));
  };
  return passes::add_like_root(g, m, Op::Clip, {x, bound(low), bound(high)});
}

const std::vector<passes::Refusion>& rows() {
  static const std::vector<passes::Refusion> table = {
      {1, "Log(Add(Exp(x),1))", softplus},
      {6, "Max(x,Mul(x,$a))", leaky_below_one},
      {9, "Where({Greater(x,0)|GreaterOrEqual(x,0)},x,Mul(x,$a))", leaky},
      {9, "Where({Less(x,0)|LessOrEqual(x,0)},Mul(x,$a),x)", leaky},
      {9, "Add(Relu(x),Mul(Relu(Neg(x)),s))", prelu_of_sum},
      {9, "Sub(Relu(x),Mul(Relu(Neg(x)),s))", prelu_of_difference},
      {11, "Min(Max(x,$a),$b)", clip},
      {11, "Max(Min(x,$b),$a)", clip},
  };
  return table;
}

}  // namespace

PassStats fuse_activations(Graph& graph, const PassOptions& options) {
  return passes::refuse(graph, options, "fuse_activations", rows());
}

}  // namespace sinter
