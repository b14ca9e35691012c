// SPDX-License-Identifier: Apache-2.0
// Operators that an affine map passes without meeting constants: where does the axis go, and which
// part of a*x + b may pass. Used by both directions.
#pragma once
#include "passes/detail/fold.h"

namespace sinter::passes {

/// What may pass an operator of one data input that commutes with affine maps.
enum class Passes {
  nothing,
  positive_scale,  ///< Relu, LeakyRelu, PRelu: a > 0, b = 0
  monotone,        ///< MaxPool, ReduceMax: a > 0, any b
  scale,           ///< sums: any a, b = 0
  affine,          ///< means with weights that sum to 1, and moves of elements
};
/// For input 0 of `node`.
Passes what_passes(const Graph& graph, const Node& node);
/// True when `map` is among what passes.
bool may_pass(Passes passes, const AffineMap& map);

/// The map at input 0 as it appears on output 0 and the other way round. nullopt when axes or
/// dimensions do not fit.
std::optional<AffineMap> carried_forward(const Graph& graph, const Node& node,
                                         const AffineMap& map);
std::optional<AffineMap> carried_back(const Graph& graph, const Node& node, const AffineMap& map);

/// A map in the coordinates of a tensor of `rank` seen from an operand that broadcasts into it.
/// nullopt when the operand does not have that axis in full.
std::optional<AffineMap> seen_from_operand(const Graph& graph, ValueId operand,
                                           const AffineMap& map, i64 rank);

}  // namespace sinter::passes
