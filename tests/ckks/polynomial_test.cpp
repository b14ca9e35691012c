// SPDX-License-Identifier: Apache-2.0
// Series of ciphertexts against the same series of doubles: value, level, scale.
#include "ckks/polynomial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ckks/evaluate.h"
#include "ckks/noise.h"
#include "polynomial_support.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;

std::vector<double> values_of(const ChebyshevSeries& series, std::span<const double> x) {
  std::vector<double> out;
  for (double v : x) out.push_back(chebyshev_value(series, v));
  return out;
}

struct Relinearised : Party {
  EvaluationKeys relinearisation;
  explicit Relinearised(const CkksOptions& options)
      : Party(options), relinearisation(keys(polynomial_manifest(c().max_level()))) {}
  Ciphertext evaluate(const Ciphertext& x, const ChebyshevSeries& series, double scale = 0) {
    return evaluate_chebyshev(c(), x, series, scale, relinearisation, pool);
  }
};

TEST(Polynomial, random_series_of_degrees_1_to_63_agree_with_doubles) {
  Relinearised party(small_options(11, 7, 2));
  Rng rng(test_seed());
  for (int degree = 1; degree <= 63; ++degree) {
    const ChebyshevSeries series = random_series(rng, degree);
    const std::vector<double> x = random_values(rng, party.c().slots());
    const Ciphertext cx = party.encrypt(x);
    const double scale = degree % 3 == 0 ? 0 : rng.uniform(0x1p39, 0x1p41);
    const Ciphertext y = party.evaluate(cx, series, scale);
    EXPECT_EQ(y.level(), cx.level() - chebyshev_depth(degree)) << "degree " << degree;
    EXPECT_EQ(y.scale(), scale == 0 ? cx.scale() : scale) << "degree " << degree;
    const Precision p = compare(party.decrypted(y), values_of(series, x));
    EXPECT_GT(p.bits_min, 20) << "degree " << degree << ": " << p.text();
  }
}

TEST(Polynomial, odd_and_even_series_agree_with_doubles) {
  Relinearised party(small_options(11, 7, 2));
  Rng rng(test_seed());
  for (int degree : {2, 3, 6, 9, 14, 15, 27, 30, 31, 62, 63, 127}) {
    ChebyshevSeries series = random_series(rng, degree);
    for (int i = degree - 1; i >= 0; i -= 2) series.coefficients[size_t(i)] = 0;
    const std::vector<double> x = random_values(rng, party.c().slots());
    const Ciphertext y = party.evaluate(party.encrypt(x), series);
    const Precision p = compare(party.decrypted(y), values_of(series, x));
    EXPECT_GT(p.bits_min, 20) << "degree " << degree << ": " << p.text();
  }
}

TEST(Polynomial, degenerate_series_are_what_they_say) {
  Relinearised party(small_options(10, 5, 2));
  Rng rng(test_seed());
  const std::vector<double> x = random_values(rng, party.c().slots());
  const Ciphertext cx = party.encrypt(x);
  struct Case {
    const char* name;
    std::vector<double> coefficients;
    int levels;
  };
  std::vector<double> last_alone(32, 0.0);
  last_alone[31] = 1;
  const Case cases[] = {{"nothing", {}, 0},
                        {"a constant", {0.25}, 0},
                        {"zeros", {0, 0, 0, 0}, 0},
                        {"zeros at the end", {0.5, 0.25, 0, 0, 0, 0, 0, 0, 0}, 1},
                        {"no constant", {0, 0.5, 0.25}, 2},
                        {"T_16 alone", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 5},
                        {"T_31 alone", last_alone, 5},
                        {"tiny last coefficient", {0.5, 0.5, 0.5, 1e-30}, 2},
                        {"large coefficients", {100, -50, 30, 20, -40}, 3}};
  for (const Case& k : cases) {
    const ChebyshevSeries series{k.coefficients};
    const Ciphertext y = party.evaluate(cx, series, 0x1.8p40);
    EXPECT_EQ(y.level(), cx.level() - k.levels) << k.name;
    EXPECT_EQ(y.scale(), 0x1.8p40) << k.name;
    EXPECT_EQ(y.parts(), 2) << k.name;
    const Precision p = compare(party.decrypted(y), values_of(series, x));
    EXPECT_GT(p.bits_min, 17) << k.name << ": " << p.text();
  }
}

