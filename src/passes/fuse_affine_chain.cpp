// SPDX-License-Identifier: Apache-2.0
// Removes affine arithmetic whose neighbour takes it: Mul, Add, Sub, Div by constants that vary
// along one axis, Neg, Add(x,x), ChannelAffine.
//
//   before   y = Add(Mul(Conv(x, W), c), d)          after   y = Conv(x, W', b')
//   before   y = Conv(Mul(x, c), W)                  after   y = Conv(x, W')
//   before   y = Mul(Mul(x, c), d)                   after   y = Mul(x, cd)
//   before   y = Relu(Add(Mul(x, c), d))             after   y = Relu(ChannelAffine(x, c, d))
//
// Rewrites in turn until none applies: fold one node back into the node that feeds it (a Conv,
// ConvTranspose, Gemm, MatMul, BatchNormalization, or another of its kind); fold one forward into
// all nodes that read it; in the profile fhe also merge what remains in a row into one
// ChannelAffine, when that saves a node. With move_affine a chain ends as at most one Mul and one
// Add. The formulas are in detail/fold_*.cpp and detail/polynomial.h.
//
// [C,1,1] varies along the channels of [N,C,H,W], [W] along the last axis even when W = C. Left
// alone (counted as skipped): another reader, a weight that is not constant, a nonzero shift into a
// Conv that pads. Coefficients in double, rounded once (E1); (x+c)+d = x+(c+d) is E2.

#include "passes/detail/fold_all.h"
#include "passes/detail/fuse_polynomials.h"

namespace sinter {
namespace {

constexpr i64 kRounds = 64;  // what is left then is for the next run

}  // namespace

PassStats fuse_affine_chain(Graph& graph, const PassOptions& options) {
  const passes::FoldLimits limits{0, {}, "fuse_affine_chain"};
  PassStats stats;
  for (i64 round = 0; round < kRounds; ++round) {
    stats.skipped.clear();
    i64 changed = passes::fold_all(
        graph, stats.skipped, passes::is_affine_arithmetic,
        [&](const passes::AffineNode& f) { return passes::fold_back(graph, f, limits); });
    if (options.profile == Profile::fhe) changed += passes::fuse_polynomials(graph, false).changed;
    changed += passes::fold_all(
        graph, stats.skipped, passes::is_affine_arithmetic,
        [&](const passes::AffineNode& f) { return passes::fold_forward(graph, f, limits); });
    if (changed == 0) break;
    stats.changed += changed;
  }
  return stats;
}

}  // namespace sinter
