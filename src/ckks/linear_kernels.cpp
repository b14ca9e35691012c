// SPDX-License-Identifier: Apache-2.0
// The plain loops, in integers of 128 bits, and the choice by instruction set.
#include "ckks/detail/linear_kernels.h"

#include <algorithm>

namespace sinter::ckks::detail {
namespace {

using ring::Modulus;
using ring::PairTerm;
using ring::u128;

constexpr i64 kMaxPlainTerms = i64(1) << 13;

double to_centred(u64 residue, const Modulus& q) {
  return residue > q.value() / 2 ? -double(i64(q.value() - residue)) : double(i64(residue));
}
u64 to_residue(double v, const Modulus& q) {
  const i64 integer = i64(v);
  return integer < 0 ? u64(integer) + q.value() : u64(integer);
}

/// Where position p of a baby's half h lies from the baby's first value on.
i64 place(i64 p, i64 babies, int half) {
  return p / kLine * 2 * kLine * babies + half * kLine + p % kLine;
}

struct Pair {
  u64 first, second;
};

/// Both halves at position i of the limbs.
Pair switched(const SwitchedRun& run, const Modulus& q, size_t i) {
  u128 sum0 = run.base == nullptr ? 0 : u128(run.base_factor) * run.base[i], sum1 = 0;
  for (const PairTerm& t : run.digits) {
    sum0 += u128(t.factor[i]) * t.first[i];
    sum1 += u128(t.factor[i]) * t.second[i];
  }
  return {q.reduce(sum0), q.reduce(sum1)};
}

void switch_to_baby_plain(const SwitchedRun& run, const Modulus& q, const SwitchedRun*, i64 babies,
                          double* out) {
  for (i64 p = 0; p < run.order->size; ++p) {
    const Pair v = switched(run, q, run.order->permutation[run.begin + p]);
    out[place(p, babies, 0)] = to_centred(v.first, q);
    out[place(p, babies, 1)] = to_centred(v.second, q);
  }
}

void switch_and_add_plain(const SwitchedRun& run, const Modulus& q, u64* sum0, u64* sum1) {
  for (i64 p = run.begin; p < run.begin + run.order->size; ++p) {
    const Pair v = switched(run, q, run.order->permutation[p]);
    sum0[p] = q.add(sum0[p], v.first);
    sum1[p] = q.add(sum1[p], v.second);
  }
}

/// factor(t, p) a residue.
template <class Factor>
void sum_plain(const DiagonalRun& run, const Factor& factor, const Modulus& q, u64* out0,
               u64* out1) {
  for (i64 p = 0; p < run.size; ++p) {
    u128 sum0 = 0, sum1 = 0;
    for (size_t t = 0; t < run.which.size(); ++t) {
      const double* x = run.babies + 2 * kLine * run.which[t];
      const u64 w = factor(t, p);
      sum0 += u128(w) * to_residue(x[place(p, run.baby_count, 0)], q);
      sum1 += u128(w) * to_residue(x[place(p, run.baby_count, 1)], q);
      if (t % kMaxPlainTerms == kMaxPlainTerms - 1) sum0 = q.reduce(sum0), sum1 = q.reduce(sum1);
    }
    out0[p] = q.reduce(sum0);
    out1[p] = q.reduce(sum1);
  }
}

void sum_constant_plain(const DiagonalRun& run, const double* factors, const Modulus& q, u64* out0,
                        u64* out1) {
  sum_plain(
      run, [&](size_t t, i64) { return u64(i64(factors[t])); }, q, out0, out1);
}

void sum_rows_plain(const DiagonalRun& run, const u64* const* rows, int shift, Direction direction,
                    const Modulus& q, u64* out0, u64* out1) {
  const i64 sign = direction == Direction::forward ? 1 : -1;
  sum_plain(
      run, [&](size_t t, i64 p) { return rows[t][sign * (p >> shift)]; }, q, out0, out1);
}

void copy_half_plain(const u64* row, u64 factor, const Modulus& q, i64 size, i64 babies,
                     double* out) {
  for (i64 p = 0; p < size; ++p)
    out[place(p, babies, 0)] = row == nullptr ? 0.0 : to_centred(q.mul(row[p], factor), q);
}

}  // namespace

RunOrder::RunOrder(std::span<const u32> all, i64 run_size)
    : permutation(all.data()), size(run_size), steps_(all.size() / 4) {
  for (size_t begin = 0; begin < all.size(); begin += size_t(size)) {
    const size_t from = all[begin] & size_t(-size);
    from_.push_back(i64(from));
    for (size_t i = begin; i < begin + size_t(size); i += 4) {
      unsigned code = 0;
      for (size_t lane = 0; lane < 4; ++lane) code |= (all[i + lane] & 3) << (2 * lane);
      steps_[(begin + all[i] - from) / 4] = {u8((i - begin) / 4), u8(code)};
    }
  }
}

void switch_to_baby(const SwitchedRun& run, const Modulus& q, const SwitchedRun* next, i64 babies,
                    double* out, Isa isa) {
  const auto call = isa >= Isa::avx2 ? switch_to_baby_avx2 : switch_to_baby_plain;
  call(run, q, next, babies, out);
}

void switch_and_add(const SwitchedRun& run, const Modulus& q, u64* sum0, u64* sum1, Isa isa) {
  const auto call = isa >= Isa::avx2 ? switch_and_add_avx2 : switch_and_add_plain;
  call(run, q, sum0, sum1);
}

void copy_to_baby(const u64* first, const u64* second, u64 factor, const Modulus& q, i64 size,
                  i64 babies, double* out, Isa isa) {
  const auto call = isa >= Isa::avx2 ? copy_half_avx2 : copy_half_plain;
  call(first, factor, q, size, babies, out);
  call(second, factor, q, size, babies, out + kLine);
}

void sum_constant(const DiagonalRun& run, const double* factors, const Modulus& q, u64* out0,
                  u64* out1, Isa isa) {
  const auto call = isa >= Isa::avx2 ? sum_constant_avx2 : sum_constant_plain;
  call(run, factors, q, out0, out1);
}

void sum_rows(const DiagonalRun& run, const u64* const* rows, int shift, Direction direction,
              const Modulus& q, u64* out0, u64* out1, Isa isa) {
  const auto call = isa >= Isa::avx512ifma ? sum_rows_avx512
                    : isa >= Isa::avx2     ? sum_rows_avx2
                                           : sum_rows_plain;
  call(run, rows, shift, direction, q, out0, out1);
}

}  // namespace sinter::ckks::detail
