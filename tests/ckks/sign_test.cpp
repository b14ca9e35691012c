// SPDX-License-Identifier: Apache-2.0
// The composition of minimax polynomials as plain numbers, then encrypted.
#include "ckks/sign.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support.h"

namespace sinter::ckks {
namespace {

const SignApproximation& relu_sign() {
  static const SignApproximation sign = minimax_sign_for_relu();
  return sign;
}

CkksOptions deep_options(int levels) { return small_options(12, levels, 3); }

/// Values of both signs with magnitudes spread evenly in their logarithm, and the places of
/// interest.
std::vector<double> arguments(Rng& rng, i64 count, double bound) {
  std::vector<double> x = {0,
                           bound,
                           -bound,
                           relu_sign().least * bound,
                           -relu_sign().least * bound,
                           relu_sign().least / 2 * bound,
                           0x1p-13 * bound};
  while (std::ssize(x) < count) {
    const double size = std::exp2(rng.uniform(-14, 0)) * bound;
    x.push_back(x.size() % 2 == 0 ? size : -size);
  }
  return x;
}

TEST(Sign, the_composition_of_degrees_15_15_27_gives_relu_to_13_bits) {
  const SignApproximation& sign = relu_sign();
  EXPECT_EQ(sign_depth(sign), 4 + 4 + 5);
  EXPECT_LE(sign.relu_error, 0x1p-13);
  EXPECT_LE(sign.error, 0x1p-12);
  EXPECT_LE(sign.least, 0x1p-9);
  double sign_error = 0, relu_error = 0;
  for (int i = 0; i <= 200'000; ++i) {
    const double x = std::exp2(-20.0 * i / 200'000);
    relu_error = std::max(relu_error, std::abs(relu_value(sign, x) - x));
    relu_error = std::max(relu_error, std::abs(relu_value(sign, -x)));
    if (x >= sign.least) sign_error = std::max(sign_error, std::abs(sign_value(sign, x) - 1));
    ASSERT_LE(std::abs(sign_value(sign, x)), 1 + sign.error) << x;
    ASSERT_EQ(sign_value(sign, -x), -sign_value(sign, x)) << x;
  }
  // The stated errors hold and are attained; a bit of room for the rounding of coefficients.
  EXPECT_LE(sign_error, sign.error * (1 + 1e-6));
  EXPECT_GE(sign_error, sign.error * 0.9);
  EXPECT_LE(relu_error, sign.relu_error * (1 + 1e-3));
  EXPECT_GE(relu_error, sign.relu_error * 0.9);
}

TEST(Sign, a_smaller_least_argument_costs_accuracy_and_every_stage_widens_it) {
  const int degrees[] = {15, 15, 27};
  double before = 0;
  for (int bits = 7; bits <= 13; ++bits) {
    const SignApproximation sign = minimax_sign(degrees, std::exp2(-bits));
    EXPECT_GT(sign.error, before) << bits;
    before = sign.error;
    double worst = 0;
    for (int i = 0; i <= 10'000; ++i)
      worst =
          std::max(worst, std::abs(sign_value(sign, std::exp2(-bits * (1 - i / 10'000.0))) - 1));
    EXPECT_LE(worst, sign.error * (1 + 1e-6) + 1e-14) << bits;
  }
  const int one[] = {27};
  EXPECT_LT(minimax_sign(degrees, 0x1p-8).error, minimax_sign(one, 0x1p-8).error);
}

TEST(Sign, encrypted_sign_and_relu_agree_with_their_plain_values) {
  Party party(deep_options(14));
  Rng rng(test_seed());
  const EvaluationKeys keys = party.keys(polynomial_manifest(14));
  const SignApproximation& sign = relu_sign();
  const std::vector<double> x = arguments(rng, party.c().slots(), 1);
  const Ciphertext cx = party.encrypt(x);
  std::vector<double> signs, relus, exact;
  for (double v : x) {
    signs.push_back(sign_value(sign, v));
    relus.push_back(relu_value(sign, v));
    exact.push_back(std::max(v, 0.0));
  }
  const Ciphertext s = evaluate_sign(party.c(), cx, sign, 1, 0, keys, party.pool);
  EXPECT_EQ(s.level(), 14 - 13);
  EXPECT_EQ(s.scale(), cx.scale());
  Precision p = compare(party.decrypted(s), signs);
  EXPECT_GT(p.bits_min, 16) << p.text();
  const double scale = 0x1.2p40;
  const Ciphertext r = evaluate_relu(party.c(), cx, sign, 1, scale, keys, party.pool);
  EXPECT_EQ(r.level(), 0);
  EXPECT_EQ(r.scale(), scale);
  p = compare(party.decrypted(r), relus);
  EXPECT_GT(p.bits_min, 22) << p.text();
  EXPECT_LE(compare(party.decrypted(r), exact).max_error, sign.relu_error + 0x1p-17);
}

TEST(Sign, a_wider_bound_takes_one_level_more_and_maximum_adds_none) {
  Party party(deep_options(15));
  Rng rng(test_seed());
  const EvaluationKeys keys = party.keys(polynomial_manifest(15));
  const SignApproximation& sign = relu_sign();
  EXPECT_EQ(sign_depth(sign, 2), 14);
  EXPECT_EQ(sign_depth(sign, 1.25), 13);
  const std::vector<double> x = arguments(rng, party.c().slots(), 1),
                            y = random_values(rng, party.c().slots());
  const Ciphertext m =
      evaluate_maximum(party.c(), party.encrypt(x), party.encrypt(y), sign, 2, 0, keys, party.pool);
  EXPECT_EQ(m.level(), 0);
  EXPECT_EQ(m.scale(), party.scale());
  std::vector<double> expected;
  for (size_t i = 0; i < x.size(); ++i) expected.push_back(std::max(x[i], y[i]));
  const Precision p = compare(party.decrypted(m), expected);
  EXPECT_LE(p.max_error, 2 * sign.relu_error + 0x1p-16) << p.text();
}

TEST(Sign, errors_say_what_was_expected_and_found) {
  Party party(deep_options(13));
  const EvaluationKeys keys = party.keys({});
  const std::vector<double> one = {1};
  const Ciphertext x = party.encrypt(one);
  EXPECT_NE(error_of([&] { evaluate_relu(party.c(), x, relu_sign(), 1, 0, keys, party.pool); },
                     ErrorKind::out_of_levels)
                .find("evaluate_relu: needs 14 levels, found a ciphertext of level 13"),
            std::string::npos);
  EXPECT_NE(error_of([&] { evaluate_sign(party.c(), x, relu_sign(), 3, 0, keys, party.pool); },
                     ErrorKind::out_of_levels)
                .find("evaluate_sign: needs 14 levels"),
            std::string::npos);
  EXPECT_NE(error_of([&] { evaluate_sign(party.c(), x, relu_sign(), -1, 0, keys, party.pool); },
                     ErrorKind::bad_argument)
                .find("positive finite bound, found -1"),
            std::string::npos);
  const int even[] = {14};
  EXPECT_NE(error_of([&] { minimax_sign(even, 0.1); }, ErrorKind::bad_argument).find("found 14"),
            std::string::npos);
  const int odd[] = {15};
  EXPECT_NE(error_of([&] { minimax_sign(odd, 0); }, ErrorKind::bad_argument).find("found 0"),
            std::string::npos);
}

}  // namespace
}  // namespace sinter::ckks
