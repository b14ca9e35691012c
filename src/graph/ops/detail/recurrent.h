// SPDX-License-Identifier: Apache-2.0
// The activation functions of RNN, LSTM and GRU.
#pragma once
#include <string>
#include <vector>

#include "graph/ops/detail/common.h"

namespace sinter::detail {

/// A named activation with its two parameters.
struct Activation {
  float (*f32)(float x, float alpha, float beta) = nullptr;
  double (*f64)(double x, double alpha, double beta) = nullptr;
  float alpha = 0, beta = 0;

  float operator()(float x) const { return f32(x, alpha, beta); }
  double operator()(double x) const { return f64(x, double(alpha), double(beta)); }
};

/// The activations of the node: `defaults` for one direction, repeated for every direction, unless
/// the attribute `activations` names others; alphas and betas in the order of those that take them.
/// throws  Error(bad_input) on an unknown name or a wrong count
std::vector<Activation> read_activations(const EvalContext& ctx, i64 directions,
                                         const std::vector<std::string>& defaults);

}  // namespace sinter::detail
