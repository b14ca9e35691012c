// SPDX-License-Identifier: Apache-2.0
// The public face of linear maps: diagonals encoded ahead, and who may be applied to what. The rows
// are made in linear_rows.cpp, the evaluation is in linear_apply.cpp.
#include "ckks/linear.h"

#include <algorithm>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/linear_apply.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

/// Were these diagonals encoded for this plan and ciphertext?
void check_encoded(const LinearPlan& plan, const EncodedDiagonals& diagonals, const Ciphertext& x) {
  require(diagonals.params_hash() == x.params_hash() && diagonals.level() == x.level(),
          ErrorKind::bad_argument, "linear: expected diagonals encoded for level ", x.level(),
          " (the ciphertext's), found level ", diagonals.level());
  require(diagonals.is_for(plan), ErrorKind::bad_argument,
          "linear: the diagonals were encoded for another plan");
}

}  // namespace

void detail::check_linear_operands(const Context& context, const LinearPlan& plan,
                                   const Ciphertext& x) {
  detail::check_ciphertext(context, x, "linear", 2);
  require(context.ring().special_count() > 0, ErrorKind::bad_argument,
          "linear: the parameters have no special primes (log_p)");
  require(plan.slots == context.slots(), ErrorKind::bad_argument, "linear: expected a plan for ",
          context.slots(), " slots, found ", plan.slots);
}

i64 EncodedDiagonals::bytes() const {
  i64 sum = 0;
  for (const std::vector<RnsPoly>& giant : diagonals_)
    for (const RnsPoly& diagonal : giant) sum += diagonal.bytes();
  return sum;
}

bool EncodedDiagonals::is_for(const LinearPlan& plan) const {
  if (slots_ != plan.slots || form_ != plan.form || baby_count_ != plan.baby_count ||
      steps_.size() != plan.giants.size())
    return false;
  for (size_t g = 0; g < steps_.size(); ++g) {
    const LinearPlan::Giant& giant = plan.giants[g];
    if (steps_[g] != giant.steps ||
        !std::ranges::equal(indices_[g], giant.terms, {}, {}, &LinearPlan::Term::index))
      return false;
  }
  return true;
}

EncodedDiagonals encode_diagonals(const Context& context, const LinearPlan& plan,
                                  const DiagonalSource& source, double scale, int level,
                                  ThreadPool& pool, i64 max_bytes) {
  const detail::DiagonalSupply supply =
      detail::supply_of(context, plan, nullptr, &source, scale, level);
  const bool is_real = supply.is_real();
  const int limbs = level + 1 + context.ring().special_count();
  const i64 row = is_real ? supply.period() : 2 * supply.period();
  EncodedDiagonals out;
  out.scale_ = scale;
  out.level_ = level;
  out.period_ = supply.period();
  out.is_real_ = is_real;
  out.params_hash_ = context.params().hash();
  out.slots_ = plan.slots;
  out.form_ = plan.form;
  out.baby_count_ = plan.baby_count;
  i64 left = max_bytes / (limbs * row * i64(sizeof(u64)));  // diagonals that fit
  std::vector<std::pair<size_t, size_t>> jobs;              // one transform each
  for (const LinearPlan::Giant& giant : plan.giants) {
    std::vector<RnsPoly>& kept = out.diagonals_.emplace_back(giant.terms.size());
    std::vector<i64>& indices = out.indices_.emplace_back();
    out.steps_.push_back(giant.steps);
    for (size_t t = 0; t < giant.terms.size(); ++t) {
      indices.push_back(giant.terms[t].index);
      if (left-- <= 0) {
        ++out.missing_;
        continue;
      }
      kept[t] = RnsPoly::uninitialised(row, limbs);
      if (!is_real || t % 2 == 0) jobs.emplace_back(out.diagonals_.size() - 1, t);
    }
  }
  std::vector<RnsPoly> scratch(size_t(pool.size()));
  pool.run(std::ssize(jobs), [&](i64 task, i64 worker) {
    const auto [g, t] = jobs[size_t(task)];
    std::vector<double> coefficients(size_t(2 * supply.period()));
    const detail::EmbeddedTerms terms = detail::embed_terms(supply, g, t, coefficients);
    RnsPoly& words = scratch[size_t(worker)];
    if (words.empty()) words = context.ring().make_poly(1);
    std::vector<RnsPoly>& kept = out.diagonals_[g];
    const bool has_second = is_real && t + 1 < kept.size() && !kept[t + 1].empty();
    for (int limb = 0; limb < limbs; ++limb)
      detail::terms_to_limb(supply, limb, coefficients, terms,
                            words.limb(0).first(coefficients.size()), kept[t].limb(limb).data(),
                            has_second ? kept[t + 1].limb(limb).data() : nullptr);
  });
  return out;
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options) {
  detail::check_linear_operands(context, plan, x);
  check_encoded(plan, diagonals, x);
  require(diagonals.missing_count() == 0, ErrorKind::bad_argument, "linear: expected all ",
          plan.diagonal_count(), " diagonals encoded, found ", diagonals.missing_count(),
          " left out for their size: give their source too");
  const Ciphertext* const one = &x;
  return std::move(detail::apply_diagonals(detail::supply_of(context, plan, &diagonals, nullptr,
                                                             diagonals.scale(), x.level()),
                                           {&one, 1}, keys, pool, options.work_bytes)
                       .front());
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const DiagonalSource& source,
                        const Ciphertext& x, const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options) {
  const Ciphertext* const one = &x;
  return std::move(apply_linear(context, plan, &diagonals, source, diagonals.scale(), {&one, 1},
                                keys, pool, options)
                       .front());
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const DiagonalSource& source, double plain_scale, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options) {
  const Ciphertext* const one = &x;
  return std::move(
      apply_linear(context, plan, nullptr, source, plain_scale, {&one, 1}, keys, pool, options)
          .front());
}

std::vector<Ciphertext> apply_linear(const Context& context, const LinearPlan& plan,
                                     const EncodedDiagonals* diagonals,
                                     const DiagonalSource& source, double plain_scale,
                                     std::span<const Ciphertext* const> x,
                                     const EvaluationKeys& keys, ThreadPool& pool,
                                     const LinearOptions& options) {
  require(!x.empty(), ErrorKind::bad_argument, "linear: expected a ciphertext, found none");
  for (const Ciphertext* one : x) {
    detail::check_linear_operands(context, plan, *one);
    require(one->level() == x[0]->level(), ErrorKind::bad_argument,
            "linear: expected ciphertexts of one level, found ", x[0]->level(), " and ",
            one->level());
  }
  if (diagonals != nullptr) {
    check_encoded(plan, *diagonals, *x[0]);
    require(diagonals->scale() == plain_scale, ErrorKind::bad_argument,
            "linear: expected diagonals encoded at scale ", plain_scale, ", found ",
            diagonals->scale());
  }
  return detail::apply_diagonals(
      detail::supply_of(context, plan, diagonals, &source, plain_scale, x[0]->level()), x, keys,
      pool, options.work_bytes);
}

}  // namespace sinter::ckks
