// SPDX-License-Identifier: Apache-2.0
// Position-by-position kernels and permutations: every instruction set against one residue at a
// time, at awkward lengths, at the residues around the edges, and over a million random products.
#include <gtest/gtest.h>

#include <cmath>

#include "ring/kernels.h"
#include "ring/ntt.h"
#include "ring_test_support.h"

namespace sinter::ring {
namespace {

constexpr i64 kLengths[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 33, 100, 257};

std::vector<Modulus> moduli() {
  std::vector<Modulus> out = {Modulus(3), Modulus(65537)};
  for (int bits : {20, 35, 40, 47, 48}) out.emplace_back(ntt_primes(16, bits, 1)[0]);
  return out;
}

/// Random residues, every other one at an edge.
std::vector<u64> mixed_row(Rng& rng, i64 n, const Modulus& q) {
  std::vector<u64> out = random_residues(rng, n, q);
  const u64 edges[] = {0, 1, q.value() / 2, q.value() / 2 + 1, q.value() - 1};
  for (u64& v : out)
    if (rng.below(2) == 0) v = edges[rng.below(5)];
  return out;
}

TEST(Elementwise, mirrored_halves_are_their_mean_and_scaled_difference) {
  Rng rng(test_seed());
  for (const Modulus& q : moduli())
    for (i64 n : kLengths)
      for (Isa isa : runnable_isas()) {
        if (q.value() == 3) continue;
        const std::vector<u64> x = mixed_row(rng, 2 * n, q), w = mixed_row(rng, 1, q);
        std::vector<u64> even(static_cast<size_t>(n)), odd(even), alone(even);
        split_mirrored(x.data(), q, q.shoup(w[0]), n, even.data(), odd.data(), isa);
        split_mirrored(x.data(), q, q.shoup(w[0]), n, alone.data(), nullptr, isa);
        EXPECT_EQ(alone, even);
        for (size_t i = 0; i < size_t(n); ++i) {
          const u64 first = x[i], second = x[size_t(2 * n) - 1 - i];
          ASSERT_EQ(q.add(even[i], even[i]), q.add(first, second)) << name(isa) << " at " << i;
          ASSERT_EQ(odd[i], q.mul(q.sub(first, second), w[0])) << name(isa) << " at " << i;
        }
      }
}

TEST(Elementwise, sums_differences_and_products_are_those_of_single_residues) {
  Rng rng(test_seed());
  for (const Modulus& q : moduli())
    for (i64 n : kLengths)
      for (Isa isa : runnable_isas()) {
        SCOPED_TRACE(testing::Message() << name(isa) << " q " << q.value() << " n " << n);
        const std::vector<u64> x = mixed_row(rng, n, q), y = mixed_row(rng, n, q),
                               s = mixed_row(rng, n, q), w = mixed_row(rng, 1, q);
        std::vector<u64> sum(x), difference(y), negative(x), shifted(x), product(y), mac(s),
            scaled(s);
        add(x.data(), y.data(), q, n, sum.data(), isa);
        subtract(x.data(), difference.data(), q, n, difference.data(), isa);  // in place
        negate(negative.data(), q, n, negative.data(), isa);
        add_constant(shifted.data(), w[0], q, n, shifted.data(), isa);
        multiply(x.data(), product.data(), q, n, product.data(), isa);
        multiply_and_add(x.data(), y.data(), q, n, mac.data(), isa);
        scale_and_add(x.data(), q, q.shoup(w[0]), n, scaled.data(), isa);
        for (size_t i = 0; i < size_t(n); ++i) {
          ASSERT_EQ(sum[i], q.add(x[i], y[i])) << i;
          ASSERT_EQ(difference[i], q.sub(x[i], y[i])) << i;
          ASSERT_EQ(negative[i], q.negate(x[i])) << i;
          ASSERT_EQ(shifted[i], q.add(x[i], w[0])) << i;
          ASSERT_EQ(product[i], q.mul(x[i], y[i])) << i;
          ASSERT_EQ(mac[i], q.add(q.mul(x[i], y[i]), s[i])) << i;
          ASSERT_EQ(scaled[i], q.add(q.mul(x[i], w[0]), s[i])) << i;
        }
      }
}

TEST(Elementwise, a_product_of_pairs_is_that_of_polynomials_of_degree_one) {
  Rng rng(test_seed());
  for (const Modulus& q : moduli())
    for (i64 n : kLengths)
      for (Isa isa : runnable_isas()) {
        std::vector<std::vector<u64>> rows;
        for (int i = 0; i < 4; ++i) rows.push_back(mixed_row(rng, n, q));
        std::vector<u64> z0(static_cast<size_t>(n)), z1(z0), z2(z0);
        multiply_pairs({rows[0].data(), rows[1].data()}, {rows[2].data(), rows[3].data()}, q, n,
                       z0.data(), z1.data(), z2.data(), isa);
        for (size_t i = 0; i < size_t(n); ++i) {
          const u64 x0 = rows[0][i], x1 = rows[1][i], y0 = rows[2][i], y1 = rows[3][i];
          ASSERT_EQ(z0[i], q.mul(x0, y0)) << name(isa) << " q " << q.value();
          ASSERT_EQ(z1[i], q.add(q.mul(x0, y1), q.mul(x1, y0))) << name(isa);
          ASSERT_EQ(z2[i], q.mul(x1, y1)) << name(isa);
        }
      }
}

TEST(Elementwise, a_million_random_products_are_exact_at_every_size_of_prime) {
  Rng rng(test_seed());
  const i64 n = 200'000;
  for (const Modulus& q : moduli()) {
    const std::vector<u64> x = mixed_row(rng, n, q), y = mixed_row(rng, n, q);
    for (Isa isa : runnable_isas()) {
      std::vector<u64> product(x.size());
      multiply(x.data(), y.data(), q, n, product.data(), isa);
      for (size_t i = 0; i < x.size(); ++i)
        ASSERT_EQ(product[i], u64(u128(x[i]) * y[i] % q.value()))
            << name(isa) << ": " << x[i] << " * " << y[i] << " mod " << q.value();
    }
  }
}

TEST(Elementwise, integers_of_any_size_below_2_to_100_become_residues) {
  Rng rng(test_seed());
  for (const Modulus& q : moduli())
    for (i64 n : kLengths) {
      std::vector<double> x(static_cast<size_t>(n));
      for (double& v : x) {
        v = std::trunc(rng.uniform(-1, 1) * std::ldexp(1.0, int(rng.below(101))));
        if (rng.below(8) == 0) v = rng.below(2) == 0 ? -0.0 : 0x1.fffffffffffffp99;
      }
      for (Isa isa : runnable_isas()) {
        std::vector<u64> out(x.size());
        reduce_integers(x.data(), q, n, out.data(), isa);
        for (size_t i = 0; i < x.size(); ++i) {
          const u64 magnitude = u64(u128(std::abs(x[i])) % q.value());
          ASSERT_EQ(out[i], x[i] < 0 ? q.negate(magnitude) : magnitude)
              << name(isa) << " q " << q.value() << " x " << x[i];
        }
      }
    }
}

TEST(Elementwise, permutations_of_automorphisms_equal_single_moves) {
  Rng rng(test_seed());
  for (i64 n : {1, 2, 4, 8, 16, 32, 1024}) {
    const Modulus q(ntt_primes(n, 48, 1)[0]);
    for (u64 g : {u64(1), u64(5), u64(25), 2 * u64(n) - 1, u64(2 * rng.below(n) + 1)}) {
      const std::vector<u32> p = automorphism_permutation(n, g % (2 * u64(n)));
      const std::vector<u64> x = mixed_row(rng, n, q);
      for (Isa isa : runnable_isas()) {
        std::vector<u64> moved(x.size());
        permute(x, p, moved, isa);
        for (size_t i = 0; i < x.size(); ++i)
          ASSERT_EQ(moved[i], x[p[i]]) << name(isa) << " n " << n << " g " << g;
      }
    }
  }
}

}  // namespace
}  // namespace sinter::ring
