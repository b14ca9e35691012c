// SPDX-License-Identifier: Apache-2.0
// Multiplies two linear nodes in a row into one.
//
//   before   y = MatMul(MatMul(x, V), W)             after   y = MatMul(x, V W)
//   before   y = Gemm(Gemm(x, V, b), W, c)           after   y = Gemm(x, V W, b W + c)
//   before   y = Conv(Conv(x, V, b), W, c)  1x1 W    after   y = Conv(x, U, W b + c)
//
//   U[o,i,k] = sum_m W[o,m] V[m,i,k]
//
// Legality: all weights and biases constant; one reader between; the new weight has no more
// elements than the two old ones, and these die. Gemm: alpha and beta 1, transA 0, the bias a
// vector or absent. Conv: the second has a 1x1... kernel, stride 1, no padding, and both have one
// group; the first is any other. Left alone (counted as skipped): those that break a condition.
// Sums in another order (E2).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::input_or_none;

/// A linear node as the matrix W [out, in] (each `in` of `taps` elements), y = W x + b.
struct Linear {
  std::vector<double> weight, bias;  ///< bias is empty when there is none
  i64 out = 0, in = 0, taps = 1;
};

std::vector<double> transposed(const std::vector<double>& m, i64 rows, i64 columns) {
  std::vector<double> t(m.size());
  for (i64 r = 0; r < rows; ++r)
    for (i64 c = 0; c < columns; ++c) t[size_t(c * rows + r)] = m[size_t(r * columns + c)];
  return t;
}

std::optional<Linear> as_linear(const Graph& g, const Node& n) {
  const Tensor* w = g.constant(n.inputs[1]);
  const ValueId bias = input_or_none(n, 2);
  const Tensor* b = g.constant(bias);
  if (w == nullptr || w->size() == 0 || !passes::is_foldable(w->dtype()) || w->rank() < 2 ||
      (bias.valid() && b == nullptr) || g.use_count(n.inputs[1]) != 1)
    return std::nullopt;
  Linear l;
  if (b != nullptr) l.bias = passes::doubles(*b);
  l.weight = passes::doubles(*w);
  if (n.op == Op::Conv) {
    if (n.attributes.integer("group", 1) != 1) return std::nullopt;
    l.out = w->dim(0);
    l.in = w->dim(1);
    l.taps = w->size() / (l.out * l.in);
    return l;
  }
  const bool plain = n.attributes.real("alpha", 1) == 1 && n.attributes.real("beta", 1) == 1 &&
                     n.attributes.integer("transA", 0) == 0;
  const bool is_transposed = n.attributes.integer("transB", 0) != 0;
  l.out = w->dim(is_transposed ? 0 : 1);
  l.in = w->dim(is_transposed ? 1 : 0);
  if (!plain || w->rank() != 2 || (b != nullptr && (b->rank() != 1 || b->size() != l.out)))
    return std::nullopt;
  if (!is_transposed) l.weight = transposed(l.weight, l.in, l.out);
  return l;
}

/// A Conv of one tap that reads every element once.
bool is_pointwise(const Node& conv) {
  const auto all = [&](const char* name, i64 value) {
    const std::vector<i64> list = conv.attributes.integers(name);
    return std::all_of(list.begin(), list.end(), [&](i64 v) { return v == value; });
  };
  const std::string auto_pad = conv.attributes.text("auto_pad", "NOTSET");
  return all("strides", 1) && (auto_pad == "VALID" || (auto_pad == "NOTSET" && all("pads", 0)));
}

Linear product(const Linear& second, const Linear& first) {
  Linear l{{}, second.bias, second.out, first.in, first.taps};
  const i64 row = first.in * first.taps;
  l.weight.assign(size_t(second.out * row), 0);
  for (i64 o = 0; o < second.out; ++o)
    for (i64 m = 0; m < second.in; ++m) {
      const double w = second.weight[size_t(o * second.in + m)];
      for (i64 i = 0; i < row; ++i)
        l.weight[size_t(o * row + i)] += w * first.weight[size_t(m * row + i)];
    }
  if (first.bias.empty()) return l;
  l.bias.resize(size_t(l.out), 0);
  for (i64 o = 0; o < l.out; ++o)
    for (i64 m = 0; m < second.in; ++m)
      l.bias[size_t(o)] += second.weight[size_t(o * second.in + m)] * first.bias[size_t(m)];
  return l;
}

std::string merge(Graph& g, NodeId second_id, NodeId first_id) {
  const Node second = g.node(second_id), first = g.node(first_id);
  if (std::string why = passes::why_not_one_reader(g, first.outputs[0]); !why.empty()) return why;
  const bool is_conv = second.op == Op::Conv;
  const std::optional<Linear> s = as_linear(g, second), f = as_linear(g, first);
  if (!s || !f) return "a weight or bias is not a plain constant of its own";
  if (is_conv && (s->taps != 1 || !is_pointwise(second))) return "the second is not pointwise";
  if (s->in != f->out) return "the sizes do not fit";
  if (s->out * f->in * f->taps > std::ssize(s->weight) + std::ssize(f->weight))
    return "the product of the weights is larger than both";
  Linear l = product(*s, *f);
  const DType type = g.constant(first.inputs[1])->dtype();
  if (std::string why = passes::rounding_refusal(type, l.weight, l.weight); !why.empty())
    return why;
  if (!passes::all_finite(type, l.bias)) return "a folded constant is not finite";
  Dims dims = g.constant(first.inputs[1])->dims();
  if (is_conv) {
    dims[0] = l.out;
  } else {
    dims = {l.in, l.out};
    l.weight = transposed(l.weight, l.out, l.in);
  }
  Rewrite rewrite(g, "merge_linear", {first_id, second_id});
  std::vector<ValueId> inputs = {first.inputs[0],
                                 g.add_constant(passes::rounded(type, std::move(dims), l.weight))};
  if (!l.bias.empty()) inputs.push_back(g.add_constant(passes::rounded(type, {l.out}, l.bias)));
  const Op op = is_conv ? Op::Conv : l.bias.empty() ? Op::MatMul : Op::Gemm;
  const NodeId merged =
      g.add_node(op, std::move(inputs), is_conv ? first.attributes : Attributes(), {}, first.name);
  passes::replace_and_erase(g, second.outputs[0], g.node(merged).outputs[0]);
  return rewrite.commit() ? "" : "the check refused it";
}

}  // namespace

PassStats merge_linear(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id)) continue;
    const Op op = graph.node(id).op;
    const auto is_product = [](Op o) { return o == Op::MatMul || o == Op::Gemm; };
    if (op != Op::Conv && !is_product(op)) continue;
    const NodeId first = graph.value(graph.node(id).inputs[0]).producer;
    if (!first.valid()) continue;
    const Op before = graph.node(first).op;
    if (!(op == Op::Conv && before == Op::Conv) && !(is_product(op) && is_product(before)))
      continue;
    const std::string why = merge(graph, id, first);
    if (why.empty())
      ++stats.changed;
    else
      stats.skipped.push_back({graph.describe(id), why});
  }
  return stats;
}

}  // namespace sinter
