// SPDX-License-Identifier: Apache-2.0
// Float32 matrix products on OpenBLAS. BLAS runs single-threaded; the callers cut a product into
// tiles of fixed size and deal the tiles to the pool, so the bits do not depend on the threads.
#pragma once
#include "runtime/kernels/kernel.h"

namespace sinter {

/// A row-major matrix as BLAS sees it: `step` elements between rows in memory.
struct MatrixView {
  const float* data;
  i64 step;
  bool transposed = false;  ///< the matrix is the transpose of what is in memory
};

/// One BLAS call:  y = alpha * a b + beta * y,  a [rows, inner], b [inner, columns].
///
/// y         [rows, columns], y_step elements between rows; apart from a and b
/// accuracy  error <= (inner + 2) * 2^-24 * (|alpha| |a| |b| + |beta y|), first order
/// checked   by the caller: sizes at least 1 and below 2^31
/// thread    safe
void sgemm(i64 rows, i64 columns, i64 inner, float alpha, MatrixView a, MatrixView b, float beta,
           float* y, i64 y_step);

/// The same in tiles over the pool.
void gemm_f32(ThreadPool& pool, i64 rows, i64 columns, i64 inner, float alpha, MatrixView a,
              MatrixView b, float beta, float* y, i64 y_step);

/// Gemm with any broadcast of C.
PreparedKernel prepare_gemm(const KernelSite& site);
/// MatMul of any ranks, leading axes broadcast.
PreparedKernel prepare_matmul(const KernelSite& site);

}  // namespace sinter
