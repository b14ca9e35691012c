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

#include "ckks/detail/giant_steps.h"
#include "ckks/detail/linear_evaluation.h"

namespace sinter::ckks::detail {

std::vector<std::vector<size_t>> giant_groups(const DiagonalSupply& diagonals, i64 pair_bytes,
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

std::vector<ExtendedPair> sum_giants(const DiagonalSupply& diagonals,
                                     std::span<const Ciphertext* const> x,
                                     const EvaluationKeys& keys, ThreadPool& pool, i64 work_bytes) {
  const LinearPlan& plan = diagonals.plan;
  const Context& context = diagonals.context;
  const LimbRange all{0, diagonals.level + 1 + context.ring().special_count()};
  for (i64 rotation : plan.rotations) keys.galois(context, rotation, diagonals.level);  // or throws
  LinearEvaluation evaluation(context, plan, x, keys, pool, all);
  const GiantSteps steps(context, plan, diagonals.level,
                         run_length(context.n(), std::ssize(plan.babies)), pool);
  const std::vector<std::vector<size_t>> parts =
      giant_groups(diagonals, evaluation.pair_bytes(all), evaluation.kept_bytes(all), work_bytes);
  if (parts.size() > 1) evaluation.keep_babies(all);
  std::vector<GiantSteps::Total> totals(x.size());
  for (const std::vector<size_t>& group : parts) {
    DiagonalRows rows(diagonals, group, pool);
    std::vector<std::vector<ExtendedPair>> sums = evaluation.sums(group, rows, all);
    for (size_t g = 0; g < group.size(); ++g)
      for (size_t image = 0; image < x.size(); ++image)
        steps.add(keys, plan.giants[group[g]].steps, std::move(sums[g][image]), totals[image]);
  }
  std::vector<ExtendedPair> out;
  for (GiantSteps::Total& total : totals) out.push_back(std::move(total.sum));
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
