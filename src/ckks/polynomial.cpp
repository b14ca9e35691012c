// SPDX-License-Identifier: Apache-2.0
#include "ckks/polynomial.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/polynomial_job.h"
#include "ckks/detail/product_sum.h"
#include "ckks/evaluate.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using detail::PolynomialJob;
using detail::PolynomialPlan;

constexpr double kLeastScale = 0x1p20;  // of a power or a quotient: less is too coarse

/// t as a ciphertext: the scale declared to be h times as large, then the offset.
Ciphertext to_unit_interval(const Context& context, const Ciphertext& x, const PolynomialJob& job,
                            ThreadPool& pool) {
  const double half = job.half(), middle = job.middle();
  Ciphertext t = x.clone();
  if (half != 1) t.set_scale(x.scale() * half);
  if (job.spends_level) t = match_level_and_scale(context, t, t.level() - 1, x.scale(), pool);
  if (middle != 0) add_constant_inplace(context, t, -middle / half);
  return t;
}

class Evaluation {
 public:
  Evaluation(const Context& context, const PolynomialPlan& plan, const Ciphertext& t,
             const EvaluationKeys& keys, ThreadPool& pool)
      : context_(context), plan_(plan), keys_(keys), pool_(pool), level_(t.level()) {
    powers_[1] = &t;
    for (const PolynomialPlan::Power& power : plan.powers) add_power(power);
  }

  /// The node rescaled, at exactly `scale`.
  Ciphertext value(int index, double scale) {
    const PolynomialPlan::Node& node = plan_.nodes[size_t(index)];
    const int level = level_ - node.depth;
    detail::ProductSum sum;
    sum.level = level;
    sum.scale = scale * double(context_.params().q(level));
    sum.constant = node.constant;
    std::vector<Ciphertext> quotients;
    quotients.reserve(node.products.size());
    for (const PolynomialPlan::Product& product : node.products) {
      const Ciphertext& giant = *powers_.at(product.power);
      const double quotient_scale = sum.scale / giant.scale();
      check_range(quotient_scale, level, "quotient");
      quotients.push_back(value(product.node, quotient_scale));
      sum.products.push_back({&quotients.back(), &giant});
    }
    for (const PolynomialPlan::Term& term : node.terms)
      sum.terms.push_back({powers_.at(term.power), term.coefficient});
    return finish(sum, scale);
  }

 private:
  void add_power(const PolynomialPlan::Power& power) {
    const Ciphertext &a = *powers_.at(power.a), &b = *powers_.at(power.b);
    detail::ProductSum sum;
    sum.level = level_ - power.depth + 1;
    sum.scale = a.scale() * b.scale();
    sum.products = {{&a, &b}};
    sum.doubles_products = true;
    if (power.a == power.b)
      sum.constant = -1;
    else
      sum.terms.push_back({powers_.at(power.a - power.b), -1.0});
    const double scale = sum.scale / double(context_.params().q(sum.level));
    check_range(scale, sum.level - 1, "power");
    computed_.emplace(power.index, finish(sum, scale));
    powers_[power.index] = &computed_.at(power.index);
  }

  Ciphertext finish(const detail::ProductSum& sum, double scale) {
    Ciphertext out = detail::evaluate_sum_rescaled(context_, sum, keys_, pool_);
    out.set_scale(scale);
    return out;
  }

  void check_range(double scale, int level, const char* what) const {
    require(scale >= kLeastScale && std::log2(scale) + 2 <= context_.params().log2_q(level),
            ErrorKind::bad_argument, "evaluate_chebyshev: expected the scale of x near the primes ",
            "below its level, found a ", what, " of scale 2^", std::log2(scale), " at level ",
            level, "; normalise x first (match_level_and_scale)");
  }

  const Context& context_;
  const PolynomialPlan& plan_;
  const EvaluationKeys& keys_;
  ThreadPool& pool_;
  int level_;
  std::map<int, Ciphertext> computed_;
  std::map<int, const Ciphertext*> powers_;
};

/// A constant on a ciphertext of zeros.
Ciphertext constant_ciphertext(const Context& context, double value, double scale, int level) {
  std::vector<ring::RnsPoly> parts;
  for (int i = 0; i < 2; ++i) parts.emplace_back(context.n(), level + 1);
  Ciphertext out(std::move(parts), scale, level, context.params().hash());
  add_constant_inplace(context, out, value);
  return out;
}

}  // namespace

std::vector<Ciphertext> evaluate_chebyshev_many(const Context& context, const Ciphertext& x,
                                                std::span<const ChebyshevSeries> series,
                                                std::span<const double> target_scales,
                                                const EvaluationKeys& keys, ThreadPool& pool) {
  detail::check_ciphertext(context, x, "evaluate_chebyshev", 2);
  require(series.size() == target_scales.size(), ErrorKind::bad_argument,
          "evaluate_chebyshev: expected one scale per series, found ", target_scales.size(),
          " scales and ", series.size(), " series");
  const PolynomialJob job = detail::plan_series(context, series, x.level());
  std::vector<double> scales;
  for (double scale : target_scales) {
    scales.push_back(scale == 0 ? x.scale() : scale);
    detail::check_scale(scales.back(), "evaluate_chebyshev");
  }
  std::vector<Ciphertext> out;
  if (job.depth == 0) {
    for (size_t i = 0; i < series.size(); ++i) {
      const std::vector<double>& c = job.coefficients[i];
      out.push_back(constant_ciphertext(context, c[0], scales[i], x.level()));
    }
    return out;
  }
  const Ciphertext t = to_unit_interval(context, x, job, pool);
  Evaluation evaluation(context, job.plan, t, keys, pool);
  for (size_t i = 0; i < series.size(); ++i)
    out.push_back(evaluation.value(job.plan.roots[i], scales[i]));
  return out;
}

Ciphertext evaluate_chebyshev(const Context& context, const Ciphertext& x,
                              const ChebyshevSeries& series, double target_scale,
                              const EvaluationKeys& keys, ThreadPool& pool) {
  return std::move(
      evaluate_chebyshev_many(context, x, {&series, 1}, {&target_scale, 1}, keys, pool).front());
}

}  // namespace sinter::ckks