TEST(Polynomial, intervals_take_a_level_only_when_their_width_is_not_2) {
  Relinearised party(small_options(11, 6, 2));
  Rng rng(test_seed());
  struct Case {
    double low, high;
    int degree, levels;
  };
  const Case cases[] = {{-1, 1, 31, 5},     {0, 2, 31, 5},     {3, 5, 12, 4},  {-1.05, 1.05, 31, 5},
                        {-1.5, 1.5, 7, 3},  {-0.5, 0.5, 3, 2}, {-3, 5, 15, 5}, {-100, 100, 20, 6},
                        {0.25, 0.26, 9, 5}, {0, 1, 31, 6},     {-8, 8, 1, 1},  {-64, 64, 1, 2}};
  for (const Case& k : cases) {
    const ChebyshevSeries series = random_series(rng, k.degree, k.low, k.high);
    EXPECT_EQ(chebyshev_depth(series), k.levels) << k.low << " " << k.high;
    const std::vector<double> x = random_values(rng, party.c().slots(), k.low, k.high);
    const Ciphertext y = party.evaluate(party.encrypt(x), series);
    EXPECT_EQ(y.level(), 6 - k.levels);
    EXPECT_EQ(y.scale(), party.scale());
    const Precision p = compare(party.decrypted(y), values_of(series, x));
    const double bits = k.high - k.low < 0.1 ? 14 : 18;  // the slope is 1 / 0.005 there
    EXPECT_GT(p.bits_min, bits) << "[" << k.low << ", " << k.high << "]: " << p.text();
  }
}

TEST(Polynomial, complex_slots_work_with_real_coefficients) {
  Relinearised party(small_options(11, 5, 2));
  Rng rng(test_seed());
  std::vector<Complex> x(size_t(party.c().slots()));
  for (Complex& v : x) v = std::polar(rng.uniform(0, 0.5), rng.uniform(0, 6.28));
  const Ciphertext cx = encrypt_symmetric(
      party.c(), party.secret, encode(party.c(), std::span<const Complex>(x), party.scale(), 5),
      party.rng);
  for (int degree : {1, 3, 8, 13}) {
    const ChebyshevSeries series = random_series(rng, degree);
    std::vector<Complex> expected;
    for (const Complex& v : x) expected.push_back(chebyshev_value(series, v));
    const Ciphertext y = party.evaluate(cx, series);
    const std::vector<Complex> found =
        decode_complex(party.c(), decrypt(party.c(), party.secret, y));
    EXPECT_GT(compare(found, expected).bits_min, 16) << "degree " << degree;
  }
}

TEST(Polynomial, the_number_of_threads_does_not_change_a_byte) {
  Relinearised party(small_options(12, 5, 2));
  Rng rng(test_seed());
  const Ciphertext x = party.encrypt(random_values(rng, party.c().slots()));
  const ChebyshevSeries series = random_series(rng, 31);
  const std::vector<std::byte> expected =
      save_ciphertext(party.c(), party.evaluate(x, series, 0x1p40));
  for (i64 threads : {2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(save_ciphertext(party.c(), evaluate_chebyshev(party.c(), x, series, 0x1p40,
                                                            party.relinearisation, pool)),
              expected)
        << threads << " threads";
  }
}

TEST(Polynomial, several_series_share_the_powers_of_one_x) {
  Relinearised party(small_options(11, 6, 2));
  Rng rng(test_seed());
  const ChebyshevSeries series[] = {random_series(rng, 23), random_series(rng, 31),
                                    random_series(rng, 5), ChebyshevSeries{{0.5}}};
  const double scales[] = {0, 0x1.4p40, 0x1.9p39, 0};
  const std::vector<double> x = random_values(rng, party.c().slots());
  const Ciphertext cx = party.encrypt(x);
  const std::vector<Ciphertext> y =
      evaluate_chebyshev_many(party.c(), cx, series, scales, party.relinearisation, party.pool);
  ASSERT_EQ(y.size(), 4u);
  double apart = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_EQ(y[i].level(), 1) << i;
    EXPECT_EQ(y[i].scale(), scales[i] == 0 ? cx.scale() : scales[i]) << i;
    const Precision p = compare(party.decrypted(y[i]), values_of(series[i], x));
    EXPECT_GT(p.bits_min, 20) << i << ": " << p.text();
    apart += polynomial_cost(party.c(), series[i], 6).transforms;
  }
  EXPECT_LT(polynomial_cost(party.c(), series, 6).transforms, 0.85 * apart);
}

