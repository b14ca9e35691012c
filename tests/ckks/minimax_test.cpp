// SPDX-License-Identifier: Apache-2.0
// Remez' exchange against what theory gives in closed form, and against the alternation it
// promises.
#include "ckks/minimax.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "support.h"

namespace sinter::ckks {
namespace {

using Interval = std::pair<double, double>;

/// Largest error on a grid, and how often its sign changes where it is within 1e-6 of the largest.
struct Scan {
  double largest = 0;
  int alternations = 0;
};
Scan scan(const ChebyshevSeries& series, const std::function<long double(long double)>& f,
          std::span<const Interval> intervals) {
  std::vector<double> errors;
  for (const auto& [low, high] : intervals)
    for (int i = 0; i <= 20'000; ++i) {
      const double x = i == 20'000 ? high : low + (high - low) * i / 20'000;
      errors.push_back(double(chebyshev_value(series, x) - f(x)));
    }
  Scan out;
  for (double e : errors) out.largest = std::max(out.largest, std::abs(e));
  double sign = 0;
  for (double e : errors)
    if (std::abs(e) > out.largest * (1 - 1e-4) && e * sign <= 0) sign = e, ++out.alternations;
  return out;
}

TEST(Minimax, the_best_polynomial_below_a_power_is_the_chebyshev_one) {
  // x^n minus its best approximation of degree n - 1 is T_n 2^(1-n).
  const Interval unit[] = {{-1, 1}};
  for (int n = 2; n <= 12; ++n) {
    const Minimax m = minimax_fit([&](long double x) { return std::pow(x, n); }, unit, n - 1);
    EXPECT_NEAR(m.error, std::exp2(1 - n), 1e-12) << n;
  }
}

TEST(Minimax, the_error_of_1_over_x_plus_a_is_the_known_one) {
  // Chebyshev: 1 / (x - a) on [-1, 1], a > 1, degree n: (a - sqrt(a^2 - 1))^n / (a^2 - 1).
  const Interval unit[] = {{-1, 1}};
  const double a = 1.25;
  for (int n = 1; n <= 20; ++n) {
    const Minimax m = minimax_fit([&](long double x) { return 1 / (x - a); }, unit, n);
    const double expected = std::pow(a - std::sqrt(a * a - 1), n) / (a * a - 1);
    EXPECT_NEAR(m.error / expected, 1, 1e-9) << n;
  }
}

TEST(Minimax, errors_alternate_on_one_and_on_several_intervals) {
  const auto cosine = [](long double x) {
    return std::cos(2 * std::numbers::pi_v<long double> * (x - 0.25L));
  };
  std::vector<Interval> near_integers;
  for (int i = -2; i <= 2; ++i) near_integers.push_back({i - 0.06, i + 0.06});
  const Interval half[] = {{0.5, 3}};
  struct Case {
    std::vector<Interval> intervals;
    int degree;
    Parity parity;
    int points;
  };
  const Case cases[] = {{{half[0]}, 11, Parity::any, 13},
                        {{half[0]}, 11, Parity::odd, 7},
                        {{half[0]}, 12, Parity::even, 8},
                        {{{-2, -1}, {0.5, 1}}, 9, Parity::any, 11},
                        {near_integers, 14, Parity::any, 16}};
  for (const Case& k : cases) {
    const Minimax m = minimax_fit(cosine, k.intervals, k.degree, k.parity);
    const Scan found = scan(m.series, cosine, k.intervals);
    EXPECT_NEAR(found.largest / m.error, 1, 1e-4) << "degree " << k.degree;
    EXPECT_GE(found.alternations, k.points) << "degree " << k.degree;
    EXPECT_LE(m.iterations, 30);
    if (k.parity == Parity::any) continue;
    const size_t wrong = k.parity == Parity::odd ? 0 : 1;
    for (size_t i = wrong; i < m.series.coefficients.size(); i += 2)
      EXPECT_EQ(m.series.coefficients[i], 0);
  }
}

TEST(Minimax, sgn_on_two_intervals_is_one_on_the_positive_one_for_odd_polynomials) {
  const Interval both[] = {{-1, -0.2}, {0.2, 1}};
  for (int degree : {3, 7, 11}) {
    const Minimax two =
        minimax_fit([](long double x) { return x < 0 ? -1.0L : 1.0L; }, both, degree);
    const Minimax one =
        minimax_fit([](long double) { return 1.0L; }, {both + 1, 1}, degree, Parity::odd);
    EXPECT_NEAR(two.error, one.error, 1e-9);
    for (int i = 0; i <= degree; ++i)
      EXPECT_NEAR(two.series.coefficients[size_t(i)], one.series.coefficients[size_t(i)], 1e-6);
  }
}

TEST(Minimax, no_worse_than_interpolation_and_close_to_it) {
  const Interval interval[] = {{-3, 2}};
  for (int degree = 1; degree <= 16; ++degree) {
    const auto f = [](double x) { return std::exp(x) / (1 + x * x); };
    const auto g = [](long double x) { return std::exp(x) / (1 + x * x); };
    const double best = minimax_fit(g, interval, degree).error;
    const double fitted = scan(chebyshev_fit(f, -3, 2, degree), g, interval).largest;
    EXPECT_LE(best, fitted * (1 + 1e-9)) << degree;
    EXPECT_LE(fitted, best * (2 + 2 / std::numbers::pi * std::log(degree + 1))) << degree;
  }
}

TEST(Minimax, errors_say_what_was_expected_and_found) {
  const auto one = [](long double) { return 1.0L; };
  const Interval unit[] = {{-1, 1}}, crossed[] = {{0, 2}, {1, 3}}, empty[] = {{1, 1}};
  struct Case {
    const char* expected;
    std::span<const Interval> intervals;
    int degree;
    Parity parity;
  };
  const Case cases[] = {
      {"found 0", unit, 0, Parity::any},           {"found 4", unit, 4, Parity::odd},
      {"found [-1, 1]", unit, 3, Parity::odd},     {"found [-1, 1]", unit, 2, Parity::even},
      {"found [1, 3]", crossed, 3, Parity::any},   {"found [1, 1]", empty, 3, Parity::any},
      {"expected an interval", {}, 3, Parity::any}};
  for (const Case& k : cases) {
    const std::string found = error_of([&] { minimax_fit(one, k.intervals, k.degree, k.parity); },
                                       ErrorKind::bad_argument);
    EXPECT_NE(found.find(k.expected), std::string::npos) << found;
  }
}

}  // namespace
}  // namespace sinter::ckks
