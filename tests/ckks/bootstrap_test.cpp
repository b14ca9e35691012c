// SPDX-License-Identifier: Apache-2.0
// Bootstrapping on small rings with the chains of the presets: the identity on slots, its
// precision, level and scale; every step on its own; what is refused. The presets at their own size
// are in bootstrap_slow_test.cpp.
#include "ckks/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "bootstrap_support.h"
#include "ckks/detail/bootstrap_plan.h"

namespace sinter::ckks {
namespace {

constexpr i64 kLogN = 11;

/// The preset's precision on a ring of 2^11 with the values asked for.
void expect_identity(Boot& boot, const std::vector<Complex>& values, double least_mean,
                     double least_min) {
  const Ciphertext out = boot.run(boot.encrypt(values));
  EXPECT_EQ(out.level(), boot.bootstrapper->output_level());
  EXPECT_EQ(out.scale(), boot.bootstrapper->output_scale());
  const Precision p = boot.precision(values, out);
  EXPECT_GT(p.bits_mean, least_mean) << p.text();
  EXPECT_GT(p.bits_min, least_min) << p.text();
}

TEST(Bootstrap, keeps_complex_and_real_slots_at_level_nine_and_the_exact_scale) {
  for (const auto& [name, mean, least] :
       {std::tuple("fast", 19.0, 16.0), {"precise", 22.0, 19.0}}) {
    Boot boot(small_preset(name, kLogN));
    EXPECT_EQ(boot.bootstrapper->output_level(), 9);
    EXPECT_EQ(boot.bootstrapper->output_scale(), 0x1p40);
    SCOPED_TRACE(testing::Message() << name << " seed " << test_seed());
    std::vector<Complex> values = boot.random_values();
    expect_identity(boot, values, mean, least);
    for (Complex& v : values) v = v.real();
    expect_identity(boot, values, mean, least);
  }
}

TEST(Bootstrap, keeps_values_at_the_edge_of_the_range) {
  // Equal slots gather in one coefficient, of the largest size that |values| <= 1 allows: there
  // the sine of the fast preset bends by (2 pi 2^-8)^2 / 6 = 2^-13.3.
  for (const auto& [name, bits] : {std::pair("fast", 13.0), {"precise", 18.0}}) {
    Boot boot(small_preset(name, kLogN));
    const size_t n = size_t(boot.slots());
    for (Complex value : {Complex(1), Complex(-1), Complex(0, 1), Complex(0)})
      expect_identity(boot, std::vector<Complex>(n, value), bits, bits);
    std::vector<Complex> signs = boot.random_values();
    for (Complex& v : signs) v = {std::copysign(1, v.real()), std::copysign(1, v.imag())};
    expect_identity(boot, signs, 18, 15);
  }
}

TEST(Bootstrap, keeps_fewer_slots_that_repeat) {
  for (i64 slots : {i64(16), i64(128), i64(1) << (kLogN - 2)}) {
    BootstrapPreset preset = small_preset("fast", kLogN);
    preset.options.slots = slots;
    Boot boot(preset);
    SCOPED_TRACE(testing::Message() << slots << " slots, seed " << test_seed());
    const std::vector<Complex> values = boot.random_values();
    const Ciphertext out = boot.run(boot.encrypt(values));
    const Precision p = boot.precision(values, out);
    // The fewer the slots the larger the coefficients, and the more the sine bends.
    EXPECT_GT(p.bits_mean, slots < 64 ? 17 : 19) << p.text();
    const std::vector<Complex> all = boot.decrypt_all(out);
    for (size_t i = 0; i < all.size(); ++i)
      ASSERT_LT(std::abs(all[i] - values[i % values.size()]), 0x1p-15) << "slot " << i;
  }
}

TEST(Bootstrap, takes_any_level_and_small_scales_and_gives_the_level_and_scale_asked_for) {
  BootstrapPreset preset = small_preset("fast", kLogN);
  preset.options.target_level = 4;
  preset.options.output_scale = 0x1.8p41;
  Boot boot(preset);
  const std::vector<Complex> values = boot.random_values();
  for (double scale : {0x1p41, 0x1.2345678p40, 0x1p36}) {
    const Ciphertext out = boot.run(boot.encrypt(values, scale, 3));
    EXPECT_EQ(out.level(), 4);
    EXPECT_EQ(out.scale(), 0x1.8p41);
    const Precision p = boot.precision(values, out);
    EXPECT_GT(p.bits_mean, 18) << "scale " << scale << ": " << p.text();
  }
}

TEST(Bootstrap, leaves_primes_at_the_top_unused_when_fewer_factors_do) {
  BootstrapPreset preset = small_preset("fast", kLogN);
  preset.options.slots = 256;
  preset.options.to_slots_levels = 3;
  preset.options.raise_level = 23;
  Boot boot(preset);
  EXPECT_EQ(boot.bootstrapper->output_level(), 9);
  EXPECT_EQ(boot.bootstrapper->manifest().encapsulation_level, 23);
  expect_identity(boot, boot.random_values(), 19, 16);
}

TEST(Bootstrap, the_bytes_do_not_depend_on_threads_nor_on_what_is_encoded_ahead) {
  BootstrapPreset preset = small_preset("fast", 10);
  for (i64 slots : {i64(0), i64(64)}) {
    preset.options.slots = slots;
    Boot boot(preset);
    const Ciphertext x = boot.encrypt(boot.random_values());
    const std::vector<std::byte> expected = save_ciphertext(boot.party.c(), boot.run(x));
    ThreadPool three(3);
    for (i64 budget : {preset.options.memory_budget, i64(1) << 20, i64(0)}) {
      BootstrapOptions options = preset.options;
      options.memory_budget = budget;
      const auto other = Bootstrapper::create(boot.party.context, options, three);
      EXPECT_LE(other->encoded_bytes(), budget);
      EXPECT_EQ(save_ciphertext(boot.party.c(), other->bootstrap(x, boot.keys, three)), expected)
          << "budget " << budget;
    }
  }
}

TEST(Bootstrap, a_result_can_be_bootstrapped_again) {
  Boot boot(small_preset("fast", 10));
  const std::vector<Complex> values = boot.random_values();
  Ciphertext x = boot.encrypt(values);
  for (int i = 0; i < 3; ++i) x = boot.run(x);
  const Precision p = boot.precision(values, x);
  EXPECT_GT(p.bits_mean, 18) << p.text();
}

TEST(Bootstrap, keys_from_a_file_serve) {
  Boot boot(small_preset("fast", 10));
  const std::vector<std::byte> file = save_evaluation_keys(boot.party.c(), boot.keys);
  const EvaluationKeys loaded = load_evaluation_keys(boot.party.c(), file, "keys", boot.party.pool);
  EXPECT_EQ(loaded.manifest(), boot.bootstrapper->manifest());
  const Ciphertext x = boot.encrypt(boot.random_values());
  EXPECT_EQ(
      save_ciphertext(boot.party.c(), boot.bootstrapper->bootstrap(x, loaded, boot.party.pool)),
      save_ciphertext(boot.party.c(), boot.run(x)));
}

TEST(Bootstrap, the_factors_of_both_transforms_undo_each_other) {
  // In double, with the shifts as the plans have them: to slots, re + conj, the linear part of the
  // sine (2 pi times the fraction of K t), to coefficients.
  ThreadPool pool(1);
  for (i64 slots : {i64(0), i64(32), i64(256)}) {
    BootstrapPreset preset = small_preset("precise", kLogN);
    preset.options.slots = slots;
    preset.options.memory_budget = 0;
    const auto context = Context::create(CkksParams::check(preset.params));
    const auto plan = detail::plan_bootstrap(context, preset.options, pool);
    const i64 all = context->slots(), n = plan->options.slots;
    Rng rng(test_seed());
    std::vector<Complex> values(static_cast<size_t>(n));
    for (Complex& v : values) v = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
    std::vector<Complex> y(static_cast<size_t>(all));
    const double q0 = double(context->params().q(0));
    for (size_t i = 0; i < y.size(); ++i)  // the trace multiplies by all / n
      y[i] = values[i % values.size()] * (plan->nominal * double(all / n) / plan->sine_scale);
    y = applied(plan->to_slots, y, all);
    std::vector<Complex> z(y.size());
    for (size_t i = 0; i < y.size(); ++i) {
      const Complex re = y[i] + std::conj(y[i]), im = Complex(0, -1) * (y[i] - std::conj(y[i]));
      const double unit = 2 * std::numbers::pi * preset.options.range;
      z[i] = unit * (plan->is_packed ? re : re + Complex(0, 1) * im);
    }
    // The sum of the halves commutes with the factors that follow the first.
    z = applied(plan->to_coefficients, z, all);
    std::vector<Complex> found(values.size());
    for (i64 i = 0; i < n; ++i)
      found[size_t(i)] = z[size_t(i)] + (plan->is_packed ? z[size_t(i + n)] : Complex(0));
    EXPECT_GT(compare(found, values).bits_min, 35) << n << " slots, q_0 " << q0;
  }
}

TEST(Bootstrap, removes_the_multiples_of_q0_and_nothing_else) {
  for (const char* name : {"fast", "precise"}) {
    Boot boot(small_preset(name, 10));
    const BootstrapOptions& o = boot.bootstrapper->options();
    const Context& c = boot.party.c();
    const int level = boot.bootstrapper->manifest().conjugation_level;
    std::vector<double> t, expected;
    for (i64 i = 0; i < c.slots(); ++i) {
      const double d = std::ldexp(boot.rng.uniform(-1, 1), -o.log_message_ratio - 2);
      t.push_back((double(i % 25) - 12 + d) / o.range);
      expected.push_back(o.arcsine_degree > 0 ? 2 * std::numbers::pi * d
                                              : std::sin(2 * std::numbers::pi * d));
    }
    const Ciphertext x = encrypt_symmetric(
        c, boot.party.secret, encode(c, t, boot.bootstrapper->sine_scale(), level), boot.party.rng);
    const Ciphertext y = boot.bootstrapper->sine(x, boot.keys, boot.party.pool);
    EXPECT_EQ(y.level(), level - make_scaled_sine({.arcsine_degree = o.arcsine_degree}).depth());
    const Precision p = compare(boot.party.decrypted(y), expected);
    EXPECT_GT(p.bits_min, 24) << name << ": " << p.text();
  }
}

TEST(Bootstrap, multiplication_by_the_imaginary_unit_is_exact) {
  Party party(small_options(10, 2, 1));
  std::vector<Complex> values, expected;
  Rng rng(test_seed());
  for (i64 i = 0; i < party.c().slots(); ++i) {
    values.emplace_back(rng.uniform(-1, 1), rng.uniform(-1, 1));
    expected.push_back(values.back() * Complex(0, 1));
  }
  const Ciphertext x =
      encrypt_symmetric(party.c(), party.secret,
                        encode(party.c(), std::span<const Complex>(values), 0x1p40, 2), party.rng);
  const Ciphertext y = detail::multiply_by_i(party.c(), x, party.pool);
  EXPECT_EQ(y.scale(), x.scale());
  const Precision p =
      compare(decode_complex(party.c(), decrypt(party.c(), party.secret, y)), expected);
  EXPECT_GT(p.bits_min, 25) << p.text();
  Ciphertext back = x.clone();
  for (int i = 0; i < 4; ++i) back = detail::multiply_by_i(party.c(), back, party.pool);
  for (int part = 0; part < 2; ++part)
    for (int i = 0; i <= 2; ++i)
      EXPECT_TRUE(std::ranges::equal(back.part(part).limb(i), x.part(part).limb(i)));
}

}  // namespace
}  // namespace sinter::ckks
