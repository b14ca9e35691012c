// SPDX-License-Identifier: Apache-2.0
// Replacing the largest per-channel polynomials (detail/polynomial.h) by one node each. A root may
// be replaced when every value between its base and it has no other reader, and this saves at least
// one node.
#pragma once
#include "passes/passes.h"

namespace sinter::passes {

/// Roots nearest to the outputs come first. With `quadratic`, those that multiply two values
/// depending on x: ChannelQuadratic, or ChannelAffine when the leading coefficients are all zero.
/// Without, those that do not: ChannelAffine.
/// cost  for each candidate root, bounded by the square of a window of 64 values before it
PassStats fuse_polynomials(Graph& graph, bool quadratic);

}  // namespace sinter::passes
