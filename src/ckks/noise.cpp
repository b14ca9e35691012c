// SPDX-License-Identifier: Apache-2.0
#include "ckks/noise.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ckks/keys.h"
#include "ring/sampling.h"

namespace sinter::ckks {
namespace {

constexpr double kDeviations = 7;

/// Of the rounded Gaussian: rounding adds the variance of a uniform unit interval.
double sigma() { return std::sqrt(ring::kGaussianSigma * ring::kGaussianSigma + 1.0 / 12); }

/// Expected |s|^2.
double secret_norm(const CkksParams& params) {
  return params.options().secret == SecretKind::ternary ? 2.0 / 3 * double(params.n())
                                                        : double(params.options().hamming_weight);
}

/// The deviation in a slot of what has this coefficient bound.
double slot_deviation(const CkksParams& params, double bound, double scale) {
  return std::sqrt(double(params.n()) / 2) * bound / kDeviations / scale;
}

/// Of a real vector that was encoded: coefficients rounded to integers. They keep the symmetry of a
/// real vector's, so all of the error is in the real part.
double encoding_error(const CkksParams& params, double scale) {
  return std::sqrt(double(params.n()) / 12) / scale;
}

}  // namespace

double fresh_noise(const CkksParams&) { return kDeviations * sigma(); }

double public_noise(const CkksParams& params) {
  return kDeviations * sigma() * std::sqrt(1 + 2.0 / 3 * double(params.n()) + secret_norm(params));
}

double rounding_noise(const CkksParams& params) {
  return kDeviations * std::sqrt((1 + secret_norm(params)) / 12);
}

double key_switch_noise(const CkksParams& params, int level) {
  const size_t k = params.p().size();
  require(k > 0 && level >= 0 && level <= params.max_level(), ErrorKind::bad_argument,
          "key_switch_noise: expected special primes and a level of 0 to ", params.max_level(),
          ", found ", k, " special primes and level ", level);
  double log2_special = 0, sum = 0;
  for (u64 p : params.p()) log2_special += std::log2(double(p));
  for (size_t first = 0; first <= size_t(level); first += k) {
    double log2_digit = 0;
    for (size_t i = first; i < std::min(first + k, size_t(level) + 1); ++i)
      log2_digit += std::log2(double(params.q()[i]));
    sum += std::exp2(2 * (log2_digit - log2_special));
  }
  return kDeviations * sigma() * std::sqrt(double(params.n()) / 12 * sum) + rounding_noise(params);
}

double sparse_switch_noise(const CkksParams& params) {
  KeyManifest manifest;
  manifest.encapsulation_level = 0;
  const int special = manifest.slots(params).front().special;
  require(special > 0, ErrorKind::bad_argument, "sparse_switch_noise: expected special primes");
  double ratio = double(params.q(0));
  for (u64 p : params.p().first(size_t(special))) ratio /= double(p);
  return kDeviations * (sigma() * std::sqrt(double(params.n()) / 12) * ratio +
                        std::sqrt((1.0 + kEncapsulationWeight) / 12));
}

double fused_switch_noise(const CkksParams& params, int level) {
  const double rounding = rounding_noise(params);
  return (key_switch_noise(params, level) - rounding) / double(params.q(level)) + rounding;
}

double slot_noise(const CkksParams& params, double coefficient_bound, double scale) {
  return std::sqrt(double(params.n())) * coefficient_bound / scale;
}

double precision_estimate(const SlotEstimate& x) {
  constexpr double kMost = 60;
  if (x.error <= 0) return kMost;
  return std::min(kMost, std::log2(x.magnitude / x.error));
}

SlotEstimate estimate_fresh(const CkksParams& params, double magnitude, double scale) {
  return {magnitude, std::hypot(slot_deviation(params, fresh_noise(params), scale),
                                encoding_error(params, scale))};
}

SlotEstimate estimate_public(const CkksParams& params, double magnitude, double scale) {
  return {magnitude, std::hypot(slot_deviation(params, public_noise(params), scale),
                                encoding_error(params, scale))};
}

SlotEstimate estimate_add(const SlotEstimate& x, const SlotEstimate& y) {
  return {x.magnitude + y.magnitude, std::hypot(x.error, y.error)};
}

SlotEstimate estimate_multiply(const CkksParams& params, int level, double scale,
                               const SlotEstimate& x, const SlotEstimate& y) {
  const SlotEstimate product{
      x.magnitude * y.magnitude,
      std::hypot(x.magnitude * y.error, y.magnitude * x.error, x.error * y.error)};
  return estimate_key_switch(params, level, scale, product);
}

SlotEstimate estimate_square(const CkksParams& params, int level, double scale,
                             const SlotEstimate& x) {
  const SlotEstimate product{x.magnitude * x.magnitude,
                             std::hypot(2 * x.magnitude * x.error, x.error * x.error)};
  return estimate_key_switch(params, level, scale, product);
}

SlotEstimate estimate_multiply_plain(const CkksParams& params, double magnitude, double plain_scale,
                                     const SlotEstimate& x) {
  return {x.magnitude * magnitude,
          std::hypot(magnitude * x.error, x.magnitude * encoding_error(params, plain_scale))};
}

SlotEstimate estimate_key_switch(const CkksParams& params, int level, double scale,
                                 const SlotEstimate& x) {
  return {x.magnitude,
          std::hypot(x.error, slot_deviation(params, key_switch_noise(params, level), scale))};
}

SlotEstimate estimate_rescale(const CkksParams& params, double scale, const SlotEstimate& x) {
  return {x.magnitude, std::hypot(x.error, slot_deviation(params, rounding_noise(params), scale))};
}

SlotEstimate estimate_linear(const CkksParams& params, int level, double scale,
                             const LinearGain& gain, const SlotEstimate& x) {
  const double key_switch = slot_deviation(params, key_switch_noise(params, level), scale);
  const double encoding =
      std::sqrt(double(gain.diagonals)) * encoding_error(params, gain.plain_scale);
  const double giants = std::sqrt(double(gain.giants)) * key_switch / gain.plain_scale;
  return {gain.row_sum * x.magnitude, std::hypot(gain.row_norm * std::hypot(x.error, key_switch),
                                                 x.magnitude * encoding, giants)};
}

SlotEstimate estimate_polynomial(const CkksParams& params, double scale, double magnitude,
                                 double slope, int depth, const SlotEstimate& x) {
  const double own = slot_deviation(params, rounding_noise(params), scale);
  return {magnitude, std::hypot(slope * x.error, double(depth) * own)};
}

SlotEstimate estimate_bootstrap(double preset_bits, const SlotEstimate& x) {
  return {x.magnitude, std::hypot(x.error, x.magnitude * std::exp2(-preset_bits))};
}

}  // namespace sinter::ckks
