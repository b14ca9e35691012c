// SPDX-License-Identifier: Apache-2.0
// Removes linear nodes whose weight is the identity.
//
//   before   y = Conv(x, I)  1x1                     after   y = x
//   before   y = MatMul(x, I)                        after   y = x
//
// Legality: the weight is constant with ones on its diagonal and zeros elsewhere (group by group in
// a Conv), the bias absent or zero, stride 1, no padding, one tap; Gemm: alpha 1, transA 0. x and y
// have the same element type and shape. Products with one and sums of zeros are exact for finite x
// (E0).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// w[o, i] of [rows, columns] is 1 where i == o modulo columns, else 0.
bool is_identity(const Tensor& w, i64 rows, i64 columns) {
  if (rows * columns != w.size() || w.size() == 0 || !passes::is_foldable(w.dtype())) return false;
  for (i64 o = 0; o < rows; ++o)
    for (i64 i = 0; i < columns; ++i)
      if (w.as_double(o * columns + i) != (i == o % columns ? 1 : 0)) return false;
  return true;
}

bool is_zero(const Graph& g, ValueId bias) {
  if (!bias.valid()) return true;
  const Tensor* t = g.constant(bias);
  if (t == nullptr) return false;
  const std::vector<double> values = passes::doubles(*t);
  return std::all_of(values.begin(), values.end(), [](double v) { return v == 0; });
}

bool all_are(const Node& n, const char* name, i64 value) {
  const std::vector<i64> list = n.attributes.integers(name);
  return std::all_of(list.begin(), list.end(), [&](i64 v) { return v == value; });
}

bool is_nothing(const Graph& g, const Node& n) {
  const Tensor* w = g.constant(n.inputs[1]);
  if (w == nullptr || w->rank() < 2 || !is_zero(g, passes::input_or_none(n, 2))) return false;
  if (n.op == Op::Conv) {
    const std::string auto_pad = n.attributes.text("auto_pad", "NOTSET");
    return auto_pad == "NOTSET" && all_are(n, "pads", 0) && all_are(n, "strides", 1) &&
           is_identity(*w, w->dim(0), w->dim(1));
  }
  return w->rank() == 2 && w->dim(0) == w->dim(1) && n.attributes.real("alpha", 1) == 1 &&
         n.attributes.integer("transA", 0) == 0 && is_identity(*w, w->dim(0), w->dim(1));
}

}  // namespace

PassStats eliminate_identity_weights(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id)) continue;
    const Node n = graph.node(id);
    if (n.op != Op::Conv && n.op != Op::MatMul && n.op != Op::Gemm) continue;
    const ValueId x = n.inputs[0], y = n.outputs[0];
    if (!is_nothing(graph, n) || graph.dtype(x) != graph.dtype(y) ||
        !passes::same_shape(graph, x, y))
      continue;
    if (graph.is_output(y) && !graph.value(x).producer.valid()) continue;
    Rewrite rewrite(graph, "eliminate_identity_weights", {id});
    passes::replace_and_erase(graph, y, x);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
