// SPDX-License-Identifier: Apache-2.0
// The transforms on words with 52-bit products (AVX-512 IFMA), eight lanes, two layers per pass,
// q < 2^48, sizes from 64. The groups are those of ntt_avx2.h, pass by pass.
//
// Product with a fixed w and w' = floor(2^52 w / q), any y < 2^52: with h = floor(y w' / 2^52),
// y w - h q is in [0, 2q) (as for words of 64 bits, modulus.h), so its low 52 bits are it.
//
// Forward, (x, y) -> (x + t, x - t + 2q), t = y w in [0, 2q): each of four vectors of a group is
// the first one plus products and multiples of 2q, at most 4 q more in two layers, whatever the
// other three were. So all stored values are below 12 q when the first vector is brought below 8 q
// before every pass (12 q - 8 q < 8 q); inside a pass values that are multiplied next, which may be
// any below 2^52, reach 14 q < 2^52.
// Inverse, (x, y) -> (x + y, (x - y + bound) w): values are below 2 q before every layer and after
// it: sums are brought below 2 q, products are.
//
// Source: Harvey 2014 (lazy ranges); Boemer et al., "Intel HEXL", 2021 (52-bit products).
#include <immintrin.h>

#include <bit>

#include "base/cpu.h"
#include "ring/ntt.h"

#define SINTER_TARGET_IFMA __attribute__((target("avx512f,avx512dq,avx512ifma")))
#define SINTER_INLINE_IFMA SINTER_TARGET_IFMA __attribute__((always_inline)) inline

namespace sinter::ring {
namespace {

constexpr i64 kSmallest = 64;
constexpr i64 kResident = i64(1) << 11;  // words: 16 KiB

/// q and its multiples in every lane; 2^52 - q, whose product's low half is that of -q.
struct Constants {
  __m512i q, q2, q8, minus_q, low52;
};
SINTER_INLINE_IFMA Constants constants(u64 q) {
  const i64 low = (i64(1) << 52) - 1;
  return {_mm512_set1_epi64(i64(q)), _mm512_set1_epi64(i64(2 * q)), _mm512_set1_epi64(i64(8 * q)),
          _mm512_set1_epi64((i64(1) << 52) - i64(q)), _mm512_set1_epi64(low)};
}

struct Factor {
  __m512i w, quotient;
};
SINTER_INLINE_IFMA Factor broadcast(const ShoupFactor& f) {
  return {_mm512_set1_epi64(i64(f.w)), _mm512_set1_epi64(i64(f.quotient >> 12))};
}
/// Eight factors in a row.
SINTER_INLINE_IFMA Factor load_factors(const ShoupFactor* f) {
  const __m512i low = _mm512_loadu_si512(f), high = _mm512_loadu_si512(f + 4);
  const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
  const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
  return {_mm512_permutex2var_epi64(low, even, high),
          _mm512_srli_epi64(_mm512_permutex2var_epi64(low, odd, high), 12)};
}
/// Four factors twice each, two factors four times each.
SINTER_INLINE_IFMA Factor load_four_factors(const ShoupFactor* f) {
  const __m512i all = _mm512_loadu_si512(f);
  const __m512i even = _mm512_setr_epi64(0, 0, 2, 2, 4, 4, 6, 6);
  const __m512i odd = _mm512_setr_epi64(1, 1, 3, 3, 5, 5, 7, 7);
  return {_mm512_permutexvar_epi64(even, all),
          _mm512_srli_epi64(_mm512_permutexvar_epi64(odd, all), 12)};
}
SINTER_INLINE_IFMA Factor load_two_factors(const ShoupFactor* f) {
  const __m512i all =
      _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(f)));
  const __m512i even = _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2);
  const __m512i odd = _mm512_setr_epi64(1, 1, 1, 1, 3, 3, 3, 3);
  return {_mm512_permutexvar_epi64(even, all),
          _mm512_srli_epi64(_mm512_permutexvar_epi64(odd, all), 12)};
}

/// x - bound where that is not negative.
SINTER_INLINE_IFMA __m512i lower(__m512i x, __m512i bound) {
  return _mm512_min_epu64(x, _mm512_sub_epi64(x, bound));
}
SINTER_INLINE_IFMA __m512i product(const Constants& c, __m512i y, const Factor& f) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i h = _mm512_madd52hi_epu64(zero, y, f.quotient);
  const __m512i low = _mm512_madd52lo_epu64(zero, y, f.w);
  return _mm512_and_si512(_mm512_madd52lo_epu64(low, h, c.minus_q), c.low52);
}
SINTER_INLINE_IFMA void forward(const Constants& c, __m512i& x, __m512i& y, const Factor& f) {
  const __m512i t = product(c, y, f), raised = _mm512_add_epi64(x, c.q2);
  x = _mm512_add_epi64(x, t);
  y = _mm512_sub_epi64(raised, t);
}
SINTER_INLINE_IFMA void inverse(const Constants& c, __m512i& x, __m512i& y, const Factor& f) {
  const __m512i difference = _mm512_add_epi64(_mm512_sub_epi64(x, y), c.q2);
  x = lower(_mm512_add_epi64(x, y), c.q2);
  y = product(c, difference, f);
}

