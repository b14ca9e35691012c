// SPDX-License-Identifier: Apache-2.0
// Key switching limb by limb against the same in whole polynomials (mod_up, inner_product,
// mod_down, permute), bit for bit; the fused rescale against the two steps, to one unit.
#include "ckks/detail/switch_limbs.h"

#include <gtest/gtest.h>

#include "ckks/detail/key_switch.h"
#include "ckks/noise.h"
#include "ring/kernels.h"
#include "ring/rns.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

std::vector<std::byte> bytes_of(const Context& context, const Ciphertext& x) {
  return save_ciphertext(context, x);
}

/// parts 0 and 1 plus the switched u, by the plain steps. c1 = nullptr: zero.
Ciphertext plain_switch(const Context& c, const Ciphertext& x, const RnsPoly& u, const RnsPoly* c1,
                        const SwitchingKey& key, ThreadPool& pool) {
  const int level = x.level();
  detail::ExtendedPair v =
      detail::inner_product(c, c.ring().mod_up(u, level, pool), level, key, pool);
  std::vector<RnsPoly> parts;
  parts.push_back(c.ring().mod_down(std::move(v.c0), level, pool));
  parts.push_back(c.ring().mod_down(std::move(v.c1), level, pool));
  const RnsPoly* const added[] = {&x.part(0), c1};
  for (size_t part = 0; part < 2; ++part)
    for (int i = 0; added[part] != nullptr && i <= level; ++i) {
      u64* to = parts[part].limb(i).data();
      ring::add(to, added[part]->limb(i).data(), c.ring().modulus(i), c.n(), to);
    }
  if (!key.permutation.empty())
    for (RnsPoly& part : parts) part = detail::permute(c, part, key.permutation, pool);
  return {std::move(parts), x.scale(), level, x.params_hash()};
}

struct Case {
  i64 log_n;
  int levels, special, key_level;
};
const Case kCases[] = {{10, 5, 1, 5}, {10, 6, 2, 6}, {11, 7, 3, 6},
                       {10, 3, 5, 3}, {4, 4, 2, 4},  {10, 13, 3, 12}};

TEST(SwitchLimbs, rotating_and_relinearising_equal_the_plain_steps_bit_for_bit) {
  for (const Case& k : kCases) {
    SCOPED_TRACE(testing::Message() << "log n " << k.log_n << " special " << k.special);
    Party party(small_options(k.log_n, k.levels, k.special));
    const Context& c = party.c();
    Rng rng(test_seed());
    KeyManifest manifest;
    manifest.relinearisation_level = manifest.conjugation_level = k.key_level;
    manifest.add_rotation(3, k.key_level, c.slots());
    manifest.add_rotation(-1, k.levels, c.slots());
    const EvaluationKeys keys = party.keys(manifest);
    for (int level : {k.key_level, k.key_level / 2, 1, 0})
      for (i64 threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        const Ciphertext x = party.encrypt(random_values(rng, c.slots()), level);
        for (i64 steps : {3, -1}) {
          const SwitchingKey& key = keys.galois(c, steps, level);
          EXPECT_EQ(bytes_of(c, rotate(c, x, steps, keys, pool)),
                    bytes_of(c, plain_switch(c, x, x.part(1), nullptr, key, pool)))
              << "level " << level << " steps " << steps << " threads " << threads;
        }
        EXPECT_EQ(
            bytes_of(c, conjugate(c, x, keys, pool)),
            bytes_of(c, plain_switch(c, x, x.part(1), nullptr, keys.conjugation(level), pool)));
        const Ciphertext three = multiply(c, x, x, pool);
        const Ciphertext expected = plain_switch(c, three, three.part(2), &three.part(1),
                                                 keys.relinearisation(level), pool);
        EXPECT_EQ(bytes_of(c, relinearise(c, three, keys, pool)), bytes_of(c, expected));
        EXPECT_EQ(bytes_of(c, multiply_relinearise(c, x, x, keys, pool)), bytes_of(c, expected));
        EXPECT_EQ(bytes_of(c, square_relinearise(c, x, keys, pool)), bytes_of(c, expected));
      }
  }
}

/// Signed coefficients modulo the first prime.
std::vector<i64> coefficients(const Context& c, const RnsPoly& x, int limb) {
  RnsPoly poly = x.clone();
  ring::ntt_inverse(c.ring().ntt(limb), poly.limb(limb));
  const i64 q = i64(c.params().q(limb));
  std::vector<i64> out;
  for (u64 r : poly.limb(limb)) out.push_back(i64(r) > q / 2 ? i64(r) - q : i64(r));
  return out;
}

