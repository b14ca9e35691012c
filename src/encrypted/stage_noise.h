// SPDX-License-Identifier: Apache-2.0
// The scheme's error in a network's result before there is a program: stages run on doubles with
// what each of them adds. The errors of a chain of equal primes are inverse to the scale, so one
// run says what other scales would give.
#pragma once
#include <span>

#include "encrypted/stage_ops.h"

namespace sinter::encrypted {

/// Standard deviation in an element of the result, the largest of all, at this scale without
/// bootstraps: the roundings of rescales, key switches behind them, encoded diagonals and the fresh
/// encryption (ckks/noise.h). Deterministic.
///
/// cost    runs + 1 evaluations of the stages
double leveled_error(const StageGraph& graph, const StageOps& ops, std::span<const double> input,
                     const ckks::CkksParams& params, int runs = 4);

/// What an error of deviation 1 in every element of stage k's value becomes in the result, root
/// mean square over its elements, for small errors: linearised around `input`. exact   the result
/// without errors
///
/// cost    one evaluation of the stages
double error_gain(const StageGraph& graph, i32 stage, std::span<const double> input,
                  std::span<const double> exact);

}  // namespace sinter::encrypted
