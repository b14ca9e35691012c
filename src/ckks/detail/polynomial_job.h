// SPDX-License-Identifier: Apache-2.0
// Checked series on one interval with their schedule at one level: what evaluation, cost and error
// bound start from.
#pragma once
#include <span>
#include <vector>

#include "ckks/chebyshev.h"
#include "ckks/context.h"
#include "ckks/detail/polynomial_plan.h"

namespace sinter::ckks::detail {

struct PolynomialJob {
  double low = -1, high = 1;
  bool spends_level = false;                      ///< on the interval
  int depth = 0;                                  ///< without that level
  std::vector<std::vector<double>> coefficients;  ///< one vector per series, at least one each
  PolynomialPlan plan;                            ///< empty when depth is 0

  double half() const { return (high - low) / 2; }
  double middle() const { return low + half(); }
};

/// level: of x. throws  as evaluate_chebyshev
PolynomialJob plan_series(const Context& context, std::span<const ChebyshevSeries> all, int level);

}  // namespace sinter::ckks::detail
