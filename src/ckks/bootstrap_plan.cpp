// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <set>

#include "base/error.h"
#include "ckks/detail/bootstrap_plan.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

using Complex = std::complex<double>;

/// Relative difference of primes between which the sine's scale may drift: it grows by the degree
/// and by 2 per double angle.
constexpr double kPrimeTolerance = 0x1p-12;

SineOptions sine_options(const BootstrapOptions& o) {
  return {.range = o.range,
          .double_angles = o.double_angles,
          .arcsine_degree = o.arcsine_degree,
          .largest = std::ldexp(1.0, -o.log_message_ratio)};
}

void check_options(const CkksParams& params, const BootstrapOptions& o) {
  require(o.slots >= 2 && o.slots <= params.slots() && std::has_single_bit(u64(o.slots)),
          ErrorKind::bad_argument, "bootstrap: slots: expected a power of two of 2 to ",
          params.slots(), ", found ", o.slots);
  require(o.log_message_ratio >= 3 && o.log_message_ratio <= 16, ErrorKind::bad_argument,
          "bootstrap: log_message_ratio: expected 3 to 16, found ", o.log_message_ratio);
  require(o.memory_budget >= 0, ErrorKind::bad_argument,
          "bootstrap: memory_budget: expected 0 bytes or more, found ", o.memory_budget);
  const auto check_level_option = [&](const char* name, int found, int least) {
    require(found >= least && found <= params.max_level(), ErrorKind::bad_argument,
            "bootstrap: ", name, ": expected ", least, " to ", params.max_level(), ", found ",
            found);
  };
  check_level_option("to_slots_levels", o.to_slots_levels, 1);
  check_level_option("to_coefficients_levels", o.to_coefficients_levels, 1);
  check_level_option("raise_level", o.raise_level, -1);
  require(o.target_level >= -1, ErrorKind::bad_argument,
          "bootstrap: target_level: expected -1 (the highest) or a level, found ", o.target_level);
  require(!params.p().empty(), ErrorKind::bad_argument,
          "bootstrap: the parameters have no special primes (log_p)");
}

/// Levels of the steps from the top, and that the primes are what the scales need.
void place(const CkksParams& params, BootstrapPlan& plan) {
  BootstrapOptions& o = plan.options;
  if (o.raise_level < 0) o.raise_level = params.max_level();
  plan.sine_level = o.raise_level - o.to_slots_levels;
  plan.back_level = plan.sine_level - plan.sine.depth();
  const int highest = plan.back_level - o.to_coefficients_levels;
  require(highest >= 1, ErrorKind::bad_argument, "bootstrap: expected a chain of at least ",
          o.raise_level - highest + 1, " levels (", o.to_slots_levels, " to slots, ",
          plan.sine.depth(), " for the sine, ", o.to_coefficients_levels,
          " to coefficients, one left), found ", o.raise_level);
  if (o.target_level < 0) o.target_level = highest;
  require(o.target_level <= highest, ErrorKind::out_of_levels,
          "bootstrap: expected a target level of at most ", highest, ", found ", o.target_level);
  plan.sine_scale = double(params.q(plan.sine_level));
  for (int level = plan.back_level + 1; level <= o.raise_level; ++level)
    require(std::abs(double(params.q(level)) / plan.sine_scale - 1) <= kPrimeTolerance,
            ErrorKind::bad_argument, "bootstrap: expected the primes of levels ",
            plan.back_level + 1, " to ", o.raise_level, " of one size (", plan.sine_scale,
            "), found ", params.q(level), " at level ", level);
  if (o.output_scale == 0) o.output_scale = params.scale();
  require(o.output_scale >= 0x1p20 && std::log2(o.output_scale) + 2 <= params.log2_q(highest),
          ErrorKind::bad_argument,
          "bootstrap: output_scale: expected 2^20 or more that fits level ", highest, ", found ",
          o.output_scale);
}

/// What follows from parameters and options alone.
void start(const CkksParams& params, BootstrapPlan& plan) {
  if (plan.options.slots == 0) plan.options.slots = params.slots();
  check_options(params, plan.options);
  plan.sine = make_scaled_sine(sine_options(plan.options));
  plan.is_packed = plan.options.slots < params.slots();
  place(params, plan);
}

/// The layers of the two transforms in the order of application, largest groups where the levels
/// are high.
std::vector<int> layers_back(const BootstrapOptions& o) {
  std::vector<int> layers = split_layers(o.slots, o.to_coefficients_levels);
  std::reverse(layers.begin(), layers.end());
  return layers;
}

/// Its share of `total` for each of the matrices.
void scale_all(std::vector<DiagonalMatrix>& matrices, double total) {
  const double share = std::pow(total, 1.0 / double(matrices.size()));
  for (DiagonalMatrix& m : matrices) scale_by(m, share);
}

/// `first` n times, then `second` n times.
std::vector<Complex> halves(i64 n, Complex first, Complex second) {
  std::vector<Complex> out(size_t(2 * n), first);
  std::fill(out.begin() + n, out.end(), second);
  return out;
}

