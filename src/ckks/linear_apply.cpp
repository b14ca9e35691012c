// SPDX-License-Identifier: Apache-2.0
// Evaluation of a planned linear map. All sums are kept modulo Q_l P, carrying the factor P:
//
//   baby b     U_b = sigma_b(P c_0 + <digits(c_1), key_b>_0, <digits(c_1), key_b>_1)
//   giant g    V_g = sum_b d_{g+b} U_b
//   switch     R_g(V) = sigma_g(V_0 + <digits(w), key_g>_0, <digits(w), key_g>_1), w = ModDown(V_1)
//   separate   T = sum_g R_g(V_g)
//   Horner     T = V_0 + R(V_1 + R(V_2 + ...)), R the rotation by n1
//   result     ModDown(T)
//
// The V_g of a group of giants exist together; when memory does not allow all giants in one group,
// the babies are kept for all of them.
#include "ckks/detail/linear_apply.h"

#include <algorithm>
#include <numeric>

#include "ckks/detail/linear_evaluation.h"

namespace sinter::ckks::detail {
namespace {

/// Giants in the order of evaluation, cut so that each group's sums and diagonals fit; in one group
/// when that takes no more than the babies that further groups would keep.
std::vector<std::vector<size_t>> groups(const DiagonalSupply& diagonals, i64 pair_bytes,
                                        i64 kept_bytes, i64 work_bytes) {
  const LinearPlan& plan = diagonals.plan;
  std::vector<size_t> order(plan.giants.size());
  std::iota(order.begin(), order.end(), size_t(0));
  if (plan.form == GiantForm::horner) std::reverse(order.begin(), order.end());
  i64 all = 0;
  for (size_t g : order) all += pair_bytes + diagonals.bytes_to_make(g);
  if (all <= std::max(work_bytes, kept_bytes)) return {order};
  std::vector<std::vector<size_t>> out;
  i64 used = 0;
  for (size_t g : order) {
    const i64 bytes = pair_bytes + diagonals.bytes_to_make(g);
    if (out.empty() || used + bytes > work_bytes) out.emplace_back(), used = 0;
    out.back().push_back(g);
    used += bytes;
  }
  return out;
}

/// The sum so far of one ciphertext; in Horner's form it waits for `steps` more.
struct Total {
  ExtendedPair sum;
  i64 steps = 0;
};

/// Brings the sum of the giant `own` into the total.
void add_giant(LinearEvaluation& evaluation, const LinearPlan& plan, const EvaluationKeys& keys,
               i64 own, ExtendedPair v, Total& total) {
  const bool is_horner = plan.form == GiantForm::horner;
  if (total.sum.c0.empty() && (is_horner || own == 0)) {
    total = {std::move(v), own};
  } else if (is_horner) {
    for (; total.steps > own; total.steps -= plan.baby_count) {
      const bool is_last = total.steps - plan.baby_count == own;
      ExtendedPair next = is_last ? std::move(v) : evaluation.zero_pair();
      evaluation.switch_into(std::move(total.sum), evaluation.key(keys, plan.baby_count), next);
      total.sum = std::move(next);
    }
  } else {
    if (total.sum.c0.empty()) total.sum = evaluation.zero_pair();
    evaluation.switch_into(std::move(v), evaluation.key(keys, own), total.sum);
  }
}

}  // namespace

std::vector<ExtendedPair> sum_giants(const DiagonalSupply& diagonals,
                                     std::span<const Ciphertext* const> x,
                                     const EvaluationKeys& keys, ThreadPool& pool, i64 work_bytes) {
  const LinearPlan& plan = diagonals.plan;
  LinearEvaluation evaluation(diagonals.context, plan, x, keys, pool);
  const std::vector<std::vector<size_t>> parts = groups(
      diagonals, std::ssize(x) * evaluation.pair_bytes(), evaluation.kept_bytes(), work_bytes);
  if (parts.size() > 1) evaluation.keep_babies();
  std::vector<Total> totals(x.size());
  for (const std::vector<size_t>& group : parts) {
    DiagonalRows rows(diagonals, group, pool);
    std::vector<std::vector<ExtendedPair>> sums = evaluation.sums(group, rows);
    for (size_t g = 0; g < group.size(); ++g)
      for (size_t image = 0; image < x.size(); ++image)
        add_giant(evaluation, plan, keys, plan.giants[group[g]].steps, std::move(sums[g][image]),
                  totals[image]);
  }
  std::vector<ExtendedPair> out;
  for (Total& total : totals) out.push_back(std::move(total.sum));
  return out;
}

std::vector<Ciphertext> apply_diagonals(const DiagonalSupply& diagonals,
                                        std::span<const Ciphertext* const> x,
                                        const EvaluationKeys& keys, ThreadPool& pool,
                                        i64 work_bytes) {
  std::vector<ExtendedPair> totals = sum_giants(diagonals, x, keys, pool, work_bytes);
  std::vector<Ciphertext> out;
  for (size_t image = 0; image < x.size(); ++image) {
    std::vector<ring::RnsPoly> parts;
    parts.push_back(std::move(totals[image].c0));
    parts.push_back(std::move(totals[image].c1));
    diagonals.context.ring().mod_down(parts, diagonals.level, pool);
    out.emplace_back(std::move(parts), x[image]->scale() * diagonals.scale, diagonals.level,
                     x[image]->params_hash());
  }
  return out;
}

}  // namespace sinter::ckks::detail
