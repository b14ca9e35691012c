// SPDX-License-Identifier: Apache-2.0
// Chi-square tests of the samplers under fixed seeds. A statistic of k - 1 degrees of freedom is
// compared with k - 1 + 6 sqrt(2 (k - 1)) + 20, which a right sampler exceeds with probability
// below 10^-8; each test says which wrong sampler it would catch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ring/sampling.h"
#include "ring_test_support.h"

namespace sinter::ring {
namespace {

constexpr size_t kCount = size_t(1) << 20;

struct Cells {
  std::vector<double> expected;  // probabilities
  std::vector<i64> found;

  explicit Cells(std::vector<double> probabilities)
      : expected(std::move(probabilities)), found(expected.size(), 0) {}
  static Cells equal(size_t count) {
    return Cells(std::vector<double>(count, 1.0 / double(count)));
  }
  void add(u64 cell) { ++found.at(cell); }

  void expect_fit(const std::string& what) const {
    double total = 0, statistic = 0;
    for (i64 n : found) total += double(n);
    for (size_t i = 0; i < found.size(); ++i) {
      const double e = total * expected[i];
      ASSERT_GE(e, 5) << what << ": cell " << i << " is too rare for the test";
      statistic += (double(found[i]) - e) * (double(found[i]) - e) / e;
    }
    const double degrees = double(found.size() - 1);
    EXPECT_LT(statistic, degrees + 6 * std::sqrt(2 * degrees) + 20) << what;
    // Too good a fit is no randomness either.
    EXPECT_GT(statistic, degrees - 6 * std::sqrt(2 * degrees)) << what;
  }
};

std::vector<u64> uniform(u64 seed, u64 stream, const Modulus& q, size_t count = kCount) {
  std::vector<u64> x(count);
  uniform_residues(seed_of(seed), stream, q, x);
  return x;
}

TEST(SamplingChi, uniform_residues_are_uniform_in_their_high_and_their_low_bits) {
  // A rejection limit that is off, or a reduction of too few bits, favours small residues.
  for (int bits : {20, 40, 48}) {
    const Modulus q(ntt_primes(64, bits, 1)[0]);
    Cells high = Cells::equal(256), low = Cells::equal(256);
    for (u64 x : uniform(test_seed(), 3, q)) {
      high.add(u64(u128(x) * 256 / q.value()));
      low.add(x % 256);
    }
    high.expect_fit("high cells of " + std::to_string(bits) + " bits");
    low.expect_fit("low bits of " + std::to_string(bits) + " bits");
  }
}

TEST(SamplingChi, every_residue_of_a_small_modulus_is_as_likely_as_any_other) {
  const Modulus q(257);
  Cells cells = Cells::equal(257);
  for (u64 x : uniform(test_seed(), 0, q)) cells.add(x);
  cells.expect_fit("residues of 257");
}

TEST(SamplingChi, streams_neighbours_and_primes_are_independent) {
  const Modulus q(ntt_primes(64, 48, 1)[0]), r(ntt_primes(64, 47, 1)[0]);
  const auto cell = [](u64 x, const Modulus& m) { return u64(u128(x) * 16 / m.value()); };
  const std::vector<u64> a = uniform(test_seed(), 0, q), b = uniform(test_seed(), 1, q),
                         c = uniform(test_seed() + 1, 0, q), d = uniform(test_seed(), 0, r);
  Cells streams = Cells::equal(256), seeds = streams, primes = streams, next = streams;
  for (size_t i = 0; i < kCount; ++i) {
    streams.add(16 * cell(a[i], q) + cell(b[i], q));
    seeds.add(16 * cell(a[i], q) + cell(c[i], q));
    primes.add(16 * cell(a[i], q) + cell(d[i], r));
    if (i % 2 == 1) next.add(16 * cell(a[i - 1], q) + cell(a[i], q));
  }
  streams.expect_fit("two streams");
  seeds.expect_fit("two seeds");
  primes.expect_fit("two primes");
  next.expect_fit("neighbours");
}

TEST(SamplingChi, three_ternary_coefficients_in_a_row_take_all_27_values_alike) {
  SecretRng rng(seed_of(test_seed()));
  std::vector<signed char> x(kCount);
  sample_ternary(rng, x);
  Cells cells = Cells::equal(27);
  for (size_t i = 0; i + 3 <= x.size(); i += 3)
    cells.add(u64(9 * (x[i] + 1) + 3 * (x[i + 1] + 1) + x[i + 2] + 1));
  cells.expect_fit("ternary triples");
}

TEST(SamplingChi, the_gaussian_fits_its_table_and_its_signs_are_even) {
  SecretRng rng(seed_of(test_seed()));
  std::vector<signed char> x(4 * kCount);
  sample_gaussian(rng, x);
  const auto phi = [](double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); };
  constexpr int kTail = 13;  // what lies beyond is one cell on either side
  std::vector<double> p(2 * kTail + 1);
  for (int k = -kTail; k <= kTail; ++k)
    p[size_t(k + kTail)] = phi((k + 0.5) / kGaussianSigma) - phi((k - 0.5) / kGaussianSigma);
  p.front() = p.back() = phi((-kTail + 0.5) / kGaussianSigma);
  Cells cells(p);
  Cells pairs = Cells::equal(4);
  for (size_t i = 0; i < x.size(); ++i) {
    cells.add(u64(std::clamp<int>(x[i], -kTail, kTail) + kTail));
    if (i % 2 == 1 && x[i] != 0 && x[i - 1] != 0) pairs.add(u64(2 * (x[i] > 0) + (x[i - 1] > 0)));
  }
  cells.expect_fit("Gaussian");
  pairs.expect_fit("signs of neighbours");
}

TEST(SamplingChi, sparse_secrets_have_their_weight_even_positions_and_even_signs) {
  SecretRng rng(seed_of(test_seed()));
  constexpr size_t kSize = 4096;
  for (i64 weight : {32, 192}) {
    Cells positions = Cells::equal(64), last = Cells::equal(16), signs = Cells::equal(2);
    for (int run = 0; run < 400; ++run) {
      std::vector<signed char> x(kSize);
      sample_sparse_ternary(rng, weight, x);
      ASSERT_EQ(std::ssize(x) - std::ranges::count(x, 0), weight);
      for (size_t i = 0; i < kSize; ++i) {
        if (x[i] == 0) continue;
        ASSERT_TRUE(x[i] == 1 || x[i] == -1);
        positions.add(i / 64);
        last.add(i % 16);
        signs.add(x[i] > 0);
      }
    }
    positions.expect_fit("positions");
    last.expect_fit("positions modulo 16");
    EXPECT_NEAR(double(signs.found[0]) / double(signs.found[0] + signs.found[1]), 0.5,
                6 * 0.5 / std::sqrt(400.0 * double(weight)));
  }
}

TEST(SamplingChi, below_favours_no_remainder) {
  // 3 * 2^62 is the bound at which taking x mod bound of 64 bits would double a third of them.
  SecretRng rng(seed_of(test_seed()));
  const u64 bound = u64(3) << 62;
  Cells cells = Cells::equal(192);
  for (int i = 0; i < 200000; ++i) cells.add(rng.below(bound) >> 56);
  cells.expect_fit("below");
}

TEST(SamplingChi, the_wide_gaussian_is_one_at_every_deviation_down_to_its_last_bit) {
  const auto phi = [](double t) { return 0.5 * std::erfc(-t / std::sqrt(2.0)); };
  for (double deviation : {1.0, 3.2, 1000.0, 0x1p40, 0x1p52}) {
    SecretRng rng(seed_of(test_seed()));
    std::vector<i64> x(kCount / 4);
    sample_wide_gaussian(rng, deviation, x);
    // 30 cells between -3 and 3 deviations, at whole numbers.
    std::vector<i64> edges;
    std::vector<double> p;
    double before = 0;
    for (int i = -15; i <= 15; ++i) {
      const i64 edge = i64(std::floor(deviation * i / 5.0));
      if (!edges.empty() && edge == edges.back()) continue;
      const double at = phi((double(edge) + 0.5) / deviation);
      edges.push_back(edge);
      p.push_back(at - before);
      before = at;
    }
    p.push_back(1 - before);
    Cells cells(p);
    Cells low = Cells::equal(16);
    for (i64 v : x) {
      cells.add(u64(std::lower_bound(edges.begin(), edges.end(), v) - edges.begin()));
      low.add(u64(v) % 16);
    }
    cells.expect_fit("wide Gaussian of deviation " + std::to_string(deviation));
    if (deviation > 100) low.expect_fit("its low bits, deviation " + std::to_string(deviation));
  }
  SecretRng rng(seed_of(1));
  std::vector<i64> one(1);
  for (double bad : {0.5, -1.0, 0x1p53, std::nan("")})
    EXPECT_THROW(sample_wide_gaussian(rng, bad, one), Error) << bad;
}

}  // namespace
}  // namespace sinter::ring
