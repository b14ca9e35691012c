// SPDX-License-Identifier: Apache-2.0
// The noise bounds of docs/ckks.md over many runs: the phase of a result against the exact message.
#include "ckks/noise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ckks/encrypt.h"
#include "ckks/linear.h"
#include "ring/rns.h"
#include "support.h"

namespace sinter::ckks {
namespace {

constexpr int kRuns = 100;

/// Signed coefficients of x modulo q_0; the values must be below q_0 / 2.
std::vector<double> centred(const Context& context, const ring::RnsPoly& x) {
  ring::RnsPoly poly = x.clone(1);
  ring::ntt_inverse(context.ring().ntt(0), poly.limb(0));
  const i64 q = i64(context.params().q(0));
  std::vector<double> out;
  for (u64 r : poly.limb(0)) out.push_back(double(i64(r) > q / 2 ? i64(r) - q : i64(r)));
  return out;
}

/// Largest coefficient of phase(x) - expected.
double noise_of(const Party& party, const Ciphertext& x, const ring::RnsPoly& expected) {
  const std::vector<double> phase = centred(party.c(), decrypt(party.c(), party.secret, x).poly);
  const std::vector<double> message = centred(party.c(), expected);
  double worst = 0;
  for (size_t i = 0; i < phase.size(); ++i)
    worst = std::max(worst, std::abs(phase[i] - message[i]));
  return worst;
}

struct Options {
  const char* name;
  CkksOptions options;
};

std::vector<Options> all_options() {
  CkksOptions sparse = small_options(10, 4, 2);
  sparse.secret = SecretKind::sparse;
  sparse.hamming_weight = 64;
  return {{"k 1", small_options(10, 3, 1)},
          {"k 2", small_options(11, 4, 2)},
          {"k 3", small_options(10, 6, 3)},
          {"sparse", sparse}};
}

TEST(Noise, fresh_encryptions_stay_below_their_bounds_and_are_not_silent) {
  for (const Options& o : all_options()) {
    Party party(o.options);
    Rng rng(test_seed());
    const PublicKey public_key = generate_public_key(party.c(), party.secret, party.rng);
    for (int run = 0; run < kRuns; ++run) {
      const Plaintext p = encode(party.c(), random_values(rng, party.c().slots()), 0x1p40,
                                 run % (party.c().max_level() + 1));
      const double symmetric =
          noise_of(party, encrypt_symmetric(party.c(), party.secret, p, party.rng), p.poly);
      EXPECT_LE(symmetric, ring::kGaussianTail) << o.name;
      EXPECT_LE(symmetric, fresh_noise(party.c().params())) << o.name;
      EXPECT_GE(symmetric, 8) << o.name;  // 1024 draws of sigma 3.2 that all stay below 8: never
      const double asymmetric =
          noise_of(party, encrypt_public(party.c(), public_key, p, party.rng), p.poly);
      EXPECT_LE(asymmetric, public_noise(party.c().params())) << o.name << " run " << run;
      EXPECT_GE(asymmetric, public_noise(party.c().params()) / 7) << o.name;
    }
  }
}

TEST(Noise, a_rotated_phase_is_the_permuted_phase_plus_at_most_the_key_switching_bound) {
  for (const Options& o : all_options()) {
    Party party(o.options);
    Rng rng(test_seed());
    const i64 slots = party.c().slots();
    KeyManifest manifest;
    for (i64 r : {i64(1), i64(5), slots - 1})
      manifest.add_rotation(r, party.c().max_level(), slots);
    const EvaluationKeys keys = party.keys(manifest);
    for (int run = 0; run < kRuns; ++run) {
      const int level = run % (party.c().max_level() + 1);
      const i64 steps = run % 3 == 0 ? 1 : run % 3 == 1 ? 5 : slots - 1;
      const Ciphertext x = party.encrypt(random_values(rng, slots), level);
      const ring::RnsPoly phase = decrypt(party.c(), party.secret, x).poly.clone(1);
      ring::RnsPoly expected = phase.clone();
      u64 element = 1;
      for (i64 i = 0; i < steps; ++i) element = element * 5 % (2 * u64(party.c().n()));
      ring::permute(phase.limb(0), ring::automorphism_permutation(party.c().n(), element),
                    expected.limb(0));
      const double noise = noise_of(party, rotate(party.c(), x, steps, keys, party.pool), expected);
      EXPECT_LE(noise, key_switch_noise(party.c().params(), level))
          << o.name << " level " << level << " run " << run;
    }
  }
}

TEST(Noise, relinearising_adds_at_most_the_key_switching_bound) {
  for (const Options& o : all_options()) {
    Party party(o.options);
    Rng rng(test_seed());
    KeyManifest manifest;
    manifest.relinearisation_level = party.c().max_level();
    const EvaluationKeys keys = party.keys(manifest);
    for (int run = 0; run < kRuns; ++run) {
      const int level = run % (party.c().max_level() + 1);
      const Plaintext p = encode(party.c(), random_values(rng, party.c().slots()), 0x1p20, level);
      const Ciphertext x = encrypt_symmetric(party.c(), party.secret, p, party.rng);
      const Ciphertext three = multiply(party.c(), x, x, party.pool);
      const ring::RnsPoly phase = decrypt(party.c(), party.secret, three).poly.clone();
      EXPECT_LE(noise_of(party, relinearise(party.c(), three, keys, party.pool), phase),
                key_switch_noise(party.c().params(), level))
          << o.name << " level " << level;
    }
  }
}

TEST(Noise, relinearising_and_rescaling_in_one_division_adds_at_most_the_fused_bound) {
  for (const Options& o : all_options()) {
    Party party(o.options);
    Rng rng(test_seed());
    KeyManifest manifest;
    manifest.relinearisation_level = party.c().max_level();
    const EvaluationKeys keys = party.keys(manifest);
    for (int run = 0; run < kRuns; ++run) {
      const int level = 1 + run % party.c().max_level();
      const Plaintext p = encode(party.c(), random_values(rng, party.c().slots()), 0x1p38, level);
      const Ciphertext x = encrypt_symmetric(party.c(), party.secret, p, party.rng);
      const Ciphertext three = multiply(party.c(), x, x, party.pool);
      // The phase of the product, divided exactly: rounding it costs another half unit.
      const ring::RnsPoly phase =
          party.c().ring().rescale(decrypt(party.c(), party.secret, three).poly, level, party.pool);
      EXPECT_LE(noise_of(party, relinearise_rescale(party.c(), three, keys, party.pool), phase),
                fused_switch_noise(party.c().params(), level) + 1)
          << o.name << " level " << level;
    }
  }
}

TEST(Noise, rescaling_adds_at_most_the_rounding_bound) {
  for (const Options& o : all_options()) {
    Party party(o.options);
    Rng rng(test_seed());
    for (int run = 0; run < kRuns; ++run) {
      const int level = 1 + run % party.c().max_level();
      const u64 q = party.c().params().q(level);
      // x * q_level divides exactly: no noise is added at all.
      const Ciphertext x = party.encrypt(random_values(rng, party.c().slots()), level);
      const ring::RnsPoly phase = decrypt(party.c(), party.secret, x).poly.clone(1);
      const Ciphertext multiple = multiply_by_constant(party.c(), x, double(q), 1);
      EXPECT_EQ(noise_of(party, rescale(party.c(), multiple, party.pool), phase), 0) << o.name;
      // The general case: noise shrinks by q and the rounding is added.
      const Plaintext big = encode(party.c(), random_values(rng, party.c().slots(), -0.5, 0.5),
                                   0x1p40 * double(q), level);
      const Ciphertext y = rescale(
          party.c(), encrypt_symmetric(party.c(), party.secret, big, party.rng), party.pool);
      const ring::RnsPoly expected = party.c().ring().rescale(big.poly, level, party.pool);
      EXPECT_LE(noise_of(party, y, expected), rounding_noise(party.c().params()) + 2) << o.name;
    }
  }
}

TEST(Noise, products_in_the_slots_obey_the_product_rule) {
  Party party(small_options(10, 3, 2));
  Rng rng(test_seed());
  const double scale = party.scale();
  for (int run = 0; run < kRuns; ++run) {
    const std::vector<double> x = random_values(rng, party.c().slots()),
                              y = random_values(rng, party.c().slots());
    const Ciphertext cx = party.encrypt(x, 2), cy = party.encrypt(y, 2);
    const std::vector<double> dx = party.decrypted(cx), dy = party.decrypted(cy),
                              dz = party.decrypted(multiply(party.c(), cx, cy, party.pool));
    // Encoding (rounding by 1/2, deviation 1/sqrt 12) and fresh noise.
    const double bound = slot_noise(party.c().params(),
                                    fresh_noise(party.c().params()) + 7 / std::sqrt(12.0), scale);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_LE(std::abs(dx[i] - x[i]), bound);
      EXPECT_LE(std::abs(dz[i] - x[i] * y[i]),
                bound * (std::abs(x[i]) + std::abs(y[i]) + bound) * 1.5);
    }
  }
}

TEST(Noise, a_linear_map_obeys_its_bound) {
  Party party(small_options(10, 3, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  std::vector<i64> indices;
  for (i64 i = 0; i < 24; ++i) indices.push_back(i);
  const LinearPlan plan = plan_linear(indices, slots, i64(8));
  KeyManifest manifest;
  for (i64 r : plan.rotations) manifest.add_rotation(r, 3, slots);
  const EvaluationKeys keys = party.keys(manifest);
  for (int run = 0; run < 20; ++run) {
    const std::vector<double> x = random_values(rng, slots), d = random_values(rng, slots);
    const Ciphertext cx = party.encrypt(x, 3);
    const DiagonalSource source{
        [&](i64, std::span<double> out) { std::copy(d.begin(), d.end(), out.begin()); }, 0};
    const double plain_scale = 0x1p40;
    const Ciphertext cy = apply_linear(party.c(), plan, source, plain_scale, cx, keys, party.pool);
    std::vector<double> expected(x.size(), 0.0);
    for (i64 i : indices)
      for (i64 s = 0; s < slots; ++s)
        expected[size_t(s)] += d[size_t(s)] * x[size_t((s + i) % slots)];
    const CkksParams& p = party.c().params();
    const double n = double(p.n()), count = double(indices.size());
    const double input = slot_noise(p, fresh_noise(p) + 7 / std::sqrt(12.0), cx.scale());
    const double switching = slot_noise(p, key_switch_noise(p, 3), cx.scale());
    const double diagonal = 7 * std::sqrt(n / 12) / plain_scale;
    const double bound = count * (1 + diagonal) * (input + switching) + count * diagonal +
                         double(plan.giants.size()) * switching / plain_scale;
    EXPECT_LE(compare(party.decrypted(cy), expected).max_error, bound) << "run " << run;
  }
}

TEST(Noise, bounds_without_special_primes_are_refused) {
  const CkksParams p = CkksParams::check(small_options(10, 3, 0));
  EXPECT_NE(error_of([&] { key_switch_noise(p, 1); }, ErrorKind::bad_argument).find("special"),
            std::string::npos);
}

}  // namespace
}  // namespace sinter::ckks
