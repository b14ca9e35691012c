// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "ckks/detail/bootstrap_factors.h"
#include "ckks/detail/key_switch.h"
#include "ckks/evaluate.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

using Complex = std::complex<double>;

/// At these levels a baby is one pass over its key, a giant a decomposition and a division besides;
/// a key is a tenth of a gigabyte.
constexpr LinearCosts kCosts = {.baby = 0.25, .giant = 1.0, .key = 0.25, .may_use_horner = true};

i64 best_baby_count(i64 count) {
  i64 best = 1;
  double best_cost = 0;
  for (i64 babies = 1; babies <= count; ++babies) {
    const i64 giants = (count + babies - 1) / babies;
    const double cost = kCosts.baby * double(babies - 1) + kCosts.giant * double(giants - 1) +
                        kCosts.key * double(babies - (giants == 1));
    if (babies == 1 || cost < best_cost) best = babies, best_cost = cost;
  }
  return best;
}

/// The distance of neighbouring diagonals; they leave no gaps.
i64 stride_of(const DiagonalMatrix& matrix) {
  i64 stride = 0;
  for (const auto& [index, values] : matrix.diagonals) stride = std::gcd(stride, index);
  const i64 first = matrix.diagonals.begin()->first, last = matrix.diagonals.rbegin()->first;
  SINTER_ASSERT(stride == 0 || last - first == stride * (std::ssize(matrix.diagonals) - 1));
  return std::max<i64>(stride, 1);
}

}  // namespace

LinearPlan plan_consecutive(i64 first, i64 stride, i64 count, i64 slots) {
  const i64 babies = best_baby_count(count);
  LinearPlan plan;
  plan.slots = slots;
  plan.baby_count = babies * stride;
  plan.form = GiantForm::horner;
  for (i64 b = 0; b < babies; ++b)
    plan.babies.push_back(normalise_rotation(first + b * stride, slots));
  plan.rotations = plan.babies;
  if (count > babies) plan.rotations.push_back(normalise_rotation(plan.baby_count, slots));
  for (std::vector<i64>* steps : {&plan.babies, &plan.rotations}) {
    std::sort(steps->begin(), steps->end());
    steps->erase(std::unique(steps->begin(), steps->end()), steps->end());
  }
  std::erase(plan.rotations, 0);
  const auto place = [&](i64 baby) {
    const i64 steps = normalise_rotation(baby, slots);
    return int(std::lower_bound(plan.babies.begin(), plan.babies.end(), steps) -
               plan.babies.begin());
  };
  for (i64 g = 0; g * babies < count; ++g) {
    LinearPlan::Giant& giant = plan.giants.emplace_back();
    giant.steps = g * plan.baby_count;
    for (i64 b = 0; b < babies && g * babies + b < count; ++b)
      giant.terms.push_back({normalise_rotation(first + (g * babies + b) * stride, slots),
                             place(first + b * stride)});
    std::sort(giant.terms.begin(), giant.terms.end(),
              [](const LinearPlan::Term& x, const LinearPlan::Term& y) { return x.baby < y.baby; });
  }
  return plan;
}

DiagonalSource Factor::source(i64 context_slots) const {
  DiagonalSource out;
  out.period = std::min(matrix.period, context_slots);
  out.fill_complex = [this, context_slots](i64 index, std::span<Complex> values) {
    const i64 own = normalise_rotation(index + shift_in - shift_out, context_slots);
    const std::vector<Complex>& d =
        matrix.diagonals.at(own > context_slots / 2 ? own - context_slots : own);
    const i64 turn = normalise_rotation(shift_out, std::ssize(values));
    std::rotate_copy(d.begin(), d.begin() + turn, d.begin() + std::ssize(values), values.begin());
  };
  return out;
}

i64 Factor::encoded_bytes(const Context& context) const {
  const i64 points = 2 * std::min(matrix.period, context.slots());
  return plan.diagonal_count() * (level + 1 + context.ring().special_count()) * points *
         i64(sizeof(u64));
}

Factors plan_factors(i64 slots, std::vector<DiagonalMatrix> matrices, int top_level,
                     const std::vector<double>& plain_scales, i64& shift, bool takes_back) {
  SINTER_ASSERT(matrices.size() == plain_scales.size());
  Factors factors;
  for (size_t i = 0; i < matrices.size(); ++i) {
    auto factor = std::make_unique<Factor>();
    factor->matrix = std::move(matrices[i]);
    const i64 first = factor->matrix.diagonals.begin()->first;
    factor->shift_in = shift;
    shift = takes_back && i + 1 == matrices.size() ? 0 : shift - first;
    factor->shift_out = shift;
    factor->plan =
        plan_consecutive(first + factor->shift_out - factor->shift_in, stride_of(factor->matrix),
                         std::ssize(factor->matrix.diagonals), slots);
    factor->level = top_level - int(i);
    factor->plain_scale = plain_scales[i];
    factors.push_back(std::move(factor));
  }
  return factors;
}

i64 encode_within(const Context& context, std::span<Factor* const> factors, i64 budget,
                  ThreadPool& pool) {
  std::vector<Factor*> order(factors.begin(), factors.end());
  std::stable_sort(order.begin(), order.end(), [&](const Factor* a, const Factor* b) {
    return a->encoded_bytes(context) < b->encoded_bytes(context);
  });
  i64 used = 0;
  for (Factor* f : order) {
    f->encoded = std::make_unique<const EncodedDiagonals>(
        encode_diagonals(context, f->plan, f->source(context.slots()), f->plain_scale, f->level,
                         pool, budget - used));
    used += f->encoded->bytes();
    if (f->encoded->missing_count() > 0) break;
  }
  return used;
}

void add_rotations(const Factors& factors, i64 slots, KeyManifest& manifest) {
  for (const auto& factor : factors)
    for (i64 rotation : factor->plan.rotations)
      manifest.add_rotation(rotation, factor->level, slots);
}

Ciphertext apply_factor(const Context& context, const Factor& factor, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool, double plain_scale) {
  SINTER_ASSERT(x.level() == factor.level);
  const DiagonalSource source = factor.source(context.slots());
  if (factor.encoded != nullptr && plain_scale == 0)
    return rescale(
        context, apply_linear(context, factor.plan, *factor.encoded, source, x, keys, pool), pool);
  return rescale(context,
                 apply_linear(context, factor.plan, source,
                              plain_scale == 0 ? factor.plain_scale : plain_scale, x, keys, pool),
                 pool);
}

}  // namespace sinter::ckks::detail
