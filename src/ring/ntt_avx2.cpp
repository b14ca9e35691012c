// SPDX-License-Identifier: Apache-2.0
// The transforms on doubles (fma_avx2.h), two layers per pass over the data, q < 2^48, sizes from
// 16. Between the first pass, which converts the residues, and the last one, which gives canonical
// residues back, the memory of the words holds doubles.
//
// The groups of all layers form a binary tree as in a heap: the group of factor w[g] splits into
// those of w[2g] and w[2g+1]. A group of 16 is done in four registers: two layers between them, a
// transposition, two more. Groups too large for the first-level cache are split by one pass and
// then finished one after the other; a group that fits goes layer by layer. An odd number of layers
// begins (inverse: ends) with one layer alone.
//
// Forward, (x, y) -> (x + w y, x - w y): nothing is reduced before the end. In units of 2^48, with
// A the largest magnitude: A = 1 at the start, and a layer adds at most 1/2 + 1.51/32 A. So A
// < 14.9 after 17 layers (N = 2^17): below 2^52, and within the 16 that fma_mul accepts.
//
// Inverse, (x, y) -> (x + y, (x - y) w): all magnitudes are at most B = 1.25 q before every pair of
// layers. After it the four values of a group are
//   a sum of four         4 B, the only one to be reduced: at most 0.51 q
//   a sum of two products of values up to 2 B: each (1/2 + 2.5 * 1.51/32) q, together 1.24 q
//   two products of values up to 4 B: (1/2 + 5 * 1.51/32) q = 0.74 q
// The last layer multiplies both sides, by 1/N and by w/N, which leaves them below 0.74 q.
#include <bit>

#include "ring/fma_avx2.h"
#include "ring/ntt.h"

