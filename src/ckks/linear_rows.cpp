// SPDX-License-Identifier: Apache-2.0
// Diagonals encoded on the fly are kept as coefficients and transformed one limb at a time: two
// periods of doubles and two of residues for two real diagonals, whatever the level is.
#include <algorithm>
#include <bit>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/encode_limbs.h"
#include "ckks/detail/linear_apply.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

using Complex = std::complex<double>;
using ring::RnsPoly;

/// Limbs of one block: large enough for large pages, for a run of positions is read from every row.
constexpr int kBlockLimbs = 8;

/// Diagonal `index` rotated right by its giant's steps, through put(slot, value).
template <class Value, class Fill, class Put>
void rotated(const Fill& fill, i64 index, i64 steps, std::vector<Value>& values, const Put& put) {
  fill(index, values);
  const size_t period = values.size(), shift = size_t(steps) % period;
  for (size_t s = 0; s < shift; ++s) put(s, values[period - shift + s]);
  for (size_t s = shift; s < period; ++s) put(s, values[s - shift]);
}

i64 checked_period(const Context& context, const DiagonalSource& source) {
  const i64 period = source.period == 0 ? context.slots() : source.period;
  require(period >= 1 && period <= context.slots() && std::has_single_bit(u64(period)),
          ErrorKind::bad_argument, "linear: expected a period that is a power of two up to ",
          context.slots(), ", found ", source.period);
  require(bool(source.fill) != bool(source.fill_complex), ErrorKind::bad_argument,
          "linear: expected a source with exactly one of fill and fill_complex, found ",
          source.fill ? "both" : "none");
  return period;
}

}  // namespace

i64 DiagonalSupply::period() const {
  return kept != nullptr ? kept->period() : source->period == 0 ? plan.slots : source->period;
}

bool DiagonalSupply::is_real() const {
  return kept != nullptr ? kept->is_real() : bool(source->fill);
}

i64 DiagonalSupply::bytes_to_make(size_t giant) const {
  const size_t terms = plan.giants[giant].terms.size(), step = is_real() ? 2 : 1;
  i64 jobs = 0;
  for (size_t t = 0; t < terms; t += step)
    jobs += find(giant, t) == nullptr || (t + 1 < terms && step == 2 && !find(giant, t + 1));
  return jobs * 4 * period() * i64(sizeof(u64));
}

DiagonalSupply supply_of(const Context& context, const LinearPlan& plan,
                         const EncodedDiagonals* kept, const DiagonalSource* source, double scale,
                         int level) {
  require(plan.slots == context.slots(), ErrorKind::bad_argument, "linear: expected a plan for ",
          context.slots(), " slots, found ", plan.slots);
  check_level(context, level, "linear");
  check_scale(scale, "linear");
  if (source != nullptr) {
    const i64 period = checked_period(context, *source);
    require(kept == nullptr || (period == kept->period() && kept->is_real() == bool(source->fill)),
            ErrorKind::bad_argument, "linear: expected a source of period ",
            kept == nullptr ? 0 : kept->period(), ", as the encoded diagonals, found ", period);
  }
  return {context, plan, kept, source, scale, level};
}

EmbeddedTerms embed_terms(const DiagonalSupply& supply, size_t giant, size_t term,
                          std::span<double> coefficients) {
  const LinearPlan::Giant& g = supply.plan.giants[giant];
  const DiagonalSource& source = *supply.source;
  std::vector<Complex> slots(coefficients.size() / 2);
  if (!supply.is_real()) {
    std::vector<Complex> values(slots.size());
    rotated(source.fill_complex, g.terms[term].index, g.steps, values,
            [&](size_t s, Complex v) { slots[s] = v; });
    return {PairForm::joined, encode_coefficients(supply.context, slots, supply.scale, supply.level,
                                                  coefficients, "linear")};
  }
  std::vector<double> values(slots.size());
  rotated(source.fill, g.terms[term].index, g.steps, values,
          [&](size_t s, double v) { slots[s].real(v); });
  if (term + 1 < g.terms.size())
    rotated(source.fill, g.terms[term + 1].index, g.steps, values,
            [&](size_t s, double v) { slots[s].imag(v); });
  return {pair_coefficients(supply.context, slots, supply.scale, supply.level, coefficients)};
}

