// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "ckks/bootstrap.h"
#include "ckks/detail/bootstrap_plan.h"
#include "ckks/dft.h"
#include "ckks/noise.h"

namespace sinter::ckks {
namespace {

/// Roundings of the size of rounding_noise that reach a slot, as one: fitted.
constexpr double kRoundings = 13;
/// Relative error of the cosine's polynomial between the integers that occur.
constexpr double kPolynomial = 0x1p-24;

/// Products of two ciphertexts in a series of this degree by baby and giant steps: the powers up to
/// m by doubling, one product per join (ckks/polynomial.h).
i64 series_products(i64 degree) {
  if (degree <= 0) return 0;
  i64 baby = 1;
  while (2 * baby * baby <= degree) baby *= 2;
  i64 giants = 0;
  for (i64 reach = 2 * baby; reach <= degree; reach *= 2) ++giants;
  return baby - 1 + giants + degree / (2 * baby) + 1;
}

double slot_deviation(const CkksParams& params, double bound, double scale) {
  return std::sqrt(double(params.n()) / 2) * (bound / 7) / scale;
}

}  // namespace

BootstrapOutline outline_bootstrap(const CkksParams& params, const BootstrapOptions& options) {
  const detail::BootstrapPlan plan = detail::outline_bootstrap(params, options);
  BootstrapOutline outline;
  outline.options = plan.options;
  outline.manifest = detail::manifest_of(params, plan);
  outline.sine_level = plan.sine_level;
  outline.sine_depth = plan.sine.depth();
  for (const detail::Factors* factors : {&plan.to_slots, &plan.to_coefficients})
    for (const auto& factor : *factors)
      outline.maps.push_back({factor->level, factor->plan.diagonal_count(),
                              factor->plan.hoisted_count(), factor->plan.giant_count(),
                              std::min(2 * plan.options.slots, params.slots()), false});
  outline.maps.back().is_encoded_at_each_call = true;
  const i64 one = series_products(2 * plan.options.range - 2) + plan.options.double_angles +
                  series_products(plan.options.arcsine_degree);
  outline.sine_products = plan.is_packed ? one : 2 * one;
  outline.rotations =
      2 + i64(std::log2(double(params.slots() / plan.options.slots))) + (plan.is_packed ? 1 : 0);
  return outline;
}

double bootstrap_error(const CkksParams& params, const BootstrapOptions& options) {
  const detail::BootstrapPlan plan = detail::outline_bootstrap(params, options);
  const BootstrapOptions& o = plan.options;
  const double turn = std::ldexp(1.0, o.log_message_ratio) / (2 * std::numbers::pi);
  const double rounding = slot_deviation(params, rounding_noise(params), plan.sine_scale);
  const double sine = kRoundings * rounding * std::pow(4.0, o.double_angles) * turn *
                      std::sqrt(2.0 * double(o.slots));
  const double lifted = std::ldexp(double(params.q(0)), -o.log_message_ratio);
  const double sparse = slot_deviation(params, sparse_switch_noise(params), lifted);
  const double out = slot_deviation(params, rounding_noise(params), o.output_scale);
  return std::hypot(sine, sparse, std::hypot(out, kPolynomial));
}

std::vector<std::complex<double>> bent(const CkksParams& params, const BootstrapOptions& options,
                                       std::span<const std::complex<double>> slots) {
  const detail::BootstrapPlan plan = detail::outline_bootstrap(params, options);
  const i64 n = plan.options.slots;
  require(std::ssize(slots) == n, ErrorKind::bad_argument, "bent: expected ", n, " values, found ",
          slots.size());
  const std::vector<int> layers = split_layers(n, int(std::log2(double(n))));
  std::vector<std::complex<double>> values(slots.begin(), slots.end());
  for (const DiagonalMatrix& layer : coefficients_to_slots(n, layers)) values = layer(values);
  const double unit = std::ldexp(1.0, -plan.options.log_message_ratio);
  const auto sine = [&](double v) {
    return plan.sine(unit * v / plan.options.range) / (2 * std::numbers::pi * unit);
  };
  for (std::complex<double>& v : values) v = {sine(v.real()), sine(v.imag())};
  for (const DiagonalMatrix& layer : slots_to_coefficients(n, layers)) values = layer(values);
  return values;
}

}  // namespace sinter::ckks