TEST(SwitchLimbs, the_fused_rescale_differs_from_the_two_steps_by_at_most_one_unit) {
  for (const Case& k : kCases) {
    SCOPED_TRACE(testing::Message() << "log n " << k.log_n << " special " << k.special);
    Party party(small_options(k.log_n, k.levels, k.special));
    const Context& c = party.c();
    Rng rng(test_seed());
    KeyManifest manifest;
    manifest.relinearisation_level = k.key_level;
    const EvaluationKeys keys = party.keys(manifest);
    for (int level : {k.key_level, 2, 1}) {
      const Ciphertext x = party.encrypt(random_values(rng, c.slots()), level),
                       y = party.encrypt(random_values(rng, c.slots()), level);
      const Ciphertext fused = multiply_relinearise_rescale(c, x, y, keys, party.pool);
      const Ciphertext steps =
          rescale(c, multiply_relinearise(c, x, y, keys, party.pool), party.pool);
      ASSERT_EQ(fused.level(), steps.level());
      ASSERT_EQ(fused.parts(), 2);
      EXPECT_EQ(fused.scale(), steps.scale());
      for (int limb = 0; limb < level; ++limb)
        for (int part = 0; part < 2; ++part) {
          const std::vector<i64> a = coefficients(c, fused.part(part), limb),
                                 b = coefficients(c, steps.part(part), limb);
          const i64 q = i64(c.params().q(limb));
          for (size_t i = 0; i < a.size(); ++i) {
            const i64 difference = std::abs(a[i] - b[i]);
            ASSERT_LE(std::min(difference, q - difference), 1)
                << "level " << level << " limb " << limb << " part " << part << " at " << i;
          }
        }
      EXPECT_EQ(
          bytes_of(c, fused),
          bytes_of(c, relinearise_rescale(c, multiply(c, x, y, party.pool), keys, party.pool)));
      for (i64 threads : {2, 3}) {
        ThreadPool pool(threads);
        EXPECT_EQ(bytes_of(c, fused),
                  bytes_of(c, multiply_relinearise_rescale(c, x, y, keys, pool)));
        EXPECT_EQ(bytes_of(c, square_relinearise_rescale(c, x, keys, pool)),
                  bytes_of(c, multiply_relinearise_rescale(c, x, x, keys, party.pool)));
      }
    }
  }
}

TEST(SwitchLimbs, three_hundred_threads_give_the_same_bytes) {
  Party party(small_options(5, 13, 1));  // 14 digits
  const Context& c = party.c();
  Rng rng(test_seed());
  KeyManifest manifest;
  manifest.relinearisation_level = 13;
  manifest.add_rotation(3, 13, c.slots());
  const EvaluationKeys keys = party.keys(manifest);
  const Ciphertext x = party.encrypt(random_values(rng, c.slots()));
  ThreadPool many(300);
  EXPECT_EQ(bytes_of(c, rotate(c, x, 3, keys, many)),
            bytes_of(c, rotate(c, x, 3, keys, party.pool)));
  EXPECT_EQ(bytes_of(c, square_relinearise_rescale(c, x, keys, many)),
            bytes_of(c, square_relinearise_rescale(c, x, keys, party.pool)));
}

TEST(SwitchLimbs, with_sixteen_special_primes_the_fused_rescale_takes_two_steps) {
  Party party(small_options(10, 3, 16));
  const Context& c = party.c();
  KeyManifest manifest;
  manifest.relinearisation_level = 3;
  const EvaluationKeys keys = party.keys(manifest);
  ASSERT_FALSE(c.ring().divides_with_last());
  Rng rng(test_seed());
  const Ciphertext x = party.encrypt(random_values(rng, c.slots()));
  const Ciphertext three = square(c, x, party.pool);
  const std::vector<std::byte> steps =
      bytes_of(c, rescale(c, relinearise(c, three, keys, party.pool), party.pool));
  EXPECT_EQ(bytes_of(c, square_relinearise_rescale(c, x, keys, party.pool)), steps);
  EXPECT_EQ(bytes_of(c, relinearise_rescale(c, three, keys, party.pool)), steps);
}

TEST(SwitchLimbs, sums_of_products_relinearise_once) {
  Party party(small_options(10, 4, 2));
  const Context& c = party.c();
  KeyManifest manifest;
  manifest.relinearisation_level = 4;
  const EvaluationKeys keys = party.keys(manifest);
  Rng rng(test_seed());
  const i64 slots = c.slots();
  std::vector<double> expected(static_cast<size_t>(slots), 0.0);
  Ciphertext sum;
  for (int term = 0; term < 5; ++term) {
    const std::vector<double> x = random_values(rng, slots), y = random_values(rng, slots);
    const Ciphertext product = multiply(c, party.encrypt(x), party.encrypt(y), party.pool);
    for (size_t i = 0; i < x.size(); ++i) expected[i] += (term % 2 == 0 ? 1 : -1) * x[i] * y[i];
    if (term == 0)
      sum = product.clone();
    else if (term % 2 == 0)
      add_inplace(c, sum, product);
    else
      sub_inplace(c, sum, product);
  }
  // Three parts also go through plaintext products, constants, rescale and drop.
  const std::vector<double> d = random_values(rng, slots);
  const double q = double(c.params().q(4));
  sum = rescale(c, sum, party.pool);
  sum = rescale(c, multiply_plain(c, sum, encode(c, d, double(c.params().q(3)), 3)), party.pool);
  sum = add_constant(c, negate(c, multiply_by_constant(c, sum, -2, 1)), 0.25);
  sum = match_level_and_scale(c, sum, 1, party.scale() * party.scale() / q, party.pool);
  ASSERT_EQ(sum.parts(), 3);
  for (size_t i = 0; i < d.size(); ++i) expected[i] = 2 * expected[i] * d[i] + 0.25;
  const Precision before = compare(party.decrypted(sum), expected);
  EXPECT_GT(before.bits_min, 20) << before.text();
  const Ciphertext two = relinearise(c, sum, keys, party.pool);
  ASSERT_EQ(two.parts(), 2);
  const Precision after = compare(party.decrypted(two), expected);
  EXPECT_GT(after.bits_min, 20) << after.text();
  const Ciphertext low = relinearise_rescale(
      c, multiply_by_constant(c, sum, 1, double(c.params().q(1))), keys, party.pool);
  EXPECT_EQ(low.level(), 0);
  EXPECT_GT(compare(party.decrypted(low), expected).bits_min, 20);
}

