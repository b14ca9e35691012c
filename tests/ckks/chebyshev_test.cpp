// SPDX-License-Identifier: Apache-2.0
// Series as plain numbers: values, fits, conversion and division.
#include "ckks/chebyshev.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support.h"

namespace sinter::ckks {
namespace {

TEST(Chebyshev, a_single_coefficient_is_the_cosine_of_a_multiple) {
  for (int n : {0, 1, 2, 7, 30, 127}) {
    ChebyshevSeries series;
    series.coefficients.assign(size_t(n) + 1, 0.0);
    series.coefficients.back() = 1;
    EXPECT_EQ(series.degree(), n);
    for (double x = -1; x <= 1; x += 0.01)
      EXPECT_NEAR(chebyshev_value(series, x), std::cos(n * std::acos(x)), 1e-11) << n << " " << x;
  }
  EXPECT_EQ(ChebyshevSeries{}.degree(), 0);
  EXPECT_EQ(chebyshev_value(ChebyshevSeries{}, 0.5), 0);
}

TEST(Chebyshev, polynomials_are_reproduced_from_powers_and_by_the_fit) {
  Rng rng(test_seed());
  for (int degree = 0; degree <= 24; ++degree) {
    const std::vector<double> powers = random_values(rng, degree + 1);
    const auto horner = [&](double x) {
      double y = 0;
      for (size_t i = powers.size(); i-- > 0;) y = y * x + powers[i];
      return y;
    };
    for (auto [low, high] : {std::pair(-1.0, 1.0), std::pair(-0.5, 1.25), std::pair(0.5, 1.5)}) {
      const ChebyshevSeries exact = chebyshev_from_powers(powers, low, high),
                            fitted = chebyshev_fit(horner, low, high, degree);
      for (int i = 0; i <= 50; ++i) {
        const double x = low + (high - low) * i / 50, size = std::pow(1.5, degree);
        EXPECT_NEAR(chebyshev_value(exact, x), horner(x), 1e-14 * size) << degree;
        EXPECT_NEAR(chebyshev_value(fitted, x), horner(x), 1e-13 * size) << degree;
      }
    }
  }
}

TEST(Chebyshev, fits_of_odd_and_even_functions_are_odd_and_even) {
  const ChebyshevSeries odd = chebyshev_fit([](double x) { return std::sin(3 * x); }, -2, 2, 24),
                        even = chebyshev_fit([](double x) { return std::cos(3 * x); }, -2, 2, 25);
  EXPECT_EQ(odd.degree(), 23);
  EXPECT_EQ(even.degree(), 24);
  for (size_t i = 0; i <= 24; ++i)
    EXPECT_EQ(i % 2 == 0 ? odd.coefficients[i] : even.coefficients[i], 0) << i;
  EXPECT_NEAR(chebyshev_value(odd, 1.3), std::sin(3.9), 1e-9);
}

TEST(Chebyshev, division_by_a_giant_leaves_the_value_unchanged) {
  Rng rng(test_seed());
  for (int degree = 1; degree <= 40; ++degree) {
    const std::vector<double> p = random_values(rng, degree + 1);
    for (int g = 1; g <= degree; ++g) {
      const ChebyshevQuotient d = chebyshev_divide(p, g);
      EXPECT_EQ(int(d.quotient.size()) - 1, degree - g);
      EXPECT_EQ(int(d.remainder.size()) - 1, std::max(g - 1, degree - 2 * g));
      const double t = rng.uniform(-1, 1);
      EXPECT_NEAR(chebyshev_value({d.quotient}, t) * std::cos(g * std::acos(t)) +
                      chebyshev_value({d.remainder}, t),
                  chebyshev_value({p}, t), 1e-12)
          << degree << " by " << g;
    }
  }
}

TEST(Chebyshev, complex_values_extend_the_real_ones) {
  Rng rng(test_seed());
  const ChebyshevSeries series{random_values(rng, 12), -2, 3};
  for (double x : {-2.0, -0.1, 1.7, 3.5}) {
    const std::complex<double> y = chebyshev_value(series, std::complex<double>(x, 0));
    EXPECT_NEAR(y.real(), chebyshev_value(series, x), 1e-12 * std::abs(y));
    EXPECT_EQ(y.imag(), 0);
  }
}

TEST(Chebyshev, errors_say_what_was_expected_and_found) {
  const auto one = [](double) { return 1.0; };
  const auto refuse = [](const auto& body) { return error_of(body, ErrorKind::bad_argument); };
  EXPECT_NE(refuse([&] { chebyshev_fit(one, -1, 1, -1); }).find("0 to 2047, found -1"),
            std::string::npos);
  EXPECT_NE(refuse([&] { chebyshev_fit(one, 1, 1, 3); }).find("found [1, 1]"), std::string::npos);
  EXPECT_NE(refuse([] {
              chebyshev_fit([](double x) { return 1 / x; }, -1, 1, 2);
            }).find("not finite at 0"),
            std::string::npos);
  const std::vector<double> bad = {0, std::nan("")};
  EXPECT_NE(refuse([&] { chebyshev_from_powers(bad); }).find("coefficient 1 is not finite"),
            std::string::npos);
  EXPECT_NE(refuse([] { chebyshev_from_powers({}); }).find("found -1"), std::string::npos);
}

}  // namespace
}  // namespace sinter::ckks
