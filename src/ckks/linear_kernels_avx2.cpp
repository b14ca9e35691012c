// SPDX-License-Identifier: Apache-2.0
// Sums of products in two doubles, as in ring/kernels_sum.cpp, for a modulus of b bits:
//   S' = RN(S + x w)   t = S' - S   L' = L + fma(x, w, -t)     S starts at C = 1.5 * 2^(2b + s)
// While the sum of the products is below 2^(2b + s - 1), S is a multiple of u = 2^(2b + s - 52), t
// is exact, and x w - t is an integer of magnitude at most u / 2. The sum is H + L, H = S - C:
//   r = fma(-round(H / q), q, H) + L,   which is exact and below 2^53 when
//   |H / q| <= 2^52 (so that the quotient is off by at most 1) and |L| <= 2^53 - 2 q.
// One factor is centred (|x| <= 0.51 q) in sums over babies, none is in sums over digits:
//   b <= 48, s = 5:  28 products with a centred factor (14 without): 0.51 * 28 < 2^4,
//                    |L| <= 28 * 2^48 + 2^48 (the start), |H / q| <= 14.3 q < 2^52
//   b <= 44, s = 8:  240 (120): 0.51 * 240 < 2^7, |L| <= 240 * 2^43 + 2^44, |H / q| <= 123 q < 2^51
#include <bit>

#include "ckks/detail/linear_kernels.h"
#include "ring/fma_avx2.h"

namespace sinter::ckks::detail {
namespace {

using ring::Modulus;
using ring::PairTerm;

constexpr int kNarrowBits = 44;
/// With one factor centred; half as many without.
constexpr i64 kWideTerms = 28, kNarrowTerms = 240;

/// Where position p of a baby's first half lies from the baby's first value on.
i64 place(i64 p, i64 babies) { return p / kLine * 2 * kLine * babies + p % kLine; }

/// q, C and how many products fit.
struct Sums {
  ring::FmaModulus m;
  __m256d start;
  i64 max_terms;
};

SINTER_INLINE_AVX2 Sums sums_of(const Modulus& q) {
  const bool is_narrow = q.bits() <= kNarrowBits;
  const int exponent = 2 * q.bits() + (is_narrow ? 8 : 5);
  const double start = 1.5 * std::bit_cast<double>(u64(1023 + exponent) << 52);
  return {ring::fma_modulus(q.value()), _mm256_set1_pd(start),
          is_narrow ? kNarrowTerms : kWideTerms};
}

/// S and L of the top of the file.
struct Sum {
  __m256d high, low;
};

SINTER_INLINE_AVX2 void add_product(Sum& s, __m256d x, __m256d w) {
  const __m256d high = _mm256_fmadd_pd(x, w, s.high);
  s.low = _mm256_add_pd(s.low, _mm256_fmsub_pd(x, w, _mm256_sub_pd(high, s.high)));
  s.high = high;
}

/// The sum modulo q, of magnitude at most 0.51 q.
SINTER_INLINE_AVX2 __m256d collapse(const Sums& sums, const Sum& s) {
  const __m256d high = _mm256_sub_pd(s.high, sums.start);
  return fma_reduce(sums.m, _mm256_add_pd(fma_reduce(sums.m, high), s.low));
}
SINTER_INLINE_AVX2 void restart(const Sums& sums, Sum& s) {
  s.low = collapse(sums, s);
  s.high = sums.start;
}

/// Four accumulators: positions 0..3 and 4..7 of a line, both halves.
struct LineSums {
  Sum a0, b0, a1, b1;
};
SINTER_INLINE_AVX2 LineSums empty_sums(const Sums& sums) {
  const Sum zero{sums.start, _mm256_setzero_pd()};
  return {zero, zero, zero, zero};
}
SINTER_INLINE_AVX2 void restart(const Sums& sums, LineSums& s) {
  restart(sums, s.a0);
  restart(sums, s.b0);
  restart(sums, s.a1);
  restart(sums, s.b1);
}

/// The switched pair of positions i..i+3 of the limbs, reduced into the low parts. Four positions
/// at a time: with eight, the accumulators would leave the registers.
struct PairSums {
  Sum first, second;
};
SINTER_INLINE_AVX2 PairSums switched_four(const SwitchedRun& run, const Sums& sums, __m256d base,
                                          i64 i) {
  const Sum zero{sums.start, _mm256_setzero_pd()};
  PairSums s{zero, zero};
  const PairTerm* term = run.digits.data();
  const i64 count = std::ssize(run.digits), most = sums.max_terms / 2 - 1;
  if (run.base != nullptr) add_product(s.first, base, ring::load_words(run.base + i));
  for (i64 t = 0; t < count;) {
    if (t != 0) restart(sums, s.first), restart(sums, s.second);
    for (const i64 stop = std::min(t + most, count); t < stop; ++t, ++term) {
      const __m256d factor = ring::load_words(term->factor + i);
      add_product(s.first, factor, ring::load_words(term->first + i));
      add_product(s.second, factor, ring::load_words(term->second + i));
    }
  }
  restart(sums, s.first);
  restart(sums, s.second);
  return s;
}

/// For vpermps: a double is two words of 32 bits, and the low three bits of an index count. Two
/// bits of the code per double.
SINTER_INLINE_AVX2 __m256d shuffled(__m256d x, u8 code) {
  const __m256i shifts = _mm256_setr_epi32(0, 0, 2, 2, 4, 4, 6, 6);
  const __m256i odd = _mm256_set1_epi64x(i64(1) << 32), low = _mm256_set1_epi32(3);
  const __m256i lane = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(code), shifts), low);
  const __m256i words = _mm256_or_si256(_mm256_slli_epi32(lane, 1), odd);
  return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(x), words));
}

