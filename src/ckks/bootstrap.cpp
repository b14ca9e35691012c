// SPDX-License-Identifier: Apache-2.0
#include "ckks/bootstrap.h"

#include <cmath>

#include "base/error.h"
#include "ckks/detail/bootstrap_plan.h"
#include "ckks/detail/bootstrap_raise.h"
#include "ckks/detail/check.h"
#include "ckks/detail/product_sum.h"
#include "ckks/encapsulate.h"
#include "ckks/evaluate.h"
#include "ckks/polynomial.h"

namespace sinter::ckks {
namespace {

/// x + the rotation of x by each of the steps in turn: with slots, 2 slots, .. the trace.
Ciphertext add_rotated(const Context& context, Ciphertext x, i64 first, i64 end,
                       const EvaluationKeys& keys, ThreadPool& pool) {
  for (i64 step = first; step < end; step *= 2)
    add_inplace(context, x, rotate(context, x, step, keys, pool), pool);
  return x;
}

/// 2 y^2 - 1.
Ciphertext double_angle(const Context& context, const Ciphertext& y, const EvaluationKeys& keys,
                        ThreadPool& pool) {
  detail::ProductSum sum;
  sum.operation = "bootstrap";
  sum.products = {{&y, &y}};
  sum.doubles_products = true;
  sum.constant = -1;
  sum.level = y.level();
  sum.scale = y.scale() * y.scale();
  return detail::evaluate_sum_rescaled(context, sum, keys, pool);
}

/// The rule of the message ratio, before any work.
void check_input(const Context& context, const Ciphertext& x, int log_message_ratio) {
  detail::check_ciphertext(context, x, "bootstrap", 2);
  const double q0_bits = std::log2(double(context.params().q(0))), bits = std::log2(x.scale());
  // q_0 is a little below its power of two.
  require(q0_bits - bits >= log_message_ratio - 1 - 1e-3, ErrorKind::bad_argument,
          "bootstrap: expected log2 q_0 - log2 scale of at least ", log_message_ratio - 1,
          " for a message ratio of 2^", log_message_ratio, ", found ", q0_bits, " - ", bits);
}

/// The operand of a step.
void check_step(const Context& context, const Ciphertext& x, int level, const char* operation) {
  detail::check_ciphertext(context, x, operation, 2);
  require(x.level() == level, ErrorKind::bad_argument, operation,
          ": expected a ciphertext of level ", level, ", found ", x.level());
}

/// Every key, so that a missing one is named before minutes of work.
void check_keys(const Context& context, const KeyManifest& manifest, const EvaluationKeys& keys) {
  for (const auto& [rotation, level] : manifest.rotations) keys.galois(context, rotation, level);
  keys.conjugation(manifest.conjugation_level);
  keys.relinearisation(manifest.relinearisation_level);
  keys.to_sparse();
  keys.to_dense(manifest.encapsulation_level);
}

}  // namespace

Bootstrapper::Bootstrapper(std::unique_ptr<const detail::BootstrapPlan> plan)
    : plan_(std::move(plan)) {}
Bootstrapper::~Bootstrapper() = default;

std::shared_ptr<const Bootstrapper> Bootstrapper::create(std::shared_ptr<const Context> context,
                                                         const BootstrapOptions& options,
                                                         ThreadPool& pool) {
  return std::shared_ptr<const Bootstrapper>(
      new Bootstrapper(detail::plan_bootstrap(std::move(context), options, pool)));
}

const BootstrapOptions& Bootstrapper::options() const { return plan_->options; }
int Bootstrapper::output_level() const { return plan_->options.target_level; }
double Bootstrapper::output_scale() const { return plan_->options.output_scale; }
double Bootstrapper::sine_scale() const { return plan_->sine_scale; }
i64 Bootstrapper::encoded_bytes() const { return plan_->encoded_bytes; }

double Bootstrapper::log2_failure() const {
  return log2_failure_probability(plan_->options.range, kEncapsulationWeight,
                                  2.0 * double(plan_->options.slots));
}

KeyManifest Bootstrapper::manifest() const {
  return detail::manifest_of(plan_->context->params(), *plan_);
}

Ciphertext Bootstrapper::raise(const Ciphertext& x, const EvaluationKeys& keys,
                               ThreadPool& pool) const {
  const Context& context = *plan_->context;
  check_input(context, x, plan_->options.log_message_ratio);
  const double factor =
      detail::scale_up(double(context.params().q(0)), x.scale(), plan_->options.log_message_ratio);
  Ciphertext low = drop_to_level(context, x, 0);
  if (factor != 1) low = multiply_by_constant(context, low, factor, 1.0);
  low = switch_to_sparse(context, low, keys, pool);
  const int level = plan_->options.raise_level;
  Ciphertext raised = detail::raise_modulus(context, low, level, keys.to_dense(level), pool);
  raised.set_scale(plan_->sine_scale);
  return add_rotated(context, std::move(raised), plan_->options.slots, context.slots(), keys, pool);
}

std::vector<Ciphertext> Bootstrapper::to_slots(const Ciphertext& raised, const EvaluationKeys& keys,
                                               ThreadPool& pool) const {
  const Context& context = *plan_->context;
  check_step(context, raised, plan_->options.raise_level, "to_slots");
  Ciphertext y = raised.clone();
  for (const auto& factor : plan_->to_slots)
    y = detail::apply_factor(context, *factor, y, keys, pool);
  const Ciphertext conjugated = conjugate(context, y, keys, pool);
  std::vector<Ciphertext> parts;
  parts.push_back(add(context, y, conjugated));
  if (!plan_->is_packed)  // -i (y - conj y)
    parts.push_back(detail::multiply_by_i(context, sub(context, conjugated, y), pool));
  return parts;
}

Ciphertext Bootstrapper::sine(const Ciphertext& t, const EvaluationKeys& keys,
                              ThreadPool& pool) const {
  const Context& context = *plan_->context;
  detail::check_ciphertext(context, t, "sine", 2);
  require(t.level() >= plan_->sine.depth(), ErrorKind::out_of_levels,
          "sine: expected a ciphertext of level ", plan_->sine.depth(), " or more, found level ",
          t.level());
  Ciphertext y = evaluate_chebyshev(context, t, plan_->sine.cosine, 0, keys, pool);
  for (int i = 0; i < plan_->options.double_angles; ++i) y = double_angle(context, y, keys, pool);
  if (plan_->options.arcsine_degree > 0)
    y = evaluate_chebyshev(context, y, plan_->sine.arcsine, 0, keys, pool);
  return y;
}

Ciphertext Bootstrapper::to_coefficients(std::vector<Ciphertext> parts, double input_scale,
                                         const EvaluationKeys& keys, ThreadPool& pool) const {
  const Context& context = *plan_->context;
  const CkksParams& params = context.params();
  require(std::ssize(parts) == (plan_->is_packed ? 1 : 2), ErrorKind::bad_argument,
          "to_coefficients: expected ", plan_->is_packed ? "one ciphertext" : "two ciphertexts",
          ", found ", parts.size());
  for (const Ciphertext& part : parts)
    check_step(context, part, plan_->back_level, "to_coefficients");
  detail::check_scale(input_scale, "to_coefficients");
  Ciphertext y = std::move(parts.front());
  if (!plan_->is_packed)
    add_inplace(context, y, detail::multiply_by_i(context, parts[1], pool), pool);
  // The scale that the adjusted factor has to bring, and how much of it is the input's.
  double declared = output_scale() / y.scale();
  for (size_t i = 0; i < plan_->to_coefficients.size(); ++i) {
    const detail::Factor& factor = *plan_->to_coefficients[i];
    declared *= double(params.q(factor.level));
    if (i != plan_->adjusted) declared /= factor.plain_scale;
  }
  const double lifted = input_scale * detail::scale_up(double(params.q(0)), input_scale,
                                                       plan_->options.log_message_ratio);
  const double correction = plan_->nominal / lifted;
  for (size_t i = 0; i < plan_->to_coefficients.size(); ++i) {
    const bool is_adjusted = i == plan_->adjusted;
    y = detail::apply_factor(context, *plan_->to_coefficients[i], y, keys, pool,
                             is_adjusted ? declared * correction : 0.0);
    if (is_adjusted) y.set_scale(y.scale() / correction);
    if (i == 0 && plan_->is_packed)
      add_inplace(context, y, rotate(context, y, plan_->options.slots, keys, pool), pool);
  }
  y.set_scale(output_scale());
  return output_level() < y.level() ? drop_to_level(context, y, output_level()) : std::move(y);
}

Ciphertext Bootstrapper::bootstrap(const Ciphertext& x, const EvaluationKeys& keys,
                                   ThreadPool& pool) const {
  check_input(*plan_->context, x, plan_->options.log_message_ratio);
  check_keys(*plan_->context, manifest(), keys);
  std::vector<Ciphertext> parts = to_slots(raise(x, keys, pool), keys, pool);
  for (Ciphertext& part : parts) part = sine(part, keys, pool);
  return to_coefficients(std::move(parts), x.scale(), keys, pool);
}

}  // namespace sinter::ckks
