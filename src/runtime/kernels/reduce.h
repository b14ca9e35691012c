// SPDX-License-Identifier: Apache-2.0
// Float32 sums and means over neighbouring axes.
#pragma once
#include "runtime/kernels/kernel.h"

namespace sinter {

/// Sum of n elements: eight partial sums, element i in sum i mod 8, added as a tree.
///
/// accuracy  error <= (n/8 + 4) * 2^-24 * sum|x|, first order; the same bits on every Isa
/// thread    safe
float sum_f32(Isa isa, const float* x, i64 n);

/// ReduceMean, ReduceSum over axes without a kept axis between them; GlobalAveragePool.
PreparedKernel prepare_reduce_mean(const KernelSite& site);
PreparedKernel prepare_reduce_sum(const KernelSite& site);
PreparedKernel prepare_global_average_pool(const KernelSite& site);

}  // namespace sinter
