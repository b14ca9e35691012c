// SPDX-License-Identifier: Apache-2.0
// Per-channel vectors. The channel axis is axis 1 of a tensor of rank >= 2 whose
// dimension there, C, is a number. A "channel vector" has C doubles.
#pragma once
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace sinter::passes {

/// C, when `shape` is known, has rank >= 2 and a number at axis 1.
std::optional<i64> channels(const std::optional<Shape>& shape);

/// The channel vector that `constant` stands for beside a tensor of shape `x`: it must broadcast
/// into x without enlarging it and must vary along axis 1 alone. So [C,1,1], [1,C,1,1], [] and [1]
/// do for [N,C,H,W]; [W] does not even when W = C, unless all its elements are equal.
std::optional<std::vector<double>> channel_values(const Tensor& constant, const Shape& x);

/// The parameter of ChannelAffine or ChannelQuadratic for a tensor of `rank`: [C,1,...,1] with
/// rank - 1 dimensions, rounded once.
Tensor channel_parameter(DType type, i64 rank, std::span<const double> values);

}  // namespace sinter::passes
