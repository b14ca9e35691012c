// SPDX-License-Identifier: Apache-2.0
// Interpolation at equidistant nodes is ill-conditioned at the ends of the interval (a rounding
// error of the data grows by about 2^(2K) / K^2 there), so the coefficients are computed with 113
// bits. Only + - * / of that type are used; they need no library.
#include "ckks/bootstrap_sine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "ckks/polynomial.h"

namespace sinter::ckks {
namespace {

using Wide = __float128;

/// pi to 113 bits: the double and what it lacks.
Wide wide_pi() { return Wide(0x1.921fb54442d18p+1) + Wide(0x1.1a62633145c07p-53); }

/// cos(2 pi numerator / denominator): eight double angles above a short series.
Wide cosine_of_turns(Wide turns) {
  const Wide angle = 2 * wide_pi() * turns / 256, square = angle * angle;
  // 1 - cos, which keeps its relative precision while the angle is doubled: with v = 1 - cos a,
  // 1 - cos 2a = 2 sin^2 a = 2 v (2 - v).
  Wide term = square / 2, versine = 0;
  for (int k = 1; k <= 24; ++k) {
    versine += term;
    term *= -square / ((2 * k + 1) * (2 * k + 2));
  }
  for (int i = 0; i < 8; ++i) versine = 2 * versine * (2 - versine);
  return 1 - versine;
}

/// Newton's form of the polynomial through (node, value), all nodes distinct.
class Newton {
 public:
  Newton(std::vector<Wide> nodes, std::vector<Wide> values)
      : nodes_(std::move(nodes)), differences_(std::move(values)) {
    for (size_t step = 1; step < nodes_.size(); ++step)
      for (size_t i = nodes_.size(); i-- > step;)
        differences_[i] = (differences_[i] - differences_[i - 1]) / (nodes_[i] - nodes_[i - step]);
  }
  Wide operator()(Wide x) const {
    Wide sum = 0;
    for (size_t i = nodes_.size(); i-- > 0;) sum = sum * (x - nodes_[i]) + differences_[i];
    return sum;
  }

 private:
  std::vector<Wide> nodes_, differences_;
};

/// cos(2 pi (K t - 1/4) / 2^r) through the integers below K, as a series in t.
ChebyshevSeries interpolated_cosine(const SineOptions& o) {
  const Wide pieces = Wide(1 << o.double_angles);
  std::vector<Wide> nodes, values;
  for (int i = 0; i < 2 * o.range - 1; ++i) {
    nodes.push_back(i % 2 == 0 ? Wide(-(i / 2)) : Wide(i / 2 + 1));  // from the middle outwards
    values.push_back(cosine_of_turns((nodes.back() - Wide(0.25)) / pieces));
  }
  const Newton polynomial(nodes, values);
  const int count = int(nodes.size());
  std::vector<Wide> at_node;
  for (int k = 0; k < count; ++k)
    at_node.push_back(polynomial(Wide(o.range) * cosine_of_turns(Wide(2 * k + 1) / (4 * count))));
  ChebyshevSeries series;
  for (int i = 0; i < count; ++i) {
    Wide sum = 0;
    for (int k = 0; k < count; ++k)
      sum +=
          at_node[size_t(k)] * cosine_of_turns(Wide(i * (2 * k + 1) % (4 * count)) / (4 * count));
    series.coefficients.push_back(double(sum * (i == 0 ? 1 : 2) / count));
  }
  return series;
}

/// arcsin on [-bound, bound] as a series of the argument on [-1, 1]: odd, through the Chebyshev
/// nodes of the small interval.
ChebyshevSeries fitted_arcsine(int degree, double bound) {
  const ChebyshevSeries narrow =
      chebyshev_fit([](double y) { return std::asin(y); }, -bound, bound, degree);
  // T_i(y / bound) as powers, by the recurrence.
  const size_t count = size_t(degree) + 1;
  std::vector<double> before(count, 0.0), current(count, 0.0), powers(count, 0.0);
  before[0] = 1;
  current[1] = 1 / bound;
  for (size_t i = 1; i < narrow.coefficients.size(); ++i) {
    for (size_t j = 0; j < count; ++j) powers[j] += narrow.coefficients[i] * current[j];
    std::vector<double> next(count, 0.0);
    for (size_t j = 0; j < count; ++j)
      next[j] = (j > 0 ? 2 / bound * current[j - 1] : 0.0) - before[j];
    before = std::move(current);
    current = std::move(next);
  }
  return chebyshev_from_powers(powers);
}

}  // namespace

int ScaledSine::depth() const {
  const int arcsine_depth = options.arcsine_degree > 0 ? chebyshev_depth(arcsine) : 0;
  return chebyshev_depth(cosine) + options.double_angles + arcsine_depth;
}

double ScaledSine::operator()(double t) const {
  double y = chebyshev_value(cosine, t);
  for (int i = 0; i < options.double_angles; ++i) y = 2 * y * y - 1;
  return options.arcsine_degree > 0 ? chebyshev_value(arcsine, y) : y;
}

ScaledSine make_scaled_sine(const SineOptions& options) {
  const auto check = [](bool ok, const char* what, double found, const char* expected) {
    require(ok, ErrorKind::bad_argument, "bootstrap: ", what, ": expected ", expected, ", found ",
            found);
  };
  check(options.range >= 2 && options.range <= 32, "range", options.range, "2 to 32");
  check(options.double_angles >= 0 && options.double_angles <= 6, "double_angles",
        options.double_angles, "0 to 6");
  const int d = options.arcsine_degree;
  check(d == 0 || (d >= 3 && d <= 15 && d % 2 == 1), "arcsine_degree", d, "0 or an odd 3 to 15");
  check(options.largest > 0 && options.largest <= 0.125, "largest", options.largest,
        "above 0, at most 1/8");
  ScaledSine sine{options, interpolated_cosine(options), {}};
  if (d > 0) sine.arcsine = fitted_arcsine(d, std::sin(2 * std::numbers::pi * options.largest));
  return sine;
}

double log2_failure_probability(int range, int weight, double coefficients) {
  const double corner = weight / 2.0 + 1 - range;
  if (corner <= 0) return -std::numeric_limits<double>::infinity();
  const double log2_factorial = std::lgamma(weight + 2.0) / std::numbers::ln2;
  return std::min(0.0,
                  1 + std::log2(coefficients) + (weight + 1) * std::log2(corner) - log2_factorial);
}

}  // namespace sinter::ckks
