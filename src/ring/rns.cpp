// SPDX-License-Identifier: Apache-2.0
#include "ring/rns.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ring/kernels.h"

namespace sinter::ring {
namespace {

constexpr i64 kTile = 256;    // coefficients: 16 rows of y are 32 KiB
constexpr i64 kGrain = 2048;  // coefficients per task that are worth a thread
constexpr i64 kCacheBytes = i64(256) << 20;
constexpr int kMaxSources = 16;  // special primes, or primes of one digit

}  // namespace

BaseConverter::BaseConverter(std::vector<Modulus> from, std::vector<Modulus> to)
    : from_(std::move(from)), to_(std::move(to)) {
  SINTER_ASSERT(!from_.empty() && std::ssize(from_) <= kMaxSources);
  const auto product_without = [&](const Modulus& t, size_t skip) {
    u64 product = 1;
    for (size_t j = 0; j < from_.size(); ++j)
      if (j != skip) product = t.mul(product, t.reduce_word(from_[j].value()));
    return product;
  };
  for (size_t i = 0; i < from_.size(); ++i)
    inverse_.push_back(from_[i].shoup(from_[i].inverse(product_without(from_[i], i))));
  for (const Modulus& t : to_) {
    for (size_t i = 0; i < from_.size(); ++i) factors_.push_back(product_without(t, i));
    factors_.push_back(t.negate(product_without(t, from_.size())));
  }
}

void BaseConverter::convert(std::span<const u64* const> in, std::span<const Target> targets,
                            i64 begin, i64 end) const {
  SINTER_ASSERT(in.size() == from_.size());
  const int sources = int(from_.size());
  double y[kMaxSources * kTile], fraction[kTile];
  for (i64 start = begin; start < end; start += kTile) {
    const i64 size = std::min(kTile, end - start);
    std::fill_n(fraction, size, 0.5);
    for (int i = 0; i < sources; ++i)
      scale_and_count(in[size_t(i)] + start, from_[size_t(i)], inverse_[size_t(i)], size,
                      y + i * kTile, fraction);
    for (const Target& target : targets)
      combine_rows(y, kTile, sources, fraction, factors_.data() + target.index * (sources + 1),
                   to_[size_t(target.index)], size, target.out + start);
  }
}

RnsRing::RnsRing(i64 n, std::span<const u64> q, std::span<const u64> p)
    : n_(n),
      q_count_(int(q.size())),
      p_count_(int(p.size())),
      cache_(std::make_shared<BufferCache>(kCacheBytes)) {
  require(!q.empty() && p.size() <= size_t(kMaxSources), ErrorKind::bad_argument,
          "ring: expected at least one prime and at most ", kMaxSources, " special primes, found ",
          q.size(), " and ", p.size());
  std::vector<Modulus> all;
  for (u64 prime : q) all.emplace_back(prime);
  for (u64 prime : p) all.emplace_back(prime);
  for (const Modulus& modulus : all) {
    require(std::count(all.begin(), all.end(), modulus) == 1, ErrorKind::bad_argument,
            "ring: the prime ", modulus.value(), " appears twice");
    tables_.emplace_back(n, modulus);
  }
  if (p_count_ == 0) return;
  for (int digit = 0; digit < digit_count(max_level()); ++digit)
    for (int size = 1; size <= p_count_; ++size) {
      const int first = digit * p_count_, last = std::min(first + size, q_count_);
      digit_converters_.emplace_back(std::vector(all.begin() + first, all.begin() + last), all);
    }
  special_converter_.emplace_back(std::vector(all.begin() + q_count_, all.end()),
                                  std::vector(all.begin(), all.begin() + q_count_));
  for (int i = 0; i < q_count_; ++i) {
    const Modulus& m = modulus(i);
    u64 product = 1;
    for (u64 prime : p) product = m.mul(product, m.reduce_word(prime));
    special_product_.push_back(product);
    special_inverse_.push_back(m.shoup(m.inverse(product)));
  }
}

void RnsRing::to_ntt(RnsPoly& x, int level, ThreadPool& pool) const {
  SINTER_ASSERT(!x.is_ntt());
  pool.run(x.limbs(),
           [&](i64 i, i64) { ntt_forward(ntt(prime_of(level, int(i))), x.limb(int(i))); });
  x.set_ntt(true);
}

void RnsRing::from_ntt(RnsPoly& x, int level, ThreadPool& pool) const {
  SINTER_ASSERT(x.is_ntt());
  pool.run(x.limbs(),
           [&](i64 i, i64) { ntt_inverse(ntt(prime_of(level, int(i))), x.limb(int(i))); });
  x.set_ntt(false);
}

RnsPoly RnsRing::from_small(std::span<const signed char> coefficients, int level, int limbs) const {
  SINTER_ASSERT(std::ssize(coefficients) == n_);
  RnsPoly poly = make_poly(limbs);
  poly.set_secret();
  for (int i = 0; i < limbs; ++i) {
    const u64 q = limb_modulus(level, i).value();
    const std::span<u64> limb = poly.limb(i);
    for (size_t j = 0; j < limb.size(); ++j) {
      const i64 c = coefficients[j];
      limb[j] = u64(c) + (u64(c >> 63) & q);
    }
    ntt_forward(ntt(prime_of(level, i)), limb);
  }
  return poly;
}

std::vector<RnsPoly> RnsRing::mod_up(const RnsPoly& x, int level, ThreadPool& pool) const {
  SINTER_ASSERT(p_count_ > 0 && x.is_ntt() && x.limbs() > level && level <= max_level());
  RnsPoly coefficients = make_poly(level + 1);
  for (int i = 0; i <= level; ++i) std::copy_n(x.limb(i).data(), n_, coefficients.limb(i).data());
  from_ntt(coefficients, level, pool);
  const int limbs = level + 1 + p_count_;
  std::vector<RnsPoly> digits;
  struct Transform {
    int digit, limb;
  };
  std::vector<Transform> transforms;
  for (int digit = 0; digit < digit_count(level); ++digit) {
    const int first = digit * p_count_, last = std::min(first + p_count_, level + 1);
    RnsPoly& out = digits.emplace_back(make_poly(limbs));
    std::vector<const u64*> in;
    std::vector<BaseConverter::Target> targets;
    for (int i = 0; i < limbs; ++i) {
      if (i >= first && i < last) {
        in.push_back(coefficients.limb(i).data());
        std::copy_n(x.limb(i).data(), n_, out.limb(i).data());
      } else {
        targets.push_back({prime_of(level, i), out.limb(i).data()});
        transforms.push_back({digit, i});
      }
    }
    const BaseConverter& converter = digit_converter(digit, last - first);
    pool.ranges(n_, kGrain,
                [&](i64 begin, i64 end) { converter.convert(in, targets, begin, end); });
  }
  pool.run(std::ssize(transforms), [&](i64 task, i64) {
    const Transform& t = transforms[size_t(task)];
    ntt_forward(ntt(prime_of(level, t.limb)), digits[size_t(t.digit)].limb(t.limb));
  });
  return digits;
}

RnsPoly RnsRing::mod_down(RnsPoly x, int level, ThreadPool& pool) const {
  SINTER_ASSERT(p_count_ > 0 && x.is_ntt() && x.limbs() == level + 1 + p_count_);
  pool.run(p_count_,
           [&](i64 j, i64) { ntt_inverse(ntt(q_count_ + int(j)), x.limb(level + 1 + int(j))); });
  std::vector<const u64*> in;
  for (int j = 0; j < p_count_; ++j) in.push_back(x.limb(level + 1 + j).data());
  RnsPoly remainder = make_poly(level + 1);
  std::vector<BaseConverter::Target> targets;
  for (int i = 0; i <= level; ++i) targets.push_back({i, remainder.limb(i).data()});
  pool.ranges(n_, kGrain, [&](i64 begin, i64 end) {
    special_converter_.front().convert(in, targets, begin, end);
  });
  pool.run(level + 1, [&](i64 limb, i64) {
    const int i = int(limb);
    u64* out = x.limb(i).data();
    ntt_forward(ntt(i), remainder.limb(i));
    subtract_and_scale(out, remainder.limb(i).data(), modulus(i), special_inverse_[size_t(i)], n_,
                       out);
  });
  x.truncate(level + 1);
  return x;
}

RnsPoly RnsRing::rescale(const RnsPoly& x, int level, ThreadPool& pool) const {
  SINTER_ASSERT(level >= 1 && x.is_ntt() && x.limbs() == level + 1);
  std::vector<u64> last(x.limb(level).begin(), x.limb(level).end());
  ntt_inverse(ntt(level), last);
  const Modulus& divisor = modulus(level);
  RnsPoly out = make_poly(level);
  pool.run(level, [&](i64 limb, i64) {
    const int i = int(limb);
    const Modulus& q = modulus(i);
    const ShoupFactor inverse = q.shoup(q.inverse(q.reduce_word(divisor.value())));
    u64* r = out.limb(i).data();
    reduce_centred(last.data(), divisor, q, n_, r);
    ntt_forward(ntt(i), out.limb(i));
    subtract_and_scale(x.limb(i).data(), r, q, inverse, n_, r);
  });
  return out;
}

}  // namespace sinter::ring
