// SPDX-License-Identifier: Apache-2.0
// Which operators work element by element.
#pragma once
#include "graph/graph.h"

namespace sinter::passes {

/// One tensor in, one out of the same shape, each element from the element at its place: Relu,
/// Cast, Clip, ... Further inputs (bounds, a scale) have one element.
bool is_unary_elementwise(Op op);

/// Tensors in, broadcast together, one out: Add, Where, Equal, ...
bool is_broadcasting(Op op);

/// The value that `node` maps element by element when every other operand is a constant of one
/// element and rank at most 1 (rank 0 for a quantizer's); an invalid id when it is not of that
/// kind.
ValueId mapped_value(const Graph& graph, const Node& node);

}  // namespace sinter::passes
