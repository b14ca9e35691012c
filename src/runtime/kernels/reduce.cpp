// SPDX-License-Identifier: Apache-2.0
// The tensor is seen as [outer, n, inner], n reduced. With inner 1 an output is the sum of a row;
// otherwise it is n rows added element by element, in chunks that fit the first-level cache.
#include "runtime/kernels/reduce.h"

#include <immintrin.h>

#include <algorithm>

#include "runtime/kernels/elementwise.h"

namespace sinter {
namespace {

constexpr i64 kLanes = 8, kChunk = 1024;

float tree(const float (&lane)[kLanes]) {
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

float sum_scalar(const float* x, i64 n) {
  float lane[kLanes] = {};
  for (i64 i = 0; i < n; ++i) lane[i % kLanes] += x[i];
  return tree(lane);
}

SINTER_TARGET_AVX2 float sum_avx2(const float* x, i64 n) {
  __m256 sum = _mm256_setzero_ps();
  i64 i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = _mm256_add_ps(sum, _mm256_loadu_ps(x + i));
  float lane[kLanes];
  _mm256_storeu_ps(lane, sum);
  for (i64 k = 0; i + k < n; ++k) lane[k] += x[i + k];
  return tree(lane);
}

struct Reduction {
  i64 outer = 1, n = 1, inner = 1;
  bool mean = false;
};

void reduce_rows(Isa isa, const Reduction& r, const float* x, i64 begin, i64 end, float* y) {
  for (i64 o = begin; o < end; ++o) {
    const float sum = sum_f32(isa, x + o * r.n, r.n);
    y[o] = r.mean ? sum / float(r.n) : sum;
  }
}

/// One chunk of at most kChunk outputs of one outer index.
void reduce_chunk(Isa isa, const Reduction& r, const float* x, i64 count, float* y) {
  std::copy_n(x, count, y);
  for (i64 k = 1; k < r.n; ++k) binary_f32(isa, BinaryOp::add, y, 1, x + k * r.inner, 1, count, y);
  const float n = float(r.n);
  if (r.mean) binary_f32(isa, BinaryOp::div, y, 1, &n, 0, count, y);
}

PreparedKernel prepared(const Reduction& r, Isa isa) {
  if (r.inner == 1)
    return {[=](const KernelArgs& args) {
      args.pool.ranges(r.outer, std::max<i64>(1, 16384 / r.n), [&](i64 begin, i64 end) {
        reduce_rows(isa, r, args.in(0), begin, end, args.out());
      });
    }};
  const i64 chunks = (r.inner + kChunk - 1) / kChunk;
  return {[=](const KernelArgs& args) {
    args.pool.ranges(r.outer * chunks, 1, [&](i64 begin, i64 end) {
      for (i64 task = begin; task < end; ++task) {
        const i64 o = task / chunks, first = task % chunks * kChunk;
        reduce_chunk(isa, r, args.in(0) + o * r.n * r.inner + first,
                     std::min(kChunk, r.inner - first), args.out() + o * r.inner + first);
      }
    });
  }};
}

/// Axes of size 1 belong to whatever is beside them; a kept axis between reduced ones is refused.
std::optional<Reduction> collapse(const Dims& x, std::vector<i64> axes) {
  std::vector<bool> reduced(x.size(), axes.empty());
  for (i64 a : axes) reduced[size_t(a < 0 ? a + std::ssize(x) : a)] = true;
  Reduction r;
  for (size_t a = 0; a < x.size(); ++a) {
    if (x[a] == 1) continue;
    if (reduced[a]) {
      if (r.inner != 1) return std::nullopt;
      r.n *= x[a];
    } else if (r.n == 1) {
      r.outer *= x[a];
    } else {
      r.inner *= x[a];
    }
  }
  return r;
}

PreparedKernel prepare_reduce(const KernelSite& site, const std::vector<i64>& axes, bool mean) {
  if (site.types[0] != DType::f32) return {};
  std::optional<Reduction> r = collapse(site.in(0), axes);
  if (!r) return {};
  r->mean = mean;
  return prepared(*r, site.isa);
}

/// Axes are input 1; without any, all of them.
PreparedKernel prepare_by_input(const KernelSite& site, bool mean) {
  std::vector<i64> axes;
  if (site.has(1)) {
    if (site.constant(1) == nullptr) return {};
    axes = site.constant(1)->as_ints();
  }
  if (axes.empty() && site.attributes().integer("noop_with_empty_axes", 0) != 0) return {};
  return prepare_reduce(site, axes, mean);
}

}  // namespace

float sum_f32(Isa isa, const float* x, i64 n) {
  switch (isa) {
    case Isa::avx512ifma:
    case Isa::avx2:
      return sum_avx2(x, n);
    case Isa::scalar:
      break;
  }
  return sum_scalar(x, n);
}

PreparedKernel prepare_reduce_mean(const KernelSite& site) { return prepare_by_input(site, true); }

PreparedKernel prepare_reduce_sum(const KernelSite& site) { return prepare_by_input(site, false); }

PreparedKernel prepare_global_average_pool(const KernelSite& site) {
  std::vector<i64> axes;
  for (i64 a = 2; a < std::ssize(site.in(0)); ++a) axes.push_back(a);
  if (axes.empty()) return {};
  return prepare_reduce(site, axes, true);
}

}  // namespace sinter
