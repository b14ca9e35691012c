// SPDX-License-Identifier: Apache-2.0
// Moves an addition into the bias of the Gemm that feeds it.
//
//   before   y = Add(Gemm(a, b), c)                  after   y = Gemm(a, b, c)
//   before   y = Add(Gemm(a, b, C) beta, c)          after   y = Gemm(a, b, beta C + c)
//
// Either order of the operands of Add. Legality: one reader of the product; c broadcasts into it
// without enlarging it. Without C, or with beta 0, c may be a variable; with C both are constants.
// beta becomes 1, alpha stays. Left alone (counted as skipped): those that break a condition. Sums
// in another order (E2).

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::input_or_none;

bool has_bias(const Node& gemm) {
  return input_or_none(gemm, 2).valid() && gemm.attributes.real("beta", 1) != 0;
}

/// beta*C + c over the broadcast dims of two constants of rank at most 2.
std::optional<Tensor> summed(const Tensor& c, double beta, const Tensor& added) {
  const auto dim = [](const Tensor& t, i64 from_end) {
    return from_end <= t.rank() ? t.dim(t.rank() - from_end) : 1;
  };
  const i64 rows = std::max(dim(c, 2), dim(added, 2)), columns = std::max(dim(c, 1), dim(added, 1));
  if (c.rank() > 2 || added.rank() > 2) return std::nullopt;
  const std::vector<double> l = passes::doubles(c), r = passes::doubles(added);
  const auto at = [&](const Tensor& t, const std::vector<double>& v, i64 m, i64 n) {
    const i64 row = dim(t, 2) == 1 ? 0 : m, column = dim(t, 1) == 1 ? 0 : n;
    return v[size_t(row * dim(t, 1) + column)];
  };
  std::vector<double> sum;
  for (i64 m = 0; m < rows; ++m)
    for (i64 n = 0; n < columns; ++n) sum.push_back(beta * at(c, l, m, n) + at(added, r, m, n));
  if (!passes::rounding_refusal(c.dtype(), sum, sum).empty()) return std::nullopt;
  const i64 rank = std::max(c.rank(), added.rank());
  Dims dims = rank == 0 ? Dims{} : rank == 1 ? Dims{columns} : Dims{rows, columns};
  return passes::rounded(c.dtype(), std::move(dims), sum);
}

/// Which operand of the Add is a Gemm, preferably one without bias; -1 when none.
int product_operand(const Graph& g, const Node& add) {
  int found = -1;
  for (int i : {0, 1}) {
    const Node* product = g.producer(add.inputs[size_t(i)]);
    if (product == nullptr || product->op != Op::Gemm) continue;
    if (!passes::is_foldable(g.dtype(add.inputs[size_t(i)]))) continue;
    if (found < 0 || !has_bias(*product)) found = i;
  }
  return found;
}

/// The new bias, or an invalid id with the reason.
ValueId new_bias(Graph& g, const Node& gemm, ValueId c, std::string& why) {
  const ValueId product = gemm.outputs[0];
  why = passes::why_not_one_reader(g, product);
  if (!why.empty()) return {};
  if (!g.shape(c) || !g.shape(product) ||
      !passes::broadcasts_into(*g.shape(c), *g.shape(product))) {
    why = "the other operand may be larger than the product";
    return {};
  }
  if (!has_bias(gemm)) return c;
  const Tensor *old = g.constant(gemm.inputs[2]), *added = g.constant(c);
  if (old == nullptr || added == nullptr) {
    why = "the Gemm has a bias, and one of both is not a constant";
    return {};
  }
  std::optional<Tensor> sum = summed(*old, gemm.attributes.real("beta", 1), *added);
  if (!sum || sum->byte_size() > old->byte_size() + added->byte_size() + 4096) {
    why = "the summed bias cannot be made";
    return {};
  }
  return g.add_constant(std::move(*sum));
}

}  // namespace

PassStats fuse_gemm_add(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Add)) {
    if (!graph.alive(id)) continue;
    const Node add = graph.node(id);
    const int which = product_operand(graph, add);
    if (which < 0 || add.inputs[0] == add.inputs[1]) continue;
    const ValueId product = add.inputs[size_t(which)];
    const NodeId gemm = graph.value(product).producer;
    Rewrite rewrite(graph, "fuse_gemm_add", {gemm, id});
    std::string why;
    const ValueId bias = new_bias(graph, graph.node(gemm), add.inputs[size_t(1 - which)], why);
    if (!bias.valid()) {
      stats.skipped.push_back({graph.describe(id), why});
      continue;
    }
    graph.replace_uses(add.outputs[0], product);
    graph.erase_node(id);
    std::vector<ValueId> inputs = graph.node(gemm).inputs;
    inputs.resize(3);
    inputs[2] = bias;
    graph.set_inputs(gemm, std::move(inputs));
    graph.erase_attribute(gemm, "beta");
    graph.infer(gemm);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
