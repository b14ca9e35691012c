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
// Also through a Flatten (or a Reshape that does the same) in between: s and t then repeat over the
// positions of each channel. Every reader must take it, and all do or none does.
//
// Left alone (counted as skipped): a reader is not Conv, ConvTranspose, Gemm or 2-D MatMul, or
// reads it as a weight; a Conv pads and t is not zero (a padding zero would have to become t);
// ConvTranspose with t not zero; weights that are not constants; training mode; f16. Computed in
// double, rounded once (E1).

#include "passes/detail/batchnorm.h"

namespace sinter {

PassStats fuse_batchnorm_forward(Graph& graph) {
  return passes::fold_batchnorms(graph, [&](NodeId id, const passes::Affine& f) {
    return std::optional(passes::fold_forward(graph, id, f));
  });
}

}  // namespace sinter
