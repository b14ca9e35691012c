// SPDX-License-Identifier: Apache-2.0
// Per-channel polynomials of degree at most two, recognised by algebra instead of by the shape of a
// pattern.
//
// Seen from a base value x, a value is interpreted backwards:
//   x itself                                     0 x^2 + 1 x + 0
//   a constant that varies along channels alone  0 x^2 + 0 x + c     (ConstantOfShape, Expand too)
//   Add Sub Mul Neg Pow(.,1|2) Div by a constant, BatchNormalization in inference, ChannelAffine,
//   ChannelQuadratic, Identity, Dropout in inference of such values: polynomial arithmetic,
//                                                as long as the degree stays at most two
// Coefficients are exact up to double rounding, one triple a channel. A value that depends on x has
// the shape of x: constants take part only when they broadcast into it, by symbolic equality, so
// ones of shape Shape(x) are one constant per channel even when the batch is a symbol.
//
// A root may be replaced by one node when every value between x and it has no other reader, and
// this saves at least one node.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "passes/passes.h"

namespace sinter::passes {

/// Replaces the largest per-channel polynomials by one node each, roots nearest to the outputs
/// first. With `quadratic`, those that multiply two values depending on x: ChannelQuadratic, or
/// ChannelAffine when the leading coefficients are all zero. Without, those that do not:
/// ChannelAffine.
/// cost  for each candidate root, bounded by the square of a window of 64 values before it
PassStats fuse_polynomials(Graph& graph, bool quadratic);

}  // namespace sinter::passes
