// SPDX-License-Identifier: Apache-2.0
// Noise flooding: the distribution of what is added, what is left of the values, what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "support.h"

namespace sinter::ckks {
namespace {

ring::SecretRng rng_of_test(u64 offset = 0) {
  return ring::SecretRng(secret_seed(test_seed() + offset));
}

double normal_cdf(double t) { return 0.5 * std::erfc(-t / std::numbers::sqrt2); }

/// Kolmogorov-Smirnov distance from the standard normal.
double distance_from_normal(std::vector<double> z) {
  std::sort(z.begin(), z.end());
  double largest = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    const double p = normal_cdf(z[i]), n = double(z.size());
    largest = std::max({largest, std::abs(p - double(i) / n), std::abs(p - double(i + 1) / n)});
  }
  return largest;
}

TEST(Flood, the_deviation_follows_the_total_variation_of_two_gaussians) {
  // 2 Phi(d / 2 sigma) - 1 at the distance d = sqrt(count) * bound (and the grid) is 2^-bits.
  for (double bits : {1.0, 10.0, 30.0})
    for (i64 count : {i64(1), i64(10), i64(32768)}) {
      const double bound = 0x1p-20, sigma = flooding_deviation(bound, count, bits);
      const double d = (1 + 0x1p-6) * bound * std::sqrt(double(count));
      const double variation = std::erf(d / (2 * std::numbers::sqrt2 * sigma));
      EXPECT_LE(variation, std::exp2(-bits));
      EXPECT_GE(variation, 0.9 * std::exp2(-bits));
    }
}

TEST(Flood, adds_a_gaussian_of_the_stated_deviation_around_the_value) {
  const double bound = 3e-7, value = 1.2345678;
  for (double bits : {2.0, 10.0, 24.0}) {
    ring::SecretRng rng = rng_of_test(u64(bits));
    std::vector<double> values(1 << 15, value);
    const Flooding f = flood(values, bound, bits, rng);
    EXPECT_EQ(f.deviation, flooding_deviation(bound, std::ssize(values), bits));
    double mean = 0, square = 0;
    for (double& v : values) {
      v = (v - value) / f.deviation;
      mean += v / double(values.size());
      square += v * v / double(values.size());
    }
    const double n = double(values.size()), step = f.step / f.deviation;
    EXPECT_NEAR(mean, 0, 6 / std::sqrt(n)) << bits;
    EXPECT_NEAR(square, 1 + step * step / 12, 6 * std::sqrt(2 / n)) << bits;
    // 99.9999 % quantile of the statistic, and half a step of the grid.
    EXPECT_LT(distance_from_normal(values), 2.7 / std::sqrt(n) + 0.4 * step / 2) << bits;
  }
}

TEST(Flood, what_is_left_is_rounded_to_the_precision_that_is_left) {
  ring::SecretRng rng = rng_of_test();
  Rng random(test_seed());
  const std::vector<double> exact = random_values(random, 1000, -20, 20);
  std::vector<double> values = exact;
  const Flooding f = flood(values, 1e-6, 12, rng);
  EXPECT_LE(f.step, f.deviation / 4);
  EXPECT_GT(f.step, f.deviation / 16);
  EXPECT_EQ(f.step, std::exp2(std::round(std::log2(f.step))));
  for (double v : values) EXPECT_EQ(v, std::round(v / f.step) * f.step);
  const Precision p = compare(values, exact);
  EXPECT_LT(p.max_error, 6 * f.deviation);
  EXPECT_NEAR(p.bits_median, -std::log2(0.6745 * f.deviation), 0.3);
}

TEST(Flood, two_results_whose_errors_differ_cannot_be_told_apart) {
  // The mean of what a distinguisher could measure best, the sum of the values in the direction of
  // the errors, moves by 2^-bits of its deviation.
  const double bound = 1e-6;
  const i64 count = 16, runs = 4000;
  double sums[2] = {0, 0};
  ring::SecretRng rng = rng_of_test();
  double deviation = 0;
  for (int world = 0; world < 2; ++world)
    for (i64 run = 0; run < runs; ++run) {
      std::vector<double> values(size_t(count), 1 + (world == 0 ? bound : 0));
      deviation = flood(values, bound, 12, rng).deviation;
      for (double v : values) sums[world] += v;
    }
  const double sigma = deviation * std::sqrt(2.0 * double(runs * count));
  EXPECT_LT(std::abs(sums[0] - sums[1]), 5 * sigma);
}

TEST(Flood, the_noise_is_fresh_and_follows_its_generator) {
  const std::vector<double> exact(100, 0.5);
  const auto flooded = [&](u64 seed) {
    std::vector<double> values = exact;
    ring::SecretRng rng = rng_of_test(seed);
    flood(values, 1e-5, 20, rng);
    return values;
  };
  EXPECT_EQ(flooded(1), flooded(1));
  EXPECT_NE(flooded(1), flooded(2));
}

TEST(Flood, what_makes_no_sense_is_refused) {
  ring::SecretRng rng = rng_of_test();
  const auto refusal = [&](double value, double bound, double bits) {
    std::vector<double> values{value};
    return error_of([&] { flood(values, bound, bits, rng); }, ErrorKind::bad_argument);
  };
  EXPECT_EQ(refusal(1, 1e-9, 40), "");
  EXPECT_NE(refusal(1, 0, 10).find("positive error bound"), std::string::npos);
  EXPECT_NE(refusal(1, std::numeric_limits<double>::quiet_NaN(), 10).find("flood"),
            std::string::npos);
  EXPECT_NE(refusal(1, 1e-6, 0.5).find("1 to 40 bits"), std::string::npos);
  EXPECT_NE(refusal(1, 1e-6, 41).find("1 to 40 bits"), std::string::npos);
  EXPECT_NE(refusal(1e30, 1e-6, 10).find("too large"), std::string::npos);
  EXPECT_NE(refusal(std::numeric_limits<double>::quiet_NaN(), 1e-6, 10).find("too large"),
            std::string::npos);
  std::vector<double> none;
  EXPECT_NE(error_of([&] { flood(none, 1, 10, rng); }, ErrorKind::bad_argument), "");
}

}  // namespace
}  // namespace sinter::ckks
