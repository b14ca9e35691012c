// SPDX-License-Identifier: Apache-2.0
// Folds an inference-mode BatchNormalization into the Gemm or 2-D MatMul that feeds it.
//
//   before   y = BatchNormalization(Gemm(A, B, C), gamma, beta, mean, var)
//   after    y = Gemm(A, B', C')
//
//   s[n] = gamma[n] / sqrt(var[n] + epsilon)        n = the columns of the product, its axis 1
//   B'[:,n] = B[:,n] * s[n]    (rows of B under transB)
//   C'[n]   = (beta_ C[n] - mean[n]) * s[n] + beta[n]    with beta_ of the Gemm, which becomes 1;
//             C = 0 when there is none; C' is [M,N] when C varies with the row
//
// alpha stays. A MatMul becomes a Gemm when C' is not zero. In a product of higher rank axis 1 is
// not the columns: no match. Left alone (counted as skipped): the product has a second reader; B, C
// or a statistic is not a constant; training mode. Computed in double, rounded once (E1).

#include "passes/detail/fold_all.h"

namespace sinter {

PassStats fuse_batchnorm_into_gemm(Graph& graph, const PassOptions&) {
  constexpr Op kProducers[] = {Op::Gemm, Op::MatMul};
  PassStats stats;
  stats.changed = passes::fold_all(graph, stats.skipped, passes::is_batchnorm, [&](const auto& f) {
    return passes::fold_back(graph, f, {0, kProducers, "fuse_batchnorm_into_gemm"});
  });
  return stats;
}

}  // namespace sinter
