// SPDX-License-Identifier: Apache-2.0
// Removes per-channel affine arithmetic: Mul, Add, Sub, Div, Neg by channel constants,
// ChannelAffine.
//
//   before   y = Add(Mul(Conv(x, W), c), d)          after   y = Conv(x, W', b')
//   before   y = Conv(Mul(x, c), W)                  after   y = Conv(x, W')
//   before   y = Relu(Add(Mul(x, c), d))             after   y = Relu(ChannelAffine(x, c, d))
//
// Three rewrites in turn until none applies: fold one node back into the Conv, ConvTranspose, Gemm
// or 2-D MatMul that feeds it; merge what remains in a row (BatchNormalization included) into one
// ChannelAffine, when that saves a node; fold one node forward into all nodes that read it. The
// formulas are in detail/fold.h and detail/polynomial.h.
//
// A channel constant has, right-aligned to the rank of x, 1 in every dimension but axis 1: [C,1,1]
// is one for [N,C,H,W], [W] is not even when W = C. Left alone (counted as skipped): another
// reader, a weight that is not constant, a nonzero shift into a Conv that pads, f16. Coefficients
// in double, rounded once (E1).

#include "passes/detail/edit.h"
#include "passes/detail/fold.h"
#include "passes/detail/fuse_polynomials.h"

namespace sinter {
namespace {

constexpr Op kLinear[] = {Op::Conv, Op::ConvTranspose, Op::Gemm, Op::MatMul};

bool is_arithmetic(Op op) {
  return op == Op::Mul || op == Op::Add || op == Op::Sub || op == Op::Div || op == Op::Neg ||
         op == Op::ChannelAffine;
}

/// One sweep over the nodes in topological order; `fold` returns "" when it removed the node.
template <class Fold>
i64 sweep(Graph& graph, std::vector<Skip>& skipped, const Fold& fold) {
  i64 changed = 0;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || !is_arithmetic(graph.node(id).op)) continue;
    const std::string where = graph.describe(id);
    std::string reason;
    const std::optional<passes::Affine> f = passes::affine_form(graph, id, reason);
    const std::optional<std::string> why = f ? fold(id, *f) : std::optional(reason);
    if (why && why->empty() && f)
      ++changed;
    else if (why && !why->empty())
      skipped.push_back({where, *why});
  }
  return changed;
}

}  // namespace

PassStats fuse_affine_chain(Graph& graph) {
  PassStats stats;
  for (;;) {
    stats.skipped.clear();
    i64 changed = sweep(graph, stats.skipped, [&](NodeId id, const passes::Affine& f) {
      return passes::fold_back(graph, id, f, kLinear);
    });
    changed += passes::fuse_polynomials(graph, false).changed;
    changed += sweep(graph, stats.skipped, [&](NodeId id, const passes::Affine& f) {
      return std::optional(passes::fold_forward(graph, id, f));
    });
    if (changed == 0) return stats;
    stats.changed += changed;
  }
}

}  // namespace sinter