TEST(Polynomial, errors_stay_below_the_bound_at_two_precisions) {
  double worst[2] = {0, 0};
  for (int log_scale : {34, 44}) {
    CkksOptions o = small_options(11, 5, 2);
    o.log_q.assign(6, log_scale);
    o.log_q[0] = 48;
    o.log_scale = log_scale;
    Relinearised party(o);
    Rng rng(test_seed());
    const CkksParams& params = party.c().params();
    const double input =
        slot_noise(params, fresh_noise(params) + 7 / std::sqrt(12.0), party.scale());
    for (int run = 0; run < 100; ++run) {
      const int degree = 1 + run % 31;
      const bool is_wide = run % 7 == 3 && degree < 16;
      const ChebyshevSeries series = random_series(rng, degree, is_wide ? -4 : -1, is_wide ? 3 : 1);
      const std::vector<double> x = random_values(rng, party.c().slots(), series.low, series.high);
      const double bound = polynomial_error_bound(party.c(), series, 5, party.scale(), 0, input);
      const Precision p =
          compare(party.decrypted(party.evaluate(party.encrypt(x), series)), values_of(series, x));
      EXPECT_LE(p.max_error, bound) << "degree " << degree << " scale 2^" << log_scale;
      EXPECT_GE(p.max_error, bound / 4096) << "degree " << degree << " scale 2^" << log_scale;
      worst[log_scale == 44] = std::max(worst[log_scale == 44], p.max_error);
    }
  }
  // Ten bits of scale are ten bits of precision.
  EXPECT_NEAR(std::log2(worst[0] / worst[1]), 10, 1.5);
}

TEST(Polynomial, errors_say_what_was_expected_and_found) {
  Relinearised party(small_options(10, 3, 2));
  Party low_key(small_options(10, 3, 2));
  const EvaluationKeys low = low_key.keys(polynomial_manifest(1));
  Rng rng(test_seed());
  const Ciphertext x = party.encrypt(std::vector<double>{0.5});
  const Ciphertext three = square(party.c(), x, party.pool);
  Ciphertext scaled = x.clone();
  scaled.set_scale(0x1p28);
  const ChebyshevSeries wide = random_series(rng, 7, -5, 5), nan{{0, std::nan("")}},
                        crossed{{1, 1}, 2, 1}, cubic = random_series(rng, 3);
  const ChebyshevSeries two[] = {cubic, wide};
  const double one_scale[] = {0}, two_scales[] = {0, 0};
  const auto many = [&](std::span<const ChebyshevSeries> series, std::span<const double> scales) {
    evaluate_chebyshev_many(party.c(), x, series, scales, party.relinearisation, party.pool);
  };
  struct Case {
    const char* expected;
    ErrorKind kind;
    std::function<void()> body;
  };
  const Case cases[] = {
      {"a series of degree 8 on [-1, 1] needs 4 levels, found a ciphertext of level 3",
       ErrorKind::out_of_levels, [&] { party.evaluate(x, random_series(rng, 8)); }},
      {"a series of degree 7 on [-5, 5] needs 4 levels", ErrorKind::out_of_levels,
       [&] { party.evaluate(x, wide); }},
      {"expected 2 parts, found 3", ErrorKind::bad_argument, [&] { party.evaluate(three, cubic); }},
      {"expected finite coefficients, found nan", ErrorKind::bad_argument,
       [&] { party.evaluate(x, nan); }},
      {"low < high, found [2, 1]", ErrorKind::bad_argument, [&] { party.evaluate(x, crossed); }},
      {"expected the scale of x near the primes", ErrorKind::bad_argument,
       [&] { party.evaluate(scaled, cubic, 0x1p40); }},
      {"expected a positive finite scale", ErrorKind::bad_argument,
       [&] { party.evaluate(x, cubic, -1); }},
      {"found [-1, 1] and [-5, 5]", ErrorKind::bad_argument, [&] { many(two, two_scales); }},
      {"found 1 scales and 2 series", ErrorKind::bad_argument, [&] { many(two, one_scale); }},
      {"expected a series", ErrorKind::bad_argument, [&] { many({}, {}); }},
      {"relinearisation key is among the keys up to level 1 only", ErrorKind::bad_argument,
       [&] { evaluate_chebyshev(party.c(), x, cubic, 0, low, party.pool); }},
      {"does not fit", ErrorKind::bad_argument,
       [&] {
         party.evaluate(x, ChebyshevSeries{{1e30, 1}});
       }},
      {"degree of 0 to 2047, found 2048", ErrorKind::bad_argument, [&] { chebyshev_depth(2048); }},
  };
  for (const Case& k : cases) {
    const std::string found = error_of(k.body, k.kind);
    EXPECT_NE(found.find(k.expected), std::string::npos)
        << "expected: " << k.expected << "\nfound: " << found;
  }
}

}  // namespace
}  // namespace sinter::ckks
