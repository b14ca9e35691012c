// SPDX-License-Identifier: Apache-2.0
// Products with one factor: Shoup products in the plain loops, fma_mul in the AVX2 ones, where a
// difference of two residues, in (-q, q), needs no correction before the product.
#include "ring/fma_avx2.h"
#include "ring/kernels.h"

namespace sinter::ring {
namespace {

void scale_and_count_plain(const u64* x, const Modulus& modulus, const ShoupFactor& factor,
                           i64 begin, i64 end, double* y, double* fraction) {
  const Modulus f = modulus;
  const ShoupFactor w = factor;
  const double reciprocal = 1.0 / double(i64(f.value()));
  for (i64 i = begin; i < end; ++i) {
    y[i] = double(i64(f.mul(x[i], w)));
    fraction[i] += y[i] * reciprocal;
  }
}

SINTER_TARGET_AVX2 void scale_and_count_avx2(const u64* x, const Modulus& f, const ShoupFactor& w,
                                             i64 begin, i64 end, double* y, double* fraction) {
  const FmaModulus m = fma_modulus(f.value());
  const FmaFactor factor = fma_factor(m, centred(w.w, f.value()));
  const __m256d bias = _mm256_set1_pd(kWordBias);
  i64 i = begin;
  for (; i + 4 <= end; i += 4) {
    const __m256d product = fma_mul(m, load_words(x + i), factor);
    const __m256d v = _mm256_sub_pd(biased_canonical(m, product), bias);
    const __m256d share = _mm256_mul_pd(v, m.reciprocal);  // rounded as in the plain loop
    _mm256_storeu_pd(y + i, v);
    _mm256_storeu_pd(fraction + i, _mm256_add_pd(_mm256_loadu_pd(fraction + i), share));
  }
  scale_and_count_plain(x, f, w, i, end, y, fraction);
}

void scale_plain(const u64* x, const Modulus& modulus, const ShoupFactor& factor, i64 begin,
                 i64 end, u64* out) {
  const Modulus q = modulus;
  const ShoupFactor w = factor;
  for (i64 i = begin; i < end; ++i) out[i] = q.mul(x[i], w);
}

SINTER_TARGET_AVX2 void scale_avx2(const u64* x, const Modulus& q, const ShoupFactor& w, i64 begin,
                                   i64 end, u64* out) {
  const FmaModulus m = fma_modulus(q.value());
  const FmaFactor factor = fma_factor(m, centred(w.w, q.value()));
  i64 i = begin;
  for (; i + 4 <= end; i += 4) store_canonical(out + i, m, fma_mul(m, load_words(x + i), factor));
  scale_plain(x, q, w, i, end, out);
}

void subtract_and_scale_plain(const u64* x, const u64* y, const Modulus& modulus,
                              const ShoupFactor& factor, i64 begin, i64 end, u64* out) {
  const Modulus q = modulus;
  const ShoupFactor w = factor;
  for (i64 i = begin; i < end; ++i) out[i] = q.mul(x[i] + q.value() - y[i], w);
}

SINTER_TARGET_AVX2 void subtract_and_scale_avx2(const u64* x, const u64* y, const Modulus& q,
                                                const ShoupFactor& w, i64 begin, i64 end,
                                                u64* out) {
  const FmaModulus m = fma_modulus(q.value());
  const FmaFactor factor = fma_factor(m, centred(w.w, q.value()));
  i64 i = begin;
  for (; i + 4 <= end; i += 4) {
    const __m256d difference = _mm256_sub_pd(load_words(x + i), load_words(y + i));
    store_canonical(out + i, m, fma_mul(m, difference, factor));
  }
  subtract_and_scale_plain(x, y, q, w, i, end, out);
}

void split_mirrored_plain(const u64* x, const Modulus& modulus, const ShoupFactor& factor, i64 n,
                          i64 begin, u64* even, u64* odd) {
  const Modulus q = modulus;
  const ShoupFactor w = factor;
  for (i64 i = begin; i < n; ++i) {
    const u64 first = x[i], second = x[2 * n - 1 - i], sum = q.add(first, second);
    even[i] = (sum % 2 == 0 ? sum : sum + q.value()) / 2;
    if (odd != nullptr) odd[i] = q.mul(q.sub(first, second), w);
  }
}

SINTER_TARGET_AVX2 void split_mirrored_avx2(const u64* x, const Modulus& q, const ShoupFactor& w,
                                            i64 n, i64 begin, u64* even, u64* odd) {
  const FmaModulus m = fma_modulus(q.value());
  const FmaFactor factor = fma_factor(m, centred(w.w, q.value()));
  const FmaFactor half = fma_factor(m, centred((q.value() + 1) / 2, q.value()));
  i64 i = begin;
  for (; i + 4 <= n; i += 4) {
    const __m256d first = load_words(x + i),
                  second = _mm256_permute4x64_pd(load_words(x + 2 * n - 4 - i), 0x1B);
    store_canonical(even + i, m, fma_mul(m, _mm256_add_pd(first, second), half));
    if (odd != nullptr)
      store_canonical(odd + i, m, fma_mul(m, _mm256_sub_pd(first, second), factor));
  }
  split_mirrored_plain(x, q, w, n, i, even, odd);
}

void reduce_centred_plain(const u64* x, const Modulus& divisor, const Modulus& modulus, i64 begin,
                          i64 end, u64* out) {
  const Modulus q = modulus;
  const u64 middle = divisor.value() / 2, negative = q.negate(q.reduce_word(divisor.value()));
  for (i64 i = begin; i < end; ++i) out[i] = q.reduce_word(x[i] + (x[i] > middle ? negative : 0));
}

SINTER_TARGET_AVX2 void reduce_centred_avx2(const u64* x, const Modulus& divisor, const Modulus& q,
                                            i64 begin, i64 end, u64* out) {
  const FmaModulus m = fma_modulus(q.value());
  const __m256d whole = _mm256_set1_pd(double(i64(divisor.value())));
  const __m256d middle = _mm256_set1_pd(double(i64(divisor.value() / 2)));
  i64 i = begin;
  for (; i + 4 <= end; i += 4) {
    const __m256d v = load_words(x + i), is_above = _mm256_cmp_pd(v, middle, _CMP_GT_OQ);
    const __m256d difference = _mm256_sub_pd(v, _mm256_and_pd(is_above, whole));
    store_canonical(out + i, m, fma_reduce(m, difference));
  }
  reduce_centred_plain(x, divisor, q, i, end, out);
}

}  // namespace

void scale_and_count(const u64* x, const Modulus& f, const ShoupFactor& w, i64 n, double* y,
                     double* fraction, Isa isa) {
  const auto run = isa >= Isa::avx2 ? scale_and_count_avx2 : scale_and_count_plain;
  run(x, f, w, 0, n, y, fraction);
}

void scale(const u64* x, const Modulus& q, const ShoupFactor& w, i64 n, u64* out, Isa isa) {
  const auto run = isa >= Isa::avx2 ? scale_avx2 : scale_plain;
  run(x, q, w, 0, n, out);
}

void subtract_and_scale(const u64* x, const u64* y, const Modulus& q, const ShoupFactor& w, i64 n,
                        u64* out, Isa isa) {
  const auto run = isa >= Isa::avx2 ? subtract_and_scale_avx2 : subtract_and_scale_plain;
  run(x, y, q, w, 0, n, out);
}

void split_mirrored(const u64* x, const Modulus& q, const ShoupFactor& w, i64 n, u64* even,
                    u64* odd, Isa isa) {
  const auto run = isa >= Isa::avx2 ? split_mirrored_avx2 : split_mirrored_plain;
  run(x, q, w, n, 0, even, odd);
}

void reduce_centred(const u64* x, const Modulus& divisor, const Modulus& q, i64 n, u64* out,
                    Isa isa) {
  const auto run = isa >= Isa::avx2 ? reduce_centred_avx2 : reduce_centred_plain;
  run(x, divisor, q, 0, n, out);
}

}  // namespace sinter::ring