TEST(SwitchLimbs, every_door_checks_parameters_levels_parts_and_keys) {
  Party party(small_options(10, 3, 2)), other(small_options(10, 3, 1)),
      bare(small_options(10, 3, 0));
  const Context& c = party.c();
  const std::vector<double> one = {1};
  KeyManifest manifest;
  manifest.relinearisation_level = 1;
  const EvaluationKeys keys = party.keys(manifest), none = party.keys({}), foreign = other.keys({});
  const Ciphertext x = party.encrypt(one), low = party.encrypt(one, 1),
                   zero = party.encrypt(one, 0), strange = other.encrypt(one);
  const Ciphertext three = square(c, low, party.pool);
  ThreadPool& pool = party.pool;
  struct Door {
    const char* expected;
    std::function<void()> body;
  };
  const Door doors[] = {
      {"multiply_relinearise: expected 2 parts, found 3",
       [&] { multiply_relinearise(c, three, low, keys, pool); }},
      {"multiply_relinearise: expected operands of one level, found 1 and 0",
       [&] { multiply_relinearise(c, low, zero, keys, pool); }},
      {"multiply_relinearise_rescale: expected 2 parts, found 3",
       [&] { multiply_relinearise_rescale(c, low, three, keys, pool); }},
      {"multiply_relinearise_rescale: the ciphertext belongs to other parameters",
       [&] { multiply_relinearise_rescale(c, x, strange, keys, pool); }},
      {"square_relinearise: expected 2 parts, found 3",
       [&] { square_relinearise(c, three, keys, pool); }},
      {"square_relinearise_rescale: found an empty ciphertext",
       [&] { square_relinearise_rescale(c, Ciphertext(), keys, pool); }},
      {"square_relinearise: the evaluation keys belong to other parameters",
       [&] { square_relinearise(c, low, foreign, pool); }},
      {"relinearise_rescale: the evaluation keys belong to other parameters",
       [&] { relinearise_rescale(c, three, foreign, pool); }},
      {"relinearise: the ciphertext belongs to other parameters",
       [&] { relinearise(c, strange, keys, pool); }},
      {"the relinearisation key is not among the keys",
       [&] { multiply_relinearise_rescale(c, low, low, none, pool); }},
      {"the relinearisation key is among the keys up to level 1 only, found a ciphertext of level "
       "3",
       [&] { square_relinearise_rescale(c, x, keys, pool); }},
      {"rotate: the ciphertext belongs to other parameters",
       [&] { rotate(c, strange, 1, keys, pool); }},
      {"rotate: found an empty ciphertext", [&] { rotate(c, Ciphertext(), 0, keys, pool); }},
      {"conjugate: expected 2 parts, found 3", [&] { conjugate(c, three, keys, pool); }},
      {"conjugate: the evaluation keys belong to other parameters",
       [&] { conjugate(c, low, foreign, pool); }},
      {"the key of rotation 1 is not among",
       [&] {
         const std::vector<i64> steps = {0, 1};
         rotate_hoisted(c, low, steps, keys, pool);
       }},
  };
  for (const Door& door : doors) {
    const std::string found = error_of(door.body, ErrorKind::bad_argument);
    EXPECT_NE(found.find(door.expected), std::string::npos)
        << "expected: " << door.expected << "\nfound: " << found;
  }
  const std::string none_left =
      error_of([&] { square_relinearise_rescale(c, zero, keys, pool); }, ErrorKind::out_of_levels);
  EXPECT_NE(none_left.find("expected a ciphertext of level 1 or more, found level 0"),
            std::string::npos)
      << none_left;
  EXPECT_NE(error_of([&] { relinearise_rescale(c, zero, keys, pool); }, ErrorKind::out_of_levels)
                .find("relinearise_rescale: expected a ciphertext of level 1"),
            std::string::npos);
  // Without special primes there is nothing to switch with: the key is missing, by name.
  const EvaluationKeys empty = bare.keys({});
  EXPECT_NE(error_of([&] { square_relinearise(bare.c(), bare.encrypt(one), empty, pool); },
                     ErrorKind::bad_argument)
                .find("the relinearisation key is not among"),
            std::string::npos);
}

}  // namespace
}  // namespace sinter::ckks
