// SPDX-License-Identifier: Apache-2.0
#include "ring/rns.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sinter::ring {
namespace {

constexpr i64 kTile = 256;    // coefficients: 16 rows of y are 32 KiB
constexpr i64 kGrain = 2048;  // coefficients per task that are worth a thread
constexpr i64 kCacheBytes = i64(256) << 20;
constexpr int kMaxSources = 16;  // special primes, or primes of one digit

/// One tile of one target. Count > 0 fixes the number of sources at compile time.
template <int Count>
void convert_tile(const u64 (*y)[kTile], const u64* v, int sources, const u64* factors,
                  const Modulus& t, i64 size, u64* out) {
  const int count = Count > 0 ? Count : sources;
  for (i64 n = 0; n < size; ++n) {
    u128 sum = u128(v[n]) * factors[count];
    for (int i = 0; i < count; ++i) sum += u128(y[i][n]) * factors[i];
    out[n] = t.reduce(sum);
  }
}

using TileKernel = void (*)(const u64 (*)[kTile], const u64*, int, const u64*, const Modulus&, i64,
                            u64*);

TileKernel tile_kernel(size_t sources) {
  constexpr TileKernel kKernels[] = {convert_tile<0>, convert_tile<1>, convert_tile<2>,
                                     convert_tile<3>, convert_tile<4>, convert_tile<5>,
                                     convert_tile<6>};
  return sources < std::size(kKernels) ? kKernels[sources] : convert_tile<0>;
}

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
  for (size_t i = 0; i < from_.size(); ++i) {
    inverse_.push_back(from_[i].shoup(from_[i].inverse(product_without(from_[i], i))));
    reciprocal_.push_back(1.0 / double(from_[i].value()));
  }
  for (const Modulus& t : to_) {
    for (size_t i = 0; i < from_.size(); ++i) factors_.push_back(product_without(t, i));
    factors_.push_back(t.negate(product_without(t, from_.size())));
  }
}

void BaseConverter::convert(std::span<const u64* const> in, std::span<const Target> targets,
                            i64 begin, i64 end) const {
  SINTER_ASSERT(in.size() == from_.size());
  const TileKernel kernel = tile_kernel(from_.size());
  u64 y[kMaxSources][kTile], v[kTile];
  double fraction[kTile];
  for (i64 start = begin; start < end; start += kTile) {
    const i64 size = std::min(kTile, end - start);
    std::fill_n(fraction, size, 0.5);
    for (size_t i = 0; i < from_.size(); ++i) {
      const u64* row = in[i] + start;
      for (i64 n = 0; n < size; ++n) {
        y[i][n] = from_[i].mul(row[n], inverse_[i]);
        fraction[n] += double(i64(y[i][n])) * reciprocal_[i];
      }
    }
    for (i64 n = 0; n < size; ++n) v[n] = u64(i64(fraction[n]));
    for (const Target& target : targets)
      kernel(y, v, int(from_.size()), factors_.data() + size_t(target.index) * (from_.size() + 1),
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
    const Modulus q = modulus(i);
    const ShoupFactor inverse = special_inverse_[size_t(i)];
    u64 *r = remainder.limb(i).data(), *out = x.limb(i).data();
    ntt_forward(ntt(i), remainder.limb(i));
    for (i64 n = 0; n < n_; ++n) out[n] = q.mul(out[n] + q.value() - r[n], inverse);
  });
  x.truncate(level + 1);
  return x;
}

RnsPoly RnsRing::rescale(const RnsPoly& x, int level, ThreadPool& pool) const {
  SINTER_ASSERT(level >= 1 && x.is_ntt() && x.limbs() == level + 1);
  std::vector<u64> last(x.limb(level).begin(), x.limb(level).end());
  ntt_inverse(ntt(level), last);
  const u64 divisor = modulus(level).value();
  RnsPoly out = make_poly(level);
  pool.run(level, [&](i64 limb, i64) {
    const int i = int(limb);
    const Modulus q = modulus(i);
    const ShoupFactor inverse = q.shoup(q.inverse(q.reduce_word(divisor)));
    const u64 negative = q.negate(q.reduce_word(divisor));
    u64* r = out.limb(i).data();
    const u64* in = x.limb(i).data();
    // The centred remainder: last, or last - divisor from the middle on.
    for (i64 n = 0; n < n_; ++n)
      r[n] = q.reduce_word(last[size_t(n)] + (last[size_t(n)] > divisor / 2 ? negative : 0));
    ntt_forward(ntt(i), out.limb(i));
    for (i64 n = 0; n < n_; ++n) r[n] = q.mul(in[n] + q.value() - r[n], inverse);
  });
  return out;
}

}  // namespace sinter::ring
