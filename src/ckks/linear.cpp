// SPDX-License-Identifier: Apache-2.0
// Evaluation of a planned linear map. All sums are kept modulo Q_l P, carrying the factor P:
//
//   baby b     U_b = sigma_b(P c_0 + <digits(c_1), key_b>_0, <digits(c_1), key_b>_1)
//   giant g    V_g = sum_b d_{g+b} U_b;   w = ModDown(V_g,1)
//              T += sigma_g(V_g,0 + <digits(w), key_g>_0, <digits(w), key_g>_1)
//   result     ModDown(T)
#include "ckks/linear.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/encode_limbs.h"
#include "ckks/detail/key_switch.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using detail::ExtendedPair;
using ring::RnsPoly;

/// The encoded diagonals of giant number g.
using Diagonals = std::function<const std::vector<RnsPoly>&(size_t giant)>;

i64 period_of(const Context& context, const LinearPlan& plan, const DiagonalSource& source) {
  require(plan.slots == context.slots(), ErrorKind::bad_argument, "linear: expected a plan for ",
          context.slots(), " slots, found ", plan.slots);
  const i64 period = source.period == 0 ? plan.slots : source.period;
  require(period >= 1 && period <= plan.slots && std::has_single_bit(u64(period)),
          ErrorKind::bad_argument, "linear: expected a period that is a power of two up to ",
          plan.slots, ", found ", source.period);
  return period;
}

/// The diagonals of one giant, rotated right by its steps, in the extended basis.
std::vector<RnsPoly> encode_giant(const Context& context, const LinearPlan::Giant& giant,
                                  const DiagonalSource& source, i64 period, double scale, int level,
                                  ThreadPool& pool) {
  std::vector<RnsPoly> out(giant.terms.size());
  pool.run(std::ssize(out), [&](i64 t, i64) {
    std::vector<double> values(static_cast<size_t>(period), 0.0);
    source.fill(giant.terms[size_t(t)].index, values);
    std::rotate(values.begin(), values.end() - giant.steps % period, values.end());
    out[size_t(t)] = detail::encode_periodic_limbs(context, values, scale, level, Basis::qp);
  });
  return out;
}

void add_extended(const Context& context, RnsPoly& x, const RnsPoly& y, int level,
                  ThreadPool& pool) {
  pool.run(x.limbs(), [&](i64 task, i64) {
    const int i = int(task);
    const ring::Modulus q = context.ring().limb_modulus(level, i);
    u64* to = x.limb(i).data();
    const u64* from = y.limb(i).data();
    for (i64 n = 0; n < context.n(); ++n) to[n] = q.add(to[n], from[n]);
  });
}

/// One limb of all babies: limb by limb the digits stay in the cache while the keys stream past.
void baby_limb(const Context& context, const LinearPlan& plan, const Ciphertext& x,
               const std::vector<RnsPoly>& digits, const EvaluationKeys& keys, int limb,
               std::vector<ExtendedPair>& out) {
  const int level = x.level();
  const ring::Modulus q = context.ring().limb_modulus(level, limb);
  const bool is_special = limb > level;  // P c_0 is 0 there
  const ring::ShoupFactor special = q.shoup(is_special ? 0 : context.ring().special_product(limb));
  const i64 n = context.n();
  std::vector<u64> lifted0(static_cast<size_t>(n), 0), sum0(lifted0), sum1(lifted0);
  if (!is_special) ring::scale(x.part(0).limb(limb).data(), q, special, n, lifted0.data());
  for (size_t b = 0; b < plan.babies.size(); ++b) {
    const std::span<u64> out0 = out[b].c0.limb(limb), out1 = out[b].c1.limb(limb);
    if (plan.babies[b] == 0) {
      std::copy(lifted0.begin(), lifted0.end(), out0.begin());
      if (is_special)
        std::fill(out1.begin(), out1.end(), u64(0));
      else
        ring::scale(x.part(1).limb(limb).data(), q, special, n, out1.data());
      continue;
    }
    const SwitchingKey& key = keys.galois(context, plan.babies[b], level);
    detail::inner_product_limb(context, digits, level, key, limb, sum0, sum1);
    for (i64 i = 0; i < n; ++i) sum0[size_t(i)] = q.add(sum0[size_t(i)], lifted0[size_t(i)]);
    ring::permute(sum0, key.permutation, out0);
    ring::permute(sum1, key.permutation, out1);
  }
}

std::vector<ExtendedPair> baby_steps(const Context& context, const LinearPlan& plan,
                                     const Ciphertext& x, const EvaluationKeys& keys,
                                     ThreadPool& pool) {
  const int limbs = x.level() + 1 + context.ring().special_count();
  std::vector<RnsPoly> digits;
  if (plan.hoisted_count() > 0) digits = context.ring().mod_up(x.part(1), x.level(), pool);
  std::vector<ExtendedPair> out;
  for (size_t b = 0; b < plan.babies.size(); ++b)
    out.push_back({context.ring().make_poly(limbs), context.ring().make_poly(limbs)});
  pool.run(limbs,
           [&](i64 limb, i64) { baby_limb(context, plan, x, digits, keys, int(limb), out); });
  return out;
}

