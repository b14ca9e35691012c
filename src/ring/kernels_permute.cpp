// SPDX-License-Identifier: Apache-2.0
// Automorphisms in transform order. Position i belongs to the exponent 2 bitrev(i) + 1, so an
// aligned block of 2^k positions holds one residue class of exponents modulo 2N / 2^k, and
// multiplication by g maps classes to classes: every aligned block comes from one aligned block,
// its own positions shuffled. Hence four outputs are one load of four and one permutation, every
// line is read once, and only the order of the lines has to be announced to the caches.
#include <algorithm>

#include "ring/fma_avx2.h"
#include "ring/ntt.h"

namespace sinter::ring {
namespace {

constexpr i64 kAhead = 128;  // positions: 16 lines

struct Permutation {
  const u64* in;
  const u32* index;
};

void permute_plain(const Permutation& p, i64 begin, i64 end, u64* out) {
  for (i64 i = begin; i < end; ++i) out[i] = p.in[p.index[i]];
}

/// in[index[i..i+3]], i a multiple of 4.
SINTER_INLINE_AVX2 __m256i load_permuted(const Permutation& p, i64 i) {
  const __m128i index = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p.index + i));
  const u64* block = p.in + (p.index[i] & ~u32(3));
  // Position j of the block is its words 2j and 2j + 1 of 32 bits.
  const __m256i twice = _mm256_cvtepu32_epi64(_mm_slli_epi32(index, 1));
  const __m256i both = _mm256_or_si256(twice, _mm256_slli_epi64(twice, 32));
  const __m256i words = _mm256_or_si256(both, _mm256_set1_epi64x(i64(1) << 32));
  return _mm256_permutevar8x32_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block)),
                                     words);  // low 3 bits count
}

SINTER_INLINE_AVX2 void fetch_ahead(const Permutation& p, i64 i, i64 last) {
  const i64 later = std::min(i + kAhead, last);
  _mm_prefetch(reinterpret_cast<const char*>(p.in + p.index[later]), _MM_HINT_T0);
}

SINTER_TARGET_AVX2 void permute_avx2(const Permutation& p, i64 begin, i64 end, u64* out) {
  i64 i = begin;
  for (; i + 8 <= end; i += 8) {
    fetch_ahead(p, i, end - 1);
    const __m256i a = load_permuted(p, i), b = load_permuted(p, i + 4);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i + 4), b);
  }
  permute_plain(p, i, end, out);
}

struct Quotient {
  const u64 *x, *y, *z;  ///< z = nullptr: zero
  const u32* index;
};

void permute_quotient_plain(const Quotient& p, const Modulus& modulus, const ShoupFactor& factor,
                            i64 begin, i64 end, u64* out) {
  const Modulus q = modulus;
  const ShoupFactor w = factor;
  for (i64 i = begin; i < end; ++i) {
    const u32 from = p.index[i];
    const u64 quotient = q.mul(p.x[from] + q.value() - p.y[from], w);
    out[i] = p.z == nullptr ? quotient : q.add(quotient, p.z[from]);
  }
}

SINTER_INLINE_AVX2 __m256d doubles_permuted(const Permutation& p, i64 i) {
  return to_doubles(load_permuted(p, i));
}

template <bool kAdds>
SINTER_TARGET_AVX2 void permute_quotient_lines(const Quotient& p, const Modulus& q,
                                               const ShoupFactor& w, i64 begin, i64 end, u64* out) {
  const FmaModulus m = fma_modulus(q.value());
  const FmaFactor factor = fma_factor(m, centred(w.w, q.value()));
  const Permutation x{p.x, p.index}, y{p.y, p.index}, z{p.z, p.index};
  i64 i = begin;
  for (; i + 8 <= end; i += 8) {
    fetch_ahead(x, i, end - 1);
    fetch_ahead(y, i, end - 1);
    if (kAdds) fetch_ahead(z, i, end - 1);
    for (i64 j = i; j < i + 8; j += 4) {
      const __m256d difference = _mm256_sub_pd(doubles_permuted(x, j), doubles_permuted(y, j));
      __m256d v = fma_mul(m, difference, factor);
      if (kAdds) v = fma_reduce(m, _mm256_add_pd(v, doubles_permuted(z, j)));
      store_canonical(out + j, m, v);
    }
  }
  permute_quotient_plain(p, q, w, i, end, out);
}

SINTER_TARGET_AVX2 void permute_quotient_avx2(const Quotient& p, const Modulus& q,
                                              const ShoupFactor& w, i64 begin, i64 end, u64* out) {
  if (p.z == nullptr)
    permute_quotient_lines<false>(p, q, w, begin, end, out);
  else
    permute_quotient_lines<true>(p, q, w, begin, end, out);
}

}  // namespace

void permute(std::span<const u64> in, std::span<const u32> permutation, std::span<u64> out,
             Isa isa) {
  const auto run = isa >= Isa::avx2 ? permute_avx2 : permute_plain;
  run({in.data(), permutation.data()}, 0, std::ssize(out), out.data());
}

void permute_quotient(const u64* x, const u64* y, const u64* z, std::span<const u32> permutation,
                      const Modulus& q, const ShoupFactor& w, u64* out, Isa isa) {
  const auto run = isa >= Isa::avx2 ? permute_quotient_avx2 : permute_quotient_plain;
  run({x, y, z, permutation.data()}, q, w, 0, std::ssize(permutation), out);
}

}  // namespace sinter::ring
