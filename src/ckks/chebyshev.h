// SPDX-License-Identifier: Apache-2.0
// Series in the Chebyshev polynomials T_0 = 1, T_1 = t, T_(n+1) = 2 t T_n - T_(n-1), as plain
// numbers. The argument x of [low, high] is mapped to t = (2 x - low - high) / (high - low) of
// [-1, 1], where |T_n| <= 1: coefficients stay of the size of the function, which powers of x do
// not give, and that is what fixed-point arithmetic needs.
#pragma once
#include <complex>
#include <functional>
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter::ckks {

/// sum_i coefficients[i] T_i(t). A value.
struct ChebyshevSeries {
  std::vector<double> coefficients;
  double low = -1, high = 1;

  /// Index of the last coefficient that is not zero; 0 when there is none.
  int degree() const;
};

/// The polynomial of the given degree that agrees with f at the degree + 1 Chebyshev nodes of
/// [low, high]: within a factor 2 + (2 / pi) log(degree + 1) of the best one in the largest error.
/// Coefficients below 2^-50 of the largest are rounding errors and are set to zero, so an odd
/// function on a symmetric interval gives an odd series.
/// throws  Error(bad_argument): degree outside [0, 2047], interval empty, f not finite at a node
ChebyshevSeries chebyshev_fit(const std::function<double(double)>& f, double low, double high,
                              int degree);

/// The polynomial sum_i powers[i] x^i as a series on [low, high], converted in long double. Equal
/// up to 2^-50 of its largest coefficient.
/// throws  Error(bad_argument): degree outside [0, 2047], interval empty, values not finite
ChebyshevSeries chebyshev_from_powers(std::span<const double> powers, double low = -1,
                                      double high = 1);

/// The series at x, by Clenshaw's recurrence. Any x, also outside [low, high].
double chebyshev_value(const ChebyshevSeries& series, double x);
std::complex<double> chebyshev_value(const ChebyshevSeries& series, std::complex<double> x);

/// p = quotient * T_g + remainder with p = sum_i p[i] T_i, from T_(g+i) = 2 T_g T_i - T_|g-i|.
/// The quotient has degree deg(p) - g, the remainder at most max(g - 1, deg(p) - 2 g).
/// in  1 <= g < p.size()
struct ChebyshevQuotient {
  std::vector<double> quotient, remainder;
};
ChebyshevQuotient chebyshev_divide(std::span<const double> p, int g);

}  // namespace sinter::ckks
