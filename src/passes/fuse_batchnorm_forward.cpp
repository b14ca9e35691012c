// SPDX-License-Identifier: Apache-2.0
// Folds an inference-mode BatchNormalization into the linear nodes that read it.
//
//   before   y = Gemm(BatchNormalization(x, ...), B, C)
//   after    y = Gemm(x, B', C')
//
//   s[k] = gamma[k] / sqrt(var[k] + epsilon)      t[k] = beta[k] - mean[k] * s[k]
//   B'[k,:] = s[k] B[k,:]                         C' = C + sum_k t[k] B[k,:]
//   Conv:  W'[o,i,:] = s[i] W[o,i,:]              b'[o] = b[o] + sum_i,k t[i] W[o,i,k]
//
// Every reader must take it, and all do or none does. Readers that commute with the map pass it on
// (detail/fold.h), Flatten for one: s and t then repeat over the positions of each channel.
//
// Left alone (counted as skipped): a reader takes no map, or reads it as a weight; a Conv pads and
// t is not zero (a padding zero would have to become t); ConvTranspose with t not zero; weights
// that are not constants; training mode. Computed in double, rounded once (E1).

#include "passes/detail/fold_all.h"

namespace sinter {

PassStats fuse_batchnorm_forward(Graph& graph, const PassOptions&) {
  PassStats stats;
  stats.changed = passes::fold_all(graph, stats.skipped, passes::is_batchnorm, [&](const auto& f) {
    return passes::fold_forward(graph, f, {.rule = "fuse_batchnorm_forward"});
  });
  return stats;
}

}  // namespace sinter
