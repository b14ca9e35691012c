// SPDX-License-Identifier: Apache-2.0
// Statistics and determinism of the samplers. Bounds are at least six standard deviations wide.
#include "ring/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "ring_test_support.h"

namespace sinter::ring {
namespace {

constexpr i64 kCount = 1 << 20;

std::map<int, i64> histogram(const std::vector<signed char>& x) {
  std::map<int, i64> h;
  for (signed char v : x) ++h[v];
  return h;
}

TEST(Sampling, ternary_coefficients_are_equally_likely) {
  SecretRng rng(seed_of(test_seed()));
  std::vector<signed char> x(static_cast<size_t>(kCount));
  sample_ternary(rng, x);
  const std::map<int, i64> h = histogram(x);
  ASSERT_EQ(h.size(), 3u);
  for (int v : {-1, 0, 1})
    EXPECT_NEAR(double(h.at(v)) / kCount, 1.0 / 3, 6 * std::sqrt(2.0 / 9 / kCount)) << v;
}

TEST(Sampling, sparse_ternary_has_exactly_the_weight_in_every_region) {
  SecretRng rng(seed_of(test_seed()));
  i64 left = 0, positive = 0;
  for (int run = 0; run < 200; ++run) {
    std::vector<signed char> x(4096);
    sample_sparse_ternary(rng, 192, x);
    std::map<int, i64> h = histogram(x);
    ASSERT_EQ(h[1] + h[-1], 192);
    positive += h[1];
    left += 2048 - std::count(x.begin(), x.begin() + 2048, 0);
  }
  EXPECT_NEAR(double(positive), 100 * 192, 6 * std::sqrt(50.0 * 192));
  EXPECT_NEAR(double(left), 100 * 192, 6 * std::sqrt(50.0 * 192));
  std::vector<signed char> small(4);
  EXPECT_THROW(sample_sparse_ternary(rng, 5, small), Error);
  sample_sparse_ternary(rng, 4, small);
  EXPECT_EQ(std::count(small.begin(), small.end(), 0), 0);
}

TEST(Sampling, the_gaussian_has_the_probabilities_of_its_definition) {
  SecretRng rng(seed_of(test_seed()));
  std::vector<signed char> x(static_cast<size_t>(4 * kCount));
  sample_gaussian(rng, x);
  std::map<int, i64> h = histogram(x);
  EXPECT_LE(h.rbegin()->first, kGaussianTail);
  EXPECT_GE(h.begin()->first, -kGaussianTail);
  double mean = 0, square = 0;
  for (const auto& [value, count] : h) {
    mean += value * double(count) / double(x.size());
    square += value * value * double(count) / double(x.size());
  }
  const double variance = kGaussianSigma * kGaussianSigma + 1.0 / 12;  // rounding adds 1/12
  EXPECT_NEAR(mean, 0, 6 * std::sqrt(variance / double(x.size())));
  EXPECT_NEAR(square, variance, 6 * variance * std::sqrt(2.0 / double(x.size())));
  const auto phi = [](double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); };
  for (int k = -12; k <= 12; ++k) {
    const double p = phi((k + 0.5) / kGaussianSigma) - phi((k - 0.5) / kGaussianSigma);
    EXPECT_NEAR(double(h[k]) / double(x.size()), p, 6 * std::sqrt(p / double(x.size()))) << k;
  }
}

TEST(Sampling, uniform_residues_fill_the_range_evenly) {
  for (u64 value : {u64(257), (u64(1) << 40) + 15, (u64(1) << 48) - 59}) {
    const Modulus q(value % 2 == 1 ? value : value + 1);
    std::vector<u64> x(static_cast<size_t>(kCount));
    uniform_residues(seed_of(test_seed()), 0, q, x);
    i64 cells[16] = {};
    double mean = 0;
    for (u64 v : x) {
      ASSERT_LT(v, q.value());
      ++cells[u128(v) * 16 / q.value()];
      mean += double(v) / double(q.value()) / kCount;
    }
    EXPECT_NEAR(mean, 0.5, 6 * std::sqrt(1.0 / 12 / kCount) + 1.0 / double(q.value()));
    if (value > 1000) {
      for (i64 c : cells) EXPECT_NEAR(double(c), kCount / 16.0, 6 * std::sqrt(kCount / 16.0));
    }
  }
}

TEST(Sampling, a_seed_gives_the_same_limb_everywhere_and_streams_differ) {
  const Modulus q(ntt_primes(64, 40, 1)[0]), r(ntt_primes(64, 41, 1)[0]);
  const auto draw = [](u64 seed, u64 stream, const Modulus& m, i64 n) {
    std::vector<u64> x(static_cast<size_t>(n));
    uniform_residues(seed_of(seed), stream, m, x);
    return x;
  };
  const std::vector<u64> x = draw(1, 0, q, 1000);
  EXPECT_EQ(x, draw(1, 0, q, 1000));
  std::vector<u64> prefix = draw(1, 0, q, 700);
  EXPECT_TRUE(std::equal(prefix.begin(), prefix.end(), x.begin()));
  EXPECT_NE(x, draw(2, 0, q, 1000));
  EXPECT_NE(x, draw(1, 1, q, 1000));
  EXPECT_NE(x, draw(1, 0, r, 1000));
  // Files of keys and ciphertexts depend on these: AES-256-CTR of the openssl command, key zero,
  // nonce 65537, words modulo 65537.
  std::vector<u64> fixed(2);
  uniform_residues(Seed{}, 0, Modulus(65537), fixed);
  EXPECT_EQ(fixed, (std::vector<u64>{7464, 31429}));
}

TEST(SecretRng, streams_are_deterministic_and_the_system_seed_is_not) {
  SecretRng a(seed_of(5)), b(seed_of(5)), c(seed_of(5), 1), x, y;
  const u64 first = a.bits();
  EXPECT_EQ(first, b.bits());
  EXPECT_NE(first, c.bits());
  EXPECT_NE(x.bits(), y.bits());
  SecretRng moved = std::move(a);
  EXPECT_EQ(moved.bits(), b.bits());
  std::vector<std::byte> big(10000), parts(10000);
  SecretRng d(seed_of(6)), e(seed_of(6));
  d.fill(big);
  for (size_t i = 0; i < 10000; i += 125) e.fill(std::span(parts).subspan(i, 125));
  EXPECT_EQ(big, parts);
  for (u64 bound : {u64(1), u64(3), u64(1) << 63})
    for (int i = 0; i < 100; ++i) EXPECT_LT(d.below(bound), bound);
  EXPECT_THROW(d.below(0), Error);
}

}  // namespace
}  // namespace sinter::ring
