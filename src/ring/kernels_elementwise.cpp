// SPDX-License-Identifier: Apache-2.0
// Sums and products position by position. Sums stay in words: residues are below 2^48, so the sign
// bit of x + y - q or x - y chooses between it and its sum with q. Products go through doubles
// (fma_product).
//
// A product added to a residue s: with h = RN(x y), l = x y - h and k = round(h / q + s / q) the
// value (h - k q) + (l + s) is at most 0.6 q, by the argument of fma_product. h - k q = r - l - s
// is an integer below 2^50, so its fma is exact.
#include <cmath>

#include "ring/fma_avx2.h"
#include "ring/kernels.h"

namespace sinter::ring {
namespace {

SINTER_INLINE_AVX2 __m256i load_raw(const u64* x) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
}
SINTER_INLINE_AVX2 void store_raw(u64* x, __m256i v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(x), v);
}
/// (-q, q) as signed words to [0, q).
SINTER_INLINE_AVX2 __m256i correct(__m256i v, __m256i q) {
  const __m256d raised = _mm256_castsi256_pd(_mm256_add_epi64(v, q));
  const __m256d same = _mm256_castsi256_pd(v);
  return _mm256_castpd_si256(_mm256_blendv_pd(same, raised, same));
}

void add_plain(const u64* x, const u64* y, const Modulus& modulus, i64 begin, i64 end, u64* out) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) out[i] = q.add(x[i], y[i]);
}
SINTER_TARGET_AVX2 void add_avx2(const u64* x, const u64* y, const Modulus& modulus, i64 begin,
                                 i64 end, u64* out) {
  const __m256i q = _mm256_set1_epi64x(i64(modulus.value()));
  i64 i = begin;
  for (; i + 4 <= end; i += 4) {
    const __m256i sum = _mm256_add_epi64(load_raw(x + i), load_raw(y + i));
    store_raw(out + i, correct(_mm256_sub_epi64(sum, q), q));
  }
  add_plain(x, y, modulus, i, end, out);
}

void subtract_plain(const u64* x, const u64* y, const Modulus& modulus, i64 begin, i64 end,
                    u64* out) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) out[i] = q.sub(x[i], y[i]);
}
SINTER_TARGET_AVX2 void subtract_avx2(const u64* x, const u64* y, const Modulus& modulus, i64 begin,
                                      i64 end, u64* out) {
  const __m256i q = _mm256_set1_epi64x(i64(modulus.value()));
  i64 i = begin;
  for (; i + 4 <= end; i += 4)
    store_raw(out + i, correct(_mm256_sub_epi64(load_raw(x + i), load_raw(y + i)), q));
  subtract_plain(x, y, modulus, i, end, out);
}

void negate_plain(const u64* x, const Modulus& modulus, i64 begin, i64 end, u64* out) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) out[i] = q.negate(x[i]);
}
SINTER_TARGET_AVX2 void negate_avx2(const u64* x, const Modulus& modulus, i64 begin, i64 end,
                                    u64* out) {
  const __m256i q = _mm256_set1_epi64x(i64(modulus.value())), zero = _mm256_setzero_si256();
  i64 i = begin;
  for (; i + 4 <= end; i += 4)
    store_raw(out + i, correct(_mm256_sub_epi64(zero, load_raw(x + i)), q));
  negate_plain(x, modulus, i, end, out);
}

void add_constant_plain(const u64* x, u64 constant, const Modulus& modulus, i64 begin, i64 end,
                        u64* out) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) out[i] = q.add(x[i], constant);
}
SINTER_TARGET_AVX2 void add_constant_avx2(const u64* x, u64 constant, const Modulus& modulus,
                                          i64 begin, i64 end, u64* out) {
  const __m256i q = _mm256_set1_epi64x(i64(modulus.value()));
  const __m256i shift = _mm256_set1_epi64x(i64(constant) - i64(modulus.value()));
  i64 i = begin;
  for (; i + 4 <= end; i += 4)
    store_raw(out + i, correct(_mm256_add_epi64(load_raw(x + i), shift), q));
  add_constant_plain(x, constant, modulus, i, end, out);
}

