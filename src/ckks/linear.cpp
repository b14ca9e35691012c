// SPDX-License-Identifier: Apache-2.0
// Encoding of diagonals, ahead or on the fly; the evaluation is in linear_apply.cpp.
#include "ckks/linear.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/encode_limbs.h"
#include "ckks/detail/linear_apply.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

i64 period_of(const Context& context, const LinearPlan& plan, const DiagonalSource& source) {
  require(plan.slots == context.slots(), ErrorKind::bad_argument, "linear: expected a plan for ",
          context.slots(), " slots, found ", plan.slots);
  const i64 period = source.period == 0 ? plan.slots : source.period;
  require(period >= 1 && period <= plan.slots && std::has_single_bit(u64(period)),
          ErrorKind::bad_argument, "linear: expected a period that is a power of two up to ",
          plan.slots, ", found ", source.period);
  require(bool(source.fill) != bool(source.fill_complex), ErrorKind::bad_argument,
          "linear: expected a source with exactly one of fill and fill_complex, found ",
          source.fill ? "both" : "none");
  return period;
}

template <class Value, class Fill>
RnsPoly encode_rotated(const Context& context, const Fill& fill, i64 index, i64 steps, i64 period,
                       double scale, int level) {
  std::vector<Value> values(static_cast<size_t>(period));
  fill(index, values);
  std::rotate(values.begin(), values.end() - steps % period, values.end());
  return detail::encode_periodic_limbs(context, std::span<const Value>(values), scale, level,
                                       Basis::qp);
}

/// One diagonal, rotated right by its giant's steps, in the extended basis.
RnsPoly encode_one(const Context& context, const DiagonalSource& source, i64 index, i64 steps,
                   i64 period, double scale, int level) {
  if (source.fill)
    return encode_rotated<double>(context, source.fill, index, steps, period, scale, level);
  return encode_rotated<std::complex<double>>(context, source.fill_complex, index, steps, period,
                                              scale, level);
}

void check_operands(const Context& context, const LinearPlan& plan, const Ciphertext& x) {
  detail::check_ciphertext(context, x, "linear", 2);
  require(context.ring().special_count() > 0, ErrorKind::bad_argument,
          "linear: the parameters have no special primes (log_p)");
  require(plan.slots == context.slots(), ErrorKind::bad_argument, "linear: expected a plan for ",
          context.slots(), " slots, found ", plan.slots);
}

/// The encoded ones where they are kept; the others from the source, which may be nullptr when
/// none is missing.
detail::DiagonalSupply supply_of(const Context& context, const LinearPlan& plan,
                                 const EncodedDiagonals* kept, const DiagonalSource* source,
                                 double scale, int level, ThreadPool& pool) {
  const i64 period = source == nullptr ? 0 : period_of(context, plan, *source);
  const i64 bytes = 2 * period * (level + 1 + context.ring().special_count()) * i64(sizeof(u64));
  const auto find = [kept](size_t giant, size_t term) {
    return kept == nullptr ? nullptr : kept->find(giant, term);
  };
  struct Place {
    size_t giant, term;
    i64 index, steps;
  };
  const auto get = [&context, &plan, &pool, source, find, period, scale,
                    level](std::span<const size_t> giants) {
    detail::DiagonalSet set;
    std::vector<Place> missing;
    for (size_t g : giants) {
      const LinearPlan::Giant& giant = plan.giants[g];
      std::vector<const RnsPoly*>& terms = set.at.emplace_back();
      for (size_t t = 0; t < giant.terms.size(); ++t) {
        terms.push_back(find(g, t));
        if (terms.back() == nullptr)
          missing.push_back({set.at.size() - 1, t, giant.terms[t].index, giant.steps});
      }
    }
    set.made.resize(missing.size());
    pool.run(std::ssize(missing), [&](i64 task, i64) {
      const Place& m = missing[size_t(task)];
      set.made[size_t(task)] = encode_one(context, *source, m.index, m.steps, period, scale, level);
      set.at[m.giant][m.term] = &set.made[size_t(task)];
    });
    return set;
  };
  const auto bytes_to_make = [&plan, find, bytes](size_t giant) {
    i64 sum = 0;
    for (size_t t = 0; t < plan.giants[giant].terms.size(); ++t)
      sum += find(giant, t) == nullptr ? bytes : 0;
    return sum;
  };
  return {get, bytes_to_make};
}

