// SPDX-License-Identifier: Apache-2.0
// Bootstraps as stages. A bootstrap keeps values up to 1, so a value v that passes one is held as
// v / B, with B the power of two at or above range * margin, and its readers take B back (hold.h),
// so a bootstrap behind a product is prepared by the linear stages that make the product's
// operands, behind an addition (a linear stage of several terms) by that stage itself.
#pragma once
#include <span>
#include <vector>

#include "encrypted/bootstrap_plan.h"
#include "encrypted/hold.h"
#include "encrypted/stage.h"

namespace sinter::encrypted {

struct Inserted {
  /// origin[k]: the stage of the graph before that stage k is, or bootstraps.
  std::vector<i32> origin;
  std::vector<double> ranges;  ///< of every stage, as its value is held now
};

/// What the value of every stage is divided by, as an exponent of two, so that bootstrapped ones
/// stay within [-1, 1]. Arguments as those of insert_bootstraps.
std::vector<int> held_exponents(const StageGraph& graph, const Placement& placement,
                                std::span<const double> ranges, double margin);

/// Inserts the bootstraps of a feasible placement and scales their surroundings.
///
/// ranges  largest |value| of every stage
/// margin  >= 1
/// throws  Error(internal) when a value with a bootstrap cannot be scaled (can_be_scaled)
Inserted insert_bootstraps(StageGraph& graph, const Placement& placement,
                           std::span<const double> ranges, double margin);

}  // namespace sinter::encrypted
