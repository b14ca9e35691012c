// SPDX-License-Identifier: Apache-2.0
#include "ckks/sign.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/product_sum.h"
#include "ckks/evaluate.h"
#include "ckks/minimax.h"

namespace sinter::ckks {
namespace {

constexpr int kReluDegrees[] = {15, 15, 27};
// A stage may leave its range by this much through noise; the next one is fitted for it.
constexpr double kMargin = 0x1p-20;
constexpr int kSamples = 512;  // of x (1 - sgn(x)) / 2 inside `least`, which has one flat maximum
constexpr int kBisections = 16;

void check_bound(double bound) {
  require(std::isfinite(bound) && bound > 0, ErrorKind::bad_argument,
          "evaluate_sign: expected a positive finite bound, found ", bound);
}

ChebyshevSeries first_stage(const SignApproximation& sign, double bound) {
  ChebyshevSeries series = sign.stages.front();
  series.low = -bound, series.high = bound;
  return series;
}

double inner_relu_error(const SignApproximation& sign) {
  double worst = 0;
  for (int i = 1; i <= kSamples; ++i) {
    const double x = sign.least * i / kSamples;
    worst = std::max(worst, x * std::abs(1 - sign_value(sign, x)) / 2);
  }
  return worst;
}

/// slope * sgn(x) + offset, the two numbers folded into the last stage.
Ciphertext evaluate_stages(const Context& context, const Ciphertext& x,
                           const SignApproximation& sign, double bound, double slope, double offset,
                           double target_scale, const EvaluationKeys& keys, ThreadPool& pool) {
  Ciphertext y;
  for (size_t i = 0; i < sign.stages.size(); ++i) {
    ChebyshevSeries series = i == 0 ? first_stage(sign, bound) : sign.stages[i];
    const bool is_last = i + 1 == sign.stages.size();
    if (is_last) {
      for (double& c : series.coefficients) c *= slope;
      series.coefficients[0] += offset;
    }
    y = evaluate_chebyshev(context, i == 0 ? x : y, series, is_last ? target_scale : x.scale(),
                           keys, pool);
  }
  return y;
}

void check_levels(const Context& context, const Ciphertext& x, const SignApproximation& sign,
                  double bound, int further, const char* operation) {
  detail::check_ciphertext(context, x, operation, 2);
  check_bound(bound);
  require(!sign.stages.empty(), ErrorKind::bad_argument, operation,
          ": found a sign approximation without stages");
  const int needed = sign_depth(sign, bound) + further;
  require(x.level() >= needed, ErrorKind::out_of_levels, operation, ": needs ", needed,
          " levels, found a ciphertext of level ", x.level());
}

/// difference (1 + sgn(difference)) / 2 + other (nothing when null).
Ciphertext relu_plus(const Context& context, const Ciphertext& difference, const Ciphertext* other,
                     const SignApproximation& sign, double bound, double target_scale,
                     const EvaluationKeys& keys, ThreadPool& pool) {
  const double scale = target_scale == 0 ? difference.scale() : target_scale;
  detail::check_scale(scale, "evaluate_relu");
  detail::ProductSum sum;
  sum.operation = "evaluate_relu";
  sum.level = difference.level() - sign_depth(sign, bound);
  sum.scale = scale * double(context.params().q(sum.level));
  const Ciphertext step = evaluate_stages(context, difference, sign, bound, 0.5, 0.5,
                                          sum.scale / difference.scale(), keys, pool);
  sum.products.push_back({&difference, &step});
  if (other != nullptr) sum.terms.push_back({other, 1.0});
  Ciphertext out = detail::evaluate_sum_rescaled(context, sum, keys, pool);
  out.set_scale(scale);
  return out;
}

}  // namespace

SignApproximation minimax_sign(std::span<const int> degrees, double least) {
  require(!degrees.empty() && degrees.size() <= 8, ErrorKind::bad_argument,
          "minimax_sign: expected 1 to 8 degrees, found ", degrees.size());
  require(least > 0 && least < 1, ErrorKind::bad_argument,
          "minimax_sign: expected a smallest argument in (0, 1), found ", least);
  SignApproximation out;
  out.least = least;
  double low = least;
  for (int degree : degrees) {
    const std::pair<double, double> interval(low, 1.0);
    Minimax stage =
        minimax_fit([](long double) { return 1.0L; }, {&interval, 1}, degree, Parity::odd);
    out.error = stage.error;
    if (out.stages.size() + 1 < degrees.size()) {
      const double largest = 1 + stage.error + kMargin;
      for (double& c : stage.series.coefficients) c /= largest;
      low = (1 - stage.error - kMargin) / largest;
      require(low > 0, ErrorKind::bad_argument, "minimax_sign: a stage of degree ", degree,
              " cannot tell ", least, " from 0");
    }
    out.stages.push_back(std::move(stage.series));
  }
  out.relu_error = std::max(out.error / 2, inner_relu_error(out));
  return out;
}

SignApproximation minimax_sign_for_relu(std::span<const int> degrees) {
  const std::span<const int> chosen =
      degrees.empty() ? std::span<const int>(kReluDegrees) : degrees;
  // A larger `least` lowers the error outside and raises the one inside.
  double low = -20, high = -1;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2;
    const SignApproximation trial = minimax_sign(chosen, std::exp2(middle));
    (inner_relu_error(trial) > trial.error / 2 ? high : low) = middle;
  }
  return minimax_sign(chosen, std::exp2(low));
}

double sign_value(const SignApproximation& sign, double x, double bound) {
  double y = x / bound;
  for (const ChebyshevSeries& stage : sign.stages) y = chebyshev_value(stage, y);
  return y;
}

double relu_value(const SignApproximation& sign, double x, double bound) {
  return x * (1 + sign_value(sign, x, bound)) / 2;
}

int sign_depth(const SignApproximation& sign, double bound) {
  check_bound(bound);
  int depth = 0;
  for (size_t i = 0; i < sign.stages.size(); ++i)
    depth += chebyshev_depth(i == 0 ? first_stage(sign, bound) : sign.stages[i]);
  return depth;
}

Ciphertext evaluate_sign(const Context& context, const Ciphertext& x, const SignApproximation& sign,
                         double bound, double target_scale, const EvaluationKeys& keys,
                         ThreadPool& pool) {
  check_levels(context, x, sign, bound, 0, "evaluate_sign");
  return evaluate_stages(context, x, sign, bound, 1, 0,
                         target_scale == 0 ? x.scale() : target_scale, keys, pool);
}

Ciphertext evaluate_relu(const Context& context, const Ciphertext& x, const SignApproximation& sign,
                         double bound, double target_scale, const EvaluationKeys& keys,
                         ThreadPool& pool) {
  check_levels(context, x, sign, bound, 1, "evaluate_relu");
  return relu_plus(context, x, nullptr, sign, bound, target_scale, keys, pool);
}

Ciphertext evaluate_maximum(const Context& context, const Ciphertext& x, const Ciphertext& y,
                            const SignApproximation& sign, double bound, double target_scale,
                            const EvaluationKeys& keys, ThreadPool& pool) {
  check_levels(context, x, sign, bound, 1, "evaluate_maximum");
  return relu_plus(context, sub(context, x, y), &y, sign, bound, target_scale, keys, pool);
}

}  // namespace sinter::ckks
