// SPDX-License-Identifier: Apache-2.0
// The inverse transform on doubles; its structure is told in ntt_avx2.h.
//
// Inverse, (x, y) -> (x + y, (x - y) w): the first two layers leave at most 4 q (a sum of four
// residues; the others are below 1.2 q). Every later pair of layers is done on magnitudes of at
// most B, where B = 4 q in the groups of 16 and 1.4 q from then on, and leaves
//   a sum of four         4 B <= 16 q, the only one to be reduced: at most 0.51 q
//   a sum of two products of values up to 2 B: in the groups of 16 each is a difference of two
//     values in [0, 4 q), or smaller: (1/2 + 4 * 1.51/32) q, together 1.38 q; later less
//   two products of values up to 4 B: differences of sums in [0, 8 q): (1/2 + 8 * 1.51/32) q
// The last layer multiplies both sides, by 1/N and by w/N, which leaves them below 0.8 q.
#include <bit>

#include "ring/ntt.h"
#include "ring/ntt_avx2.h"

namespace sinter::ring {
namespace {

SINTER_INLINE_AVX2 void inverse(const FmaModulus& m, __m256d& x, __m256d& y, __m256d w) {
  const __m256d d = _mm256_sub_pd(x, y);
  x = _mm256_add_pd(x, y);
  y = mul_once(m, d, w);
}

/// The first two layers of n values from group g of 4, words in, doubles out.
SINTER_INLINE_AVX2 Pair inverse_twos(const FmaModulus& m, const u64* x, const double* w) {
  Pair v = swap_neighbours(load_swapped(reinterpret_cast<const double*>(x)));
  v = {to_doubles(_mm256_castpd_si256(v.x)), to_doubles(_mm256_castpd_si256(v.y))};
  inverse(m, v.x, v.y, _mm256_loadu_pd(w));
  return v;
}
SINTER_INLINE_AVX2 void inverse_fours(const FmaModulus& m, const Pair& twos, const double* w,
                                      u64* x) {
  Pair v = swap_neighbours(twos);
  inverse(m, v.x, v.y, load_two_factors(w));
  v = swap_halves(v);
  store_doubles(x, v.x);
  store_doubles(x + 4, v.y);
}
SINTER_TARGET_AVX2 void inverse_first(const FmaModulus& modulus, u64* x, i64 n, const double* w,
                                      i64 g) {
  const FmaModulus m = modulus;
  const double *w4 = w + g, *w2 = w + 2 * g;
  Pair twos = inverse_twos(m, x, w2);
  for (i64 i = 8; i < n; i += 8) {
    inverse_fours(m, twos, w4 + i / 4 - 2, x + i - 8);
    twos = inverse_twos(m, x + i, w2 + i / 2);
  }
  inverse_fours(m, twos, w4 + n / 4 - 2, x + n - 8);
}

/// Two layers of `count` groups of 16 from group g.
SINTER_TARGET_AVX2 void inverse_sixteens(const FmaModulus& modulus, u64* x, i64 count,
                                         const double* w, i64 g) {
  const FmaModulus m = modulus;
  for (i64 c = 0; c < count; ++c, ++g, x += 16) {
    Quad v = load_quad<false>(x, 4);
    const __m256d w1 = _mm256_broadcast_sd(w + g);
    inverse(m, v.a, v.b, _mm256_broadcast_sd(w + 2 * g));
    inverse(m, v.c, v.d, _mm256_broadcast_sd(w + 2 * g + 1));
    inverse(m, v.a, v.c, w1);
    inverse(m, v.b, v.d, w1);
    v.a = fma_reduce(m, v.a);
    store_quad(x, 4, v);
  }
}

/// The end of the whole transform: both sides of the last layer multiplied, canonical words out.
SINTER_INLINE_AVX2 void finish(const FmaModulus& m, __m256d sum, __m256d difference,
                               const FmaFactor& scale, const FmaFactor& w, u64* out_x, u64* out_y) {
  mul_two(m, sum, scale, difference, w);
  store_canonical(out_x, m, sum);
  store_canonical(out_y, m, difference);
}

/// The inner layer of one quad, the outer layer of another.
SINTER_INLINE_AVX2 void inverse_inner(const FmaModulus& m, const QuadFactors& f, Quad& v) {
  add_and_subtract(v.a, v.b);
  add_and_subtract(v.c, v.d);
  mul_two(m, v.b, f.w2, v.d, f.w3);
}
template <bool kLast>
SINTER_INLINE_AVX2 void inverse_outer(const FmaModulus& m, const QuadFactors& f,
                                      const FmaFactor& scale, Quad v, u64* x, i64 quarter) {
  add_and_subtract(v.a, v.c);
  add_and_subtract(v.b, v.d);
  if (kLast) {
    finish(m, v.a, v.c, scale, f.w1, x, x + 2 * quarter);
    finish(m, v.b, v.d, scale, f.w1, x + quarter, x + 3 * quarter);
    return;
  }
  mul_two(m, v.c, f.w1, v.d, f.w1);
  v.a = fma_reduce(m, v.a);
  store_quad(x, quarter, v);
}

/// The last two layers of a group of 4 * quarter; kLast: of the whole transform, w1 = w[1] / N.
template <bool kLast>
SINTER_TARGET_AVX2 void inverse_quarters(const FmaModulus& modulus, u64* x, i64 quarter,
                                         const double* w, i64 g, double w1, double scale) {
  const FmaModulus m = modulus;
  const QuadFactors f{fma_factor(m, w1), fma_factor(m, w[2 * g]), fma_factor(m, w[2 * g + 1])};
  const FmaFactor factor = fma_factor(m, scale);
  Quad last = load_quad<false>(x, quarter);
  inverse_inner(m, f, last);
  for (i64 j = 4; j < quarter; j += 4) {
    Quad next = load_quad<false>(x + j, quarter);
    inverse_outer<kLast>(m, f, factor, last, x + j - 4, quarter);
    inverse_inner(m, f, next);
    last = next;
  }
  inverse_outer<kLast>(m, f, factor, last, x + quarter - 4, quarter);
}

/// All layers of group g of `size` values, size a power of 4 from 16.
template <bool kLast>
SINTER_TARGET_AVX2 void inverse_group(const FmaModulus& m, u64* x, i64 size, const double* w, i64 g,
                                      double w1, double scale) {
  if (size > kResidentAvx2) {
    for (i64 c = 4 * g; c < 4 * g + 4; ++c)
      inverse_group<false>(m, x + (c - 4 * g) * (size / 4), size / 4, w, c, w[c], 0);
  } else {
    inverse_first(m, x, size, w, g * (size / 4));
    inverse_sixteens(m, x, size / 16, w, g * (size / 16));
    for (i64 part = 64; part < size; part *= 4) {
      const i64 first = size / part * g;
      for (i64 c = first; c < first + size / part; ++c)
        inverse_quarters<false>(m, x + part * (c - first), part / 4, w, c, w[c], 0);
    }
  }
  if (size > 16) inverse_quarters<kLast>(m, x, size / 4, w, g, w1, scale);
}

}  // namespace

SINTER_TARGET_AVX2 void ntt_inverse_avx2(const NttTables& tables, std::span<u64> span) {
  const i64 n = std::ssize(span);
  if (n < kSmallestAvx2) return ntt_inverse_reference(tables, span);
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
  for (i64 j = 0; j < n / 2; j += 4) {
    __m256d a = load_doubles(x + j), b = load_doubles(y + j);
    add_and_subtract(a, b);
    finish(m, a, b, factor, top, x + j, y + j);
  }
}

}  // namespace sinter::ring
