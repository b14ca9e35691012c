// SPDX-License-Identifier: Apache-2.0
#include "ckks/linear_parts.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/linear_apply.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks {

LinearPlan giants_of(const LinearPlan& plan, i64 from, i64 to) {
  const i64 count = std::ssize(plan.giants);
  require(from >= 0 && from < to && to <= count, ErrorKind::bad_argument,
          "linear part: expected giants within 0 to ", count, ", found ", from, " to ", to);
  if (from == 0 && to == count) return plan;
  require(plan.form == GiantForm::separate, ErrorKind::bad_argument,
          "linear part: a map in Horner's form has one part, giants 0 to ", count, ", found ", from,
          " to ", to);
  LinearPlan part;
  part.slots = plan.slots;
  part.baby_count = plan.baby_count;
  part.giants.assign(plan.giants.begin() + from, plan.giants.begin() + to);
  std::set<i64> babies, keys;
  for (const LinearPlan::Giant& giant : part.giants) {
    keys.insert(giant.steps);
    for (const LinearPlan::Term& term : giant.terms) babies.insert(plan.babies[size_t(term.baby)]);
  }
  part.babies.assign(babies.begin(), babies.end());
  for (LinearPlan::Giant& giant : part.giants)
    for (LinearPlan::Term& term : giant.terms)
      term.baby = int(std::ranges::lower_bound(part.babies, plan.babies[size_t(term.baby)]) -
                      part.babies.begin());
  keys.insert(babies.begin(), babies.end());
  keys.erase(0);
  part.rotations.assign(keys.begin(), keys.end());
  return part;
}

std::vector<i64> split_giants(const LinearPlan& plan, i64 parts, double diagonal, double giant) {
  const i64 count = std::ssize(plan.giants);
  if (plan.form == GiantForm::horner) parts = 1;
  std::vector<double> before = {0};
  for (const LinearPlan::Giant& g : plan.giants)
    before.push_back(before.back() + (g.steps == 0 ? 0 : giant) +
                     diagonal * double(std::ssize(g.terms)));
  std::vector<i64> borders = {0};
  for (i64 p = 1; p < parts; ++p) {
    const double wanted = before.back() * double(p) / double(parts);
    i64 at = std::ranges::lower_bound(before, wanted) - before.begin();
    if (at > 0 && wanted - before[size_t(at) - 1] < before[size_t(at)] - wanted) --at;
    if (at > borders.back() && at < count) borders.push_back(at);
  }
  borders.push_back(count);
  return borders;
}

ExtendedCiphertext apply_linear_part(const Context& context, const LinearPlan& part,
                                     const DiagonalSource& source, double plain_scale,
                                     const Ciphertext& x, const EvaluationKeys& keys,
                                     ThreadPool& pool, const LinearOptions& options) {
  detail::check_linear_operands(context, part, x);
  const Ciphertext* const one = &x;
  detail::ExtendedPair sum = std::move(
      detail::sum_giants(detail::supply_of(context, part, nullptr, &source, plain_scale, x.level()),
                         {&one, 1}, keys, pool, options.work_bytes)
          .front());
  return {std::move(sum.c0), std::move(sum.c1), x.level(), x.scale() * plain_scale,
          x.params_hash()};
}

Ciphertext finish_linear(const Context& context, std::span<const ExtendedCiphertext* const> parts,
                         ThreadPool& pool) {
  require(!parts.empty(), ErrorKind::bad_argument, "finish_linear: expected a part, found none");
  const ExtendedCiphertext& first = *parts[0];
  const int limbs = first.level + 1 + context.ring().special_count();
  for (const ExtendedCiphertext* part : parts)
    require(part->params_hash == context.params().hash() && part->level == first.level &&
                part->scale == first.scale && part->c0.limbs() == limbs &&
                part->c1.limbs() == limbs,
            ErrorKind::bad_argument, "finish_linear: expected parts of level ", first.level,
            " and scale ", first.scale, ", found level ", part->level, " and scale ", part->scale);
  std::vector<ring::RnsPoly> sums;
  sums.push_back(first.c0.clone());
  sums.push_back(first.c1.clone());
  pool.run(limbs, [&](i64 limb, i64) {
    const ring::Modulus& q = context.ring().limb_modulus(first.level, int(limb));
    for (const ExtendedCiphertext* part : parts.subspan(1))
      for (int i = 0; i < 2; ++i) {
        u64* const sum = sums[size_t(i)].limb(int(limb)).data();
        const ring::RnsPoly& term = i == 0 ? part->c0 : part->c1;
        ring::add(sum, term.limb(int(limb)).data(), q, context.n(), sum);
      }
  });
  context.ring().mod_down(sums, first.level, pool);
  return {std::move(sums), first.scale, first.level, first.params_hash};
}

}  // namespace sinter::ckks
