// SPDX-License-Identifier: Apache-2.0
#include "ckks/detail/polynomial_job.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "ckks/noise.h"
#include "ckks/polynomial.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using detail::PolynomialJob;
using detail::PolynomialPlan;

constexpr int kMaxDegree = 2047;
constexpr double kFreeIntervalBits = 4;  // drift of the highest power that costs no level
// A limb of a product and of a term, in transforms: measured.
constexpr double kProductTransforms = 0.6, kTermTransforms = 0.15;

bool needs_level_for_interval(const ChebyshevSeries& series) {
  const int depth = chebyshev_depth(series.degree());
  if (depth == 0) return false;
  const double drift = std::abs(std::log2((series.high - series.low) / 2));
  return std::ldexp(drift, depth - 1) > kFreeIntervalBits;
}

/// Transforms of length N, as the headers of evaluate.h count them.
detail::PolynomialCosts costs_at(const Context& context, int level) {
  const int special = std::max(1, context.ring().special_count());
  const auto limbs = [level](int depth) { return double(level - depth + 1); };
  const auto relinearise = [=](int depth) {
    const double l = limbs(depth), digits = std::ceil(l / special);
    return digits * (l + special) + 2 * (special + l);
  };
  return {relinearise, [=](int depth) { return 2 * limbs(depth); },
          [=](int depth) { return kProductTransforms * limbs(depth); },
          [=](int depth) { return kTermTransforms * limbs(depth); }};
}

void check_series(const ChebyshevSeries& series, const PolynomialJob& job) {
  require(std::isfinite(series.low) && std::isfinite(series.high) && series.low < series.high,
          ErrorKind::bad_argument, "evaluate_chebyshev: expected an interval with low < high, ",
          "found [", series.low, ", ", series.high, "]");
  require(series.low == job.low && series.high == job.high, ErrorKind::bad_argument,
          "evaluate_chebyshev: expected series on one interval, found [", job.low, ", ", job.high,
          "] and [", series.low, ", ", series.high, "]");
  for (double c : series.coefficients)
    require(std::isfinite(c), ErrorKind::bad_argument,
            "evaluate_chebyshev: expected finite coefficients, found ", c);
  require(series.degree() <= kMaxDegree, ErrorKind::bad_argument,
          "evaluate_chebyshev: expected a degree of at most ", kMaxDegree, ", found ",
          series.degree());
}

/// Bounds on slot errors, step by step along a plan, for |t| <= 1.
class ErrorBound {
 public:
  /// level, scale, error: of t.
  ErrorBound(const Context& context, const PolynomialPlan& plan, int level, double scale,
             double error)
      : params_(context.params()), plan_(plan), level_(level) {
    powers_[1] = {scale, error};
    for (const PolynomialPlan::Power& power : plan.powers) {
      const Value a = powers_.at(power.a), b = powers_.at(power.b);
      const int at = level - power.depth + 1;
      const double product = a.scale * b.scale;
      const double out = product / double(params_.q(at));
      const Value rest = power.a == power.b ? Value{1, 0} : powers_.at(power.a - power.b);
      powers_[power.index] = {out, 2 * (a.error + b.error + a.error * b.error) + rest.error +
                                       rest.scale / product + division(at, true, out)};
    }
  }

  double node(int index, double scale) const {
    const PolynomialPlan::Node& node = plan_.nodes[size_t(index)];
    const int level = level_ - node.depth;
    const double product = scale * double(params_.q(level));
    double error = division(level, !node.products.empty(), scale) + 0.5 / product;
    for (const PolynomialPlan::Term& term : node.terms) {
      const Value& power = powers_.at(term.power);
      error += std::abs(term.coefficient) * power.error +
               0.5 * power.scale / product * (1 + power.error);
    }
    for (const PolynomialPlan::Product& p : node.products) {
      const Value& giant = powers_.at(p.power);
      error += largest(p.node) * giant.error +
               this->node(p.node, product / giant.scale) * (1 + giant.error);
    }
    return error;
  }

 private:
  struct Value {
    double scale = 0, error = 0;
  };

