// SPDX-License-Identifier: Apache-2.0
#include "ckks/detail/product_sum.h"

#include <algorithm>

#include "ckks/detail/check.h"
#include "ckks/detail/encode_limbs.h"
#include "ckks/detail/switch_limbs.h"
#include "ckks/evaluate.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

using ring::Modulus;
using ring::PairTerm;
using ring::RnsPoly;

constexpr i64 kTile = 1024;     // 8 KiB a row
constexpr int kTileShift = 10;  // a constant factor: one value for 2^10 positions

/// The integers of a sum, before they are reduced modulo each prime.
struct Integers {
  std::vector<double> terms;
  double constant;
};

Integers integers_of(const Context& context, const ProductSum& sum) {
  const double scale = sum.doubles_products ? sum.scale / 2 : sum.scale;
  const auto rounded = [&](double value, double at) {
    return rounded_integer(context, value, at, sum.level, sum.operation);
  };
  Integers out{{}, rounded(sum.constant, scale)};
  for (const ProductSum::Term& term : sum.terms)
    out.terms.push_back(rounded(term.coefficient, scale / term.x->scale()));
  return out;
}

/// One limb: `left` gives out0 and one half of out1, `right` the other half and out2.
class LimbSum {
 public:
  LimbSum(const Context& context, const ProductSum& sum, const Integers& integers, int limb)
      : q_(context.ring().modulus(limb)),
        n_(context.n()),
        constant_(reduce_double(integers.constant, q_)),
        is_doubled_(sum.doubles_products) {
    for (double integer : integers.terms) factors_.push_back(reduce_double(integer, q_));
    for (const ProductSum::Product& p : sum.products) {
      const u64 *y0 = p.y->part(0).limb(limb).data(), *y1 = p.y->part(1).limb(limb).data();
      left_.push_back({p.x->part(0).limb(limb).data(), y0, y1});
      right_.push_back({p.x->part(1).limb(limb).data(), y0, y1});
    }
    for (size_t i = 0; i < factors_.size(); ++i) {
      const Ciphertext& x = *sum.terms[i].x;
      left_.push_back(
          {&factors_[i], x.part(0).limb(limb).data(), x.part(1).limb(limb).data(), kTileShift});
    }
  }

  /// out2 is null when there are no products.
  void run(u64* out0, u64* out1, u64* out2) {
    for (i64 begin = 0; begin < n_; begin += kTile) {
      const i64 size = std::min(kTile, n_ - begin);
      if (right_.size() == 1)
        one_product(size, out0 + begin, out1 + begin, out2 + begin);
      else
        any_products(size, out0 + begin, out1 + begin, out2 == nullptr ? nullptr : out2 + begin);
      if (constant_ != 0) ring::add_constant(out0 + begin, constant_, q_, size, out0 + begin);
      for (u64* out : {out0, out1, out2})
        if (is_doubled_ && out != nullptr)
          ring::add(out + begin, out + begin, q_, size, out + begin);
      advance(left_, size);
      advance(right_, size);
    }
  }

  /// out2 alone.
  void run_last(u64* out2) const {
    ring::multiply(right_[0].factor, right_[0].second, q_, n_, out2);
    for (size_t i = 1; i < right_.size(); ++i)
      ring::multiply_and_add(right_[i].factor, right_[i].second, q_, n_, out2);
    if (is_doubled_) ring::add(out2, out2, q_, n_, out2);
  }

 private:
  /// The common case: three rows from one pass over four, then the terms while the rows are near.
  void one_product(i64 size, u64* out0, u64* out1, u64* out2) const {
    ring::multiply_pairs({left_[0].factor, right_[0].factor}, {left_[0].first, left_[0].second}, q_,
                         size, out0, out1, out2);
    for (size_t i = 1; i < left_.size(); ++i) {
      const ring::ShoupFactor factor = q_.shoup(*left_[i].factor);
      ring::scale_and_add(left_[i].first, q_, factor, size, out0);
      ring::scale_and_add(left_[i].second, q_, factor, size, out1);
    }
  }

  void any_products(i64 size, u64* out0, u64* out1, u64* out2) const {
    u64 half[kTile];
    ring::sum_products(left_, q_, size, out0, out1);
    if (out2 == nullptr) return;
    ring::sum_products(right_, q_, size, half, out2);
    ring::add(out1, half, q_, size, out1);
  }

  static void advance(std::vector<PairTerm>& terms, i64 size) {
    for (PairTerm& term : terms) {
      if (term.shift == 0) term.factor += size;
      term.first += size;
      term.second += size;
    }
  }

  Modulus q_;
  i64 n_;
  u64 constant_;
  bool is_doubled_;
  std::vector<u64> factors_;
  std::vector<PairTerm> left_, right_;
};

}  // namespace

Ciphertext evaluate_sum(const Context& context, const ProductSum& sum, ThreadPool& pool) {
  const Integers integers = integers_of(context, sum);
  const bool has_products = !sum.products.empty();
  std::vector<RnsPoly> parts;
  for (int i = 0; i < (has_products ? 3 : 2); ++i)
    parts.push_back(context.ring().make_poly(sum.level + 1));
  pool.run(sum.level + 1, [&](i64 task, i64) {
    const int limb = int(task);
    LimbSum(context, sum, integers, limb)
        .run(parts[0].limb(limb).data(), parts[1].limb(limb).data(),
             has_products ? parts[2].limb(limb).data() : nullptr);
  });
  return {std::move(parts), sum.scale, sum.level, context.params().hash()};
}

Ciphertext evaluate_sum_rescaled(const Context& context, const ProductSum& sum,
                                 const EvaluationKeys& keys, ThreadPool& pool) {
  if (sum.products.empty()) return rescale(context, evaluate_sum(context, sum, pool), pool);
  if (!context.ring().divides_with_last() || keys.params_hash() != context.params().hash())
    return relinearise_rescale(context, evaluate_sum(context, sum, pool), keys, pool);
  const SwitchingKey* const key = &keys.relinearisation(sum.level);
  const Integers integers = integers_of(context, sum);
  const SwitchSource source{[&](int limb, std::array<u64*, 3> rows) -> SwitchSource::Limb {
                              LimbSum(context, sum, integers, limb).run(rows[0], rows[1], rows[2]);
                              return {rows[0], rows[1], rows[2]};
                            },
                            [&](int limb, std::span<u64> out) {
                              LimbSum(context, sum, integers, limb).run_last(out.data());
                            }};
  Parts result = std::move(switch_limbs(context, source, sum.level, {&key, 1}, true, pool).front());
  std::vector<RnsPoly> parts;
  for (RnsPoly& part : result) parts.push_back(std::move(part));
  return {std::move(parts), sum.scale / double(context.params().q(sum.level)), sum.level - 1,
          context.params().hash()};
}

}  // namespace sinter::ckks::detail