void multiply_plain(const u64* x, const u64* y, const Modulus& modulus, i64 begin, i64 end,
                    u64* out) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) out[i] = q.mul(x[i], y[i]);
}
SINTER_TARGET_AVX2 void multiply_avx2(const u64* x, const u64* y, const Modulus& q, i64 begin,
                                      i64 end, u64* out) {
  const FmaModulus m = fma_modulus(q.value());
  i64 i = begin;
  for (; i + 4 <= end; i += 4)
    store_canonical(out + i, m, fma_product(m, load_words(x + i), load_words(y + i)));
  multiply_plain(x, y, q, i, end, out);
}

void multiply_and_add_plain(const u64* x, const u64* y, const Modulus& modulus, i64 begin, i64 end,
                            u64* sum) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) sum[i] = q.reduce(u128(x[i]) * y[i] + sum[i]);
}
/// The top of the file.
SINTER_INLINE_AVX2 __m256d fma_product_plus(const FmaModulus& m, __m256d x, __m256d y, __m256d s) {
  const __m256d h = _mm256_mul_pd(x, y), l = _mm256_fmsub_pd(x, y, h);
  const __m256d share = _mm256_mul_pd(s, m.reciprocal);
  const __m256d k = round_to_integer(_mm256_fmadd_pd(h, m.reciprocal, share));
  return _mm256_add_pd(_mm256_fnmadd_pd(k, m.q, h), _mm256_add_pd(l, s));
}
SINTER_TARGET_AVX2 void multiply_and_add_avx2(const u64* x, const u64* y, const Modulus& q,
                                              i64 begin, i64 end, u64* sum) {
  const FmaModulus m = fma_modulus(q.value());
  i64 i = begin;
  for (; i + 4 <= end; i += 4)
    store_canonical(sum + i, m,
                    fma_product_plus(m, load_words(x + i), load_words(y + i), load_words(sum + i)));
  multiply_and_add_plain(x, y, q, i, end, sum);
}

void scale_and_add_plain(const u64* x, const Modulus& modulus, const ShoupFactor& factor, i64 begin,
                         i64 end, u64* sum) {
  const Modulus q = modulus;
  const ShoupFactor w = factor;
  for (i64 i = begin; i < end; ++i) sum[i] = q.add(q.mul(x[i], w), sum[i]);
}
SINTER_TARGET_AVX2 void scale_and_add_avx2(const u64* x, const Modulus& q, const ShoupFactor& w,
                                           i64 begin, i64 end, u64* sum) {
  const FmaModulus m = fma_modulus(q.value());
  const __m256d factor = _mm256_set1_pd(double(i64(w.w)));
  i64 i = begin;
  for (; i + 4 <= end; i += 4)
    store_canonical(sum + i, m,
                    fma_product_plus(m, load_words(x + i), factor, load_words(sum + i)));
  scale_and_add_plain(x, q, w, i, end, sum);
}

void multiply_pairs_plain(const RowPair& x, const RowPair& y, const Modulus& modulus, i64 begin,
                          i64 end, u64* out0, u64* out1, u64* out2) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) {
    const u64 x0 = x.first[i], x1 = x.second[i], y0 = y.first[i], y1 = y.second[i];
    out0[i] = q.mul(x0, y0);
    out1[i] = q.reduce(u128(x0) * y1 + u128(x1) * y0);
    out2[i] = q.mul(x1, y1);
  }
}
/// The middle one: two products of at most 0.6 q, reduced once more.
SINTER_TARGET_AVX2 void multiply_pairs_avx2(const RowPair& x, const RowPair& y, const Modulus& q,
                                            i64 begin, i64 end, u64* out0, u64* out1, u64* out2) {
  const FmaModulus m = fma_modulus(q.value());
  i64 i = begin;
  for (; i + 4 <= end; i += 4) {
    const __m256d x0 = load_words(x.first + i), x1 = load_words(x.second + i);
    const __m256d y0 = load_words(y.first + i), y1 = load_words(y.second + i);
    store_canonical(out0 + i, m, fma_product(m, x0, y0));
    const __m256d middle = _mm256_add_pd(fma_product(m, x0, y1), fma_product(m, x1, y0));
    store_canonical(out1 + i, m, fma_reduce(m, middle));
    store_canonical(out2 + i, m, fma_product(m, x1, y1));
  }
  multiply_pairs_plain(x, y, q, i, end, out0, out1, out2);
}