SINTER_INLINE_AVX2 void fetch(const SwitchedRun& run, i64 i) {
  for (const PairTerm& t : run.digits) {
    _mm_prefetch(reinterpret_cast<const char*>(t.first + i), _MM_HINT_T1);
    _mm_prefetch(reinterpret_cast<const char*>(t.second + i), _MM_HINT_T1);
  }
}

/// sum[0..3] += v, |v| <= 0.51 q; the sum of the two is reduced once more.
SINTER_INLINE_AVX2 void add_to(u64* sum, const ring::FmaModulus& m, __m256d v) {
  ring::store_canonical(sum, m, fma_reduce(m, _mm256_add_pd(ring::load_words(sum), v)));
}

/// A line of every half times factors fa (positions 0..3) and fb (4..7).
SINTER_INLINE_AVX2 void add_line(LineSums& s, __m256d fa, __m256d fb, const double* baby) {
  add_product(s.a0, fa, _mm256_loadu_pd(baby));
  add_product(s.b0, fb, _mm256_loadu_pd(baby + 4));
  add_product(s.a1, fa, _mm256_loadu_pd(baby + 8));
  add_product(s.b1, fb, _mm256_loadu_pd(baby + 12));
}

SINTER_INLINE_AVX2 void store_line(const Sums& sums, const LineSums& s, u64* out0, u64* out1) {
  ring::store_canonical(out0, sums.m, collapse(sums, s.a0));
  ring::store_canonical(out0 + 4, sums.m, collapse(sums, s.b0));
  ring::store_canonical(out1, sums.m, collapse(sums, s.a1));
  ring::store_canonical(out1 + 4, sums.m, collapse(sums, s.b1));
}

/// Factors of positions i..i+3, i a multiple of 4, shift at most 2.
template <Direction kDirection>
SINTER_INLINE_AVX2 __m256d load_factors(const u64* row, i64 i, int shift) {
  if (kDirection == Direction::forward) {
    if (shift == 0) return ring::load_words(row + i);
    const i64 first = i64(row[i >> shift]), last = i64(row[(i + 2) >> shift]);
    return ring::to_doubles(_mm256_set_epi64x(last, last, first, first));
  }
  if (shift == 0) return _mm256_permute4x64_pd(ring::load_words(row - i - 3), 0x1B);
  const i64 first = i64(row[-(i >> shift)]), last = i64(row[-((i + 2) >> shift)]);
  return ring::to_doubles(_mm256_set_epi64x(last, last, first, first));
}

/// The factors of a position are a line of each of hundreds of rows: too many streams for the
/// processor to foresee. Asks for those of a later line; past the end is harmless.
template <Direction kDirection>
SINTER_INLINE_AVX2 void fetch_factors(const u64* row, i64 i, int shift) {
  constexpr i64 kAhead = 32, kStep = kDirection == Direction::backward ? -1 : 1;  // positions
  _mm_prefetch(reinterpret_cast<const char*>(row + kStep * ((i + kAhead) >> shift)), _MM_HINT_T0);
}