Factors plan_to_slots(const BootstrapPlan& plan, i64& shift) {
  const BootstrapOptions& o = plan.options;
  const CkksParams& params = plan.context->params();
  std::vector<DiagonalMatrix> matrices =
      coefficients_to_slots(o.slots, split_layers(o.slots, o.to_slots_levels));
  const double trace = double(params.slots() / o.slots);
  scale_all(matrices, plan.sine_scale / (2 * trace * double(params.q(0)) * o.range));
  if (plan.is_packed)  // y -> (y, -i y): the sum with its conjugate is (2 Re y, 2 Im y)
    multiply_output(matrices.back(), halves(o.slots, 1, Complex(0, -1)));
  std::vector<double> scales;
  for (int i = 0; i < o.to_slots_levels; ++i) scales.push_back(double(params.q(o.raise_level - i)));
  return plan_factors(params.slots(), std::move(matrices), o.raise_level, scales, shift, false);
}

Factors plan_to_coefficients(const BootstrapPlan& plan, i64 shift) {
  const BootstrapOptions& o = plan.options;
  const CkksParams& params = plan.context->params();
  std::vector<DiagonalMatrix> matrices = slots_to_coefficients(o.slots, layers_back(o));
  scale_all(matrices, double(params.q(0)) / (2 * std::numbers::pi * plan.nominal));
  if (plan.is_packed)  // (u, v) -> (u, i v): the sum of the halves follows
    multiply_input(matrices.front(), halves(o.slots, 1, Complex(0, 1)));
  const double step = std::pow(o.output_scale / plan.sine_scale, 1.0 / o.to_coefficients_levels);
  std::vector<double> scales;
  for (int i = 0; i < o.to_coefficients_levels; ++i)
    scales.push_back(double(params.q(plan.back_level - i)) * step);
  return plan_factors(params.slots(), std::move(matrices), plan.back_level, scales, shift, true);
}

/// The layers' diagonals without their values: those of length len are at 0 and +-len/2.
/// lengths: of the first layer, then times `step` (2 or 1/2) from layer to layer.
std::vector<DiagonalMatrix> outlines(i64 slots, const std::vector<int>& layers, bool ascending) {
  std::vector<DiagonalMatrix> all;
  i64 half = ascending ? 1 : slots / 2;
  for (int group : layers) {
    std::set<i64> indices = {0};
    for (int layer = 0; layer < group; ++layer) {
      std::set<i64> next;
      for (i64 index : indices)
        for (i64 step : {-half, i64(0), half}) {
          const i64 sum = ((index + step) % slots + slots) % slots;
          next.insert(sum > slots / 2 ? sum - slots : sum);
        }
      indices = std::move(next);
      half = ascending ? half * 2 : half / 2;
    }
    DiagonalMatrix& matrix = all.emplace_back();
    matrix.slots = slots;
    for (i64 index : indices) matrix.diagonals[index];
  }
  return all;
}

}  // namespace

double scale_up(double q0, double scale, int log_message_ratio) {
  return std::max(1.0, std::nearbyint(std::ldexp(q0 / scale, -log_message_ratio)));
}

std::unique_ptr<const BootstrapPlan> plan_bootstrap(std::shared_ptr<const Context> context,
                                                    const BootstrapOptions& options,
                                                    ThreadPool& pool) {
  auto plan = std::make_unique<BootstrapPlan>();
  plan->context = std::move(context);
  plan->options = options;
  const CkksParams& params = plan->context->params();
  start(params, *plan);
  plan->nominal =
      params.scale() * scale_up(double(params.q(0)), params.scale(), options.log_message_ratio);
  i64 shift = 0;
  plan->to_slots = plan_to_slots(*plan, shift);
  plan->to_coefficients = plan_to_coefficients(*plan, shift);
  const auto bytes = [&](const std::unique_ptr<Factor>& f) {
    return f->encoded_bytes(*plan->context);
  };
  Factors& back = plan->to_coefficients;
  plan->adjusted =
      size_t(std::min_element(back.begin(), back.end(),
                              [&](const auto& a, const auto& b) { return bytes(a) < bytes(b); }) -
             back.begin());
  std::vector<Factor*> ahead;
  for (const auto& f : plan->to_slots) ahead.push_back(f.get());
  for (size_t i = 0; i < back.size(); ++i)
    if (i != plan->adjusted) ahead.push_back(back[i].get());
  plan->encoded_bytes = encode_within(*plan->context, ahead, options.memory_budget, pool);
  return plan;
}

KeyManifest manifest_of(const CkksParams& params, const BootstrapPlan& plan) {
  const i64 all = params.slots(), slots = plan.options.slots;
  KeyManifest manifest;
  for (i64 step = slots; step < all; step *= 2)
    manifest.add_rotation(step, plan.options.raise_level, all);
  add_rotations(plan.to_slots, all, manifest);
  add_rotations(plan.to_coefficients, all, manifest);
  if (plan.is_packed) manifest.add_rotation(slots, plan.back_level - 1, all);
  manifest.conjugation_level = plan.sine_level;
  manifest.relinearisation_level = plan.sine_level;
  manifest.encapsulation_level = plan.options.raise_level;
  return manifest;
}

BootstrapPlan outline_bootstrap(const CkksParams& params, const BootstrapOptions& options) {
  BootstrapPlan plan;
  plan.options = options;
  start(params, plan);
  const BootstrapOptions& o = plan.options;
  i64 shift = 0;
  plan.to_slots = plan_factors(
      params.slots(), outlines(o.slots, split_layers(o.slots, o.to_slots_levels), false),
      o.raise_level, std::vector<double>(size_t(o.to_slots_levels)), shift, false);
  plan.to_coefficients =
      plan_factors(params.slots(), outlines(o.slots, layers_back(o), true), plan.back_level,
                   std::vector<double>(size_t(o.to_coefficients_levels)), shift, true);
  return plan;
}

}  // namespace sinter::ckks::detail