u64 reduce_integer(double x, const Modulus& q) {
  if (std::abs(x) < 0x1p62) return q.reduce_signed(i64(x));
  int exponent = 0;  // x = digits 2^(exponent - 53)
  const double mantissa = std::frexp(x, &exponent);
  return q.mul(q.reduce_signed(i64(std::ldexp(mantissa, 53))), q.pow(2, u64(exponent - 53)));
}
void reduce_integers_plain(const double* x, const Modulus& modulus, i64 begin, i64 end, u64* out) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) out[i] = reduce_integer(x[i], q);
}
/// x / q is off by |x / q| 2^-52 and half an integer when it becomes k, so |x - k q| < 2^49 for
/// |x| < 2^100: the fma is exact, and fma_reduce accepts it.
SINTER_TARGET_AVX2 void reduce_integers_avx2(const double* x, const Modulus& q, i64 begin, i64 end,
                                             u64* out) {
  const FmaModulus m = fma_modulus(q.value());
  i64 i = begin;
  for (; i + 4 <= end; i += 4)
    store_canonical(out + i, m, fma_reduce(m, fma_reduce(m, _mm256_loadu_pd(x + i))));
  reduce_integers_plain(x, q, i, end, out);
}

}  // namespace

void add(const u64* x, const u64* y, const Modulus& q, i64 n, u64* out, Isa isa) {
  (isa >= Isa::avx2 ? add_avx2 : add_plain)(x, y, q, 0, n, out);
}

void subtract(const u64* x, const u64* y, const Modulus& q, i64 n, u64* out, Isa isa) {
  (isa >= Isa::avx2 ? subtract_avx2 : subtract_plain)(x, y, q, 0, n, out);
}

void negate(const u64* x, const Modulus& q, i64 n, u64* out, Isa isa) {
  (isa >= Isa::avx2 ? negate_avx2 : negate_plain)(x, q, 0, n, out);
}

void add_constant(const u64* x, u64 constant, const Modulus& q, i64 n, u64* out, Isa isa) {
  (isa >= Isa::avx2 ? add_constant_avx2 : add_constant_plain)(x, constant, q, 0, n, out);
}

void multiply(const u64* x, const u64* y, const Modulus& q, i64 n, u64* out, Isa isa) {
  (isa >= Isa::avx2 ? multiply_avx2 : multiply_plain)(x, y, q, 0, n, out);
}

void multiply_and_add(const u64* x, const u64* y, const Modulus& q, i64 n, u64* sum, Isa isa) {
  (isa >= Isa::avx2 ? multiply_and_add_avx2 : multiply_and_add_plain)(x, y, q, 0, n, sum);
}

void scale_and_add(const u64* x, const Modulus& q, const ShoupFactor& w, i64 n, u64* sum, Isa isa) {
  (isa >= Isa::avx2 ? scale_and_add_avx2 : scale_and_add_plain)(x, q, w, 0, n, sum);
}

void multiply_pairs(const RowPair& x, const RowPair& y, const Modulus& q, i64 n, u64* out0,
                    u64* out1, u64* out2, Isa isa) {
  const auto run = isa >= Isa::avx2 ? multiply_pairs_avx2 : multiply_pairs_plain;
  run(x, y, q, 0, n, out0, out1, out2);
}

void reduce_integers(const double* x, const Modulus& q, i64 n, u64* out, Isa isa) {
  (isa >= Isa::avx2 ? reduce_integers_avx2 : reduce_integers_plain)(x, q, 0, n, out);
}

}  // namespace sinter::ring
