// SPDX-License-Identifier: Apache-2.0
// Sums of products. The plain loops add 128-bit products and reduce at the end. The AVX2 loops add
// exactly in two doubles per sum:
//   S' = RN(S + x y)   t = S' - S   L' = L + fma(x, y, -t)     S starts at C = 1.5 * 2^101
// While S stays in [2^101, 2^102] it is a multiple of 2^49, so t is exact, x y - t is an integer of
// magnitude at most 2^48, and the sum is (S - C) + L. That holds for 16 products below 2^96
// (together below 2^100); then L is at most 2^52, plus 2^51 at the start. The two parts become one:
//   H = S - C   r = fma(-round(H / q), q, H) + L
// H / q is off by less than 1 from its rounded value when |H| <= 2^52 q, which 16 products with a
// factor below q fulfil; so |H - k q| < 2 q < 2^49 and |r| < 2^53. r is reduced once more.
// H may also be 2^49 for a small q: H / q < 2^48 then, and its error is smaller still.
#include <algorithm>

#include "ring/fma_avx2.h"
#include "ring/kernels.h"

namespace sinter::ring {
namespace {

constexpr i64 kMaxPlainTerms = i64(1) << 13;  // of 2^14 that Modulus::reduce accepts
constexpr i64 kMaxExactTerms = 16;
constexpr double kStart = 0x1.8p101;
// Words from what is being multiplied to what is being fetched: more rows than the hardware's
// prefetcher follows, from memory.
constexpr i64 kAhead = 64;

/// Positions [begin, end).
void sum_products_plain(std::span<const PairTerm> terms, const Modulus& modulus, i64 begin, i64 end,
                        u64* out0, u64* out1) {
  const Modulus q = modulus;
  for (i64 i = begin; i < end; ++i) {
    u128 sum0 = 0, sum1 = 0;
    i64 left = kMaxPlainTerms;
    for (const PairTerm& t : terms) {
      const u64 factor = t.factor[i >> t.shift];
      sum0 += u128(factor) * t.first[i];
      sum1 += u128(factor) * t.second[i];
      if (--left == 0) sum0 = q.reduce(sum0), sum1 = q.reduce(sum1), left = kMaxPlainTerms;
    }
    out0[i] = q.reduce(sum0);
    out1[i] = q.reduce(sum1);
  }
}

/// S and L of the top of the file.
struct ExactSum {
  __m256d high, low;
};

SINTER_INLINE_AVX2 void add_product(ExactSum& s, __m256d x, __m256d y) {
  const __m256d high = _mm256_fmadd_pd(x, y, s.high);
  s.low = _mm256_add_pd(s.low, _mm256_fmsub_pd(x, y, _mm256_sub_pd(high, s.high)));
  s.high = high;
}

/// The sum modulo q, in (-q, q).
SINTER_INLINE_AVX2 __m256d collapse(const FmaModulus& m, const ExactSum& s) {
  const __m256d high = _mm256_sub_pd(s.high, _mm256_set1_pd(kStart));
  return fma_reduce(m, _mm256_add_pd(fma_reduce(m, high), s.low));
}
SINTER_INLINE_AVX2 void restart(const FmaModulus& m, ExactSum& s) {
  s.low = collapse(m, s);
  s.high = _mm256_set1_pd(kStart);
}

/// The factors of positions i..i+3, i a multiple of 4.
SINTER_INLINE_AVX2 __m256d load_factors(const u64* x, i64 i, int shift) {
  if (shift == 0) return load_words(x + i);
  const i64 first = i64(x[i >> shift]), last = i64(x[(i + 2) >> shift]);
  return to_doubles(_mm256_set_epi64x(last, last, first, first));
}

/// Beyond the end of a row it fetches what is not needed, which does no harm.
SINTER_INLINE_AVX2 void fetch(const u64* x) {
  _mm_prefetch(reinterpret_cast<const char*>(x), _MM_HINT_T0);
}

/// Eight positions: a whole cache line of every row, because more rows than the first-level cache
/// has ways may share one set.
SINTER_TARGET_AVX2 void sum_products_avx2(std::span<const PairTerm> terms, const Modulus& q,
                                          i64 begin, i64 end, u64* out0, u64* out1) {
  const FmaModulus m = fma_modulus(q.value());
  const PairTerm* const all = terms.data();
  const i64 count = std::ssize(terms);
  const ExactSum zero{_mm256_set1_pd(kStart), _mm256_setzero_pd()};
  i64 i = begin;
  for (; i + 8 <= end; i += 8) {
    ExactSum a0 = zero, a1 = zero, b0 = zero, b1 = zero;
    for (i64 done = 0; done < count;) {
      const i64 stop = std::min(done + kMaxExactTerms, count);
      for (; done < stop; ++done) {
        const PairTerm& t = all[done];
        fetch(t.factor + ((i + kAhead) >> t.shift));
        fetch(t.first + i + kAhead);
        fetch(t.second + i + kAhead);
        const __m256d fa = load_factors(t.factor, i, t.shift);
        add_product(a0, fa, load_words(t.first + i));
        add_product(a1, fa, load_words(t.second + i));
        const __m256d fb = load_factors(t.factor, i + 4, t.shift);
        add_product(b0, fb, load_words(t.first + i + 4));
        add_product(b1, fb, load_words(t.second + i + 4));
      }
      restart(m, a0);
      restart(m, a1);
      restart(m, b0);
      restart(m, b1);
    }
    store_canonical(out0 + i, m, a0.low);
    store_canonical(out1 + i, m, a1.low);
    store_canonical(out0 + i + 4, m, b0.low);
    store_canonical(out1 + i + 4, m, b1.low);
  }
  sum_products_plain(terms, q, i, end, out0, out1);
}

struct Rows {
  const double* y;
  i64 stride;
  int count;
  const double* fraction;
};

void combine_rows_plain(const Rows& rows, const u64* factors, const Modulus& modulus, i64 begin,
                        i64 end, u64* out) {
  const Modulus t = modulus;
  for (i64 i = begin; i < end; ++i) {
    u128 sum = u128(u64(i64(rows.fraction[i]))) * factors[rows.count];
    for (int k = 0; k < rows.count; ++k)
      sum += u128(u64(i64(rows.y[k * rows.stride + i]))) * factors[k];
    out[i] = t.reduce(sum);
  }
}

/// Centred factors: the last product is below 2^51 and starts L.
SINTER_TARGET_AVX2 void combine_rows_avx2(const Rows& rows, const u64* factors, const Modulus& t,
                                          i64 begin, i64 end, u64* out) {
  const FmaModulus m = fma_modulus(t.value());
  const int count = rows.count;
  double w[kMaxExactTerms + 1];
  for (int k = 0; k <= count; ++k) w[k] = centred(factors[k], t.value());
  const __m256d last = _mm256_set1_pd(w[count]);
  i64 i = begin;
  for (; i + 8 <= end; i += 8) {
    const __m256d va = _mm256_floor_pd(_mm256_loadu_pd(rows.fraction + i));
    const __m256d vb = _mm256_floor_pd(_mm256_loadu_pd(rows.fraction + i + 4));
    ExactSum a{_mm256_set1_pd(kStart), _mm256_mul_pd(va, last)};
    ExactSum b{_mm256_set1_pd(kStart), _mm256_mul_pd(vb, last)};
    const double* y = rows.y + i;
    for (int k = 0; k < count; ++k, y += rows.stride) {
      const __m256d f = _mm256_set1_pd(w[k]);
      add_product(a, f, _mm256_loadu_pd(y));
      add_product(b, f, _mm256_loadu_pd(y + 4));
    }
    store_canonical(out + i, m, collapse(m, a));
    store_canonical(out + i + 4, m, collapse(m, b));
  }
  combine_rows_plain(rows, factors, t, i, end, out);
}

}  // namespace

void sum_products(std::span<const PairTerm> terms, const Modulus& q, i64 n, u64* out0, u64* out1,
                  Isa isa) {
  const auto run = isa >= Isa::avx2 ? sum_products_avx2 : sum_products_plain;
  run(terms, q, 0, n, out0, out1);
}

void combine_rows(const double* y, i64 stride, int rows, const double* fraction, const u64* factors,
                  const Modulus& t, i64 n, u64* out, Isa isa) {
  const auto run = isa >= Isa::avx2 ? combine_rows_avx2 : combine_rows_plain;
  run({y, stride, rows, fraction}, factors, t, 0, n, out);
}

}  // namespace sinter::ring
