// SPDX-License-Identifier: Apache-2.0
#include "ckks/noise.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
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

double slot_noise(const CkksParams& params, double coefficient_bound, double scale) {
  return std::sqrt(double(params.n())) * coefficient_bound / scale;
}

}  // namespace sinter::ckks
