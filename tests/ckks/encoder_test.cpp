// SPDX-License-Identifier: Apache-2.0
// The encoder against the embedding written out in long double.
#include "ckks/encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "ring/rns.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;
using Exact = std::complex<long double>;

/// sigma(c): slot j is the value at zeta^(5^j).
std::vector<Exact> embed(const std::vector<double>& coefficients) {
  const size_t n = coefficients.size();
  std::vector<Exact> slots(n / 2);
  size_t power = 1;
  for (Exact& slot : slots) {
    for (size_t i = 0; i < n; ++i) {
      const long double angle = std::numbers::pi_v<long double> *
                                static_cast<long double>(i * power % (2 * n)) /
                                static_cast<long double>(n);
      slot += static_cast<long double>(coefficients[i]) * Exact(std::cos(angle), std::sin(angle));
    }
    power = power * 5 % (2 * n);
  }
  return slots;
}

/// The signed coefficients of a plaintext whose message fits q_0.
std::vector<double> coefficients_of(const Context& context, const Plaintext& p) {
  ring::RnsPoly poly = p.poly.clone(1);
  ring::ntt_inverse(context.ring().ntt(0), poly.limb(0));
  const i64 q = i64(context.params().q(0));
  std::vector<double> out;
  for (u64 r : poly.limb(0)) out.push_back(double(i64(r) > q / 2 ? i64(r) - q : i64(r)));
  return out;
}

std::vector<Complex> random_complex(Rng& rng, i64 count) {
  std::vector<Complex> values(static_cast<size_t>(count));
  for (Complex& v : values) v = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
  return values;
}

TEST(Encoder, the_polynomial_takes_the_values_at_the_roots_within_rounding) {
  Rng rng(test_seed());
  for (i64 log_n : {4, 5, 7, 10}) {
    const auto context = Context::create(CkksParams::check(small_options(log_n, 2, 1)));
    const std::vector<Complex> values = random_complex(rng, context->slots());
    const double scale = 0x1p40;
    const std::vector<double> c = coefficients_of(*context, encode(*context, values, scale, 2));
    const std::vector<Exact> slots = embed(c);
    // Rounding moves each of N coefficients by at most 1/2.
    const double bound = double(context->n()) / 2 / scale;
    for (size_t j = 0; j < values.size(); ++j) {
      const Exact found = slots[j] / static_cast<long double>(scale);
      ASSERT_LT(std::abs(found - Exact(values[j])), bound) << "N " << context->n() << " slot " << j;
    }
  }
}

TEST(Encoder, decoding_is_exact_to_double_rounding) {
  Rng rng(test_seed());
  const auto context = Context::create(CkksParams::check(small_options(9, 3, 1)));
  for (int level = 0; level <= 3; ++level) {
    const std::vector<Complex> values = random_complex(rng, context->slots());
    const Plaintext p = encode(*context, values, 0x1p40, level);
    const std::vector<Exact> expected = embed(coefficients_of(*context, p));
    const std::vector<Complex> found = decode_complex(*context, p);
    for (size_t j = 0; j < found.size(); ++j)
      ASSERT_LT(std::abs(Exact(found[j]) - expected[j] / 0x1p40L), 0x1p-46L) << level << " " << j;
  }
}

TEST(Encoder, the_transforms_keep_double_precision_at_the_largest_size) {
  CkksOptions o = small_options(16, 1, 0);
  const auto context = Context::create(CkksParams::check(o));
  Rng rng(test_seed());
  const std::vector<Complex> values = random_complex(rng, context->slots());
  const std::vector<Complex> found = decode_complex(*context, encode(*context, values, 0x1p80, 1));
  EXPECT_GT(compare(found, values).bits_min, 48);
}

