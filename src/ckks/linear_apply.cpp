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

/// Giants in the order of evaluation, cut so that each group's sums and diagonals fit.
std::vector<std::vector<size_t>> groups(const LinearPlan& plan, const DiagonalSupply& diagonals,
                                        i64 pair_bytes, i64 work_bytes) {
  std::vector<size_t> order(plan.giants.size());
  std::iota(order.begin(), order.end(), size_t(0));
  if (plan.form == GiantForm::horner) std::reverse(order.begin(), order.end());
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

/// Zeros in memory of the ring's cache.
ExtendedPair zero_pair(const LinearEvaluation& evaluation, ThreadPool& pool) {
  ExtendedPair pair = evaluation.make_pair();
  pool.run(pair.c0.limbs(), [&](i64 limb, i64) {
    std::ranges::fill(pair.c0.limb(int(limb)), u64(0));
    std::ranges::fill(pair.c1.limb(int(limb)), u64(0));
  });
  return pair;
}

}  // namespace

Ciphertext apply_diagonals(const Context& context, const LinearPlan& plan,
                           const DiagonalSupply& diagonals, double plain_scale, const Ciphertext& x,
                           const EvaluationKeys& keys, ThreadPool& pool, i64 work_bytes) {
  LinearEvaluation evaluation(context, plan, x, keys, pool);
  const std::vector<std::vector<size_t>> parts =
      groups(plan, diagonals, evaluation.pair_bytes(), work_bytes);
  if (parts.size() > 1) evaluation.keep_babies();
  const bool is_horner = plan.form == GiantForm::horner;
  ExtendedPair total;
  i64 steps = 0;  // of the total, in Horner's form
  for (const std::vector<size_t>& group : parts) {
    const DiagonalSet set = diagonals.get(group);
    std::vector<ExtendedPair> v = evaluation.sums(group, set);
    for (size_t g = 0; g < group.size(); ++g) {
      const i64 own = plan.giants[group[g]].steps;
      if (total.c0.empty() && (is_horner || own == 0)) {
        total = std::move(v[g]);
        steps = own;
      } else if (is_horner) {
        for (; steps > own; steps -= plan.baby_count) {
          const bool is_last = steps - plan.baby_count == own;
          ExtendedPair next = is_last ? std::move(v[g]) : zero_pair(evaluation, pool);
          evaluation.switch_into(std::move(total), keys.galois(context, plan.baby_count, x.level()),
                                 next);
          total = std::move(next);
        }
      } else {
        if (total.c0.empty()) total = zero_pair(evaluation, pool);
        evaluation.switch_into(std::move(v[g]), keys.galois(context, own, x.level()), total);
      }
    }
  }
  return evaluation.finish(std::move(total), plain_scale);
}

}  // namespace sinter::ckks::detail
