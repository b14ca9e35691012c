// SPDX-License-Identifier: Apache-2.0
#include "ckks/chebyshev.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace sinter::ckks {
namespace {

constexpr int kMaxDegree = 2047;

void check_series(int degree, double low, double high, const char* operation) {
  require(degree >= 0 && degree <= kMaxDegree, ErrorKind::bad_argument, operation,
          ": expected a degree of 0 to ", kMaxDegree, ", found ", degree);
  require(std::isfinite(low) && std::isfinite(high) && low < high, ErrorKind::bad_argument,
          operation, ": expected an interval with low < high, found [", low, ", ", high, "]");
}

/// Rounded to double, what is below 2^-50 of the largest dropped.
std::vector<double> cleaned(std::span<const long double> coefficients) {
  long double largest = 0;
  for (long double c : coefficients) largest = std::max(largest, std::abs(c));
  std::vector<double> out;
  for (long double c : coefficients)
    out.push_back(std::abs(c) <= largest * 0x1p-50L ? 0.0 : double(c));
  return out;
}

template <class Number>
Number clenshaw(const ChebyshevSeries& series, Number x) {
  const double width = series.high - series.low;
  const Number t = (2.0 * x - (series.low + series.high)) / width;
  Number b1 = 0, b2 = 0;
  for (size_t i = series.coefficients.size(); i-- > 1;) {
    const Number b0 = 2.0 * t * b1 - b2 + series.coefficients[i];
    b2 = b1;
    b1 = b0;
  }
  return t * b1 - b2 + (series.coefficients.empty() ? 0.0 : series.coefficients[0]);
}

}  // namespace

int ChebyshevSeries::degree() const {
  for (size_t i = coefficients.size(); i-- > 1;)
    if (coefficients[i] != 0) return int(i);
  return 0;
}

ChebyshevSeries chebyshev_fit(const std::function<double(double)>& f, double low, double high,
                              int degree) {
  check_series(degree, low, high, "chebyshev_fit");
  using std::numbers::pi_v;
  const int count = degree + 1;
  const double middle = low + (high - low) / 2, half = (high - low) / 2;
  std::vector<double> values;
  for (int k = 0; k < count; ++k) {
    // sin of the angle from the middle, so that the nodes are exactly symmetric about it.
    const long double angle = pi_v<long double> * (count - 1 - 2 * k) / (2 * count);
    const double x = std::clamp(middle + half * double(std::sin(angle)), low, high);
    values.push_back(f(x));
    require(std::isfinite(values.back()), ErrorKind::bad_argument,
            "chebyshev_fit: the function is not finite at ", x);
  }
  std::vector<long double> coefficients;
  for (int i = 0; i < count; ++i) {
    long double sum = 0;
    for (int k = 0; k < count; ++k)  // i (2k + 1) modulo the period keeps the angle small
      sum += values[size_t(k)] *
             std::cos(pi_v<long double> * (i64(i) * (2 * k + 1) % (4 * count)) / (2 * count));
    coefficients.push_back(sum * (i == 0 ? 1 : 2) / count);
  }
  return {cleaned(coefficients), low, high};
}

ChebyshevSeries chebyshev_from_powers(std::span<const double> powers, double low, double high) {
  check_series(int(powers.size()) - 1, low, high, "chebyshev_from_powers");
  const long double middle = (static_cast<long double>(low) + high) / 2,
                    half = (static_cast<long double>(high) - low) / 2;
  // Horner with x = middle + half t; t T_i = (T_(i+1) + T_|i-1|) / 2.
  std::vector<long double> sum(powers.size(), 0);
  for (size_t k = powers.size(); k-- > 0;) {
    require(std::isfinite(powers[k]), ErrorKind::bad_argument,
            "chebyshev_from_powers: coefficient ", k, " is not finite");
    std::vector<long double> next(powers.size(), 0);
    for (size_t i = 0; i < powers.size(); ++i) {
      if (sum[i] == 0) continue;
      next[i] += middle * sum[i];
      if (i == 0) {
        next[1] += half * sum[0];
      } else {
        if (i + 1 < powers.size()) next[i + 1] += half * sum[i] / 2;
        next[i - 1] += half * sum[i] / 2;
      }
    }
    next[0] += powers[k];
    sum = std::move(next);
  }
  return {cleaned(sum), low, high};
}

double chebyshev_value(const ChebyshevSeries& series, double x) { return clenshaw(series, x); }

std::complex<double> chebyshev_value(const ChebyshevSeries& series, std::complex<double> x) {
  return clenshaw(series, x);
}

ChebyshevQuotient chebyshev_divide(std::span<const double> p, int g) {
  const int degree = int(p.size()) - 1;
  SINTER_ASSERT(g >= 1 && g <= degree);
  ChebyshevQuotient out;
  out.remainder.assign(p.begin(), p.begin() + g);
  out.remainder.resize(size_t(std::max(g, degree - 2 * g + 1)), 0.0);
  out.quotient.push_back(p[size_t(g)]);
  for (int i = 1; i <= degree - g; ++i) {
    out.quotient.push_back(2 * p[size_t(g + i)]);
    out.remainder[size_t(std::abs(g - i))] -= p[size_t(g + i)];
  }
  return out;
}

}  // namespace sinter::ckks
