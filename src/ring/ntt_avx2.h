// SPDX-License-Identifier: Apache-2.0
// The transforms on doubles (fma_avx2.h), two layers per pass over the data, q < 2^48, sizes from
// 64. Between the first pass, which converts the residues, and the last one, which gives canonical
// residues back, the memory of the words holds doubles.
//
// The groups of all layers form a binary tree as in a heap: the group of factor w[g] splits into
// those of w[2g] and w[2g+1]. Groups too large for the first-level cache are split by one pass and
// then finished one after the other; a group that fits goes pass by pass. The two layers between
// neighbours work on eight values in two vectors. An odd number of layers begins (inverse: ends)
// with one layer alone.
//
// A layer is a chain of about 16 cycles of latency, eight operations long; a processor that sees
// some 200 operations ahead fills its four pipes only when few chains of one pass are in line. So
// every loop holds several positions, each at another step: the outer layer of one beside the inner
// layer of the position before it, and so on.
#pragma once
#include "ring/fma_avx2.h"

namespace sinter::ring {

/// Shorter transforms are left to the reference.
inline constexpr i64 kSmallestAvx2 = 64;
/// Doubles: 16 KiB, half of the smallest first-level cache.
inline constexpr i64 kResidentAvx2 = i64(1) << 11;

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

/// a w modulo q with k taken from RN(a w): for factors that are used once or twice.
SINTER_INLINE_AVX2 __m256d mul_once(const FmaModulus& m, __m256d a, __m256d w) {
  const __m256d h = _mm256_mul_pd(a, w), l = _mm256_fmsub_pd(a, w, h);
  const __m256d k = round_to_integer(_mm256_mul_pd(h, m.reciprocal));
  return _mm256_add_pd(_mm256_fnmadd_pd(k, m.q, h), l);
}

/// Four vectors of a group, one of each quarter.
struct Quad {
  __m256d a, b, c, d;
};

template <bool kWords>
SINTER_INLINE_AVX2 Quad load_quad(const u64* x, i64 quarter) {
  return {load<kWords>(x), load<kWords>(x + quarter), load<kWords>(x + 2 * quarter),
          load<kWords>(x + 3 * quarter)};
}
SINTER_INLINE_AVX2 void store_quad(u64* x, i64 quarter, const Quad& v) {
  store_doubles(x, v.a);
  store_doubles(x + quarter, v.b);
  store_doubles(x + 2 * quarter, v.c);
  store_doubles(x + 3 * quarter, v.d);
}

/// Two products in steps that alternate.
SINTER_INLINE_AVX2 void mul_two(const FmaModulus& m, __m256d& y0, const FmaFactor& f0, __m256d& y1,
                                const FmaFactor& f1) {
  const __m256d p0 = _mm256_mul_pd(y0, f0.quotient), p1 = _mm256_mul_pd(y1, f1.quotient);
  const __m256d h0 = _mm256_mul_pd(y0, f0.w), h1 = _mm256_mul_pd(y1, f1.w);
  const __m256d k0 = round_to_integer(p0), k1 = round_to_integer(p1);
  const __m256d l0 = _mm256_fmsub_pd(y0, f0.w, h0), l1 = _mm256_fmsub_pd(y1, f1.w, h1);
  y0 = _mm256_add_pd(_mm256_fnmadd_pd(k0, m.q, h0), l0);
  y1 = _mm256_add_pd(_mm256_fnmadd_pd(k1, m.q, h1), l1);
}
SINTER_INLINE_AVX2 void add_and_subtract(__m256d& x, __m256d& y) {
  const __m256d sum = _mm256_add_pd(x, y);
  y = _mm256_sub_pd(x, y);
  x = sum;
}

/// w1 of the outer layer; w2, w3 of the inner one.
struct QuadFactors {
  FmaFactor w1, w2, w3;
};
SINTER_INLINE_AVX2 QuadFactors quad_factors(const FmaModulus& m, const double* w, i64 g) {
  return {fma_factor(m, w[g]), fma_factor(m, w[2 * g]), fma_factor(m, w[2 * g + 1])};
}
/// (a, a, b, b) of two factors.
SINTER_INLINE_AVX2 __m256d load_two_factors(const double* w) {
  const __m256d both = _mm256_broadcast_pd(reinterpret_cast<const __m128d*>(w));
  return _mm256_permute_pd(both, 0xC);
}

/// Eight values in two vectors.
struct Pair {
  __m256d x, y;
};
/// (0 1 2 3), (4 5 6 7) to (0 1 4 5), (2 3 6 7), and back.
SINTER_INLINE_AVX2 Pair swap_halves(const Pair& v) {
  return {_mm256_permute2f128_pd(v.x, v.y, 0x20), _mm256_permute2f128_pd(v.x, v.y, 0x31)};
}
/// (0 1 4 5), (2 3 6 7) to (0 2 4 6), (1 3 5 7), and back.
SINTER_INLINE_AVX2 Pair swap_neighbours(const Pair& v) {
  return {_mm256_unpacklo_pd(v.x, v.y), _mm256_unpackhi_pd(v.x, v.y)};
}

/// swap_halves of eight doubles in memory: halves repeated by the load, then chosen.
SINTER_INLINE_AVX2 Pair load_swapped(const double* x) {
  const __m256d low = _mm256_broadcast_pd(reinterpret_cast<const __m128d*>(x + 4));
  const __m256d high = _mm256_broadcast_pd(reinterpret_cast<const __m128d*>(x + 2));
  return {_mm256_blend_pd(_mm256_loadu_pd(x), low, 0xC),
          _mm256_blend_pd(high, _mm256_loadu_pd(x + 4), 0xC)};
}
}  // namespace sinter::ring