template <Direction kDirection>
SINTER_INLINE_AVX2 void sum_rows_towards(const DiagonalRun& run, const u64* const* rows, int shift,
                                         const Sums& sums, u64* out0, u64* out1) {
  const i64 count = std::ssize(run.which);
  for (i64 i = 0; i < run.size; i += kLine) {
    const double* line = run.babies + 2 * i * run.baby_count;
    LineSums s = empty_sums(sums);
    for (i64 t = 0; t < count;) {
      if (t != 0) restart(sums, s);
      for (const i64 stop = std::min(t + sums.max_terms, count); t < stop; ++t) {
        fetch_factors<kDirection>(rows[t], i, shift);
        add_line(s, load_factors<kDirection>(rows[t], i, shift),
                 load_factors<kDirection>(rows[t], i + 4, shift),
                 line + 2 * kLine * run.which[size_t(t)]);
      }
    }
    store_line(sums, s, out0 + i, out1 + i);
  }
}

}  // namespace

SINTER_TARGET_AVX2 void switch_to_baby_avx2(const SwitchedRun& run, const Modulus& q,
                                            const SwitchedRun* next, i64 babies, double* out) {
  const Sums sums = sums_of(q);
  const RunOrder::Run order = run.order->run(run.begin);
  const __m256d base = _mm256_set1_pd(double(i64(run.base_factor)));
  const i64 later = next == nullptr ? 0 : next->order->run(next->begin).from;
  for (i64 k = 0; k < run.order->size / 4; ++k) {
    if (next != nullptr && k % 2 == 0) fetch(*next, later + 4 * k);
    const PairSums s = switched_four(run, sums, base, order.from + 4 * k);
    double* at = out + place(4 * i64(order.steps[k].destination), babies);
    _mm256_storeu_pd(at, shuffled(s.first.low, order.steps[k].shuffle));
    _mm256_storeu_pd(at + kLine, shuffled(s.second.low, order.steps[k].shuffle));
  }
}

SINTER_TARGET_AVX2 void switch_and_add_avx2(const SwitchedRun& run, const Modulus& q, u64* sum0,
                                            u64* sum1) {
  constexpr i64 kAhead = 128;  // positions
  const Sums sums = sums_of(q);
  const RunOrder::Run order = run.order->run(run.begin);
  const __m256d base = _mm256_set1_pd(double(i64(run.base_factor)));
  for (i64 k = 0; k < run.order->size / 4; ++k) {
    if (k % 2 == 0) fetch(run, order.from + 4 * k + kAhead);  // past the end is harmless
    const PairSums s = switched_four(run, sums, base, order.from + 4 * k);
    const i64 to = run.begin + 4 * i64(order.steps[k].destination);
    add_to(sum0 + to, sums.m, shuffled(s.first.low, order.steps[k].shuffle));
    add_to(sum1 + to, sums.m, shuffled(s.second.low, order.steps[k].shuffle));
  }
}

SINTER_TARGET_AVX2 void sum_constant_avx2(const DiagonalRun& run, const double* factors,
                                          const Modulus& q, u64* out0, u64* out1) {
  const Sums sums = sums_of(q);
  const i64 count = std::ssize(run.which);
  for (i64 i = 0; i < run.size; i += kLine) {
    const double* line = run.babies + 2 * i * run.baby_count;
    LineSums s = empty_sums(sums);
    for (i64 t = 0; t < count;) {
      if (t != 0) restart(sums, s);
      for (const i64 stop = std::min(t + sums.max_terms, count); t < stop; ++t) {
        const __m256d w = _mm256_broadcast_sd(factors + t);
        add_line(s, w, w, line + 2 * kLine * run.which[size_t(t)]);
      }
    }
    store_line(sums, s, out0 + i, out1 + i);
  }
}

SINTER_TARGET_AVX2 void sum_rows_avx2(const DiagonalRun& run, const u64* const* rows, int shift,
                                      Direction direction, const Modulus& q, u64* out0, u64* out1) {
  const Sums sums = sums_of(q);
  if (direction == Direction::forward)
    sum_rows_towards<Direction::forward>(run, rows, shift, sums, out0, out1);
  else
    sum_rows_towards<Direction::backward>(run, rows, shift, sums, out0, out1);
}

SINTER_TARGET_AVX2 void copy_half_avx2(const u64* row, u64 factor, const Modulus& q, i64 size,
                                       i64 babies, double* out) {
  const ring::FmaModulus m = ring::fma_modulus(q.value());
  const ring::FmaFactor f = ring::fma_factor(m, ring::centred(factor, q.value()));
  for (i64 p = 0; p < size; p += 4)
    _mm256_storeu_pd(out + place(p, babies), row == nullptr
                                                 ? _mm256_setzero_pd()
                                                 : fma_mul(m, ring::load_words(row + p), f));
}

}  // namespace sinter::ckks::detail
