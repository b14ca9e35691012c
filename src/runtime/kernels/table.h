// SPDX-License-Identifier: Apache-2.0
// The kernel table: which function computes which operator on which element type. The first row
// that takes a node wins; a node that no row takes is left to the reference evaluation.
#pragma once
#include "runtime/kernels/kernel.h"

namespace sinter {

std::span<const KernelRow> kernel_table();

struct ChosenKernel {
  PreparedKernel kernel;  ///< empty body when no row takes the node
  std::string_view name = "reference";
};

ChosenKernel choose_kernel(const KernelSite& site);

}  // namespace sinter
