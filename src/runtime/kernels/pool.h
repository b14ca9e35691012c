// SPDX-License-Identifier: Apache-2.0
// Float32 pooling over one or two spatial axes: vertically first, whole rows at a time, then
// horizontally inside the one row that is left.
//
// accuracy  max: exact. average: error <= (window + 1) * 2^-24 * mean|x|
// NaN       average: NaN. max: whether a NaN in a window shows depends on its place
#pragma once
#include "runtime/kernels/kernel.h"

namespace sinter {

/// One output; MaxPool with indices is left to the reference.
PreparedKernel prepare_max_pool(const KernelSite& site);
PreparedKernel prepare_average_pool(const KernelSite& site);

}  // namespace sinter
