// SPDX-License-Identifier: Apache-2.0
#include "ckks/minimax.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace sinter::ckks {
namespace {

using Real = long double;

constexpr int kMaxDegree = 511;
constexpr int kMaxIterations = 100;
constexpr int kGridPerDegree = 24;
constexpr Real kSettled = 0x1p-36L;  // relative difference of the largest and the level error
// Relative to the sum of the coefficients: what rounding does to an error here, and errors that
// are lost in doubles anyway.
constexpr Real kRounding = 0x1p-56L, kNegligible = 0x1p-50L;
constexpr Real kPi = std::numbers::pi_v<Real>;

/// A place where the error is largest nearby.
struct Extremum {
  Real x, error;
};

class Remez {
 public:
  Remez(const std::function<Real(Real)>& f, std::span<const std::pair<double, double>> intervals,
        int degree, Parity parity)
      : f_(f),
        intervals_(intervals),
        first_(parity == Parity::odd ? 1 : 0),
        step_(parity == Parity::any ? 1 : 2),
        degree_(degree),
        count_((degree - first_) / step_ + 1) {
    high_ = intervals.back().second;
    low_ = parity == Parity::any ? intervals.front().first : -high_;
  }

  Minimax run() {
    std::vector<Real> points = first_points();
    for (int iteration = 1; iteration <= kMaxIterations; ++iteration) {
      solve(points);
      const std::vector<Extremum> found = alternating(extrema());
      Real largest = 0;
      for (const Extremum& e : found) largest = std::max(largest, std::abs(e.error));
      Real size = 0;
      for (Real c : coefficients_) size += std::abs(c);
      if (largest - std::abs(level_) <= kSettled * largest + kRounding * size ||
          largest <= kNegligible * size)
        return result(largest, iteration);
      require(std::ssize(found) > count_, ErrorKind::unsupported,
              "minimax_fit: the exchange found ", found.size(), " extrema of ", count_ + 1,
              " at level error ", double(level_));
      for (size_t i = 0; i < points.size(); ++i) points[i] = found[i].x;
    }
    require(false, ErrorKind::unsupported, "minimax_fit: not settled after ", kMaxIterations,
            " exchanges");
    return {};
  }

 private:
  Real to_unit(Real x) const { return (2 * x - low_ - high_) / (high_ - low_); }

  /// count_ + 1 points: Chebyshev's of the intervals laid end to end.
  std::vector<Real> first_points() const {
    Real length = 0;
    for (const auto& [low, high] : intervals_) length += Real(high) - low;
    std::vector<Real> points;
    for (int k = 0; k <= count_; ++k) {
      Real at = length * (1 - std::cos(kPi * k / count_)) / 2;
      size_t i = 0;
      while (i + 1 < intervals_.size() && at > Real(intervals_[i].second) - intervals_[i].first)
        at -= Real(intervals_[i].second) - intervals_[i].first, ++i;
      points.push_back(std::min(intervals_[i].first + at, Real(intervals_[i].second)));
    }
    return points;
  }

  /// The values of the basis at x.
  void basis(Real x, std::span<Real> out) const {
    const Real t = to_unit(x);
    Real before = 1, now = t;
    for (int i = 0, j = 0; j < count_; ++i) {
      if (i >= first_ && (i - first_) % step_ == 0) out[size_t(j++)] = before;
      const Real next = 2 * t * now - before;
      before = now, now = next;
    }
  }

  /// Coefficients and level error with error (-1)^k level at points[k]: elimination with pivots.
  void solve(std::span<const Real> points) {
    const size_t n = size_t(count_) + 1;
    std::vector<std::vector<Real>> rows(n, std::vector<Real>(n + 1));
    for (size_t k = 0; k < n; ++k) {
      basis(points[k], rows[k]);
      rows[k][n - 1] = k % 2 == 0 ? 1 : -1;
      rows[k][n] = f_(points[k]);
    }
    for (size_t c = 0; c < n; ++c) {
      size_t pivot = c;
      for (size_t r = c + 1; r < n; ++r)
        if (std::abs(rows[r][c]) > std::abs(rows[pivot][c])) pivot = r;
      std::swap(rows[c], rows[pivot]);
      require(rows[c][c] != 0, ErrorKind::unsupported, "minimax_fit: two points fell together");
      for (size_t r = 0; r < n; ++r) {
        if (r == c) continue;
        const Real factor = rows[r][c] / rows[c][c];
        for (size_t i = c; i <= n; ++i) rows[r][i] -= factor * rows[c][i];
      }
    }
    coefficients_.assign(n - 1, 0);
    for (size_t c = 0; c + 1 < n; ++c) coefficients_[c] = rows[c][n] / rows[c][c];
    level_ = rows[n - 1][n] / rows[n - 1][n - 1];
  }

  Real error_at(Real x) const {
    std::vector<Real>& values = scratch_;
    values.resize(size_t(count_));
    basis(x, values);
    Real sum = -f_(x);
    for (size_t i = 0; i < values.size(); ++i) sum += coefficients_[i] * values[i];
    return sum;
  }

