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

/// Of the elements of the result under `disturb`, over `runs` runs.
ResultError deviation(const StageGraph& graph, std::span<const double> input,
                      const std::vector<double>& exact, int runs, const StageObserver& disturb) {
  std::vector<double> squares(exact.size(), 0.0);
  for (int run = 0; run < runs; ++run) {
    const auto values = evaluate_stages(graph, input, disturb);
    const std::vector<double>& noisy = values[size_t(graph.output)];
    for (size_t e = 0; e < squares.size(); ++e) squares[e] += std::pow(noisy[e] - exact[e], 2);
  }
  double most = 0, all = 0;
  for (double sum : squares) most = std::max(most, sum / runs), all += sum / runs;
  return {std::sqrt(most), std::sqrt(all / double(squares.size()))};
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

ResultError leveled_error(const StageGraph& graph, const StageOps& ops,
                          std::span<const double> input,
                          const std::vector<std::vector<double>>& values,
                          const ckks::CkksParams& params, int runs) {
  std::vector<double> own(values.size());
  for (size_t k = 0; k < own.size(); ++k) own[k] = own_error(graph, ops, i32(k), values, params);
  Rng rng(1);
  return deviation(graph, input, values[size_t(graph.output)], runs,
                   [&](i32 k, std::span<double> value) {
                     for (double& v : value) v += own[size_t(k)] * rng.normal();
                   });
}

double error_gain(const StageGraph& graph, i32 stage,
                  const std::vector<std::vector<double>>& values) {
  std::vector<std::vector<double>> noisy(values.size());  // empty: as it was
  double error = 0;
  Rng rng(1);
  std::vector<double>& disturbed = noisy[size_t(stage)] = values[size_t(stage)];
  for (double v : disturbed) error = std::max(error, kSmall * std::abs(v));
  for (double& v : disturbed) v += error * rng.normal();
  const auto value_of = [&](i32 k) -> const std::vector<double>& {
    return noisy[size_t(k)].empty() ? values[size_t(k)] : noisy[size_t(k)];
  };
  for (i32 k = stage + 1; k < i32(std::ssize(values)); ++k) {
    const std::vector<i32> read = operands(graph.stages[size_t(k)]);
    if (std::any_of(read.begin(), read.end(), [&](i32 v) { return !noisy[size_t(v)].empty(); }))
      noisy[size_t(k)] = evaluate_stage(graph, k, {}, value_of);
  }
  const std::vector<double>&exact = values[size_t(graph.output)], &found = value_of(graph.output);
  double square = 0;
  for (size_t e = 0; e < found.size(); ++e) square += std::pow(found[e] - exact[e], 2);
  return error == 0 ? 0 : std::sqrt(square / double(found.size())) / error;
}

}  // namespace sinter::encrypted