TEST(Encoder, short_vectors_fill_up_with_zeros) {
  const auto context = Context::create(CkksParams::check(small_options(8, 1, 1)));
  const std::vector<double> values = {1.5, -2, 0.25};
  std::vector<double> expected = values;
  expected.resize(size_t(context->slots()));
  EXPECT_GT(compare(decode(*context, encode(*context, values, 0x1p40, 1)), expected).bits_min, 33);
}

TEST(Encoder, a_periodic_vector_encodes_as_its_repetition) {
  Rng rng(test_seed());
  const auto context = Context::create(CkksParams::check(small_options(10, 2, 2)));
  for (i64 period = 1; period <= context->slots(); period *= 2) {
    const std::vector<double> values = random_values(rng, period);
    std::vector<double> repeated;
    while (std::ssize(repeated) < context->slots())
      repeated.insert(repeated.end(), values.begin(), values.end());
    for (Basis basis : {Basis::q, Basis::qp}) {
      const Plaintext p = encode_periodic(*context, values, 0x1p40, 2, basis);
      const Plaintext whole = encode(*context, repeated, 0x1p40, 2, basis);
      ASSERT_EQ(p.poly.limbs(), whole.poly.limbs());
      const std::vector<double> a = coefficients_of(*context, p),
                                b = coefficients_of(*context, whole);
      for (size_t i = 0; i < a.size(); ++i) ASSERT_LE(std::abs(a[i] - b[i]), 1) << period;
      if (basis == Basis::q) {
        EXPECT_GT(compare(decode(*context, p), repeated).bits_min, 31);
      }
    }
  }
}

TEST(Encoder, a_pool_changes_no_bit) {
  Rng rng(test_seed());
  const auto context = Context::create(CkksParams::check(small_options(13, 8, 2)));
  for (i64 period : {i64(1), i64(64), context->slots()}) {
    const std::vector<double> values = random_values(rng, period);
    for (Basis basis : {Basis::q, Basis::qp})
      for (i64 threads : {1, 2, 5}) {
        ThreadPool pool(threads);
        const Plaintext plain = encode_periodic(*context, values, 0x1p40, 8, basis),
                        p = encode_periodic(*context, values, 0x1p40, 8, basis, pool);
        ASSERT_EQ(p.poly.limbs(), plain.poly.limbs());
        for (int i = 0; i < p.poly.limbs(); ++i)
          ASSERT_TRUE(std::ranges::equal(p.poly.limb(i), plain.poly.limb(i)))
              << "period " << period << " limb " << i << " threads " << threads;
      }
  }
}

TEST(Encoder, a_complex_periodic_vector_encodes_as_its_repetition) {
  Rng rng(test_seed());
  const auto context = Context::create(CkksParams::check(small_options(9, 2, 2)));
  for (i64 period = 1; period <= context->slots(); period *= 2) {
    const std::vector<Complex> values = random_complex(rng, period);
    std::vector<Complex> repeated;
    while (std::ssize(repeated) < context->slots())
      repeated.insert(repeated.end(), values.begin(), values.end());
    const Plaintext p = encode_periodic(*context, values, 0x1p40, 2);
    const std::vector<double> a = coefficients_of(*context, p),
                              b = coefficients_of(*context, encode(*context, repeated, 0x1p40, 2));
    for (size_t i = 0; i < a.size(); ++i) ASSERT_LE(std::abs(a[i] - b[i]), 1) << period;
    EXPECT_GT(compare(decode_complex(*context, p), repeated).bits_min, 31);
  }
}

TEST(Encoder, constants_are_the_same_in_every_slot_and_in_every_basis) {
  const auto context = Context::create(CkksParams::check(small_options(8, 3, 2)));
  for (double value : {0.0, 1.0, -0.3, 100.0}) {
    const Plaintext p = encode_constant(*context, value, 0x1p38, 3);
    for (double v : decode(*context, p)) ASSERT_NEAR(v, value, 0x1p-38);
    const Plaintext whole = encode(*context, std::vector<double>(size_t(context->slots()), value),
                                   0x1p38, 3, Basis::qp);
    const Plaintext constant = encode_constant(*context, value, 0x1p38, 3, Basis::qp);
    for (int i = 0; i < whole.poly.limbs(); ++i)
      ASSERT_EQ(std::vector<u64>(whole.poly.limb(i).begin(), whole.poly.limb(i).end()),
                std::vector<u64>(constant.poly.limb(i).begin(), constant.poly.limb(i).end()));
  }
}

