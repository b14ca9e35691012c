// SPDX-License-Identifier: Apache-2.0
// The rewrite "sum": the sum over all elements of a product is rotations and additions, which cost
// no level, once its matrix holds nothing but ones. So the factor r of a matrix of equal entries
// has to go elsewhere:
//
//   sum r x^2          the matrix that makes x takes sqrt(r)
//   sum r x .* y       the matrix that makes x takes r
//   f x (y^2 + ...)    with y = r |x|^2 + e, the normalisation by a polynomial: everything is of
//                      degree 5 in x, so with t = (f r^2)^(1/5), for any sign of f,
//                      t x, |t x|^2 = (t^2/r) (y - e) and t (t^2/r)^2 = f
//                      leave the result as it is: no factor is left for the client or the readers
//
// So x (a y^2 + b y + c) takes three levels: the square, the square of the sum, the product.
// Slots without an element must hold zero where the sum is taken: products of what linear stages
// make do, results of such a sum (the sum is in every slot then) do not.
#pragma once
#include "encrypted/stage.h"

namespace sinter::encrypted::detail {

/// Applies the rewrite once and names the stages; none when it applies nowhere. What became unread
/// stays.
std::vector<std::string> sum_over_slots(StageGraph& graph);

}  // namespace sinter::encrypted::detail
