// SPDX-License-Identifier: Apache-2.0
// Two rewrites of merge.h that work against the direction of the data, for factors that cannot move
// on because a product or the output reads them.
//
//   back     d .* (w + t)^2 + e, d > 0, when the square alone reads w and w is linear, becomes
//            (r .* w + r .* t)^2 + e with r = sqrt(d): the rows of w's matrix take r
//   spread   a scalar that is squared and then copied to many elements is copied first: the copying
//            becomes part of the matrix that makes the scalar, and the factor and constant stay
//            behind the square
//
// So x (a y^2 + b y + c) with y = |x|^2, the polynomial form of x / |x|, takes four levels.
#pragma once
#include "encrypted/stage.h"

namespace sinter::encrypted::detail {

/// Each applies its rewrite once and names the stages; none when it applies nowhere. What became
/// unread stays.
std::vector<std::string> absorb_backwards(StageGraph& graph);
std::vector<std::string> spread_before_square(StageGraph& graph);

}  // namespace sinter::encrypted::detail