/// One limb of V_g.
void sum_limb(const std::vector<ExtendedPair>& babies, const LinearPlan::Giant& giant,
              const std::vector<RnsPoly>& diagonals, int limb, const ring::Modulus& q,
              ExtendedPair& out) {
  const i64 n = out.c0.n();
  std::vector<ring::PairTerm> terms;
  for (size_t t = 0; t < giant.terms.size(); ++t) {
    const ExtendedPair& baby = babies[size_t(giant.terms[t].baby)];
    terms.push_back({diagonals[t].limb(limb).data(), baby.c0.limb(limb).data(),
                     baby.c1.limb(limb).data(), std::countr_zero(u64(n / diagonals[t].n()))});
  }
  ring::sum_products(terms, q, n, out.c0.limb(limb).data(), out.c1.limb(limb).data());
}

Ciphertext apply(const Context& context, const LinearPlan& plan, const Diagonals& diagonals,
                 double plain_scale, const Ciphertext& x, const EvaluationKeys& keys,
                 ThreadPool& pool) {
  const int level = x.level(), limbs = level + 1 + context.ring().special_count();
  for (i64 rotation : plan.rotations) keys.galois(context, rotation, level);  // or its error
  const std::vector<ExtendedPair> babies = baby_steps(context, plan, x, keys, pool);
  ExtendedPair total{RnsPoly(context.n(), limbs), RnsPoly(context.n(), limbs)};
  for (size_t g = 0; g < plan.giants.size(); ++g) {
    const LinearPlan::Giant& giant = plan.giants[g];
    const std::vector<RnsPoly>& encoded = diagonals(g);
    ExtendedPair v{context.ring().make_poly(limbs), context.ring().make_poly(limbs)};
    pool.run(limbs, [&](i64 limb, i64) {
      sum_limb(babies, giant, encoded, int(limb), context.ring().limb_modulus(level, int(limb)), v);
    });
    if (giant.steps != 0) {
      const SwitchingKey& key = keys.galois(context, giant.steps, level);
      const RnsPoly w = context.ring().mod_down(std::move(v.c1), level, pool);
      ExtendedPair u =
          detail::inner_product(context, context.ring().mod_up(w, level, pool), level, key, pool);
      add_extended(context, u.c0, v.c0, level, pool);
      v = {detail::permute(context, u.c0, key.permutation, pool),
           detail::permute(context, u.c1, key.permutation, pool)};
    }
    add_extended(context, total.c0, v.c0, level, pool);
    add_extended(context, total.c1, v.c1, level, pool);
  }
  std::vector<RnsPoly> parts;
  parts.push_back(context.ring().mod_down(std::move(total.c0), level, pool));
  parts.push_back(context.ring().mod_down(std::move(total.c1), level, pool));
  return {std::move(parts), x.scale() * plain_scale, level, x.params_hash()};
}

void check_operands(const Context& context, const LinearPlan& plan, const Ciphertext& x) {
  detail::check_ciphertext(context, x, "linear", 2);
  require(context.ring().special_count() > 0, ErrorKind::bad_argument,
          "linear: the parameters have no special primes (log_p)");
  require(plan.slots == context.slots(), ErrorKind::bad_argument, "linear: expected a plan for ",
          context.slots(), " slots, found ", plan.slots);
}

}  // namespace

i64 EncodedDiagonals::bytes() const {
  i64 sum = 0;
  for (const std::vector<RnsPoly>& giant : diagonals_)
    for (const RnsPoly& diagonal : giant) sum += diagonal.bytes();
  return sum;
}

EncodedDiagonals encode_diagonals(const Context& context, const LinearPlan& plan,
                                  const DiagonalSource& source, double scale, int level,
                                  ThreadPool& pool) {
  const i64 period = period_of(context, plan, source);
  EncodedDiagonals out;
  out.scale_ = scale;
  out.level_ = level;
  out.params_hash_ = context.params().hash();
  for (const LinearPlan::Giant& giant : plan.giants)
    out.diagonals_.push_back(encode_giant(context, giant, source, period, scale, level, pool));
  return out;
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const EncodedDiagonals& diagonals, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool) {
  check_operands(context, plan, x);
  require(diagonals.params_hash_ == x.params_hash() && diagonals.level() == x.level(),
          ErrorKind::bad_argument, "linear: expected diagonals encoded for level ", x.level(),
          " (the ciphertext's), found level ", diagonals.level());
  bool is_same = diagonals.diagonals_.size() == plan.giants.size();
  for (size_t g = 0; is_same && g < plan.giants.size(); ++g)
    is_same = diagonals.diagonals_[g].size() == plan.giants[g].terms.size();
  require(is_same, ErrorKind::bad_argument, "linear: the diagonals were encoded for another plan");
  return apply(
      context, plan,
      [&](size_t g) -> const std::vector<RnsPoly>& { return diagonals.diagonals_[g]; },
      diagonals.scale(), x, keys, pool);
}

Ciphertext apply_linear(const Context& context, const LinearPlan& plan,
                        const DiagonalSource& source, double plain_scale, const Ciphertext& x,
                        const EvaluationKeys& keys, ThreadPool& pool) {
  check_operands(context, plan, x);
  const i64 period = period_of(context, plan, source);
  std::vector<RnsPoly> encoded;
  return apply(
      context, plan,
      [&](size_t g) -> const std::vector<RnsPoly>& {
        encoded.clear();
        encoded =
            encode_giant(context, plan.giants[g], source, period, plain_scale, x.level(), pool);
        return encoded;
      },
      plain_scale, x, keys, pool);
}

}  // namespace sinter::ckks
