// SPDX-License-Identifier: Apache-2.0
// Base conversion, ModUp, ModDown and rescale against big integers (GMP).
#include "ring/rns.h"

#include <gmpxx.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ring/kernels.h"
#include "ring_test_support.h"

namespace sinter::ring {
namespace {

mpz_class big(u64 x) {
  mpz_class out;
  mpz_import(out.get_mpz_t(), 1, -1, sizeof x, 0, 0, &x);
  return out;
}

mpz_class modulo(const mpz_class& x, const mpz_class& m) {
  mpz_class r = x % m;
  return r < 0 ? mpz_class(r + m) : r;
}

u64 residue(const mpz_class& x, u64 q) { return modulo(x, big(q)).get_ui(); }

/// The centred representative of x modulo m, in [-m/2, m/2).
mpz_class centred(const mpz_class& x, const mpz_class& m) {
  const mpz_class r = modulo(x, m);
  return 2 * r >= m ? mpz_class(r - m) : r;
}

mpz_class product(std::span<const u64> primes) {
  mpz_class p = 1;
  for (u64 q : primes) p *= big(q);
  return p;
}

mpz_class compose(std::span<const u64> residues, std::span<const u64> primes) {
  const mpz_class all = product(primes);
  mpz_class x = 0;
  for (size_t i = 0; i < primes.size(); ++i) {
    const mpz_class rest = all / big(primes[i]);
    const Modulus q(primes[i]);
    x += rest * big(q.mul(residues[i], q.inverse(residue(rest, primes[i]))));
  }
  return modulo(x, all);
}

/// floor(a / b + 1/2), b > 0.
mpz_class rounded_quotient(const mpz_class& a, const mpz_class& b) {
  mpz_class out;
  const mpz_class twice = 2 * a + b, divisor = 2 * b;
  mpz_fdiv_q(out.get_mpz_t(), twice.get_mpz_t(), divisor.get_mpz_t());
  return out;
}

struct Fixture {
  i64 n;
  std::vector<u64> q, p;
  RnsRing ring;
  ThreadPool pool{2};
  static Fixture make(i64 n, int q_count, int p_count) {
    std::vector<u64> q = ntt_primes(n, 48, 1);
    const std::vector<u64> more = ntt_primes(n, 40, q_count - 1, q);
    q.insert(q.end(), more.begin(), more.end());
    const std::vector<u64> p = ntt_primes(n, 48, p_count, q);
    return {n, q, p, RnsRing(n, q, p)};
  }
  std::vector<u64> extended_primes(int level) const {
    std::vector<u64> out(q.begin(), q.begin() + level + 1);
    out.insert(out.end(), p.begin(), p.end());
    return out;
  }
};

std::vector<u64> column(const RnsPoly& x, i64 j, int from, int to) {
  std::vector<u64> out;
  for (int i = from; i < to; ++i) out.push_back(x.limb(i)[size_t(j)]);
  return out;
}

TEST(BaseConversion, gives_the_centred_representative_for_every_count_of_primes) {
  Rng rng(test_seed());
  const i64 n = 600;  // more than two tiles, and a tail
  for (int sources = 1; sources <= 9; ++sources) {
    const std::vector<u64> from = ntt_primes(16, 48, sources), to = ntt_primes(16, 40, 3, from);
    std::vector<Modulus> f, t;
    for (u64 v : from) f.emplace_back(v);
    for (u64 v : to) t.emplace_back(v);
    const BaseConverter converter(f, t);
    const mpz_class all = product(from);
    std::vector<std::vector<u64>> in, out(3, std::vector<u64>(size_t(n)));
    for (const Modulus& m : f) in.push_back(random_residues(rng, n, m));
    // Edges: 0, 1, -1, and next to the middle where the correction decides.
    const mpz_class edges[] = {0, 1, all - 1, all / 2 - all / 1000000, all / 2 + all / 1000000};
    for (size_t e = 0; e < 5; ++e)
      for (size_t i = 0; i < from.size(); ++i) in[i][e] = residue(edges[e], from[i]);
    std::vector<const u64*> rows;
    for (const std::vector<u64>& row : in) rows.push_back(row.data());
    const std::vector<BaseConverter::Target> targets = {
        {2, out[2].data()}, {0, out[0].data()}, {1, out[1].data()}};
    converter.convert(rows, targets, 0, 257);
    converter.convert(rows, targets, 257, n);
    for (i64 j = 0; j < n; ++j) {
      std::vector<u64> residues;
      for (const std::vector<u64>& row : in) residues.push_back(row[size_t(j)]);
      const mpz_class x = centred(compose(residues, from), all);
      for (size_t k = 0; k < 3; ++k)
        ASSERT_EQ(out[k][size_t(j)], residue(x, to[k]))
            << sources << " sources, coefficient " << j << ", target " << k;
    }
  }
}

TEST(RnsRing, mod_up_extends_each_digit_by_its_centred_value) {
  Rng rng(test_seed());
  for (int p_count : {1, 2, 3}) {
    Fixture f = Fixture::make(32, 7, p_count);
    for (int level : {0, 1, 4, 6}) {
      RnsPoly x = RnsPoly::uninitialised(f.n, level + 1, false);
      for (int i = 0; i <= level; ++i) {
        const std::vector<u64> r = random_residues(rng, f.n, f.ring.modulus(i));
        std::copy(r.begin(), r.end(), x.limb(i).begin());
      }
      RnsPoly transformed = x.clone();
      f.ring.to_ntt(transformed, level, f.pool);
      std::vector<RnsPoly> digits = f.ring.mod_up(transformed, level, f.pool);
      ASSERT_EQ(std::ssize(digits), (level + p_count) / p_count);
      const std::vector<u64> primes = f.extended_primes(level);
      for (int d = 0; d < int(digits.size()); ++d) {
        f.ring.from_ntt(digits[size_t(d)], level, f.pool);
        const int first = d * p_count, last = std::min(first + p_count, level + 1);
        const std::span<const u64> own(f.q.data() + first, size_t(last - first));
        for (i64 j = 0; j < f.n; ++j) {
          const mpz_class v = centred(compose(column(x, j, first, last), own), product(own));
          for (int i = 0; i < digits[size_t(d)].limbs(); ++i)
            ASSERT_EQ(digits[size_t(d)].limb(i)[size_t(j)], residue(v, primes[size_t(i)]))
                << "k " << p_count << " level " << level << " digit " << d << " limb " << i;
        }
      }
    }
  }
}

TEST(RnsRing, mod_down_divides_by_the_special_primes_and_rounds) {
  Rng rng(test_seed());
  for (int p_count : {1, 2, 4}) {
    Fixture f = Fixture::make(32, 5, p_count);
    const mpz_class special = product(f.p);
    for (int level : {0, 2, 4}) {
      const std::vector<u64> primes = f.extended_primes(level);
      RnsPoly x = RnsPoly::uninitialised(f.n, int(primes.size()), false);
      for (int i = 0; i < x.limbs(); ++i) {
        const std::vector<u64> r = random_residues(rng, f.n, Modulus(primes[size_t(i)]));
        std::copy(r.begin(), r.end(), x.limb(i).begin());
      }
      RnsPoly y = x.clone();
      f.ring.to_ntt(y, level, f.pool);
      y = f.ring.mod_down(std::move(y), level, f.pool);
      ASSERT_EQ(y.limbs(), level + 1);
      f.ring.from_ntt(y, level, f.pool);
      for (i64 j = 0; j < f.n; ++j) {
        const mpz_class v = rounded_quotient(compose(column(x, j, 0, x.limbs()), primes), special);
        for (int i = 0; i <= level; ++i)
          ASSERT_EQ(y.limb(i)[size_t(j)], residue(v, f.q[size_t(i)])) << "k " << p_count;
      }
    }
  }
}

TEST(RnsRing, one_division_by_the_special_primes_and_the_last_prime_rounds_once) {
  Rng rng(test_seed());
  for (int p_count : {1, 2, 4, 15}) {
    Fixture f = Fixture::make(32, 5, p_count);
    for (int level : {1, 2, 4}) {
      const std::vector<u64> primes = f.extended_primes(level);
      const mpz_class divisor = product(f.p) * big(f.q[size_t(level)]);
      RnsPoly x = RnsPoly::uninitialised(f.n, int(primes.size()), false);
      for (int i = 0; i < x.limbs(); ++i) {
        const std::vector<u64> r = random_residues(rng, f.n, Modulus(primes[size_t(i)]));
        std::copy(r.begin(), r.end(), x.limb(i).begin());
      }
      RnsPoly y = x.clone();
      f.ring.to_ntt(y, level, f.pool);
      std::vector<RnsRing::Remainder> remainder;
      remainder.push_back(f.ring.make_remainder(level, true));
      for (int i = level; i < y.limbs(); ++i)
        std::copy_n(y.limb(i).data(), f.n, f.ring.remainder_row(remainder[0], i).data());
      f.ring.prepare(remainder, f.pool);
      RnsPoly r = RnsPoly::uninitialised(f.n, level, true);
      std::vector<RnsRing::LimbTarget> targets;
      for (int i = level - 1; i >= 0; --i) targets.push_back({i, r.limb(i).data()});
      f.ring.remainder_limbs(remainder[0], targets);
      for (int i = 0; i < level; ++i)
        subtract_and_scale(y.limb(i).data(), r.limb(i).data(), f.ring.modulus(i),
                           f.ring.divisor_inverse(remainder[0], i), f.n, r.limb(i).data());
      f.ring.from_ntt(r, level - 1, f.pool);
      for (i64 j = 0; j < f.n; ++j) {
        const mpz_class v = rounded_quotient(compose(column(x, j, 0, x.limbs()), primes), divisor);
        for (int i = 0; i < level; ++i)
          ASSERT_EQ(r.limb(i)[size_t(j)], residue(v, f.q[size_t(i)]))
              << "k " << p_count << " level " << level;
      }
    }
  }
}

TEST(RnsRing, groups_cover_every_limb_once_and_share_evenly) {
  for (int threads : {1, 2, 3, 5})
    for (int largest : {1, 3, 4}) {
      ThreadPool pool(threads);
      for (int limbs = 1; limbs < 40; ++limbs) {
        const RnsRing::Groups groups = RnsRing::groups(limbs, largest, pool);
        EXPECT_EQ(groups.first(0), 0);
        EXPECT_EQ(groups.first(groups.tasks), limbs);
        EXPECT_TRUE(groups.tasks % threads == 0 || groups.tasks == limbs || limbs < threads);
        for (int t = 0; t < groups.tasks; ++t) {
          EXPECT_GT(groups.first(t + 1), groups.first(t));
          EXPECT_LE(groups.first(t + 1) - groups.first(t), largest);
        }
      }
    }
}

TEST(RnsRing, rescale_divides_by_the_last_prime_and_rounds) {
  Rng rng(test_seed());
  Fixture f = Fixture::make(64, 5, 0);
  for (int level = 1; level <= 4; ++level) {
    RnsPoly x = RnsPoly::uninitialised(f.n, level + 1, false);
    for (int i = 0; i <= level; ++i) {
      const std::vector<u64> r = random_residues(rng, f.n, f.ring.modulus(i));
      std::copy(r.begin(), r.end(), x.limb(i).begin());
    }
    for (int i = 0; i <= level; ++i) {  // edges: 0, -1, and just beside the middle of q_level
      x.limb(i)[0] = 0;
      x.limb(i)[1] = f.q[size_t(i)] - 1;
      x.limb(i)[2] = f.ring.modulus(i).reduce_word(f.q[size_t(level)] / 2);
      x.limb(i)[3] = f.ring.modulus(i).reduce_word(f.q[size_t(level)] / 2 + 1);
    }
    RnsPoly y = x.clone();
    f.ring.to_ntt(y, level, f.pool);
    y = f.ring.rescale(y, level, f.pool);
    ASSERT_EQ(y.limbs(), level);
    f.ring.from_ntt(y, level - 1, f.pool);
    const std::span<const u64> primes(f.q.data(), size_t(level) + 1);
    for (i64 j = 0; j < f.n; ++j) {
      const mpz_class v =
          rounded_quotient(compose(column(x, j, 0, level + 1), primes), big(f.q[size_t(level)]));
      for (int i = 0; i < level; ++i)
        ASSERT_EQ(y.limb(i)[size_t(j)], residue(v, f.q[size_t(i)])) << level << " " << j;
    }
  }
}

TEST(RnsRing, refuses_equal_primes) {
  const std::vector<u64> q = ntt_primes(16, 40, 2), none;
  const std::vector<u64> twice = {q[0], q[1], q[0]};
  EXPECT_THROW(RnsRing(16, twice, none), Error);
  EXPECT_THROW(RnsRing(16, q, q), Error);
  EXPECT_THROW(RnsRing(16, none, q), Error);
}

TEST(RnsPoly, clones_moves_and_reuses_memory) {
  const auto cache = std::make_shared<BufferCache>(1 << 20);
  RnsPoly x = RnsPoly::uninitialised(16, 3, true, cache);
  const u64* memory = x.limb(0).data();
  for (int i = 0; i < 3; ++i) std::fill(x.limb(i).begin(), x.limb(i).end(), u64(i + 1));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.limb(i).data()) % 64, 0u);
  const RnsPoly copy = x.clone(2);
  RnsPoly moved = std::move(x);
  EXPECT_TRUE(x.empty());
  EXPECT_EQ(copy.limb(1)[15], 2u);
  EXPECT_EQ(moved.limb(2)[0], 3u);
  moved = RnsPoly();
  EXPECT_EQ(RnsPoly::uninitialised(16, 3, true, cache).limb(0).data(), memory);
  EXPECT_EQ(RnsPoly(16, 2).limb(1)[7], 0u);
}

TEST(RnsPoly, a_secret_is_wiped_before_its_memory_is_reused) {
  const auto cache = std::make_shared<BufferCache>(1 << 20);
  RnsPoly x = RnsPoly::uninitialised(64, 2, true, cache);
  for (int i = 0; i < 2; ++i) std::fill(x.limb(i).begin(), x.limb(i).end(), u64(77));
  x.set_secret();
  RnsPoly copy = x.clone();
  x = RnsPoly();
  const RnsPoly next = RnsPoly::uninitialised(64, 2, true, cache);
  for (u64 v : next.limb(1)) EXPECT_EQ(v, 0u);
  copy = RnsPoly();
  const RnsPoly after = RnsPoly::uninitialised(64, 2, true, cache);
  for (u64 v : after.limb(0)) EXPECT_EQ(v, 0u);
}

}  // namespace
}  // namespace sinter::ring
