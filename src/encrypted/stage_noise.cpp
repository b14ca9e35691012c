// SPDX-License-Identifier: Apache-2.0
#include "encrypted/stage_noise.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "ckks/noise.h"

namespace sinter::encrypted {
namespace {

constexpr double kSmall = 1e-7;  ///< of a value: below it a network is linear, above it doubles are

double norm(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return std::sqrt(sum);
}

/// The largest deviation of an element of the result under `disturb`, over `runs` runs.
double deviation(const StageGraph& graph, std::span<const double> input,
                 const std::vector<double>& exact, int runs, const StageObserver& disturb) {
  std::vector<double> squares(exact.size(), 0.0);
  for (int run = 0; run < runs; ++run) {
    const auto values = evaluate_stages(graph, input, disturb);
    const std::vector<double>& noisy = values[size_t(graph.output)];
    for (size_t e = 0; e < squares.size(); ++e) squares[e] += std::pow(noisy[e] - exact[e], 2);
  }
  double most = 0;
  for (double sum : squares) most = std::max(most, std::sqrt(sum / runs));
  return most;
}

/// Deviation of what stage k adds to its value; values: of the stages before it, exact.
double own_error(const StageGraph& graph, const StageOps& ops, i32 k,
                 const std::vector<std::vector<double>>& values, const ckks::CkksParams& params) {
  const double scale = params.scale();
  if (graph.stages[size_t(k)].kind == StageKind::input)
    return ckks::estimate_fresh(params, 0, scale).error;
  const double encoding = std::sqrt(double(params.n()) / 12) / scale;
  double square = std::pow(ckks::estimate_rescale(params, scale, {}).error, 2);
  const double key_switch = ckks::estimate_key_switch(params, params.max_level(), scale, {}).error;
  size_t term = 0;
  for (const StageOp& op : ops.ops(k)) {
    if (op.op == Opcode::fold && op.is_below)  // sums of two parts with errors of their own
      square = 2 * square + std::pow(key_switch, 2);
    if (op.op != Opcode::linear) continue;
    const Term& t = graph.stages[size_t(k)].terms[term++];
    const std::vector<double>& x = values[size_t(t.value)];
    // The map's period holds all images of a batch, x is one of them.
    square += std::pow(encoding * norm(x), 2) * double(op.map.diagonals * graph.batch) /
              double(op.map.period);
  }
  return std::sqrt(square);
}

}  // namespace

double leveled_error(const StageGraph& graph, const StageOps& ops, std::span<const double> input,
                     const ckks::CkksParams& params, int runs) {
  const auto exact = evaluate_stages(graph, input);
  std::vector<double> own(exact.size());
  for (size_t k = 0; k < own.size(); ++k) own[k] = own_error(graph, ops, i32(k), exact, params);
  Rng rng(1);
  return deviation(graph, input, exact[size_t(graph.output)], runs,
                   [&](i32 k, std::span<double> value) {
                     for (double& v : value) v += own[size_t(k)] * rng.normal();
                   });
}

double error_gain(const StageGraph& graph, i32 stage, std::span<const double> input,
                  std::span<const double> exact) {
  double error = 0;
  Rng rng(1);
  const auto values = evaluate_stages(graph, input, [&](i32 k, std::span<double> value) {
    if (k != stage) return;
    for (double v : value) error = std::max(error, kSmall * std::abs(v));
    for (double& v : value) v += error * rng.normal();
  });
  const std::vector<double>& noisy = values[size_t(graph.output)];
  double square = 0;
  for (size_t e = 0; e < noisy.size(); ++e) square += std::pow(noisy[e] - exact[e], 2);
  return error == 0 ? 0 : std::sqrt(square / double(noisy.size())) / error;
}

}  // namespace sinter::encrypted
