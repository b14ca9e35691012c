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
#pragma once
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace sinter::passes {

/// q[2] x^2 + q[1] x + q[0] per channel.
struct Polynomial {
  std::vector<double> q[3];
  int degree = 0;      ///< as the expression is written, whatever the coefficients
  bool has_x = false;  ///< depends on x, so it has the shape of x
};

/// A value seen from a base.
struct Interpretation {
  std::optional<Polynomial> polynomial;  ///< nullopt when it is none
  std::vector<ValueId> with_x;           ///< values met that depend on x, x itself included
  bool multiplies = false;               ///< two values that depend on x are multiplied
};

/// The operators that interpret() looks through.
bool is_expandable(Op op);

/// `value` as a polynomial in `base`, whose number of channels must be known (channels()).
/// Without numbers only degrees and shapes are followed and every coefficient vector is empty:
/// quick, and right but for what only the elements of constants can refuse.
Interpretation interpret(const Graph& graph, ValueId value, ValueId base, bool with_numbers);

}  // namespace sinter::passes