  double division(int level, bool relinearises, double scale) const {
    const double switching =
        relinearises ? key_switch_noise(params_, level) / double(params_.q(level)) : 0;
    return slot_noise(params_, switching + rounding_noise(params_), scale);
  }

  /// A bound on the node's values.
  double largest(int index) const {
    const PolynomialPlan::Node& node = plan_.nodes[size_t(index)];
    double sum = std::abs(node.constant);
    for (const PolynomialPlan::Term& term : node.terms) sum += std::abs(term.coefficient);
    for (const PolynomialPlan::Product& product : node.products) sum += largest(product.node);
    return sum;
  }

  const CkksParams& params_;
  const PolynomialPlan& plan_;
  int level_;
  std::map<int, Value> powers_;
};

}  // namespace

namespace detail {

PolynomialJob plan_series(const Context& context, std::span<const ChebyshevSeries> all, int level) {
  require(!all.empty(), ErrorKind::bad_argument, "evaluate_chebyshev: expected a series");
  PolynomialJob job;
  job.low = all[0].low, job.high = all[0].high;
  int degree = 0;
  for (const ChebyshevSeries& series : all) {
    check_series(series, job);
    degree = std::max(degree, series.degree());
    job.coefficients.push_back(series.coefficients);
    job.coefficients.back().resize(size_t(series.degree()) + 1);
    job.spends_level |= needs_level_for_interval(series);
  }
  job.depth = chebyshev_depth(degree);
  const int needed = job.depth + job.spends_level;
  require(level >= needed, ErrorKind::out_of_levels, "evaluate_chebyshev: a series of degree ",
          degree, " on [", job.low, ", ", job.high, "] needs ", needed,
          " levels, found a ciphertext of level ", level);
  if (job.depth > 0)
    job.plan =
        plan_polynomials(job.coefficients, job.depth, costs_at(context, level - job.spends_level));
  return job;
}

}  // namespace detail

int chebyshev_depth(int degree) {
  require(degree >= 0 && degree <= kMaxDegree, ErrorKind::bad_argument,
          "chebyshev_depth: expected a degree of 0 to ", kMaxDegree, ", found ", degree);
  return detail::ceil_log2(degree + 1);
}

int chebyshev_depth(const ChebyshevSeries& series) {
  return chebyshev_depth(series.degree()) + needs_level_for_interval(series);
}

KeyManifest polynomial_manifest(int level) {
  KeyManifest manifest;
  manifest.relinearisation_level = level;
  return manifest;
}

PolynomialCost polynomial_cost(const Context& context, std::span<const ChebyshevSeries> series,
                               int level) {
  const PolynomialJob job = detail::plan_series(context, series, level);
  PolynomialCost cost;
  cost.levels = job.depth + job.spends_level;
  cost.relinearisations = job.plan.relinearisations;
  cost.products = job.plan.products;
  cost.rescales = job.plan.rescales + job.spends_level;
  cost.transforms = job.plan.cost + (job.spends_level ? 2.0 * (level + 1) : 0.0);
  return cost;
}

PolynomialCost polynomial_cost(const Context& context, const ChebyshevSeries& series, int level) {
  return polynomial_cost(context, {&series, 1}, level);
}

double polynomial_error_bound(const Context& context, const ChebyshevSeries& series, int level,
                              double scale, double target_scale, double input_error) {
  const PolynomialJob job = detail::plan_series(context, {&series, 1}, level);
  const double out = target_scale == 0 ? scale : target_scale;
  if (job.depth == 0) return 0.5 / out;
  const CkksParams& params = context.params();
  double error = input_error / job.half() + 0.5 / scale;
  double t_scale = scale * job.half();
  if (job.spends_level) {
    error += slot_noise(params, rounding_noise(params), scale) +
             t_scale / scale / double(params.q(level));
    t_scale = scale;
  }
  const ErrorBound bound(context, job.plan, level - job.spends_level, t_scale, error);
  return bound.node(job.plan.roots[0], out);
}

}  // namespace sinter::ckks
