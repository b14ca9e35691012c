// SPDX-License-Identifier: Apache-2.0
// The sums of linear_kernels_avx2.cpp, eight positions to a register and two lines at a time: the
// same two doubles per sum, the same bounds, the same residues.
#include <immintrin.h>

#include <algorithm>
#include <bit>

#include "ckks/detail/linear_kernels.h"

#define SINTER_TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx2,fma")))
#define SINTER_INLINE_AVX512 SINTER_TARGET_AVX512 __attribute__((always_inline)) inline

namespace sinter::ckks::detail {
namespace {

using ring::Modulus;

constexpr int kNarrowBits = 44;
constexpr i64 kWideTerms = 28, kNarrowTerms = 240;
constexpr i64 kAhead = 32;  // positions

/// q, 1/q, C of linear_kernels_avx2.cpp and how many products fit.
struct Sums {
  __m512d q, reciprocal, start;
  i64 max_terms;
};
SINTER_INLINE_AVX512 Sums sums_of(const Modulus& q) {
  const bool is_narrow = q.bits() <= kNarrowBits;
  const int exponent = 2 * q.bits() + (is_narrow ? 8 : 5);
  return {_mm512_set1_pd(double(i64(q.value()))), _mm512_set1_pd(1.0 / double(i64(q.value()))),
          _mm512_set1_pd(1.5 * std::bit_cast<double>(u64(1023 + exponent) << 52)),
          is_narrow ? kNarrowTerms : kWideTerms};
}

struct Sum {
  __m512d high, low;
};
/// Both halves of a line.
struct LineSums {
  Sum first, second;
};

SINTER_INLINE_AVX512 void add_product(Sum& s, __m512d x, __m512d w) {
  const __m512d high = _mm512_fmadd_pd(x, w, s.high);
  s.low = _mm512_add_pd(s.low, _mm512_fmsub_pd(x, w, _mm512_sub_pd(high, s.high)));
  s.high = high;
}
SINTER_INLINE_AVX512 __m512d reduce(const Sums& m, __m512d x) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  const __m512d k = _mm512_roundscale_pd(_mm512_mul_pd(x, m.reciprocal), kNearest);
  return _mm512_fnmadd_pd(k, m.q, x);
}
/// The sum modulo q, of magnitude at most 0.51 q.
SINTER_INLINE_AVX512 __m512d collapse(const Sums& m, const Sum& s) {
  return reduce(m, _mm512_add_pd(reduce(m, _mm512_sub_pd(s.high, m.start)), s.low));
}
SINTER_INLINE_AVX512 void restart(const Sums& m, Sum& s) {
  s.low = collapse(m, s);
  s.high = m.start;
}
SINTER_INLINE_AVX512 void store(const Sums& m, const Sum& s, u64* out) {
  const __m512d v = collapse(m, s);
  const __mmask8 is_negative = _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_LT_OQ);
  _mm512_storeu_si512(out, _mm512_cvtpd_epu64(_mm512_mask_add_pd(v, is_negative, v, m.q)));
}

/// Factors of positions i..i+7, i a multiple of 8, shift at most 2.
template <Direction kDirection>
SINTER_INLINE_AVX512 __m512d load_factors(const u64* row, i64 i, int shift) {
  constexpr bool kIsBackward = kDirection == Direction::backward;
  const i64 at = i >> shift, last = (kLine >> shift) - 1;
  const u64* const f = kIsBackward ? row - at - last : row + at;
  const __m512i places = _mm512_srli_epi64(kIsBackward ? _mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0)
                                                       : _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
                                           unsigned(shift));
  if (shift == 0) {
    const __m512d v = _mm512_cvtepu64_pd(_mm512_loadu_si512(f));
    return kIsBackward ? _mm512_permutexvar_pd(places, v) : v;
  }
  const __m256i v =
      shift == 1 ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(f))
                 : _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(f)));
  return _mm512_cvtepu64_pd(_mm512_permutexvar_epi64(places, _mm512_castsi256_si512(v)));
}

/// The factors of a position are a line of each of hundreds of rows: too many streams for the
/// processor to foresee. Asks for those of later lines; past the end is harmless.
template <Direction kDirection, i64 kLines>
SINTER_INLINE_AVX512 void fetch_factors(const u64* row, i64 i, int shift) {
  constexpr i64 kStep = kDirection == Direction::backward ? -1 : 1;
  for (i64 j = 0; j < (shift == 0 ? kLines : 1); ++j)
    _mm_prefetch(reinterpret_cast<const char*>(row + kStep * ((i + kAhead + kLine * j) >> shift)),
                 _MM_HINT_T0);
}

template <Direction kDirection, i64 kLines>
SINTER_INLINE_AVX512 void sum_lines(const DiagonalRun& run, const u64* const* rows, int shift,
                                    const Sums& m, i64 i, u64* out0, u64* out1) {
  const i64 count = std::ssize(run.which), stride = 2 * kLine * run.baby_count;
  const double* line = run.babies + 2 * i * run.baby_count;
  LineSums s[kLines];
  for (i64 j = 0; j < kLines; ++j)
    s[j] = {{m.start, _mm512_setzero_pd()}, {m.start, _mm512_setzero_pd()}};
  for (i64 t = 0; t < count;) {
    for (i64 j = 0; t != 0 && j < kLines; ++j) restart(m, s[j].first), restart(m, s[j].second);
    for (const i64 stop = std::min(t + m.max_terms, count); t < stop; ++t) {
      const double* baby = line + 2 * kLine * run.which[size_t(t)];
      fetch_factors<kDirection, kLines>(rows[t], i, shift);
      for (i64 j = 0; j < kLines; ++j, baby += stride) {
        const __m512d w = load_factors<kDirection>(rows[t], i + kLine * j, shift);
        add_product(s[j].first, w, _mm512_loadu_pd(baby));
        add_product(s[j].second, w, _mm512_loadu_pd(baby + kLine));
      }
    }
  }
  for (i64 j = 0; j < kLines; ++j) {
    store(m, s[j].first, out0 + i + kLine * j);
    store(m, s[j].second, out1 + i + kLine * j);
  }
}

template <Direction kDirection>
SINTER_TARGET_AVX512 void sum_towards(const DiagonalRun& run, const u64* const* rows, int shift,
                                      const Sums& m, u64* out0, u64* out1) {
  i64 i = 0;
  for (; i + 2 * kLine <= run.size; i += 2 * kLine)
    sum_lines<kDirection, 2>(run, rows, shift, m, i, out0, out1);
  for (; i < run.size; i += kLine) sum_lines<kDirection, 1>(run, rows, shift, m, i, out0, out1);
}

}  // namespace

SINTER_TARGET_AVX512 void sum_rows_avx512(const DiagonalRun& run, const u64* const* rows, int shift,
                                          Direction direction, const Modulus& q, u64* out0,
                                          u64* out1) {
  const Sums m = sums_of(q);
  if (direction == Direction::forward)
    sum_towards<Direction::forward>(run, rows, shift, m, out0, out1);
  else
    sum_towards<Direction::backward>(run, rows, shift, m, out0, out1);
}

}  // namespace sinter::ckks::detail
