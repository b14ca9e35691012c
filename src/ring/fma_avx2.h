// SPDX-License-Identifier: Apache-2.0
// Residues modulo q < 2^48 as doubles, four to an AVX2 register. Every value is an integer below
// 2^53 in magnitude, so all sums and products here are exact or carry their own correction.
//
// Product of |a| <= A <= 16 * 2^48 and |w| <= q/2 (centred factors):
//   h = RN(a w)   l = fma(a, w, -h), exact   k = round(RN(a RN(w RN(1/q))))   r = fma(-k, q, h) + l
// Three roundings of relative size 2^-53 lie between a w / q and what is rounded to k, so
//   r = a w (mod q),   |r| <= (1/2 + e) q   with   e = 1.51 A 2^-53 <= 0.76.
// h - k q = r - l is an integer (h is a multiple of a power of two >= 1, or below 2^53) of
// magnitude at most 1.26 q + 2^46 < 2^53: the second fma is exact, and so is the last sum.
//
// Source: van der Hoeven, Lecerf, Quintin, "Modular SIMD arithmetic in Mathemagix", 2016.
#pragma once
#include <immintrin.h>

#include "base/cpu.h"
#include "base/types.h"

/// Helpers of kernels: part of the function that calls them.
#define SINTER_INLINE_AVX2 SINTER_TARGET_AVX2 __attribute__((always_inline)) inline

namespace sinter::ring {

/// Adding 2^52 to an integer in [0, 2^52) puts it into the low bits of the word.
inline constexpr double kWordBias = 0x1p52;

/// The representative of least magnitude of a residue, q odd.
inline double centred(u64 residue, u64 q) {
  return residue > q / 2 ? -double(i64(q - residue)) : double(i64(residue));
}

/// q and 1/q in every lane.
struct FmaModulus {
  __m256d q, reciprocal;
};

SINTER_INLINE_AVX2 FmaModulus fma_modulus(u64 q) {
  return {_mm256_set1_pd(double(i64(q))), _mm256_set1_pd(1.0 / double(i64(q)))};
}

SINTER_INLINE_AVX2 __m256d round_to_integer(__m256d x) {
  return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/// A centred factor with its quotient by q, which keeps one product out of the dependency chain.
struct FmaFactor {
  __m256d w, quotient;
};

SINTER_INLINE_AVX2 FmaFactor fma_factor(const FmaModulus& m, __m256d w) {
  return {w, _mm256_mul_pd(w, m.reciprocal)};
}
SINTER_INLINE_AVX2 FmaFactor fma_factor(const FmaModulus& m, double w) {
  return fma_factor(m, _mm256_set1_pd(w));
}

/// a w modulo q as at the top of the file.
SINTER_INLINE_AVX2 __m256d fma_mul(const FmaModulus& m, __m256d a, const FmaFactor& f) {
  const __m256d h = _mm256_mul_pd(a, f.w), l = _mm256_fmsub_pd(a, f.w, h);
  const __m256d k = round_to_integer(_mm256_mul_pd(a, f.quotient));
  return _mm256_add_pd(_mm256_fnmadd_pd(k, m.q, h), l);
}

/// x y modulo q for two residues in [0, q): x y / q is below 2^48, so three roundings shift it by
/// less than 0.1 before it becomes k, and the result is at most 0.6 q.
SINTER_INLINE_AVX2 __m256d fma_product(const FmaModulus& m, __m256d x, __m256d y) {
  const __m256d h = _mm256_mul_pd(x, y), l = _mm256_fmsub_pd(x, y, h);
  const __m256d k = round_to_integer(_mm256_mul_pd(h, m.reciprocal));
  return _mm256_add_pd(_mm256_fnmadd_pd(k, m.q, h), l);
}

/// x modulo q for |x| < 2^53: x / q is off by at most |x / q| 2^-52 before it is rounded to k, so
/// the result is at most (1/2 + |x / q| 2^-52) q, below q for every q > 4.
/// For larger x, multiples of a power of two, see kernels_sum.cpp.
SINTER_INLINE_AVX2 __m256d fma_reduce(const FmaModulus& m, __m256d x) {
  return _mm256_fnmadd_pd(round_to_integer(_mm256_mul_pd(x, m.reciprocal)), m.q, x);
}

/// Words in [0, 2^52) to doubles.
SINTER_INLINE_AVX2 __m256d to_doubles(__m256i words) {
  const __m256d bias = _mm256_set1_pd(kWordBias);
  return _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(words), bias), bias);
}
SINTER_INLINE_AVX2 __m256d load_words(const u64* x) {
  return to_doubles(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}

/// (-q, q), never -0 (no result of fma_mul or fma_reduce is), to canonical residues with kWordBias.
SINTER_INLINE_AVX2 __m256d biased_canonical(const FmaModulus& m, __m256d x) {
  const __m256d biased = _mm256_add_pd(x, _mm256_set1_pd(kWordBias));
  return _mm256_blendv_pd(biased, _mm256_add_pd(biased, m.q), x);
}

/// Residues with kWordBias to words.
SINTER_INLINE_AVX2 void store_biased(u64* x, __m256d biased) {
  const __m256d words = _mm256_xor_pd(biased, _mm256_set1_pd(kWordBias));
  _mm256_storeu_pd(reinterpret_cast<double*>(x), words);
}
SINTER_INLINE_AVX2 void store_canonical(u64* x, const FmaModulus& m, __m256d v) {
  store_biased(x, biased_canonical(m, v));
}

}  // namespace sinter::ring