  /// Local extrema in ascending order, ends of intervals included.
  std::vector<Extremum> extrema() const {
    std::vector<Extremum> out;
    for (const auto& [low, high] : intervals_) {
      const int points = kGridPerDegree * (degree_ + 1);
      std::vector<Extremum> grid;
      for (int k = 0; k <= points; ++k) {
        const Real x = k == points
                           ? Real(high)
                           : low + (Real(high) - low) * (1 - std::cos(kPi * k / points)) / 2;
        grid.push_back({x, error_at(x)});
      }
      for (size_t k = 0; k < grid.size(); ++k) {
        const Real size = std::abs(grid[k].error);
        const bool left = k == 0 || size >= grid[k - 1].error * sign(grid[k].error);
        const bool right = k + 1 == grid.size() || size > grid[k + 1].error * sign(grid[k].error);
        if (!left || !right) continue;
        const bool is_end = k == 0 || k + 1 == grid.size();
        out.push_back(is_end ? grid[k] : refined(grid[k - 1].x, grid[k], grid[k + 1].x));
      }
    }
    return out;
  }

  static Real sign(Real x) { return x < 0 ? -1 : 1; }

  /// Golden section between two neighbours on the grid.
  Extremum refined(Real left, const Extremum& middle, Real right) const {
    const Real ratio = std::numbers::phi_v<Real> - 1, s = sign(middle.error);
    Extremum best = middle;
    Real a = right - ratio * (right - left), b = left + ratio * (right - left);
    Real at_a = s * error_at(a), at_b = s * error_at(b);
    for (int i = 0; i < 36; ++i) {
      if (at_a > at_b) {
        right = b, b = a, at_b = at_a;
        a = right - ratio * (right - left), at_a = s * error_at(a);
      } else {
        left = a, a = b, at_a = at_b;
        b = left + ratio * (right - left), at_b = s * error_at(b);
      }
    }
    if (at_a > s * best.error) best = {a, s * at_a};
    if (at_b > s * best.error) best = {b, s * at_b};
    return best;
  }

  /// count_ + 1 of them with alternating signs (fewer when there are not so many): the largest of
  /// every run of one sign, then the smallest removed, with its smaller neighbour when it is
  /// inside.
  std::vector<Extremum> alternating(const std::vector<Extremum>& all) const {
    std::vector<Extremum> out;
    for (const Extremum& e : all) {
      if (out.empty() || sign(out.back().error) != sign(e.error))
        out.push_back(e);
      else if (std::abs(e.error) > std::abs(out.back().error))
        out.back() = e;
    }
    const size_t wanted = size_t(count_) + 1;
    const auto size = [&](size_t i) { return std::abs(out[i].error); };
    while (out.size() > wanted) {
      const size_t last = out.size() - 1;
      size_t least = 0;
      for (size_t i = 1; i <= last; ++i)
        if (size(i) < size(least)) least = i;
      if (out.size() == wanted + 1) least = size(0) < size(last) ? 0 : last;
      if (least != 0 && least != last) {
        const size_t neighbour = size(least - 1) < size(least + 1) ? least - 1 : least + 1;
        out.erase(out.begin() + i64(std::max(least, neighbour)));
        out.erase(out.begin() + i64(std::min(least, neighbour)));
      } else {
        out.erase(out.begin() + i64(least));
      }
    }
    return out;
  }

  Minimax result(Real largest, int iterations) const {
    Minimax out{{{}, double(low_), double(high_)}, double(largest), iterations};
    out.series.coefficients.assign(size_t(degree_) + 1, 0.0);
    for (int j = 0; j < count_; ++j)
      out.series.coefficients[size_t(first_ + j * step_)] = double(coefficients_[size_t(j)]);
    return out;
  }

  const std::function<Real(Real)>& f_;
  std::span<const std::pair<double, double>> intervals_;
  int first_, step_, degree_, count_;
  Real low_ = 0, high_ = 0, level_ = 0;
  std::vector<Real> coefficients_;
  mutable std::vector<Real> scratch_;
};

}  // namespace

Minimax minimax_fit(const std::function<long double(long double)>& f,
                    std::span<const std::pair<double, double>> intervals, int degree,
                    Parity parity) {
  require(degree >= 1 && degree <= kMaxDegree && (parity != Parity::odd || degree % 2 == 1) &&
              (parity != Parity::even || degree % 2 == 0),
          ErrorKind::bad_argument, "minimax_fit: expected a degree of 1 to ", kMaxDegree,
          " of the parity asked for, found ", degree);
  require(!intervals.empty(), ErrorKind::bad_argument, "minimax_fit: expected an interval");
  for (size_t i = 0; i < intervals.size(); ++i) {
    const auto [low, high] = intervals[i];
    require(std::isfinite(low) && std::isfinite(high) && low < high &&
                (i == 0 || intervals[i - 1].second < low) && (parity != Parity::odd || low > 0) &&
                (parity != Parity::even || low >= 0),
            ErrorKind::bad_argument, "minimax_fit: expected ascending disjoint intervals (above 0 ",
            "for odd, at least 0 for even), found [", low, ", ", high, "]");
  }
  return Remez(f, intervals, degree, parity).run();
}

}  // namespace sinter::ckks
