// SPDX-License-Identifier: Apache-2.0
// Modular arithmetic against 128-bit division, and the prime search.
#include "ring/modulus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "ring_test_support.h"

namespace sinter::ring {
namespace {

const u64 kModuli[] = {3,
                       5,
                       257,
                       65537,
                       (u64(1) << 30) - 35,
                       1000000007,
                       1099511627791,
                       281474976710597,
                       (u64(1) << 48) - 1,
                       (u64(1) << 47) + 1};

TEST(Modulus, every_reduction_agrees_with_division) {
  Rng rng(test_seed());
  for (u64 value : kModuli) {
    SCOPED_TRACE(value);
    const Modulus q(value);
    const u128 limit = u128(1) << (62 + q.bits());
    for (int run = 0; run < 20000; ++run) {
      const u64 a = rng.bits() % value, b = rng.bits() % value, word = rng.bits();
      u128 wide = (u128(rng.bits()) << 64 | rng.bits()) % limit;
      if (run == 0) wide = limit - 1;
      if (run == 1) wide = 0;
      ASSERT_EQ(q.reduce(wide), u64(wide % value));
      ASSERT_EQ(q.reduce_word(word), word % value);
      ASSERT_EQ(q.mul(a, b), u64(u128(a) * b % value));
      ASSERT_EQ(q.add(a, b), (a + b) % value);
      ASSERT_EQ(q.sub(a, b), (a + value - b) % value);
      ASSERT_EQ(q.negate(a), (value - a) % value);
      const ShoupFactor f = q.shoup(b);
      ASSERT_LT(q.mul_lazy(word, f), 2 * value);
      ASSERT_EQ(q.mul(word, f), u64(u128(word) * b % value));
      const i64 s = i64(word) >> 1;
      const __int128 r = __int128(s) % i64(value);
      ASSERT_EQ(q.reduce_signed(s), u64(r < 0 ? r + i64(value) : r));
    }
  }
}

TEST(Modulus, extreme_residues_multiply_exactly) {
  for (u64 value : kModuli) {
    const Modulus q(value);
    for (u64 a : {u64(0), u64(1), value - 1})
      for (u64 b : {u64(0), u64(1), value - 1})
        EXPECT_EQ(q.mul(a, b), u64(u128(a) * b % value)) << value;
    EXPECT_EQ(q.reduce_word(~u64(0)), ~u64(0) % value);
  }
}

TEST(Modulus, the_inverse_times_the_number_is_one) {
  const Modulus q(ntt_primes(1 << 10, 45, 1)[0]);
  Rng rng(test_seed());
  for (int run = 0; run < 200; ++run) {
    const u64 a = 1 + u64(rng.below(i64(q.value()) - 1));
    EXPECT_EQ(q.mul(a, q.inverse(a)), 1u);
  }
  EXPECT_THROW(q.inverse(0), Error);
}

TEST(Modulus, refuses_what_the_bounds_do_not_cover) {
  for (u64 bad : {u64(0), u64(1), u64(2), u64(10), u64(1) << 48, (u64(1) << 48) + 1})
    EXPECT_THROW(Modulus{bad}, Error) << bad;
}

TEST(Primes, primality_agrees_with_trial_division_and_known_pseudoprimes) {
  for (u64 n = 0; n < 5000; ++n) {
    bool expected = n >= 2;
    for (u64 d = 2; d * d <= n && expected; ++d) expected = n % d != 0;
    ASSERT_EQ(is_prime(n), expected) << n;
  }
  EXPECT_FALSE(is_prime(3215031751));           // strong pseudoprime to 2, 3, 5, 7
  EXPECT_FALSE(is_prime(3825123056546413051));  // to 2 .. 23
  EXPECT_TRUE(is_prime(18446744073709551557u));
}

TEST(Primes, are_distinct_alternate_around_the_target_and_skip_taken_ones) {
  for (i64 n : {i64(16), i64(1) << 13, i64(1) << 15, i64(1) << 17})
    for (int bits : {30, 40, 48}) {
      const std::vector<u64> first = ntt_primes(n, bits, 3), more = ntt_primes(n, bits, 5, first);
      std::set<u64> all(first.begin(), first.end());
      all.insert(more.begin(), more.end());
      EXPECT_EQ(all.size(), 8u) << n << " " << bits;
      double log2_quotient = 0;
      for (u64 p : all) {
        EXPECT_TRUE(is_prime(p));
        EXPECT_EQ(p % (2 * u64(n)), 1u);
        EXPECT_LT(p, u64(1) << 48);
        log2_quotient += std::log2(double(p)) - bits;
      }
      // Alternation: the product stays near 2^(8 bits) unless all primes must lie below 2^48.
      if (bits == 40) {
        EXPECT_LT(std::abs(log2_quotient), 0.01) << n;
      }
    }
}

TEST(Primes, too_many_is_an_error_that_counts_them) {
  try {
    ntt_primes(i64(1) << 17, 20, 10);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("found only"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace sinter::ring
