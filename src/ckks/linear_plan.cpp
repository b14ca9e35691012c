// SPDX-License-Identifier: Apache-2.0
// The choice of n1. Diagonals are taken as signed rotations in (-slots/2, slots/2], so that the
// neighbours -1, 0, 1 of a convolution are close to each other; g = n1 floor(i / n1).
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "ckks/detail/key_switch.h"
#include "ckks/linear.h"

namespace sinter::ckks {
namespace {

std::vector<i64> signed_indices(std::span<const i64> indices, i64 slots) {
  require(slots >= 1 && !indices.empty() && std::ssize(indices) <= slots, ErrorKind::bad_argument,
          "plan_linear: expected 1 to slots = ", slots, " diagonals, found ", indices.size());
  std::vector<i64> result;
  for (i64 index : indices) {
    const i64 i = detail::normalise_rotation(index, slots);
    result.push_back(i > slots / 2 ? i - slots : i);
  }
  std::sort(result.begin(), result.end());
  const auto twice = std::adjacent_find(result.begin(), result.end());
  require(twice == result.end(), ErrorKind::bad_argument, "plan_linear: the diagonal ",
          twice == result.end() ? 0 : *twice, " (modulo ", slots, " slots) appears twice");
  return result;
}

/// The giant of index i: a multiple of n1, counted from `origin`.
i64 giant_of(i64 i, i64 n1, i64 origin) {
  const i64 remainder = (((i - origin) % n1) + n1) % n1;
  return i - origin - remainder;
}
i64 origin_of(const std::vector<i64>& indices, GiantForm form) {
  return form == GiantForm::horner ? indices.front() : 0;
}

double cost_of(const std::vector<i64>& indices, i64 slots, i64 n1, GiantForm form,
               const LinearCosts& costs) {
  std::set<i64> babies, giants, keys;
  const i64 origin = origin_of(indices, form);
  i64 last = 0;
  for (i64 i : indices) {
    const i64 giant = giant_of(i, n1, origin);
    babies.insert(detail::normalise_rotation(i - giant, slots));
    giants.insert(detail::normalise_rotation(giant, slots));
    last = std::max(last, giant);
  }
  babies.erase(0);
  giants.erase(0);
  keys = babies;
  i64 rotations = std::ssize(giants);
  if (form == GiantForm::separate) keys.insert(giants.begin(), giants.end());
  if (form == GiantForm::horner && last > 0) {
    rotations = last / n1;
    keys.insert(detail::normalise_rotation(n1, slots));
  }
  return costs.baby * double(babies.size()) + costs.giant * double(rotations) +
         costs.key * double(keys.size());
}

/// Powers of two, multiples of the common stride, and the distances at which indices repeat.
std::set<i64> candidates(const std::vector<i64>& indices, i64 slots) {
  constexpr i64 kMultiples = 128, kDistances = 64;
  std::set<i64> result;
  for (i64 n1 = 1; n1 <= slots; n1 *= 2) result.insert(n1);
  i64 stride = 0;
  for (i64 i : indices) stride = std::gcd(stride, i);
  for (i64 m = 1; m <= kMultiples && stride > 0 && m * stride <= slots; ++m)
    result.insert(m * stride);
  for (size_t i = 1; i < indices.size() && std::ssize(result) < 2 * kMultiples + kDistances; ++i)
    result.insert(std::min(slots, indices[i] - indices[i - 1]));
  return result;
}

}  // namespace

LinearPlan plan_linear(std::span<const i64> indices, i64 slots, i64 baby_count, GiantForm form) {
  const std::vector<i64> diagonals = signed_indices(indices, slots);
  require(baby_count >= 1 && baby_count <= slots, ErrorKind::bad_argument,
          "plan_linear: expected a baby count of 1 to ", slots, ", found ", baby_count);
  LinearPlan plan;
  plan.slots = slots;
  plan.baby_count = baby_count;
  plan.form = form;
  const i64 origin = origin_of(diagonals, form);
  std::map<i64, std::map<i64, i64>> by_giant;  // giant -> baby -> index
  std::set<i64> babies, keys;
  for (i64 i : diagonals) {
    const i64 giant = giant_of(i, baby_count, origin),
              baby = detail::normalise_rotation(i - giant, slots);
    by_giant[detail::normalise_rotation(giant, slots)][baby] = detail::normalise_rotation(i, slots);
    babies.insert(baby);
  }
  plan.babies.assign(babies.begin(), babies.end());
  keys = babies;
  if (form == GiantForm::horner && by_giant.rbegin()->first > 0)
    keys.insert(detail::normalise_rotation(baby_count, slots));
  for (const auto& [steps, terms] : by_giant) {
    if (form == GiantForm::separate) keys.insert(steps);
    LinearPlan::Giant& giant = plan.giants.emplace_back();
    giant.steps = steps;
    for (const auto& [baby, index] : terms) {
      const auto place = std::lower_bound(plan.babies.begin(), plan.babies.end(), baby);
      giant.terms.push_back({index, int(place - plan.babies.begin())});
    }
  }
  keys.erase(0);
  plan.rotations.assign(keys.begin(), keys.end());
  return plan;
}

LinearPlan plan_linear(std::span<const i64> indices, i64 slots, const LinearCosts& costs) {
  const std::vector<i64> diagonals = signed_indices(indices, slots);
  i64 best = 1;
  GiantForm best_form = GiantForm::separate;
  double best_cost = cost_of(diagonals, slots, best, best_form, costs);
  const std::set<i64> all = candidates(diagonals, slots);
  for (GiantForm form : {GiantForm::separate, GiantForm::horner})
    for (i64 n1 : all) {
      if (form == GiantForm::horner && !costs.may_use_horner) continue;
      const double cost = cost_of(diagonals, slots, n1, form, costs);
      if (cost < best_cost) best = n1, best_form = form, best_cost = cost;
    }
  return plan_linear(indices, slots, best, best_form);
}

std::vector<i64> baby_count_candidates(std::span<const i64> indices, i64 slots) {
  const std::set<i64> all = candidates(signed_indices(indices, slots), slots);
  return {all.begin(), all.end()};
}

i64 LinearPlan::diagonal_count() const {
  i64 sum = 0;
  for (const Giant& giant : giants) sum += std::ssize(giant.terms);
  return sum;
}

i64 LinearPlan::hoisted_count() const {
  return std::ssize(babies) - std::count(babies.begin(), babies.end(), 0);
}

i64 LinearPlan::giant_count() const {
  if (form == GiantForm::horner) return giants.back().steps / baby_count;
  return std::count_if(giants.begin(), giants.end(), [](const Giant& g) { return g.steps != 0; });
}

}  // namespace sinter::ckks
