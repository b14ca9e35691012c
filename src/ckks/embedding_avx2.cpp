// SPDX-License-Identifier: Apache-2.0
// The layers of the embedding, two complex numbers to a register and two layers to a pass. Blocks
// are finished depth first, so that all layers below kBlock values run in the first-level cache.
// Built without fused multiply-add: every product and sum rounds as in the plain loops of
// embedding.cpp, and the results are the same bit for bit.
#include <immintrin.h>

#include "ckks/detail/embedding.h"

#define SINTER_TARGET_AVX2_UNFUSED __attribute__((target("avx2")))
#define SINTER_INLINE_UNFUSED SINTER_TARGET_AVX2_UNFUSED __attribute__((always_inline)) inline

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;

constexpr i64 kBlock = 1024;  // 16 KiB

SINTER_INLINE_UNFUSED void load(const Complex* x, __m256d& v) {
  v = _mm256_loadu_pd(reinterpret_cast<const double*>(x));
}
SINTER_INLINE_UNFUSED void load(const Complex* x, __m128d& v) {
  v = _mm_loadu_pd(reinterpret_cast<const double*>(x));
}
SINTER_INLINE_UNFUSED void store(Complex* x, __m256d v) {
  _mm256_storeu_pd(reinterpret_cast<double*>(x), v);
}
SINTER_INLINE_UNFUSED void store(Complex* x, __m128d v) {
  _mm_storeu_pd(reinterpret_cast<double*>(x), v);
}

/// (a_re w_re - a_im w_im, a_im w_re + a_re w_im)
SINTER_INLINE_UNFUSED __m256d product(__m256d a, __m256d w) {
  const __m256d re = _mm256_movedup_pd(w), im = _mm256_permute_pd(w, 15);
  return _mm256_addsub_pd(_mm256_mul_pd(a, re), _mm256_mul_pd(_mm256_permute_pd(a, 5), im));
}
SINTER_INLINE_UNFUSED __m128d product(__m128d a, __m128d w) {
  const __m128d re = _mm_movedup_pd(w), im = _mm_permute_pd(w, 3);
  return _mm_addsub_pd(_mm_mul_pd(a, re), _mm_mul_pd(_mm_permute_pd(a, 1), im));
}
SINTER_INLINE_UNFUSED __m256d conjugate(__m256d w) {
  return _mm256_xor_pd(w, _mm256_setr_pd(0.0, -0.0, 0.0, -0.0));
}
SINTER_INLINE_UNFUSED __m128d conjugate(__m128d w) { return _mm_xor_pd(w, _mm_setr_pd(0.0, -0.0)); }

/// The layers of length 4 q and 2 q at positions j, j + q, j + 2q, j + 3q of a block.
template <class V>
SINTER_INLINE_UNFUSED void down_four(Complex* x, const Complex* roots, i64 q) {
  V a, b, c, d, w;
  load(x, a), load(x + q, b), load(x + 2 * q, c), load(x + 3 * q, d);
  const V ac = a + c, bd = b + d;
  load(roots + 2 * q, w);
  c = product(a - c, conjugate(w));
  load(roots + 3 * q, w);
  d = product(b - d, conjugate(w));
  load(roots + q, w);
  w = conjugate(w);
  store(x, ac + bd);
  store(x + q, product(ac - bd, w));
  store(x + 2 * q, c + d);
  store(x + 3 * q, product(c - d, w));
}

/// The layers of length 2 q and 4 q.
template <class V>
SINTER_INLINE_UNFUSED void up_four(Complex* x, const Complex* roots, i64 q) {
  V a, b, c, d, w;
  load(x, a), load(x + q, b), load(x + 2 * q, c), load(x + 3 * q, d);
  load(roots + q, w);
  b = product(b, w);
  d = product(d, w);
  const V sum = a + b, difference = a - b;
  load(roots + 2 * q, w);
  const V first = product(c + d, w);
  load(roots + 3 * q, w);
  const V second = product(c - d, w);
  store(x, sum + first);
  store(x + q, difference + second);
  store(x + 2 * q, sum - first);
  store(x + 3 * q, difference - second);
}

/// Both layers of all blocks of length 4 q in [0, n).
SINTER_TARGET_AVX2_UNFUSED void down_pass(Complex* x, const Complex* roots, i64 n, i64 q) {
  for (i64 block = 0; block < n; block += 4 * q) {
    if (q == 1)
      down_four<__m128d>(x + block, roots, q);
    else
      for (i64 j = 0; j < q; j += 2) down_four<__m256d>(x + block + j, roots + j, q);
  }
}
SINTER_TARGET_AVX2_UNFUSED void up_pass(Complex* x, const Complex* roots, i64 n, i64 q) {
  for (i64 block = 0; block < n; block += 4 * q) {
    if (q == 1)
      up_four<__m128d>(x + block, roots, q);
    else
      for (i64 j = 0; j < q; j += 2) up_four<__m256d>(x + block + j, roots + j, q);
  }
}

/// The layer of length 2.
SINTER_TARGET_AVX2_UNFUSED void last_layer_down(Complex* x, const Complex* roots, i64 n) {
  __m128d a, b, w;
  load(roots + 1, w);
  for (i64 i = 0; i < n; i += 2) {
    load(x + i, a), load(x + i + 1, b);
    store(x + i, a + b);
    store(x + i + 1, product(a - b, conjugate(w)));
  }
}
SINTER_TARGET_AVX2_UNFUSED void first_layer_up(Complex* x, const Complex* roots, i64 n) {
  __m128d a, b, w;
  load(roots + 1, w);
  for (i64 i = 0; i < n; i += 2) {
    load(x + i, a), load(x + i + 1, b);
    b = product(b, w);
    store(x + i, a + b);
    store(x + i + 1, a - b);
  }
}

}  // namespace

void embedding_down_avx2(const Complex* roots, Complex* x, i64 n) {
  if (n > kBlock) {
    down_pass(x, roots, n, n / 4);
    for (i64 part = 0; part < n; part += n / 4) embedding_down_avx2(roots, x + part, n / 4);
    return;
  }
  i64 length = n;
  for (; length >= 4; length /= 4) down_pass(x, roots, n, length / 4);
  if (length == 2) last_layer_down(x, roots, n);
}

void embedding_up_avx2(const Complex* roots, Complex* x, i64 n) {
  if (n > kBlock) {
    for (i64 part = 0; part < n; part += n / 4) embedding_up_avx2(roots, x + part, n / 4);
    up_pass(x, roots, n, n / 4);
    return;
  }
  i64 length = 4;
  for (i64 left = n; left >= 4; left /= 4)
    if (left / 4 == 2) {  // an odd number of layers
      first_layer_up(x, roots, n);
      length = 8;
    }
  if (n == 2) first_layer_up(x, roots, n);
  for (; length <= n; length *= 4) up_pass(x, roots, n, length / 4);
}

}  // namespace sinter::ckks
