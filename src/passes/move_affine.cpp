// SPDX-License-Identifier: Apache-2.0
// Moves affine arithmetic through nodes that commute with it, when constants at the end take it.
//
//   before   y = Conv(Relu(Mul(Conv(x, W), c)), V)   after   y = Conv(Relu(Conv(x, W')), V)
//   before   y = Conv(Add(Mul(x, c), d), V)  pads    after   y = Conv(Add(x, d/c), V')
//   before   s = Div(MatMul(Reshape(Add(MatMul(x, W), b)), k), 8)
//   after    s =     MatMul(Reshape(Add(MatMul(x, W/8), b/8)), k)
//
// On the way, in both directions: a positive scale through Relu, LeakyRelu, Clip and MaxPool; any
// map through averages, Transpose, Reshape, Slice, Split, Concat; a scale through products with
// variables, a shift through sums with them. Every move removes one node; the map's own. The rules
// are in detail/fold.h. BatchNormalization moves back only, fuse_batchnorm_forward does the rest.
//
// Left alone (counted as skipped): a value on the way has another reader (back) or a reader that
// does not take it (forward), a division by a scale near zero. In the profile ort a single number
// beside a product of variables stays, because the runtime fuses attention itself. Computed in
// double, rounded once (E1).

#include "passes/detail/fold_all.h"

namespace sinter {
namespace {

bool is_product_of_variables(const Graph& g, const Node* n) {
  return n != nullptr && n->op == Op::MatMul && g.constant(n->inputs[0]) == nullptr &&
         g.constant(n->inputs[1]) == nullptr;
}

/// The scale of attention, or of a matrix on its way to one.
bool is_attention_scale(const Graph& g, const passes::AffineNode& f) {
  if (!f.map.is_uniform() || f.map.has_shift()) return false;
  if (is_product_of_variables(g, g.producer(f.x))) return true;
  const std::vector<NodeId>& readers = g.value(f.y).readers;
  return readers.size() == 1 && is_product_of_variables(g, &g.node(readers[0]));
}

constexpr i64 kRounds = 64;  // what is left then is for the next run

}  // namespace

PassStats move_affine(Graph& graph, const PassOptions& options) {
  const auto movable = [](Op op) {
    return passes::is_affine_arithmetic(op) || passes::is_batchnorm(op);
  };
  PassStats stats;
  const auto move = [&](const passes::AffineNode& f) -> std::optional<std::string> {
    if (options.profile == Profile::ort && is_attention_scale(graph, f)) return std::nullopt;
    std::optional<std::string> why = passes::fold_back(graph, f, {.rule = "move_affine"});
    if (why && why->empty()) return why;
    if (passes::is_batchnorm(graph.node(f.node).op)) return why;
    const auto why_not_forward = passes::fold_forward(graph, f, {.rule = "move_affine"});
    if (!why || !why_not_forward || why_not_forward->empty()) return why_not_forward;
    return "back: " + *why + "; forward: " + *why_not_forward;
  };
  for (i64 round = 0; round < kRounds; ++round) {
    stats.skipped.clear();
    const i64 changed = passes::fold_all(graph, stats.skipped, movable, move);
    if (changed == 0) break;
    stats.changed += changed;
  }
  return stats;
}

}  // namespace sinter
