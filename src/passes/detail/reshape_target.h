// SPDX-License-Identifier: Apache-2.0
// The constant Reshape target that takes one symbolic shape to another.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "graph/dim.h"

namespace sinter::passes {

/// Entry i is the number out[i] (> 0), else 0 when out[i] is the same as in[i], else -1 at most
/// once. nullopt when two entries would be -1, or when a dimension of `out` is the number 0.
std::optional<std::vector<i64>> reshape_target(const Shape& in, const Shape& out);

/// True for a target with a 0 and a -1: ONNX cannot infer the one when the copied one is 0.
bool copies_beside_inferred(std::span<const i64> target);

}  // namespace sinter::passes
