// SPDX-License-Identifier: Apache-2.0
// Folds an inference-mode BatchNormalization into the Conv or ConvTranspose that feeds it.
//
//   before   y = BatchNormalization(Conv(x, W, b), gamma, beta, mean, var)
//   after    y = Conv(x, W', b')
//
//   s[o]  = gamma[o] / sqrt(var[o] + epsilon)
//   W'[o] = W[o] * s[o]                      over the whole filter o, any group, any padding
//   b'[o] = (b[o] - mean[o]) * s[o] + beta[o]      b = 0 when the Conv has none
//
// ConvTranspose holds filter o of group j as the columns W[i, o - j M/g] of the inputs i of j.
//
// Left alone (counted as skipped): the Conv result has a second reader or is itself a graph output;
// W, b or a statistic is not a constant; training mode. Computed in double, rounded once (E1).
// New constants are added; the old ones, which another Conv may share, are left for
// eliminate_unused_initializers.
//
// Source: the linear form of inference-mode BatchNorm, Ioffe & Szegedy 2015, Algorithm 2.

#include "passes/detail/fold_all.h"

namespace sinter {

PassStats fuse_conv_batchnorm(Graph& graph, const PassOptions&) {
  constexpr Op kProducers[] = {Op::Conv, Op::ConvTranspose};
  PassStats stats;
  stats.changed = passes::fold_all(graph, stats.skipped, passes::is_batchnorm, [&](const auto& f) {
    return passes::fold_back(graph, f, {0, kProducers, "fuse_conv_batchnorm"});
  });
  return stats;
}

}  // namespace sinter