TEST(Encoder, scales_beyond_one_word_keep_their_leading_53_bits) {
  Rng rng(test_seed());
  const auto context = Context::create(CkksParams::check(small_options(8, 5, 2)));
  const std::vector<double> values = random_values(rng, context->slots());
  for (int bits : {50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 70, 120, 200}) {
    const Plaintext p = encode(*context, values, std::ldexp(1.0, bits), 5);
    EXPECT_GT(compare(decode(*context, p), values).bits_min, 41) << bits;
  }
}

TEST(Encoder, refuses_what_it_cannot_represent) {
  const auto context = Context::create(CkksParams::check(small_options(8, 2, 1)));
  const Context& c = *context;
  const auto bad = [&](std::vector<double> v, double scale, int level) {
    return error_of([&] { encode(c, v, scale, level); }, ErrorKind::bad_argument);
  };
  EXPECT_NE(bad(std::vector<double>(200, 1), 0x1p40, 1).find("1 to 128 values, found 200"),
            std::string::npos);
  EXPECT_NE(bad({}, 0x1p40, 1).find("found 0"), std::string::npos);
  EXPECT_NE(bad({1, std::numeric_limits<double>::quiet_NaN()}, 0x1p40, 1).find("finite"),
            std::string::npos);
  EXPECT_NE(bad({std::numeric_limits<double>::infinity()}, 0x1p40, 1).find("finite"),
            std::string::npos);
  EXPECT_NE(bad(std::vector<double>(128, 100), 0x1p40, 0).find("too large for level 0"),
            std::string::npos);
  EXPECT_EQ(bad(std::vector<double>(128, 100), 0x1p40, 1), "");
  EXPECT_NE(bad({1}, 0x1p40, 3).find("level of 0 to 2, found 3"), std::string::npos);
  EXPECT_NE(bad({1}, 0x1p40, -1).find("found -1"), std::string::npos);
  EXPECT_NE(bad({1}, 0, 1).find("scale"), std::string::npos);
  EXPECT_NE(bad({1}, -1, 1).find("scale"), std::string::npos);
  EXPECT_NE(error_of(
                [&] {
                  encode_periodic(c, std::vector<double>{1, 2, 3}, 0x1p40, 1);
                },
                ErrorKind::bad_argument)
                .find("power of two"),
            std::string::npos);
  const Plaintext extended = encode(c, std::vector<double>{1}, 0x1p40, 1, Basis::qp);
  EXPECT_NE(error_of([&] { decode(c, extended); }, ErrorKind::bad_argument).find("basis q"),
            std::string::npos);
}

TEST(Precision, counts_bits_and_treats_nan_as_the_worst) {
  const std::vector<double> a = {1, 2, 3}, b = {1, 2.25, 3 + 0x1p-10};
  const Precision p = compare(a, b);
  EXPECT_DOUBLE_EQ(p.bits_min, 2);
  EXPECT_DOUBLE_EQ(p.bits_median, 10);
  EXPECT_DOUBLE_EQ(p.bits_mean, 24);
  EXPECT_DOUBLE_EQ(p.max_error, 0.25);
  const std::vector<double> nan = {1, 2, std::nan("")};
  EXPECT_EQ(compare(a, nan).max_error, HUGE_VAL);
  EXPECT_LT(compare(a, nan).bits_min, -1000);
  EXPECT_THROW(compare(a, std::vector<double>{1}), Error);
}

}  // namespace
}  // namespace sinter::ckks
