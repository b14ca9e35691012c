// SPDX-License-Identifier: Apache-2.0
#include "ckks/linear_parts.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/giant_steps.h"
#include "ckks/detail/linear_apply.h"
#include "ckks/detail/linear_evaluation.h"
#include "ring/kernels.h"

namespace sinter::ckks {
namespace {

using detail::ExtendedPair;
using ring::RnsPoly;

/// The first phase of one map: V_g of some limbs become rows and a total.
class LimbPhase {
 public:
  LimbPhase(const detail::DiagonalSupply& supply, const Ciphertext& x, ThreadPool& pool)
      : context_(supply.context),
        plan_(supply.plan),
        pool_(pool),
        empty_{x.level(), 0, x.scale() * supply.scale, x.params_hash(), {}} {
    for (const LinearPlan::Giant& giant : plan_.giants)
      permutations_.push_back(giant.steps == 0 ? std::vector<u32>()
                                               : ring::automorphism_permutation(
                                                     context_.n(), detail::rotation_element(
                                                                       giant.steps, context_.n())));
  }

  LinearPart part(int first_limb) const {
    return {empty_.level, first_limb, empty_.scale, empty_.params_hash, {}};
  }

  LimbSums begin(LimbRange range) const {
    LimbSums sums;
    for (size_t g = 0; g < plan_.giants.size(); ++g) sums.rows.push_back(part(range.first));
    sums.total = part(range.first);
    for (int half = 0; half < 2; ++half)
      sums.total.polys.push_back(detail::zero_poly(context_, range.size(), pool_));
    return sums;
  }

  void add(size_t giant, ExtendedPair v, LimbSums& sums) const {
    const bool is_switched = plan_.giants[giant].steps != 0;
    std::vector<RnsPoly>& total = sums.total.polys;
    RnsPoly turned = context_.ring().make_poly(is_switched ? int(pool_.size()) : 0);
    pool_.run(v.c0.limbs(), [&](i64 task, i64 worker) {
      const int limb = int(task);
      const ring::Modulus& q =
          context_.ring().limb_modulus(empty_.level, sums.total.first_limb + limb);
      const auto add_row = [&](int half, const u64* row) {
        u64* const sum = total[size_t(half)].limb(limb).data();
        ring::add(sum, row, q, context_.n(), sum);
      };
      if (!is_switched) {
        add_row(0, v.c0.limb(limb).data());
        return add_row(1, v.c1.limb(limb).data());
      }
      const std::span<u64> row = turned.limb(int(worker));
      ring::permute(v.c0.limb(limb), permutations_[giant], row);
      add_row(0, row.data());
    });
    if (is_switched) sums.rows[giant].polys.push_back(std::move(v.c1));
  }

