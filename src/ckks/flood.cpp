// SPDX-License-Identifier: Apache-2.0
// Noise flooding. With the values on a grid of step g (a power of two, at most 1/64 of the error
// bound B), two inputs whose values differ by at most B each differ by at most (1 + 1/64) B on the
// grid. What is added is a rounded Gaussian of integers, so the result is the rounding of a
// Gaussian around either input, and the total variation distance of two such Gaussians at Euclidean
// distance d is 2 Phi(d / 2 sigma) - 1 <= d / (sigma sqrt(2 pi)): at most 2^-bits for the sigma of
// flooding_deviation. All arithmetic is on integers, so no low-order bit of a floating-point sum
// tells the noise (Mironov 2012); the last rounding looks at the noisy integer only.
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "ckks/secret_key.h"

namespace sinter::ckks {
namespace {

constexpr int kGridBits = 6;  ///< the grid is this much finer than the error bound
constexpr double kLargest = 0x1p60;

/// x to the nearest multiple of 2^bits.
i64 round_to(i64 x, int bits) {
  if (bits <= 0) return x;
  const i64 half = i64(1) << (bits - 1);
  return ((x + half) >> bits) << bits;
}

}  // namespace

double flooding_deviation(double error_bound, i64 count, double bits) {
  require(std::isfinite(error_bound) && error_bound > 0 && count >= 1 && bits >= 1 && bits <= 40,
          ErrorKind::bad_argument,
          "flood: expected a positive error bound, values and 1 to 40 bits, found bound ",
          error_bound, ", ", count, " values, ", bits, " bits");
  const double distance = (1 + 0x1p-5) * error_bound * std::sqrt(double(count));
  return std::exp2(bits) * distance / std::sqrt(2 * std::numbers::pi);
}

Flooding flood(std::span<double> values, double error_bound, double bits, ring::SecretRng& rng) {
  const double deviation = flooding_deviation(error_bound, std::ssize(values), bits);
  const double grid = std::exp2(std::floor(std::log2(error_bound)) - kGridBits);
  // The noise leaves log2(deviation / grid) bits of the integer meaningless; two of them stay.
  const int dropped = int(std::floor(std::log2(deviation / grid))) - 2;
  for (double v : values)
    require(std::abs(v) / grid < kLargest, ErrorKind::bad_argument, "flood: the value ", v,
            " is too large for errors of at most ", error_bound);
  std::vector<i64> noise(values.size());
  ring::sample_wide_gaussian(rng, deviation / grid, noise);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = std::ldexp(double(round_to(std::llround(values[i] / grid) + noise[i], dropped)),
                           std::ilogb(grid));
  ring::wipe({reinterpret_cast<signed char*>(noise.data()), noise.size() * sizeof(i64)});
  return {deviation, std::ldexp(grid, std::max(dropped, 0))};
}

}  // namespace sinter::ckks