void terms_to_limb(const DiagonalSupply& supply, int limb, std::span<const double> coefficients,
                   const EmbeddedTerms& terms, std::span<u64> scratch, u64* first, u64* second) {
  const ring::RnsRing& ring = supply.context.ring();
  const int prime = ring.prime_of(supply.level, limb);
  if (supply.is_real())
    pair_limb(supply.context, prime, coefficients, terms.form, scratch, first, second);
  else
    coefficients_to_limb(coefficients, terms.largest, ring.ntt(prime),
                         {first, coefficients.size()});
}

DiagonalRows::DiagonalRows(const DiagonalSupply& supply, std::span<const size_t> giants,
                           ThreadPool& pool)
    : supply_(supply), pool_(pool), size_(2 * supply.period()), scratch_(size_t(pool.size())) {
  make_jobs(giants);
  const i64 per_block = kBlockLimbs * (supply.context.n() / size_);
  for (i64 left = std::ssize(jobs_); left > 0; left -= per_block) {
    coefficients_.push_back(supply.context.ring().make_poly(kBlockLimbs));
    made_.push_back(supply.context.ring().make_poly(kBlockLimbs));
  }
  pool.run(std::ssize(jobs_), [&](i64 i, i64) {
    Job& job = jobs_[size_t(i)];
    job.embedded = embed_terms(supply_, job.giant, job.term, coefficients(i));
  });
}

void DiagonalRows::make_jobs(std::span<const size_t> giants) {
  const size_t step = supply_.is_real() ? 2 : 1;
  for (size_t g : giants) {
    const size_t terms = supply_.plan.giants[g].terms.size();
    for (size_t t = 0; t < terms; t += step) {
      Job job{g, t};
      for (size_t i = t; i < std::min(t + step, terms); ++i) {
        kept_.push_back(supply_.find(g, i));
        if (kept_.back() == nullptr) (i == t ? job.first : job.second) = std::ssize(kept_) - 1;
      }
      if (job.first >= 0 || job.second >= 0) jobs_.push_back(job);
    }
  }
  rows_.resize(kept_.size());
}

std::span<double> DiagonalRows::coefficients(i64 job) {
  return {reinterpret_cast<double*>(words_of(coefficients_, job)), size_t(size_)};
}

u64* DiagonalRows::words_of(std::vector<RnsPoly>& blocks, i64 job) const {
  const i64 per_limb = supply_.context.n() / size_, limb = job / per_limb;
  RnsPoly& block = blocks[size_t(limb / kBlockLimbs)];
  return block.limb(int(limb % kBlockLimbs)).data() + job % per_limb * size_;
}

void DiagonalRows::load(int limb) {
  for (size_t row = 0; row < rows_.size(); ++row)
    if (kept_[row] != nullptr) rows_[row] = kept_[row]->limb(limb).data();
  pool_.run(std::ssize(jobs_), [&](i64 task, i64 worker) {
    const Job& job = jobs_[size_t(task)];
    u64* const out = words_of(made_, task);
    if (job.first >= 0) rows_[size_t(job.first)] = out;
    RnsPoly& scratch = scratch_[size_t(worker)];
    if (scratch.empty()) scratch = supply_.context.ring().make_poly(1);
    u64* const second = job.second >= 0 ? out + size_ / 2 : nullptr;
    if (second != nullptr) rows_[size_t(job.second)] = second;
    terms_to_limb(supply_, limb, coefficients(task), job.embedded,
                  scratch.limb(0).first(size_t(size_)), out, second);
  });
}

}  // namespace sinter::ckks::detail
