// SPDX-License-Identifier: Apache-2.0
// The scheme's error in a network's result before there is a program: stages run on doubles with
// what each of them adds. The errors of a chain of equal primes are inverse to the scale, so one
// run says what other scales would give.
#pragma once
#include <span>

#include "encrypted/stage_ops.h"

namespace sinter::encrypted {

/// Standard deviations in the elements of the result.
struct ResultError {
  double largest = 0, root_mean_square = 0;
};

/// The error at this scale without bootstraps: the roundings of rescales, key switches behind them,
/// encoded diagonals and the fresh encryption (ckks/noise.h). Deterministic.
///
/// values  of evaluate_stages for one input
/// cost    `runs` evaluations of the stages
ResultError leveled_error(const StageGraph& graph, const StageOps& ops,
                          std::span<const double> input,
                          const std::vector<std::vector<double>>& values,
                          const ckks::CkksParams& params, int runs = 4);

/// What an error of deviation 1 in every element of stage k's value becomes in the result, root
/// mean square over its elements, for small errors: linearised around `values`, those of
/// evaluate_stages.
///
/// cost    one evaluation of the stages behind k
double error_gain(const StageGraph& graph, i32 stage,
                  const std::vector<std::vector<double>>& values);

}  // namespace sinter::encrypted