SINTER_INLINE_IFMA __m512i load(const u64* x) { return _mm512_loadu_si512(x); }
SINTER_INLINE_IFMA void store(u64* x, __m512i v) { _mm512_storeu_si512(x, v); }

SINTER_TARGET_IFMA void forward_quarters(const Constants& constants, u64* x, i64 quarter,
                                         const ShoupFactor* w, i64 g) {
  const Constants k = constants;
  const Factor w1 = broadcast(w[g]), w2 = broadcast(w[2 * g]), w3 = broadcast(w[2 * g + 1]);
  u64 *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
  for (i64 j = 0; j < quarter; j += 8) {
    __m512i a = lower(load(x + j), k.q8), b = load(x1 + j), c = load(x2 + j), d = load(x3 + j);
    forward(k, a, c, w1);
    forward(k, b, d, w1);
    forward(k, a, b, w2);
    forward(k, c, d, w3);
    store(x + j, a);
    store(x1 + j, b);
    store(x2 + j, c);
    store(x3 + j, d);
  }
}

/// Halves of two vectors exchanged: (x's low, y's low), (x's high, y's high) in units of 4, 2, 1.
SINTER_INLINE_IFMA void swap_fours(__m512i& x, __m512i& y) {
  const __m512i low = _mm512_shuffle_i64x2(x, y, 0x44), high = _mm512_shuffle_i64x2(x, y, 0xEE);
  x = low;
  y = high;
}
SINTER_INLINE_IFMA void swap_twos(__m512i& x, __m512i& y) {
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
  const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  const __m512i first = _mm512_permutex2var_epi64(x, low, y);
  y = _mm512_permutex2var_epi64(x, high, y);
  x = first;
}
SINTER_INLINE_IFMA void swap_ones(__m512i& x, __m512i& y) {
  const __m512i first = _mm512_unpacklo_epi64(x, y);
  y = _mm512_unpackhi_epi64(x, y);
  x = first;
}

/// [0, 12 q) to [0, q).
SINTER_INLINE_IFMA __m512i canonical(const Constants& c, __m512i x) {
  x = lower(lower(x, c.q8), _mm512_slli_epi64(c.q2, 1));
  return lower(lower(x, c.q2), c.q);
}

/// The four layers of `count` groups of 16 from group g.
SINTER_TARGET_IFMA void forward_last(const Constants& constants, u64* x, i64 count,
                                     const ShoupFactor* w, i64 g) {
  const Constants c = constants;
  for (i64 i = 0; i < count; ++i, ++g, x += 16) {
    __m512i a = lower(load(x), c.q8), b = load(x + 8);
    forward(c, a, b, broadcast(w[g]));
    swap_fours(a, b);
    forward(c, a, b, load_two_factors(w + 2 * g));
    swap_twos(a, b);
    a = lower(a, c.q8);
    forward(c, a, b, load_four_factors(w + 4 * g));
    swap_ones(a, b);
    forward(c, a, b, load_factors(w + 8 * g));
    a = canonical(c, a);
    b = canonical(c, b);
    swap_ones(a, b);
    swap_twos(a, b);
    swap_fours(a, b);
    store(x, a);
    store(x + 8, b);
  }
}

/// All layers of group g of `size` values, size a power of 4 from 64.
SINTER_TARGET_IFMA void forward_group(const Constants& c, u64* x, i64 size, const ShoupFactor* w,
                                      i64 g) {
  forward_quarters(c, x, size / 4, w, g);
  if (size > kResident) {
    for (i64 i = 0; i < 4; ++i) forward_group(c, x + i * (size / 4), size / 4, w, 4 * g + i);
    return;
  }
  for (i64 part = size / 4, parts = 4; part > 16; part /= 4, parts *= 4)
    for (i64 i = 0; i < parts; ++i) forward_quarters(c, x + i * part, part / 4, w, g * parts + i);
  forward_last(c, x, size / 16, w, g * (size / 16));
}

/// The four layers of `count` groups of 16 from group g.
SINTER_TARGET_IFMA void inverse_first(const Constants& constants, u64* x, i64 count,
                                      const ShoupFactor* w, i64 g) {
  const Constants c = constants;
  for (i64 i = 0; i < count; ++i, ++g, x += 16) {
    __m512i a = load(x), b = load(x + 8);
    swap_fours(a, b);
    swap_twos(a, b);
    swap_ones(a, b);
    inverse(c, a, b, load_factors(w + 8 * g));
    swap_ones(a, b);
    inverse(c, a, b, load_four_factors(w + 4 * g));
    swap_twos(a, b);
    inverse(c, a, b, load_two_factors(w + 2 * g));
    swap_fours(a, b);
    inverse(c, a, b, broadcast(w[g]));
    store(x, a);
    store(x + 8, b);
  }
}