 private:
  const Context& context_;
  const LinearPlan& plan_;
  ThreadPool& pool_;
  const LinearPart empty_;                      ///< level, scale and parameters
  std::vector<std::vector<u32>> permutations_;  ///< [giant]
};

/// Is this part of these parameters, of one level and scale with `first`, of `polys` polynomials?
void check_part(const Context& context, const LinearPart& part, const LinearPart& first,
                size_t polys, const char* what) {
  require(part.params_hash == context.params().hash() && part.level == first.level &&
              part.scale == first.scale,
          ErrorKind::bad_argument, what, ": expected parts of level ", first.level, " and scale ",
          first.scale, ", found level ", part.level, " and scale ", part.scale);
  detail::check_level(context, part.level, what);
  const int all = part.level + 1 + context.ring().special_count();
  require(part.polys.size() == polys && part.first_limb >= 0 && part.limbs().size() >= 1 &&
              part.limbs().last <= all &&
              std::ranges::all_of(
                  part.polys, [&](const RnsPoly& p) { return p.limbs() == part.polys[0].limbs(); }),
          ErrorKind::bad_argument, what, ": expected parts of ", polys,
          " polynomials with some of ", all, " limbs, found ", part.polys.size());
}

/// c_1 of V_g, put together.
RnsPoly whole_row(const Context& context, i64 giant, int limbs, std::span<const GiantRow> rows) {
  RnsPoly out = context.ring().make_poly(limbs);
  std::vector<bool> is_there(size_t(limbs), false);
  for (const GiantRow& row : rows)
    for (int i = 0; row.giant == giant && i < row.part->limbs().size(); ++i) {
      const int limb = row.part->first_limb + i;
      std::ranges::copy(row.part->polys[0].limb(i), out.limb(limb).begin());
      is_there[size_t(limb)] = true;
    }
  const auto missing = std::ranges::find(is_there, false);
  require(missing == is_there.end(), ErrorKind::bad_argument, "add_giants: giant ", giant,
          ": limb ", missing - is_there.begin(), " is missing");
  return out;
}

}  // namespace

void sum_limbs(const Context& context, const LinearPlan& plan, const DiagonalSource& source,
               double plain_scale, const Ciphertext& x, const EvaluationKeys& keys,
               ThreadPool& pool, LimbRange own, int chunk,
               const std::function<void(LimbSums)>& emit, const LinearOptions& options) {
  detail::check_linear_operands(context, plan, x);
  const int all = x.level() + 1 + context.ring().special_count();
  require(own.first >= 0 && own.first < own.last && own.last <= all && chunk >= 1,
          ErrorKind::bad_argument, "linear part: expected limbs within 0 to ", all, ", found ",
          own.first, " to ", own.last, " by ", chunk);
  const detail::DiagonalSupply supply =
      detail::supply_of(context, plan, nullptr, &source, plain_scale, x.level());
  const Ciphertext* const one = &x;
  detail::LinearEvaluation evaluation(context, plan, {&one, 1}, keys, pool, own);
  const LimbPhase phase(supply, x, pool);
  const LimbRange largest{0, std::min(chunk, own.size())};
  const std::vector<std::vector<size_t>> groups = detail::giant_groups(
      supply, evaluation.pair_bytes(largest), evaluation.kept_bytes(largest), options.work_bytes);
  std::optional<detail::DiagonalRows> rows;
  if (groups.size() == 1) rows.emplace(supply, groups[0], pool);
  for (int first = own.first; first < own.last; first += chunk) {
    const LimbRange range{first, std::min(first + chunk, own.last)};
    if (groups.size() > 1) evaluation.keep_babies(range);
    LimbSums sums = phase.begin(range);
    for (const std::vector<size_t>& group : groups) {
      if (groups.size() > 1) rows.emplace(supply, group, pool);
      std::vector<std::vector<ExtendedPair>> found = evaluation.sums(group, *rows, range);
      for (size_t g = 0; g < group.size(); ++g)
        phase.add(group[g], std::move(found[g].front()), sums);
    }
    emit(std::move(sums));
  }
}

LinearPart add_giants(const Context& context, const LinearPlan& plan, i64 from, i64 to,
                      std::span<const GiantRow> rows, const EvaluationKeys& keys,
                      ThreadPool& pool) {
  const i64 count = std::ssize(plan.giants);
  const bool is_horner = plan.form == GiantForm::horner;
  require(from >= 0 && from < to && to <= count && !rows.empty(), ErrorKind::bad_argument,
          "add_giants: expected rows of giants within 0 to ", count, ", found ", rows.size(),
          " rows of giants ", from, " to ", to);
  require(!is_horner || (from == 0 && to == count), ErrorKind::bad_argument,
          "add_giants: a map in Horner's form has one part, giants 0 to ", count, ", found ", from,
          " to ", to);
  const LinearPart& first = *rows.front().part;
  for (const GiantRow& row : rows) check_part(context, *row.part, first, 1, "add_giants");
  const int limbs = first.level + 1 + context.ring().special_count();
  const detail::GiantSteps steps(context, plan, first.level,
                                 detail::run_length(context.n(), std::ssize(plan.babies)), pool);
  detail::GiantSteps::Total total;
  for (i64 i = from; i < to; ++i) {
    const i64 giant = is_horner ? to - 1 - (i - from) : i;
    const i64 turn = plan.giants[size_t(giant)].steps;
    if (turn == 0) continue;
    RnsPoly zeros =
        is_horner && !total.sum.c1.empty() ? detail::zero_poly(context, limbs, pool) : RnsPoly();
    steps.add(keys, turn, {std::move(zeros), whole_row(context, giant, limbs, rows)}, total);
  }
  if (is_horner && total.steps > 0) steps.add(keys, 0, steps.zero_pair(), total);
  require(!total.sum.c0.empty(), ErrorKind::bad_argument, "add_giants: giants ", from, " to ", to,
          " have no rotation");
  LinearPart out{first.level, 0, first.scale, first.params_hash, {}};
  out.polys.push_back(std::move(total.sum.c0));
  out.polys.push_back(std::move(total.sum.c1));
  return out;
}

Ciphertext finish_linear(const Context& context, std::span<const LinearPart* const> terms,
                         ThreadPool& pool) {
  require(!terms.empty(), ErrorKind::bad_argument, "finish_linear: expected a part, found none");
  const LinearPart& first = *terms[0];
  for (const LinearPart* term : terms) check_part(context, *term, first, 2, "finish_linear");
  const int limbs = first.level + 1 + context.ring().special_count();
  std::vector<RnsPoly> sums;
  for (int half = 0; half < 2; ++half) sums.push_back(context.ring().make_poly(limbs));
  pool.run(2 * limbs, [&](i64 task, i64) {
    const size_t half = size_t(task % 2);
    const int limb = int(task / 2);
    u64* const sum = sums[half].limb(limb).data();
    bool is_there = false;
    for (const LinearPart* term : terms) {
      const LimbRange range = term->limbs();
      if (limb < range.first || limb >= range.last) continue;
      const u64* const row = term->polys[half].limb(limb - range.first).data();
      if (is_there)
        ring::add(sum, row, context.ring().limb_modulus(first.level, limb), context.n(), sum);
      else
        std::copy_n(row, context.n(), sum);
      is_there = true;
    }
    require(is_there, ErrorKind::bad_argument, "finish_linear: limb ", limb, " is missing");
  });
  context.ring().mod_down(sums, first.level, pool);
  return {std::move(sums), first.scale, first.level, first.params_hash};
}

}  // namespace sinter::ckks
