// SPDX-License-Identifier: Apache-2.0
// Babies and sums of a linear map. An automorphism takes aligned runs of positions to
// aligned runs, so babies are made run by run of one limb: keys are read once, the babies of a run
// stay in the second-level cache, and all giants of a group take their sums from them.
#include "ckks/detail/linear_evaluation.h"

#include <algorithm>
#include <bit>

#include "ring/kernels.h"

namespace sinter::ckks::detail {
namespace {

using ring::RnsPoly;

constexpr i64 kRunBytes = i64(256) << 10;  // the babies of one run; half a second-level cache
constexpr i64 kMinRun = 16;

AlignedDoubles make_doubles(i64 count) {
  return AlignedDoubles(
      static_cast<double*>(::operator new[](size_t(count) * sizeof(double), std::align_val_t(64))));
}

}  // namespace

i64 run_length(i64 n, i64 babies) {
  i64 run = std::min(n / 2, kMaxRun);  // within one half, for mirrored rows
  while (run > kMinRun && run * babies * 16 > kRunBytes) run /= 2;
  return run;
}

LinearEvaluation::LinearEvaluation(const Context& context, const LinearPlan& plan,
                                   std::span<const Ciphertext* const> x, const EvaluationKeys& keys,
                                   ThreadPool& pool, LimbRange own)
    : context_(context),
      pool_(pool),
      level_(x[0]->level()),
      own_(own),
      babies_(std::ssize(plan.babies)),
      run_(run_length(context.n(), babies_)),
      scratch_(size_t(pool.size())) {
  for (const LinearPlan::Giant& giant : plan.giants) {
    std::vector<int>& which = which_.emplace_back();
    for (const LinearPlan::Term& term : giant.terms) which.push_back(term.baby);
  }
  for (i64 baby : plan.babies)
    keys_.push_back(baby == 0 ? nullptr : &keys.galois(context, baby, level_));
  orders_.resize(keys_.size());
  pool.run(babies_, [&](i64 b, i64) {
    if (const SwitchingKey* key = keys_[size_t(b)])
      orders_[size_t(b)] = RunOrder(key->permutation, run_);
  });
  for (const Ciphertext* one : x) {
    Image& image = images_.emplace_back();
    image.x = one;
    if (plan.hoisted_count() > 0)
      image.digits = context.ring().mod_up(one->part(1), level_, own.first, own.last, pool);
    for (int limb = own.first; limb < own.last; ++limb)
      for (const SwitchingKey* key : keys_) append_terms(image.digits, key, limb, image.terms);
  }
}

void LinearEvaluation::keep_babies(LimbRange range) {
  const i64 runs = context_.n() / run_;
  first_kept_ = range.first;
  for (Image& image : images_) {
    image.kept = make_doubles(range.size() * context_.n() * babies_ * 2);
    pool_.run(range.size() * runs, [&](i64 task, i64) {
      const int limb = range.first + int(task / runs);
      const i64 begin = task % runs * run_;
      make_babies(image, limb, begin, kept_run(image, limb, begin));
    });
  }
}

std::vector<std::vector<ExtendedPair>> LinearEvaluation::sums(std::span<const size_t> giants,
                                                              DiagonalRows& rows, LimbRange range) {
  std::vector<std::vector<ExtendedPair>> out(giants.size());
  for (std::vector<ExtendedPair>& giant : out)
    for (size_t image = 0; image < images_.size(); ++image) giant.push_back(make_pair(range));
  const size_t terms = rows.rows().size();
  const bool are_kept = images_[0].kept != nullptr;
  for (Scratch& s : scratch_) {
    if (!are_kept && !s.babies) s.babies = make_doubles(run_ * babies_ * 2);
    s.factors.resize(size_t(std::max(i64(1), run_ / kLine)) * terms);
    s.rows.resize(terms);
  }
  for (int limb = range.first; limb < range.last; ++limb) {
    rows.load(limb);
    pool_.run(context_.n() / run_, [&](i64 task, i64 worker) {
      Scratch& s = scratch_[size_t(worker)];
      const i64 begin = begin_of(task);
      const Factors factors = prepare_factors(rows, begin, s);
      for (size_t image = 0; image < images_.size(); ++image) {
        const Image& one = images_[image];
        double* babies = are_kept ? kept_run(one, limb, begin) : s.babies.get();
        if (!are_kept) make_babies(one, limb, begin, babies);
        sum_run(giants, factors, limb, range.first, begin, babies, s, image, out);
      }
    });
  }
  return out;
}

void LinearEvaluation::append_terms(const std::vector<RnsPoly>& digits, const SwitchingKey* key,
                                    int limb, std::vector<ring::PairTerm>& out) const {
  if (key == nullptr) return out.resize(out.size() + digits.size());
  const int key_limb = limb <= level_ ? limb : limb + key->level - level_;
  for (size_t d = 0; d < digits.size(); ++d)
    out.push_back({digits[d].limb(limb - own_.first).data(), key->digits[d].b.limb(key_limb).data(),
                   key->digits[d].a.limb(key_limb).data()});
}

SwitchedRun LinearEvaluation::baby_run(const Image& image, int limb, i64 baby, i64 begin) const {
  const size_t digits = image.digits.size(),
               first = size_t((limb - own_.first) * babies_ + baby) * digits;
  const bool is_special = limb > level_;  // P c_0 is 0 there
  return {{image.terms.data() + first, digits},
          is_special ? nullptr : image.x->part(0).limb(limb).data(),
          is_special ? 0 : context_.ring().special_product(limb),
          &orders_[size_t(baby)],
          begin};
}

void LinearEvaluation::make_babies(const Image& image, int limb, i64 begin, double* out) const {
  const bool is_special = limb > level_;
  for (i64 b = 0; b < babies_; ++b, out += 2 * kLine) {
    if (keys_[size_t(b)] == nullptr) {
      copy_to_baby(is_special ? nullptr : image.x->part(0).limb(limb).data() + begin,
                   is_special ? nullptr : image.x->part(1).limb(limb).data() + begin,
                   is_special ? 0 : context_.ring().special_product(limb), modulus(limb), run_,
                   babies_, out);
      continue;
    }
    const bool has_next = b + 1 < babies_ && keys_[size_t(b) + 1] != nullptr;
    SwitchedRun next{};
    if (has_next) next = baby_run(image, limb, b + 1, begin);
    switch_to_baby(baby_run(image, limb, b, begin), modulus(limb), has_next ? &next : nullptr,
                   babies_, out);
  }
}

LinearEvaluation::Factors LinearEvaluation::prepare_factors(const DiagonalRows& rows, i64 begin,
                                                            Scratch& s) const {
  const i64 size = rows.size();
  const int shift = std::countr_zero(u64(context_.n() / size));
  const bool is_upper = rows.is_mirrored() && begin >= context_.n() / 2;
  const i64 at = begin >> shift, first = is_upper ? size - 1 - at : at, step = is_upper ? -1 : 1;
  const i64 equal = std::min(run_, i64(1) << shift);  // positions of one factor
  const bool is_constant = equal >= kLine;
  const i64 values = is_constant ? run_ / equal : 1, count = std::ssize(s.rows);
  for (i64 t = 0; t < count; ++t) {
    const u64* row = rows.rows()[size_t(t)] + first;
    s.rows[size_t(t)] = row;
    if (!is_constant) __builtin_prefetch(row, 0, 2);
    for (i64 v = 0; is_constant && v < values; ++v)
      s.factors[size_t(v * count + t)] = double(i64(row[v * step]));
  }
  return {is_upper ? Direction::backward : Direction::forward, shift, is_constant, values,
          is_constant ? equal : run_};
}

void LinearEvaluation::sum_run(std::span<const size_t> giants, const Factors& factors, int limb,
                               int first_limb, i64 begin, const double* babies, const Scratch& s,
                               size_t image, std::vector<std::vector<ExtendedPair>>& out) const {
  const i64 part = factors.part, count = std::ssize(s.rows);
  for (i64 v = 0; v < factors.values; ++v) {
    const i64 at = begin + v * part;
    i64 t = 0;
    for (size_t g = 0; g < giants.size(); ++g) {
      const DiagonalRun run{babies + v * part * babies_ * 2, babies_, which_[giants[g]], part};
      ExtendedPair& pair = out[g][image];
      u64 *out0 = pair.c0.limb(limb - first_limb).data() + at,
          *out1 = pair.c1.limb(limb - first_limb).data() + at;
      if (factors.is_constant)
        sum_constant(run, s.factors.data() + v * count + t, modulus(limb), out0, out1);
      else
        sum_rows(run, s.rows.data() + t, factors.shift, factors.direction, modulus(limb), out0,
                 out1);
      t += std::ssize(run.which);
    }
  }
}

}  // namespace sinter::ckks::detail