/// Were these diagonals encoded for this plan and ciphertext?
void check_encoded(const LinearPlan& plan, const EncodedDiagonals& diagonals, const Ciphertext& x) {
  require(diagonals.params_hash() == x.params_hash() && diagonals.level() == x.level(),
          ErrorKind::bad_argument, "linear: expected diagonals encoded for level ", x.level(),
          " (the ciphertext's), found level ", diagonals.level());
  require(diagonals.is_for(plan), ErrorKind::bad_argument,
          "linear: the diagonals were encoded for another plan");
}

}  // namespace

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
  const i64 period = period_of(context, plan, source);
  detail::check_level(context, level, "linear");
  const i64 bytes = 2 * period * (level + 1 + context.ring().special_count()) * i64(sizeof(u64));
  EncodedDiagonals out;
  out.scale_ = scale;
  out.level_ = level;
  out.period_ = period;
  out.params_hash_ = context.params().hash();
  out.slots_ = plan.slots;
  out.form_ = plan.form;
  out.baby_count_ = plan.baby_count;
  std::vector<std::pair<size_t, size_t>> places;
  for (const LinearPlan::Giant& giant : plan.giants) {
    for (size_t t = 0; t < giant.terms.size(); ++t) {
      if (max_bytes / bytes > std::ssize(places))
        places.emplace_back(out.diagonals_.size(), t);
      else
        ++out.missing_;
    }
    out.steps_.push_back(giant.steps);
    std::vector<i64>& indices = out.indices_.emplace_back();
    for (const LinearPlan::Term& term : giant.terms) indices.push_back(term.index);
    out.diagonals_.emplace_back(giant.terms.size());
  }
  pool.run(std::ssize(places), [&](i64 task, i64) {
    const auto [g, t] = places[size_t(task)];
    const LinearPlan::Giant& giant = plan.giants[g];
    out.diagonals_[g][t] =
        encode_one(context, source, giant.terms[t].index, giant.steps, period, scale, level);
  });
  return out;
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options) {
  check_operands(context, plan, x);
  check_encoded(plan, diagonals, x);
  require(diagonals.missing_count() == 0, ErrorKind::bad_argument, "linear: expected all ",
          plan.diagonal_count(), " diagonals encoded, found ", diagonals.missing_count(),
          " left out for their size: give their source too");
  return detail::apply_diagonals(
      context, plan,
      supply_of(context, plan, &diagonals, nullptr, diagonals.scale(), x.level(), pool),
      diagonals.scale(), x, keys, pool, options.work_bytes);
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const DiagonalSource& source,
                        const Ciphertext& x, const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options) {
  check_operands(context, plan, x);
  check_encoded(plan, diagonals, x);
  const i64 period = period_of(context, plan, source);
  require(period == diagonals.period(), ErrorKind::bad_argument,
          "linear: expected a source of period ", diagonals.period(),
          ", as the encoded diagonals, found ", period);
  return detail::apply_diagonals(
      context, plan,
      supply_of(context, plan, &diagonals, &source, diagonals.scale(), x.level(), pool),
      diagonals.scale(), x, keys, pool, options.work_bytes);
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const DiagonalSource& source, double plain_scale, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool,
                        const LinearOptions& options) {
  check_operands(context, plan, x);
  return detail::apply_diagonals(
      context, plan, supply_of(context, plan, nullptr, &source, plain_scale, x.level(), pool),
      plain_scale, x, keys, pool, options.work_bytes);
}

}  // namespace sinter::ckks
