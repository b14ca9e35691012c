// SPDX-License-Identifier: Apache-2.0
// What bootstrapping refuses, with what it says; the presets against the security table; the scaled
// sine in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "bootstrap_support.h"

namespace sinter::ckks {
namespace {

template <class Body>
void expect_refusal(const Body& body, const char* text, ErrorKind kind = ErrorKind::bad_argument) {
  const std::string message = error_of(body, kind);
  EXPECT_NE(message.find(text), std::string::npos)
      << "expected: " << text << "\nfound: " << message;
}

TEST(BootstrapRefusal, names_the_rule_of_the_message_ratio) {
  Boot boot(small_preset("fast", 10));
  const std::vector<Complex> values = boot.random_values();
  expect_refusal([&] { boot.run(boot.encrypt(values, 0x1p42)); },
                 "log2 q_0 - log2 scale of at least 7 for a message ratio of 2^8");
}

TEST(BootstrapRefusal, names_the_missing_key_before_any_work) {
  Boot boot(small_preset("fast", 10));
  const Ciphertext x = boot.encrypt(boot.random_values());
  const KeyManifest all = boot.bootstrapper->manifest();
  const auto run_without = [&](const KeyManifest& manifest) {
    const EvaluationKeys keys = boot.party.keys(manifest);
    boot.bootstrapper->bootstrap(x, keys, boot.party.pool);
  };
  KeyManifest some = all;
  const i64 rotation = some.rotations.rbegin()->first;
  some.rotations.erase(rotation);
  expect_refusal([&] { run_without(some); },
                 ("the key of rotation " + std::to_string(rotation) + " is not among").c_str());
  some = all;
  --some.rotations.begin()->second;
  expect_refusal([&] { run_without(some); }, "is among the keys up to level");
  some = all;
  some.conjugation_level = -1;
  expect_refusal([&] { run_without(some); }, "the conjugation key is not among");
  some = all;
  some.relinearisation_level = -1;
  expect_refusal([&] { run_without(some); }, "the relinearisation key is not among");
  some = all;
  some.encapsulation_level = -1;
  expect_refusal([&] { run_without(some); }, "sparse secret");
}

TEST(BootstrapRefusal, every_step_checks_its_operands) {
  Boot boot(small_preset("fast", 10));
  const Bootstrapper& b = *boot.bootstrapper;
  const KeyManifest manifest = b.manifest();
  const Ciphertext zero = boot.encrypt(boot.random_values());
  ThreadPool& pool = boot.party.pool;
  const int sine_level = manifest.conjugation_level;
  expect_refusal([&] { b.to_slots(zero, boot.keys, pool); },
                 "to_slots: expected a ciphertext of level 24, found 0");
  expect_refusal([&] { b.to_slots(Ciphertext(), boot.keys, pool); },
                 "to_slots: found an empty ciphertext");
  expect_refusal([&] { b.sine(zero, boot.keys, pool); },
                 "sine: expected a ciphertext of level 8 or more, found level 0",
                 ErrorKind::out_of_levels);
  const auto back = [&](int parts, int level) {
    return [&, parts, level] {
      std::vector<Ciphertext> all;
      for (int i = 0; i < parts; ++i)
        all.push_back(boot.encrypt(boot.random_values(), 0x1p40, level));
      b.to_coefficients(std::move(all), 0x1p40, boot.keys, pool);
    };
  };
  expect_refusal(back(0, 0), "to_coefficients: expected two ciphertexts, found 0");
  expect_refusal(back(1, sine_level - 8), "to_coefficients: expected two ciphertexts, found 1");
  expect_refusal(back(2, 3), "to_coefficients: expected a ciphertext of level 12, found 3");
}

TEST(BootstrapRefusal, names_the_option_or_prime_that_does_not_fit) {
  ThreadPool pool(1);
  const auto create = [&](const BootstrapPreset& preset) {
    return [&pool, preset] {
      Bootstrapper::create(Context::create(CkksParams::check(preset.params)), preset.options, pool);
    };
  };
  const BootstrapPreset fast = small_preset("fast", 10);
  BootstrapPreset p = fast;
  p.options.slots = 48;
  expect_refusal(create(p), "power of two of 2 to 512, found 48");
  p = fast;
  p.options.slots = 8;
  expect_refusal(create(p), "at least 2^4 slots for 4 factors, found 8");
  p = fast;
  p.options.target_level = 10;
  expect_refusal(create(p), "at most 9, found 10", ErrorKind::out_of_levels);
  p = fast;
  p.params.log_q.erase(p.params.log_q.begin() + 1, p.params.log_q.begin() + 10);
  expect_refusal(create(p), "chain of at least 16 levels (4 to slots, 8 for the sine");
  p = fast;
  p.params.log_q[20] = 47;
  expect_refusal(create(p), "of one size");
  p = fast;
  p.options.raise_level = 25;
  expect_refusal(create(p), "raise_level: expected -1 to 24, found 25");
  p.options.raise_level = -2;
  expect_refusal(create(p), "raise_level: expected -1 to 24, found -2");
  p = fast;
  p.options.target_level = -2;
  expect_refusal(create(p), "target_level: expected -1 (the highest) or a level, found -2");
  for (int levels : {0, 25, std::numeric_limits<int>::max()}) {
    p = fast;
    p.options.to_slots_levels = levels;
    expect_refusal(create(p), "to_slots_levels: expected 1 to 24, found");
    p = fast;
    p.options.to_coefficients_levels = levels;
    expect_refusal(create(p), "to_coefficients_levels: expected 1 to 24, found");
  }
  p = fast;
  p.options.log_message_ratio = 2;
  expect_refusal(create(p), "log_message_ratio: expected 3 to 16, found 2");
  p = fast;
  p.options.arcsine_degree = 4;
  expect_refusal(create(p), "arcsine_degree");
  p = fast;
  p.options.memory_budget = -1;
  expect_refusal(create(p), "memory_budget");
  p = fast;
  p.params.log_p.clear();
  expect_refusal(create(p), "no special primes");
  p = fast;
  p.options.output_scale = 1;
  expect_refusal(create(p), "output_scale");
  expect_refusal([] { bootstrap_preset("exact"); }, "fast or precise, found exact");
}

TEST(BootstrapPresets, are_secure_with_all_their_keys) {
  for (const std::string& name : bootstrap_preset_names()) {
    const BootstrapPreset preset = bootstrap_preset(name);
    const CkksParams params = CkksParams::check(preset.params);  // or its error
    EXPECT_EQ(params.options().security, Security::bits128);
    EXPECT_LE(params.log2_qp(), 1550) << name;
    EXPECT_NEAR(params.log2_qp(), name == "fast" ? 1389 : 1542, 0.5);
    CkksOptions dense = preset.params;
    dense.secret = SecretKind::ternary;
    EXPECT_LE(CkksParams::check(dense).log2_qp(), 1747) << name;
  }
}

TEST(BootstrapSine, is_the_fractional_part_at_the_multiples_of_q0) {
  for (int arcsine : {0, 7}) {
    const double largest = arcsine == 0 ? 0x1p-8 : 0x1p-4;
    const ScaledSine sine = make_scaled_sine({.arcsine_degree = arcsine, .largest = largest});
    EXPECT_EQ(sine.depth(), arcsine == 0 ? 8 : 11);
    for (int i = -15; i <= 15; ++i) {
      EXPECT_NEAR(sine(i / 16.0), 0, 0x1p-40);
      for (double d : {-largest, largest / 3}) {
        const double expected =
            arcsine == 0 ? std::sin(2 * std::numbers::pi * d) : 2 * std::numbers::pi * d;
        // |I| <= 12 is all that a random ciphertext shows in 2^40 tries.
        const double bound = (std::abs(i) <= 12 ? 0x1p-21 : 0x1p-15) * largest * 7;
        EXPECT_NEAR(sine((i + d) / 16), expected, bound) << "I " << i << " d " << d;
      }
    }
  }
}

TEST(BootstrapSine, the_failure_bound_is_the_volume_of_the_corner) {
  // h = 2: the sum of three values uniform in (-1/2, 1/2] exceeds 1/2 with probability 1/6.
  EXPECT_NEAR(log2_failure_probability(1, 2, 1), std::log2(2 * 1.0 / 6), 1e-9);
  EXPECT_NEAR(log2_failure_probability(16, 32, 65536), 17 - 122.7, 0.1);
  EXPECT_LT(log2_failure_probability(17, 32, 65536), -1e9);
  EXPECT_EQ(log2_failure_probability(2, 32, 65536), 0);
}

}  // namespace
}  // namespace sinter::ckks