namespace sinter::ring {
namespace {

constexpr i64 kResident = i64(1) << 11;  // doubles: 16 KiB, half of the smallest first-level cache

SINTER_INLINE_AVX2 __m256d load_doubles(const u64* x) {
  return _mm256_loadu_pd(reinterpret_cast<const double*>(x));
}
SINTER_INLINE_AVX2 void store_doubles(u64* x, __m256d v) {
  _mm256_storeu_pd(reinterpret_cast<double*>(x), v);
}
template <bool kWords>
SINTER_INLINE_AVX2 __m256d load(const u64* x) {
  return kWords ? load_words(x) : load_doubles(x);
}

SINTER_INLINE_AVX2 void forward(const FmaModulus& m, __m256d& x, __m256d& y, const FmaFactor& w) {
  const __m256d t = fma_mul(m, y, w);
  y = _mm256_sub_pd(x, t);
  x = _mm256_add_pd(x, t);
}

SINTER_INLINE_AVX2 void inverse(const FmaModulus& m, __m256d& x, __m256d& y, const FmaFactor& w) {
  const __m256d d = _mm256_sub_pd(x, y);
  x = _mm256_add_pd(x, y);
  y = fma_mul(m, d, w);
}

/// Rows to columns.
SINTER_INLINE_AVX2 void transpose(__m256d& a, __m256d& b, __m256d& c, __m256d& d) {
  const __m256d ab0 = _mm256_unpacklo_pd(a, b), ab1 = _mm256_unpackhi_pd(a, b);
  const __m256d cd0 = _mm256_unpacklo_pd(c, d), cd1 = _mm256_unpackhi_pd(c, d);
  a = _mm256_permute2f128_pd(ab0, cd0, 0x20);
  b = _mm256_permute2f128_pd(ab1, cd1, 0x20);
  c = _mm256_permute2f128_pd(ab0, cd0, 0x31);
  d = _mm256_permute2f128_pd(ab1, cd1, 0x31);
}

/// Eight factors: those at even places and those at odd places.
SINTER_INLINE_AVX2 void load_pairs(const double* w, __m256d& even, __m256d& odd) {
  const __m256d low = _mm256_loadu_pd(w), high = _mm256_loadu_pd(w + 4);
  const __m256d a = _mm256_permute2f128_pd(low, high, 0x20);
  const __m256d b = _mm256_permute2f128_pd(low, high, 0x31);
  even = _mm256_unpacklo_pd(a, b);
  odd = _mm256_unpackhi_pd(a, b);
}

/// Two butterflies whose instructions alternate: neither waits for the other.
SINTER_INLINE_AVX2 void forward_two(const FmaModulus& m, __m256d& x0, __m256d& y0,
                                    const FmaFactor& w0, __m256d& x1, __m256d& y1,
                                    const FmaFactor& w1) {
  const __m256d h0 = _mm256_mul_pd(y0, w0.w), h1 = _mm256_mul_pd(y1, w1.w);
  const __m256d p0 = _mm256_mul_pd(y0, w0.quotient), p1 = _mm256_mul_pd(y1, w1.quotient);
  const __m256d l0 = _mm256_fmsub_pd(y0, w0.w, h0), l1 = _mm256_fmsub_pd(y1, w1.w, h1);
  const __m256d k0 = round_to_integer(p0), k1 = round_to_integer(p1);
  const __m256d d0 = _mm256_fnmadd_pd(k0, m.q, h0), d1 = _mm256_fnmadd_pd(k1, m.q, h1);
  const __m256d t0 = _mm256_add_pd(d0, l0), t1 = _mm256_add_pd(d1, l1);
  y0 = _mm256_sub_pd(x0, t0);
  y1 = _mm256_sub_pd(x1, t1);
  x0 = _mm256_add_pd(x0, t0);
  x1 = _mm256_add_pd(x1, t1);
}

/// The four layers of a group of 16; words out.
template <bool kFirst>
SINTER_INLINE_AVX2 void forward_16(const FmaModulus& m, u64* x, const double* w, i64 g) {
  __m256d a = load<kFirst>(x), b = load<kFirst>(x + 4);
  __m256d c = load<kFirst>(x + 8), d = load<kFirst>(x + 12);
  const FmaFactor w1 = fma_factor(m, w[g]);
  forward_two(m, a, c, w1, b, d, w1);
  forward_two(m, a, b, fma_factor(m, w[2 * g]), c, d, fma_factor(m, w[2 * g + 1]));
  transpose(a, b, c, d);
  const FmaFactor w4 = fma_factor(m, _mm256_loadu_pd(w + 4 * g));
  __m256d even, odd;
  load_pairs(w + 8 * g, even, odd);
  forward_two(m, a, c, w4, b, d, w4);
  forward_two(m, a, b, fma_factor(m, even), c, d, fma_factor(m, odd));
  a = biased_canonical(m, fma_reduce(m, a));
  b = biased_canonical(m, fma_reduce(m, b));
  c = biased_canonical(m, fma_reduce(m, c));
  d = biased_canonical(m, fma_reduce(m, d));
  transpose(a, b, c, d);
  store_biased(x, a);
  store_biased(x + 4, b);
  store_biased(x + 8, c);
  store_biased(x + 12, d);
}

/// The first two layers of a group of 4 * quarter.
template <bool kFirst>
SINTER_TARGET_AVX2 void forward_quarters(const FmaModulus& modulus, u64* x, i64 quarter,
                                         const double* w, i64 g) {
  const FmaModulus m = modulus;
  const FmaFactor w1 = fma_factor(m, w[g]), w2 = fma_factor(m, w[2 * g]);
  const FmaFactor w3 = fma_factor(m, w[2 * g + 1]);
  u64 *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
  for (i64 j = 0; j < quarter; j += 4) {
    __m256d a = load<kFirst>(x + j), b = load<kFirst>(x1 + j);
    __m256d c = load<kFirst>(x2 + j), d = load<kFirst>(x3 + j);
    forward_two(m, a, c, w1, b, d, w1);
    forward_two(m, a, b, w2, c, d, w3);
    store_doubles(x + j, a);
    store_doubles(x1 + j, b);
    store_doubles(x2 + j, c);
    store_doubles(x3 + j, d);
  }
}

/// All layers of group g of `size` values, size a power of 4 from 16.
template <bool kFirst>
SINTER_TARGET_AVX2 void forward_group(const FmaModulus& modulus, u64* x, i64 size, const double* w,
                                      i64 g) {
  const FmaModulus m = modulus;
  if (size == 16) return forward_16<kFirst>(m, x, w, g);
  forward_quarters<kFirst>(m, x, size / 4, w, g);
  if (size > kResident) {
    for (i64 c = 0; c < 4; ++c) forward_group<false>(m, x + c * (size / 4), size / 4, w, 4 * g + c);
    return;
  }
  for (i64 part = size / 4, parts = 4; part > 16; part /= 4, parts *= 4)
    for (i64 c = 0; c < parts; ++c)
      forward_quarters<false>(m, x + c * part, part / 4, w, g * parts + c);
  const i64 parts = size / 16;
  for (i64 c = 0; c < parts; ++c) forward_16<false>(m, x + 16 * c, w, g * parts + c);
}

/// The last layer: both sides multiplied, canonical words out.
SINTER_INLINE_AVX2 void finish(const FmaModulus& m, __m256d x, __m256d y, const FmaFactor& scale,
                               const FmaFactor& w, u64* out_x, u64* out_y) {
  store_canonical(out_x, m, fma_mul(m, _mm256_add_pd(x, y), scale));
  store_canonical(out_y, m, fma_mul(m, _mm256_sub_pd(x, y), w));
}

/// The four layers of a group of 16; words in. kLast: the whole transform, w1 = w[1] / N.
template <bool kLast>
SINTER_INLINE_AVX2 void inverse_16(const FmaModulus& m, u64* x, const double* w, i64 g, double w1,
                                   double scale) {
  __m256d a = load_words(x), b = load_words(x + 4), c = load_words(x + 8), d = load_words(x + 12);
  transpose(a, b, c, d);
  __m256d even, odd;
  load_pairs(w + 8 * g, even, odd);
  inverse(m, a, b, fma_factor(m, even));
  inverse(m, c, d, fma_factor(m, odd));
  const FmaFactor w4 = fma_factor(m, _mm256_loadu_pd(w + 4 * g));
  inverse(m, a, c, w4);
  inverse(m, b, d, w4);
  a = fma_reduce(m, a);
  transpose(a, b, c, d);
  inverse(m, a, b, fma_factor(m, w[2 * g]));
  inverse(m, c, d, fma_factor(m, w[2 * g + 1]));
  const FmaFactor top = fma_factor(m, w1);
  if (kLast) {
    const FmaFactor factor = fma_factor(m, scale);
    finish(m, a, c, factor, top, x, x + 8);
    finish(m, b, d, factor, top, x + 4, x + 12);
    return;
  }
  inverse(m, a, c, top);
  inverse(m, b, d, top);
  store_doubles(x, fma_reduce(m, a));
  store_doubles(x + 4, b);
  store_doubles(x + 8, c);
  store_doubles(x + 12, d);
}

/// The last two layers of a group of 4 * quarter; kLast: of the whole transform, w1 = w[1] / N.
template <bool kLast>
SINTER_TARGET_AVX2 void inverse_quarters(const FmaModulus& modulus, u64* x, i64 quarter,
                                         const double* w, i64 g, double w1, double scale) {
  const FmaModulus m = modulus;
  const FmaFactor top = fma_factor(m, w1), w2 = fma_factor(m, w[2 * g]);
  const FmaFactor w3 = fma_factor(m, w[2 * g + 1]), factor = fma_factor(m, scale);
  u64 *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
  for (i64 j = 0; j < quarter; j += 4) {
    __m256d a = load_doubles(x + j), b = load_doubles(x1 + j);
    __m256d c = load_doubles(x2 + j), d = load_doubles(x3 + j);
    inverse(m, a, b, w2);
    inverse(m, c, d, w3);
    if (kLast) {
      finish(m, a, c, factor, top, x + j, x2 + j);
      finish(m, b, d, factor, top, x1 + j, x3 + j);
      continue;
    }
    inverse(m, a, c, top);
    inverse(m, b, d, top);
    store_doubles(x + j, fma_reduce(m, a));
    store_doubles(x1 + j, b);
    store_doubles(x2 + j, c);
    store_doubles(x3 + j, d);
  }
}

/// All layers of group g of `size` values, size a power of 4 from 16.
template <bool kLast>
SINTER_TARGET_AVX2 void inverse_group(const FmaModulus& modulus, u64* x, i64 size, const double* w,
                                      i64 g, double w1, double scale) {
  const FmaModulus m = modulus;
  if (size == 16) return inverse_16<kLast>(m, x, w, g, w1, scale);
  if (size > kResident) {
    for (i64 c = 4 * g; c < 4 * g + 4; ++c)
      inverse_group<false>(m, x + (c - 4 * g) * (size / 4), size / 4, w, c, w[c], 0);
  } else {
    const i64 parts = size / 16;
    for (i64 c = parts * g; c < parts * (g + 1); ++c)
      inverse_16<false>(m, x + 16 * (c - parts * g), w, c, w[c], 0);
    for (i64 part = 64; part < size; part *= 4) {
      const i64 first = size / part * g;
      for (i64 c = first; c < first + size / part; ++c)
        inverse_quarters<false>(m, x + part * (c - first), part / 4, w, c, w[c], 0);
    }
  }
  inverse_quarters<kLast>(m, x, size / 4, w, g, w1, scale);
}

}  // namespace

SINTER_TARGET_AVX2 void ntt_forward_avx2(const NttTables& tables, std::span<u64> span) {
  const i64 n = std::ssize(span);
  if (n < 16) return ntt_forward_reference(tables, span);
  const FmaModulus m = fma_modulus(tables.modulus().value());
  const double* w = tables.forward_doubles().data();
  u64* x = span.data();
  if (std::countr_zero(u64(n)) % 2 == 0) return forward_group<true>(m, x, n, w, 1);
  const FmaFactor w1 = fma_factor(m, w[1]);
  u64* y = x + n / 2;
  for (i64 j = 0; j < n / 2; j += 4) {
    __m256d a = load_words(x + j), b = load_words(y + j);
    forward(m, a, b, w1);
    store_doubles(x + j, a);
    store_doubles(y + j, b);
  }
  forward_group<false>(m, x, n / 2, w, 2);
  forward_group<false>(m, y, n / 2, w, 3);
}

SINTER_TARGET_AVX2 void ntt_inverse_avx2(const NttTables& tables, std::span<u64> span) {
  const i64 n = std::ssize(span);
  if (n < 16) return ntt_inverse_reference(tables, span);
  const Modulus& q = tables.modulus();
  const FmaModulus m = fma_modulus(q.value());
  const u64 one_over_n = q.inverse(u64(n));
  const double scale = centred(one_over_n, q.value());
  const double w1 = centred(q.mul(one_over_n, tables.inverse()[1]), q.value());
  const double* w = tables.inverse_doubles().data();
  u64* x = span.data();
  if (std::countr_zero(u64(n)) % 2 == 0) return inverse_group<true>(m, x, n, w, 1, w1, scale);
  u64* y = x + n / 2;
  inverse_group<false>(m, x, n / 2, w, 2, w[2], 0);
  inverse_group<false>(m, y, n / 2, w, 3, w[3], 0);
  const FmaFactor factor = fma_factor(m, scale), top = fma_factor(m, w1);
  for (i64 j = 0; j < n / 2; j += 4)
    finish(m, load_doubles(x + j), load_doubles(y + j), factor, top, x + j, y + j);
}

}  // namespace sinter::ring
