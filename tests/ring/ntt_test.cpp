// SPDX-License-Identifier: Apache-2.0
// The transform against the definition, the schoolbook product, and its own properties.
#include "ring/ntt.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "ring_test_support.h"

namespace sinter::ring {
namespace {

u64 reverse(u64 x, int bits) {
  u64 r = 0;
  for (int i = 0; i < bits; ++i) r |= ((x >> i) & 1) << (bits - 1 - i);
  return r;
}

std::vector<u64> schoolbook(const std::vector<u64>& a, const std::vector<u64>& b,
                            const Modulus& q) {
  const size_t n = a.size();
  std::vector<u64> c(n, 0);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) {
      const u64 p = q.mul(a[i], b[j]);
      u64& out = c[(i + j) % n];
      out = i + j < n ? q.add(out, p) : q.sub(out, p);
    }
  return c;
}

std::vector<u64> forward(const NttTables& t, std::vector<u64> x, Isa isa = active_isa()) {
  ntt_forward(t, x, isa);
  return x;
}

TEST(Ntt, every_output_is_the_value_at_its_root) {
  Rng rng(test_seed());
  for (int log_n = 1; log_n <= 7; ++log_n) {
    const i64 n = i64(1) << log_n;
    const Modulus q(ntt_primes(n, 40, 1)[0]);
    const NttTables tables(n, q);
    const std::vector<u64> a = random_residues(rng, n, q), y = forward(tables, a);
    for (i64 i = 0; i < n; ++i) {
      const u64 point = q.pow(tables.root(), 2 * reverse(u64(i), log_n) + 1);
      u64 value = 0;
      for (i64 k = n - 1; k >= 0; --k) value = q.add(q.mul(value, point), a[size_t(k)]);
      ASSERT_EQ(y[size_t(i)], value) << "n " << n << " position " << i;
    }
  }
}

TEST(Ntt, the_product_of_transforms_is_the_schoolbook_product) {
  Rng rng(test_seed());
  for (int bits : {20, 35, 40, 48})
    for (i64 n : {2, 4, 8, 16, 32, 64, 128, 256, 512}) {
      const Modulus q(ntt_primes(n, bits, 1)[0]);
      const NttTables tables(n, q);
      const std::vector<u64> a = random_residues(rng, n, q), b = random_residues(rng, n, q);
      const std::vector<u64> expected = schoolbook(a, b, q);
      for (Isa isa : runnable_isas()) {
        std::vector<u64> c = forward(tables, a, isa);
        const std::vector<u64> fb = forward(tables, b, isa);
        for (size_t i = 0; i < c.size(); ++i) c[i] = q.mul(c[i], fb[i]);
        ntt_inverse(tables, c, isa);
        ASSERT_EQ(c, expected) << name(isa) << " n " << n << " bits " << bits;
      }
    }
}

TEST(Ntt, the_inverse_undoes_the_transform_at_every_length_also_for_extreme_residues) {
  Rng rng(test_seed());
  for (int log_n = 1; log_n <= 17; ++log_n) {
    const i64 n = i64(1) << log_n;
    const Modulus q(ntt_primes(n, 48, 1)[0]);
    const NttTables tables(n, q);
    std::vector<std::vector<u64>> inputs = {
        random_residues(rng, n, q), std::vector<u64>(size_t(n), 0), std::vector<u64>(size_t(n), 1),
        std::vector<u64>(size_t(n), q.value() - 1)};
    for (const std::vector<u64>& x : inputs) {
      std::vector<u64> y = forward(tables, x), z = x;
      for (u64 v : y) ASSERT_LT(v, q.value()) << "n " << n;
      ntt_inverse(tables, y);
      ASSERT_EQ(y, x) << "n " << n;
      ntt_inverse(tables, z);
      for (u64 v : z) ASSERT_LT(v, q.value()) << "n " << n;
      ntt_forward(tables, z);
      ASSERT_EQ(z, x) << "n " << n;
    }
  }
}

TEST(Ntt, is_linear) {
  Rng rng(test_seed());
  const i64 n = 1 << 12;
  const Modulus q(ntt_primes(n, 45, 1)[0]);
  const NttTables tables(n, q);
  const std::vector<u64> a = random_residues(rng, n, q), b = random_residues(rng, n, q);
  const u64 factor = u64(rng.below(i64(q.value())));
  std::vector<u64> sum(a.size());
  for (size_t i = 0; i < a.size(); ++i) sum[i] = q.add(a[i], q.mul(b[i], factor));
  for (Isa isa : runnable_isas()) {
    const std::vector<u64> fa = forward(tables, a, isa), fb = forward(tables, b, isa),
                           fsum = forward(tables, sum, isa);
    for (size_t i = 0; i < a.size(); ++i)
      ASSERT_EQ(fsum[i], q.add(fa[i], q.mul(fb[i], factor))) << name(isa) << " at " << i;
  }
}

/// Random residues, constants, and patterns that drive the lazy sums to their bounds.
std::vector<std::vector<u64>> hard_inputs(Rng& rng, i64 n, const Modulus& q) {
  const u64 top = q.value() - 1, middle = q.value() / 2;
  std::vector<std::vector<u64>> out = {random_residues(rng, n, q)};
  for (u64 v : {u64(0), u64(1), middle, middle + 1, top}) out.emplace_back(size_t(n), v);
  std::vector<u64> two(static_cast<size_t>(n)), impulse(size_t(n), 0);
  for (u64& v : two) v = rng.below(2) == 0 ? top : 0;
  impulse.back() = top;
  out.push_back(two);
  out.push_back(impulse);
  return out;
}

TEST(Ntt, every_instruction_set_equals_the_reference) {
  Rng rng(test_seed());
  for (int log_n = 1; log_n <= 17; ++log_n)
    for (int bits : {20, 30, 40, 47, 48}) {
      const i64 n = i64(1) << log_n;
      const Modulus q(ntt_primes(n, bits, 1)[0]);
      const NttTables tables(n, q);
      for (const std::vector<u64>& x : hard_inputs(rng, n, q)) {
        std::vector<u64> forward_expected = x, inverse_expected = x;
        ntt_forward_reference(tables, forward_expected);
        ntt_inverse_reference(tables, inverse_expected);
        for (Isa isa : runnable_isas()) {
          std::vector<u64> y = x, z = x;
          ntt_forward(tables, y, isa);
          ntt_inverse(tables, z, isa);
          ASSERT_EQ(y, forward_expected) << name(isa) << " n " << n << " q " << q.value();
          ASSERT_EQ(z, inverse_expected) << name(isa) << " n " << n << " q " << q.value();
        }
      }
    }
}

TEST(Ntt, undoes_the_reference_of_the_other_direction) {
  Rng rng(test_seed());
  for (int log_n = 4; log_n <= 16; ++log_n) {
    const i64 n = i64(1) << log_n;
    const Modulus q(ntt_primes(n, 48, 1)[0]);
    const NttTables tables(n, q);
    for (const std::vector<u64>& x : hard_inputs(rng, n, q))
      for (Isa isa : runnable_isas()) {
        std::vector<u64> y = x;
        ntt_inverse_reference(tables, y);
        ntt_forward(tables, y, isa);
        ASSERT_EQ(y, x) << name(isa) << " n " << n;
        ntt_forward_reference(tables, y);
        ntt_inverse(tables, y, isa);
        ASSERT_EQ(y, x) << name(isa) << " n " << n;
      }
  }
}

TEST(Ntt, a_short_transform_over_long_tables_equals_the_reference) {
  Rng rng(test_seed());
  const i64 n = 1 << 12;
  const Modulus q(ntt_primes(n, 48, 1)[0]);
  const NttTables tables(n, q);
  for (i64 size = 1; size <= n; size *= 2)
    for (Isa isa : runnable_isas()) {
      std::vector<u64> x = random_residues(rng, size, q), y = x;
      ntt_forward(tables, x, isa);
      ntt_forward_reference(tables, y);
      ASSERT_EQ(x, y) << name(isa) << " size " << size;
      ntt_inverse(tables, x, isa);
      ntt_inverse_reference(tables, y);
      ASSERT_EQ(x, y) << name(isa) << " size " << size;
    }
}

TEST(Ntt, a_polynomial_of_a_subring_has_the_short_transform_repeated) {
  Rng rng(test_seed());
  const i64 n = 1 << 10;
  const Modulus q(ntt_primes(n, 40, 1)[0]);
  const NttTables tables(n, q);
  for (i64 size : {1, 2, 8, 128, 1024}) {
    std::vector<u64> compact = random_residues(rng, size, q), full(size_t(n), 0);
    for (i64 i = 0; i < size; ++i) full[size_t(i * (n / size))] = compact[size_t(i)];
    ntt_forward(tables, full);
    ntt_forward(tables, compact);
    for (i64 i = 0; i < n; ++i)
      ASSERT_EQ(full[size_t(i)], compact[size_t(i / (n / size))]) << "size " << size << " at " << i;
  }
}

TEST(Ntt, an_automorphism_permutes_the_transform) {
  Rng rng(test_seed());
  for (i64 n : {4, 16, 256}) {
    const Modulus q(ntt_primes(n, 40, 1)[0]);
    const NttTables tables(n, q);
    for (u64 g = 1; g < 2 * u64(n); g += 2) {
      const std::vector<u64> a = random_residues(rng, n, q);
      std::vector<u64> image(size_t(n), 0), permuted(static_cast<size_t>(n));
      for (u64 i = 0; i < u64(n); ++i) {
        const u64 e = i * g % (2 * u64(n));
        image[e % u64(n)] = e < u64(n) ? a[i] : q.negate(a[i]);
      }
      permute(forward(tables, a), automorphism_permutation(n, g), permuted);
      ASSERT_EQ(permuted, forward(tables, image)) << "n " << n << " g " << g;
    }
  }
}

TEST(Ntt, refuses_lengths_and_moduli_without_a_transform) {
  EXPECT_THROW(NttTables(3, Modulus(257)), Error);
  EXPECT_THROW(NttTables(1, Modulus(257)), Error);
  EXPECT_THROW(NttTables(256, Modulus(257)), Error);  // 257 is 1 modulo 256, not modulo 512
  EXPECT_THROW(NttTables(4, Modulus(65)), Error);     // not prime
  EXPECT_THROW(automorphism_permutation(8, 2), Error);
  EXPECT_THROW(automorphism_permutation(8, 17), Error);
}

}  // namespace
}  // namespace sinter::ring