/// The end of the whole transform: both sides of the last layer multiplied.
SINTER_INLINE_IFMA void finish(const Constants& c, __m512i x, __m512i y, const Factor& scale,
                               const Factor& w, u64* out_x, u64* out_y) {
  const __m512i difference = _mm512_add_epi64(_mm512_sub_epi64(x, y), c.q2);
  store(out_x, lower(product(c, _mm512_add_epi64(x, y), scale), c.q));
  store(out_y, lower(product(c, difference, w), c.q));
}

/// The last two layers of a group of 4 * quarter; kLast: of the whole transform, top = w[1] / N.
template <bool kLast>
SINTER_TARGET_IFMA void inverse_quarters(const Constants& constants, u64* x, i64 quarter,
                                         const ShoupFactor* w, i64 g, const ShoupFactor& top,
                                         const ShoupFactor& scale) {
  const Constants k = constants;
  const Factor w1 = broadcast(top), factor = broadcast(scale);
  const Factor w2 = broadcast(w[2 * g]), w3 = broadcast(w[2 * g + 1]);
  u64 *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
  for (i64 j = 0; j < quarter; j += 8) {
    __m512i a = load(x + j), b = load(x1 + j), c = load(x2 + j), d = load(x3 + j);
    inverse(k, a, b, w2);
    inverse(k, c, d, w3);
    if (kLast) {
      finish(k, a, c, factor, w1, x + j, x2 + j);
      finish(k, b, d, factor, w1, x1 + j, x3 + j);
      continue;
    }
    inverse(k, a, c, w1);
    inverse(k, b, d, w1);
    store(x + j, a);
    store(x1 + j, b);
    store(x2 + j, c);
    store(x3 + j, d);
  }
}

/// All layers of group g of `size` values, size a power of 4 from 64.
template <bool kLast>
SINTER_TARGET_IFMA void inverse_group(const Constants& c, u64* x, i64 size, const ShoupFactor* w,
                                      i64 g, const ShoupFactor& top, const ShoupFactor& scale) {
  if (size > kResident) {
    for (i64 i = 0; i < 4; ++i)
      inverse_group<false>(c, x + i * (size / 4), size / 4, w, 4 * g + i, w[4 * g + i], {});
  } else {
    inverse_first(c, x, size / 16, w, g * (size / 16));
    for (i64 part = 64; part < size; part *= 4) {
      const i64 first = size / part * g;
      for (i64 i = first; i < first + size / part; ++i)
        inverse_quarters<false>(c, x + part * (i - first), part / 4, w, i, w[i], {});
    }
  }
  inverse_quarters<kLast>(c, x, size / 4, w, g, top, scale);
}

}  // namespace

SINTER_TARGET_IFMA void ntt_forward_avx512ifma(const NttTables& tables, std::span<u64> span) {
  const i64 n = std::ssize(span);
  if (n < kSmallest) return ntt_forward_reference(tables, span);
  const Constants c = constants(tables.modulus().value());
  const ShoupFactor* w = tables.forward().data();
  u64* x = span.data();
  if (std::countr_zero(u64(n)) % 2 == 0) return forward_group(c, x, n, w, 1);
  const Factor w1 = broadcast(w[1]);
  u64* y = x + n / 2;
  for (i64 j = 0; j < n / 2; j += 8) {
    __m512i a = load(x + j), b = load(y + j);
    forward(c, a, b, w1);
    store(x + j, a);
    store(y + j, b);
  }
  forward_group(c, x, n / 2, w, 2);
  forward_group(c, y, n / 2, w, 3);
}

SINTER_TARGET_IFMA void ntt_inverse_avx512ifma(const NttTables& tables, std::span<u64> span) {
  const i64 n = std::ssize(span);
  if (n < kSmallest) return ntt_inverse_reference(tables, span);
  const Modulus& q = tables.modulus();
  const Constants c = constants(q.value());
  const ShoupFactor* w = tables.inverse().data();
  const u64 one_over_n = q.inverse(u64(n));
  const ShoupFactor scale = q.shoup(one_over_n), top = q.shoup(q.mul(one_over_n, w[1].w));
  u64* x = span.data();
  if (std::countr_zero(u64(n)) % 2 == 0) return inverse_group<true>(c, x, n, w, 1, top, scale);
  u64* y = x + n / 2;
  inverse_group<false>(c, x, n / 2, w, 2, w[2], {});
  inverse_group<false>(c, y, n / 2, w, 3, w[3], {});
  const Factor factor = broadcast(scale), w1 = broadcast(top);
  for (i64 j = 0; j < n / 2; j += 8) finish(c, load(x + j), load(y + j), factor, w1, x + j, y + j);
}

}  // namespace sinter::ring
