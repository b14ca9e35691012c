// SPDX-License-Identifier: Apache-2.0
// The forward transform on doubles; its structure is told in ntt_avx2.h.
//
// Forward, (x, y) -> (x + w y, x - w y): in units of 2^48, with A the largest magnitude: A = 1 at
// the start, and a layer adds at most 1/2 + 1.51/32 A. So A < 10.6 after 13 layers (N = 2^17), the
// products before that see less than the 16 that fma_mul accepts. Each of four vectors of a group
// of 16 is the first one plus and minus products: with that one reduced (at most 0.51 q) they end
// below 2.6 q, and the last two layers below 3.9 q. Then, for |v| < 8 q,
//   v mod q = v - floor(RN(v RN(1/q) + RN(1/2 RN(1/q)))) q
// because (v + 1/2) / q is at least 1/(2q) > 2^-49 away from every integer, and the computed value
// is off by at most 8 * 2^-53 + 2^-51.
#include <bit>

#include "ring/ntt.h"
#include "ring/ntt_avx2.h"

namespace sinter::ring {
namespace {

SINTER_INLINE_AVX2 void forward(const FmaModulus& m, __m256d& x, __m256d& y, __m256d w) {
  const __m256d t = mul_once(m, y, w);
  y = _mm256_sub_pd(x, t);
  x = _mm256_add_pd(x, t);
}
/// The outer layer of one quad and the inner layer of another: independent of each other, so that
/// neither chain of operations is long.
SINTER_INLINE_AVX2 void forward_steps(const FmaModulus& m, const QuadFactors& f, Quad& outer,
                                      Quad& inner) {
  const __m256d p0 = _mm256_mul_pd(outer.c, f.w1.quotient);
  const __m256d p1 = _mm256_mul_pd(outer.d, f.w1.quotient);
  const __m256d p2 = _mm256_mul_pd(inner.b, f.w2.quotient);
  const __m256d p3 = _mm256_mul_pd(inner.d, f.w3.quotient);
  const __m256d h0 = _mm256_mul_pd(outer.c, f.w1.w), h1 = _mm256_mul_pd(outer.d, f.w1.w);
  const __m256d h2 = _mm256_mul_pd(inner.b, f.w2.w), h3 = _mm256_mul_pd(inner.d, f.w3.w);
  const __m256d k0 = round_to_integer(p0), k1 = round_to_integer(p1);
  const __m256d k2 = round_to_integer(p2), k3 = round_to_integer(p3);
  const __m256d l0 = _mm256_fmsub_pd(outer.c, f.w1.w, h0),
                l1 = _mm256_fmsub_pd(outer.d, f.w1.w, h1);
  const __m256d l2 = _mm256_fmsub_pd(inner.b, f.w2.w, h2),
                l3 = _mm256_fmsub_pd(inner.d, f.w3.w, h3);
  outer.c = _mm256_add_pd(_mm256_fnmadd_pd(k0, m.q, h0), l0);
  outer.d = _mm256_add_pd(_mm256_fnmadd_pd(k1, m.q, h1), l1);
  inner.b = _mm256_add_pd(_mm256_fnmadd_pd(k2, m.q, h2), l2);
  inner.d = _mm256_add_pd(_mm256_fnmadd_pd(k3, m.q, h3), l3);
  add_and_subtract(outer.a, outer.c);
  add_and_subtract(outer.b, outer.d);
  add_and_subtract(inner.a, inner.b);
  add_and_subtract(inner.c, inner.d);
}

/// The first two layers of a group of 4 * quarter.
template <bool kFirst>
SINTER_TARGET_AVX2 void forward_quarters(const FmaModulus& modulus, u64* x, i64 quarter,
                                         const double* w, i64 g) {
  const FmaModulus m = modulus;
  const QuadFactors f = quad_factors(m, w, g);
  Quad last = load_quad<kFirst>(x, quarter);
  mul_two(m, last.c, f.w1, last.d, f.w1);
  add_and_subtract(last.a, last.c);
  add_and_subtract(last.b, last.d);
  for (i64 j = 4; j < quarter; j += 4) {
    Quad next = load_quad<kFirst>(x + j, quarter);
    forward_steps(m, f, next, last);
    store_quad(x + j - 4, quarter, last);
    last = next;
  }
  mul_two(m, last.b, f.w2, last.d, f.w3);
  add_and_subtract(last.a, last.b);
  add_and_subtract(last.c, last.d);
  store_quad(x + quarter - 4, quarter, last);
}

/// Two layers of `count` groups of 16 from group g; the first vector of each is reduced.
SINTER_TARGET_AVX2 void forward_sixteens(const FmaModulus& modulus, u64* x, i64 count,
                                         const double* w, i64 g) {
  const FmaModulus m = modulus;
  for (i64 c = 0; c < count; ++c, ++g, x += 16) {
    Quad v = load_quad<false>(x, 4);
    const __m256d w1 = _mm256_broadcast_sd(w + g);
    v.a = fma_reduce(m, v.a);
    forward(m, v.a, v.c, w1);
    forward(m, v.b, v.d, w1);
    forward(m, v.a, v.b, _mm256_broadcast_sd(w + 2 * g));
    forward(m, v.c, v.d, _mm256_broadcast_sd(w + 2 * g + 1));
    store_quad(x, 4, v);
  }
}
/// Eight values in the order of a layer, and the factors of that layer.
struct Eight {
  Pair v;
  __m256d w;
};
SINTER_INLINE_AVX2 Eight load_fours(const u64* x, const double* w) {
  return {load_swapped(reinterpret_cast<const double*>(x)), load_two_factors(w)};
}
SINTER_INLINE_AVX2 Eight forward_fours(const FmaModulus& m, Eight e, const double* next_w) {
  forward(m, e.v.x, e.v.y, e.w);
  return {swap_neighbours(e.v), _mm256_loadu_pd(next_w)};
}
SINTER_INLINE_AVX2 Pair forward_twos(const FmaModulus& m, Eight e) {
  forward(m, e.v.x, e.v.y, e.w);
  return e.v;
}
/// |v| < 8 q to canonical residues with kWordBias: floor((v + 1/2) / q) is exact (top of the file).
SINTER_INLINE_AVX2 __m256d floor_canonical(const FmaModulus& m, __m256d v) {
  const __m256d half = _mm256_mul_pd(_mm256_set1_pd(0.5), m.reciprocal);
  const __m256d k = _mm256_floor_pd(_mm256_fmadd_pd(v, m.reciprocal, half));
  return _mm256_fnmadd_pd(k, m.q, _mm256_add_pd(v, _mm256_set1_pd(kWordBias)));
}
SINTER_INLINE_AVX2 void store_words(const FmaModulus& m, u64* x, const Pair& twos) {
  const Pair v =
      swap_halves(swap_neighbours({floor_canonical(m, twos.x), floor_canonical(m, twos.y)}));
  store_biased(x, v.x);
  store_biased(x + 4, v.y);
}

/// The last two layers of n >= 32 values from group g of 4; words out. Four eights are under way at
/// a time, each at another step.
SINTER_TARGET_AVX2 void forward_last(const FmaModulus& modulus, u64* x, i64 n, const double* w,
                                     i64 g) {
  const FmaModulus m = modulus;
  const double *w4 = w + g, *w2 = w + 2 * g;
  Pair done = forward_twos(m, forward_fours(m, load_fours(x, w4), w2));
  Eight twos = forward_fours(m, load_fours(x + 8, w4 + 2), w2 + 4);
  Eight fours = load_fours(x + 16, w4 + 4);
  for (i64 i = 24; i < n; i += 8) {
    store_words(m, x + i - 24, done);
    done = forward_twos(m, twos);
    twos = forward_fours(m, fours, w2 + i / 2 - 4);
    fours = load_fours(x + i, w4 + i / 4);
  }
  store_words(m, x + n - 24, done);
  store_words(m, x + n - 16, forward_twos(m, twos));
  store_words(m, x + n - 8, forward_twos(m, forward_fours(m, fours, w2 + n / 2 - 4)));
}

/// All layers of group g of `size` values, size a power of 4 from 16.
template <bool kFirst>
SINTER_TARGET_AVX2 void forward_group(const FmaModulus& m, u64* x, i64 size, const double* w,
                                      i64 g) {
  if (size > 16) forward_quarters<kFirst>(m, x, size / 4, w, g);
  if (size > kResidentAvx2) {
    for (i64 c = 0; c < 4; ++c) forward_group<false>(m, x + c * (size / 4), size / 4, w, 4 * g + c);
    return;
  }
  for (i64 part = size / 4, parts = 4; part > 16; part /= 4, parts *= 4)
    for (i64 c = 0; c < parts; ++c)
      forward_quarters<false>(m, x + c * part, part / 4, w, g * parts + c);
  forward_sixteens(m, x, size / 16, w, g * (size / 16));
  forward_last(m, x, size, w, g * (size / 4));
}
}  // namespace

SINTER_TARGET_AVX2 void ntt_forward_avx2(const NttTables& tables, std::span<u64> span) {
  const i64 n = std::ssize(span);
  if (n < kSmallestAvx2) return ntt_forward_reference(tables, span);
  const FmaModulus m = fma_modulus(tables.modulus().value());
  const double* w = tables.forward_doubles().data();
  u64* x = span.data();
  if (std::countr_zero(u64(n)) % 2 == 0) return forward_group<true>(m, x, n, w, 1);
  const __m256d w1 = _mm256_set1_pd(w[1]);
  u64* y = x + n / 2;
  for (i64 j = 0; j < n / 2; j += 8) {
    __m256d a = load_words(x + j), b = load_words(y + j);
    __m256d c = load_words(x + j + 4), d = load_words(y + j + 4);
    forward(m, a, b, w1);
    forward(m, c, d, w1);
    store_doubles(x + j, a);
    store_doubles(y + j, b);
    store_doubles(x + j + 4, c);
    store_doubles(y + j + 4, d);
  }
  forward_group<false>(m, x, n / 2, w, 2);
  forward_group<false>(m, y, n / 2, w, 3);
}
}  // namespace sinter::ring
