// SPDX-License-Identifier: Apache-2.0
#include "ring/rns.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "ring/kernels.h"

namespace sinter::ring {
namespace {

constexpr i64 kTile = 256;  // coefficients: 16 rows of y are 32 KiB
constexpr i64 kCacheBytes = i64(512) << 20;
constexpr int kGroup = 4;        // limbs at a time: of 512 KiB each at N = 2^16
constexpr int kMaxSources = 16;  // special primes, or primes of one digit
constexpr size_t kMaxTargets = 128;

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

void BaseConverter::prepare(std::span<const u64* const> in, const Rows& out, i64 begin,
                            i64 end) const {
  SINTER_ASSERT(in.size() == from_.size());
  for (i64 start = begin; start < end; start += kTile) {
    const i64 size = std::min(kTile, end - start);
    std::fill_n(out.fraction + start, size, 0.5);
    for (size_t i = 0; i < in.size(); ++i)
      scale_and_count(in[i] + start, from_[i], inverse_[i], size,
                      out.y + i64(i) * out.stride + start, out.fraction + start);
  }
}

void BaseConverter::combine(const Rows& rows, std::span<const Target> targets, i64 begin,
                            i64 end) const {
  const int sources = int(from_.size());
  const i64 share = sources / std::max<i64>(1, std::ssize(targets)) + 1;  // rows per target
  for (i64 start = begin; start < end; start += kTile) {
    const i64 size = std::min(kTile, end - start), ahead = start + kTile;
    i64 row = 0;
    for (const Target& target : targets) {
      // The next tile's rows are on their way while this one's are multiplied.
      for (i64 stop = std::min<i64>(row + share, sources + 1); row < stop && ahead < end; ++row) {
        const double* next =
            row < sources ? rows.y + row * rows.stride + ahead : rows.fraction + ahead;
        for (i64 i = 0; i < std::min(kTile, end - ahead); i += 8) __builtin_prefetch(next + i);
      }
      combine_rows(rows.y + start, rows.stride, sources, rows.fraction + start,
                   factors_.data() + target.index * (sources + 1), to_[size_t(target.index)], size,
                   target.out + start);
    }
  }
}

void BaseConverter::convert(std::span<const u64* const> in, std::span<const Target> targets,
                            i64 begin, i64 end) const {
  double y[kMaxSources * kTile], fraction[kTile];
  const u64* rows[kMaxSources];
  Target out[kMaxTargets];
  const size_t sources = from_.size(), count = targets.size();
  SINTER_ASSERT(in.size() == sources && count <= kMaxTargets);
  for (i64 start = begin; start < end; start += kTile) {
    const i64 size = std::min(kTile, end - start);
    for (size_t i = 0; i < sources; ++i) rows[i] = in[i] + start;
    for (size_t i = 0; i < count; ++i) out[i] = {targets[i].index, targets[i].out + start};
    prepare({rows, sources}, {y, fraction, kTile}, 0, size);
    combine({y, fraction, kTile}, {out, count}, 0, size);
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
  if (p_count_ > 0) make_converters(all);
  make_inverses();
}

void RnsRing::make_converters(const std::vector<Modulus>& all) {
  const auto first_p = all.begin() + q_count_;
  for (int digit = 0; digit < digit_count(max_level()); ++digit)
    for (int size = 1; size <= p_count_; ++size) {
      const int first = digit * p_count_, last = std::min(first + size, q_count_);
      digit_converters_.emplace_back(std::vector(all.begin() + first, all.begin() + last), all);
    }
  const std::vector<Modulus> special(first_p, all.end()), ordinary(all.begin(), first_p);
  special_converter_.emplace_back(special, ordinary);
  for (int level = 0; level < q_count_ && divides_with_last(); ++level) {
    std::vector<Modulus> both = {all[size_t(level)]};
    both.insert(both.end(), special.begin(), special.end());
    both_converters_.emplace_back(both, std::vector(all.begin(), all.begin() + level));
  }
}

void RnsRing::make_inverses() {
  for (int i = 0; i < q_count_; ++i) {
    const Modulus& m = modulus(i);
    u64 product = 1;
    for (int j = 0; j < p_count_; ++j)
      product = m.mul(product, m.reduce_word(modulus(q_count_ + j).value()));
    special_product_.push_back(product);
    special_inverse_.push_back(m.shoup(m.inverse(product)));
  }
  last_inverse_.resize(size_t(q_count_) * size_t(q_count_));
  both_inverse_.resize(last_inverse_.size());
  for (int level = 0; level < q_count_; ++level)
    for (int i = 0; i < level; ++i) {
      const Modulus& m = modulus(i);
      const u64 inverse = m.inverse(m.reduce_word(modulus(level).value()));
      last_inverse_[size_t(level * q_count_ + i)] = m.shoup(inverse);
      both_inverse_[size_t(level * q_count_ + i)] =
          m.shoup(m.mul(inverse, special_inverse_[size_t(i)]));
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
  return mod_up(x, level, 0, level + 1 + p_count_, pool);
}

std::vector<RnsPoly> RnsRing::mod_up(const RnsPoly& x, int level, int first, int last,
                                     ThreadPool& pool) const {
  SINTER_ASSERT(x.is_ntt() && x.limbs() > level);
  SINTER_ASSERT(first >= 0 && first < last && last <= level + 1 + p_count_);
  const Digits digits = decompose(
      level, [&](int i, std::span<u64> out) { std::copy_n(x.limb(i).data(), n_, out.data()); },
      pool);
  std::vector<RnsPoly> out;
  for (int d = 0; d < digits.count; ++d) out.push_back(make_poly(last - first));
  const Groups parts = groups(last - first, kGroup, pool);
  pool.run(parts.tasks, [&](i64 task, i64) {
    for (int d = 0; d < digits.count; ++d) {
      std::array<LimbTarget, kGroup> targets;
      size_t count = 0;
      for (int i = first + parts.first(task); i < first + parts.first(task + 1); ++i) {
        u64* to = out[size_t(d)].limb(i - first).data();
        if (is_own_limb(digits, d, i))
          std::copy_n(x.limb(i).data(), n_, to);
        else
          targets[count++] = {i, to};
      }
      extend(digits, d, {targets.data(), count});
    }
  });
  return out;
}

RnsPoly RnsRing::mod_down(RnsPoly x, int level, ThreadPool& pool) const {
  mod_down({&x, 1}, level, pool);
  return x;
}

void RnsRing::mod_down(std::span<RnsPoly> polys, int level, ThreadPool& pool) const {
  std::vector<Remainder> remainders;
  for (RnsPoly& x : polys) {
    SINTER_ASSERT(x.is_ntt() && x.limbs() == level + 1 + p_count_);
    remainders.push_back(make_remainder(level, false));
  }
  const i64 count = std::ssize(polys);
  pool.run(count * p_count_, [&](i64 task, i64) {
    const size_t part = size_t(task / p_count_);
    const int limb = level + 1 + int(task % p_count_);
    std::copy_n(polys[part].limb(limb).data(), n_, remainder_row(remainders[part], limb).data());
  });
  prepare(remainders, pool);
  const Groups parts = groups(level + 1, kGroup, pool);
  RnsPoly scratch = make_poly(int(pool.size()) * kGroup);
  pool.run(parts.tasks, [&](i64 task, i64 worker) {
    const int first = parts.first(task), last = parts.first(task + 1);
    for (i64 part = 0; part < count; ++part) {
      std::array<LimbTarget, kGroup> targets;
      for (int i = first; i < last; ++i)
        targets[size_t(i - first)] = {i, scratch.limb(int(worker) * kGroup + i - first).data()};
      remainder_limbs(remainders[size_t(part)], {targets.data(), size_t(last - first)});
      for (int i = first; i < last; ++i) {
        u64* out = polys[size_t(part)].limb(i).data();
        subtract_and_scale(out, targets[size_t(i - first)].out, modulus(i),
                           special_inverse_[size_t(i)], n_, out);
      }
    }
  });
  for (RnsPoly& x : polys) x.truncate(level + 1);
}

RnsPoly RnsRing::rescale(const RnsPoly& x, int level, ThreadPool& pool) const {
  const RnsPoly* const one = &x;
  return std::move(rescale(std::span(&one, 1), level, pool).front());
}

std::vector<RnsPoly> RnsRing::rescale(std::span<const RnsPoly* const> polys, int level,
                                      ThreadPool& pool) const {
  const i64 count = std::ssize(polys);
  RnsPoly last = make_poly(int(count)), scratch = make_poly(int(pool.size()));
  std::vector<RnsPoly> out;
  for (const RnsPoly* x : polys) {
    SINTER_ASSERT(level >= 1 && x->is_ntt() && x->limbs() == level + 1);
    out.push_back(make_poly(level));
  }
  pool.run(count, [&](i64 part, i64) {
    const std::span<u64> row = last.limb(int(part));
    std::copy_n(polys[size_t(part)]->limb(level).data(), n_, row.data());
    ntt_inverse(ntt(level), row);
  });
  pool.run(count * level, [&](i64 task, i64 worker) {
    const int part = int(task / level), i = int(task % level);
    const Modulus& q = modulus(i);
    const std::span<u64> r = scratch.limb(int(worker));
    reduce_centred(last.limb(part).data(), modulus(level), q, n_, r.data());
    ntt_forward(ntt(i), r);
    subtract_and_scale(polys[size_t(part)]->limb(i).data(), r.data(), q, last_inverse(level, i), n_,
                       out[size_t(part)].limb(i).data());
  });
  return out;
}

}  // namespace sinter::ring
