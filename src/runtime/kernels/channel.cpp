// SPDX-License-Identifier: Apache-2.0
// Two or three operations an element, so the kernels are bound by memory: 8 bytes moved per 4
// flops. A plane of one element (after Flatten) is a row of channels instead; there the
// coefficients are vectors too.
#include "runtime/kernels/channel.h"

#include <immintrin.h>

#include <cmath>

namespace sinter {
namespace {

enum class Form { quadratic, affine };

/// Coefficients of a row: a single triple (step 0), or one triple an element (step 1).
struct Row {
  const float *p, *q, *r;
  i64 step;
};
using RowKernel = void (*)(const float* x, Row k, i64 n, float* y);

template <Form form>
void row_scalar(const float* x, Row k, i64 n, float* y) {
  for (i64 i = 0; i < n; ++i) {
    const float p = k.p[i * k.step], q = k.q[i * k.step], r = k.r[i * k.step];
    y[i] = form == Form::quadratic ? (p * x[i] + q) * x[i] + r : (x[i] - p) * q + r;
  }
}

template <Form form>
SINTER_TARGET_AVX2 void row_avx2(const float* x, Row k, i64 n, float* y) {
  __m256 p = _mm256_set1_ps(*k.p), q = _mm256_set1_ps(*k.q), r = _mm256_set1_ps(*k.r);
  i64 i = 0;
  for (; i + 8 <= n; i += 8) {
    if (k.step != 0) {
      p = _mm256_loadu_ps(k.p + i);
      q = _mm256_loadu_ps(k.q + i);
      r = _mm256_loadu_ps(k.r + i);
    }
    const __m256 v = _mm256_loadu_ps(x + i);
    if constexpr (form == Form::quadratic)
      _mm256_storeu_ps(y + i, _mm256_fmadd_ps(_mm256_fmadd_ps(p, v, q), v, r));
    else
      _mm256_storeu_ps(y + i, _mm256_fmadd_ps(_mm256_sub_ps(v, p), q, r));
  }
  const i64 at = i * k.step;
  row_scalar<form>(x + i, {k.p + at, k.q + at, k.r + at, k.step}, n - i, y + i);
}

template <Form form>
RowKernel row_kernel(Isa isa) {
  switch (isa) {
    case Isa::avx512ifma:
    case Isa::avx2:
      return row_avx2<form>;
    case Isa::scalar:
      break;
  }
  return row_scalar<form>;
}

/// Rows [begin, end) of the tensor; with plane 1 a row is all channels of one batch entry.
template <Form form>
void rows(Isa isa, const float* x, const float* coeffs, i64 channels, i64 plane, i64 begin, i64 end,
          float* y) {
  const RowKernel row = row_kernel<form>(isa);
  const float *p = coeffs, *q = p + channels, *r = q + channels;
  const bool whole = plane == 1;
  const i64 length = whole ? channels : plane;
  for (i64 i = begin; i < end; ++i) {
    const i64 c = whole ? 0 : i % channels;
    row(x + i * length, {p + c, q + c, r + c, whole ? 1 : 0}, length, y + i * length);
  }
}

template <Form form>
void all_rows(Isa isa, std::span<const float> x, std::span<const float> coeffs, i64 channels,
              i64 plane, std::span<float> y) {
  const i64 length = plane == 1 ? channels : plane;
  rows<form>(isa, x.data(), coeffs.data(), channels, plane, 0, std::ssize(x) / length, y.data());
}

/// True when `dims`, lined up with the end of x, has one element per channel (axis 1 of x).
bool is_per_channel(const Dims& dims, const Dims& x) {
  const i64 shift = std::ssize(x) - std::ssize(dims);
  if (shift < 0 || x.size() < 2) return false;
  for (i64 a = 0; a < std::ssize(dims); ++a)
    if (dims[size_t(a)] != (a + shift == 1 ? x[1] : 1)) return false;
  return shift <= 1;
}

/// Each coefficient as a row of `channels` floats, or an empty result.
std::vector<float> coefficients(const KernelSite& site, std::initializer_list<i64> inputs) {
  std::vector<float> rows;
  for (i64 i : inputs) {
    const Tensor* t = site.constant(i);
    if (t == nullptr || !is_per_channel(t->dims(), site.in(0))) return {};
    const std::span<const float> values = t->data<float>();
    rows.insert(rows.end(), values.begin(), values.end());
  }
  return rows;
}

template <Form form>
PreparedKernel prepared(const KernelSite& site, std::vector<float> coeffs) {
  const Dims& x = site.in(0);
  const i64 channels = x.size() > 1 ? x[1] : 1, size = element_count(x);
  i64 plane = 1;
  for (size_t a = 2; a < x.size(); ++a) plane *= x[a];
  const i64 length = plane == 1 ? channels : plane, grain = std::max<i64>(1, 16384 / length);
  const Isa isa = site.isa;
  PreparedKernel kernel;
  kernel.packed_bytes = 4 * std::ssize(coeffs);
  kernel.may_overwrite = {0};
  kernel.body = [=, coeffs = std::move(coeffs)](const KernelArgs& args) {
    args.pool.ranges(size / length, grain, [&](i64 begin, i64 end) {
      rows<form>(isa, args.in(0), coeffs.data(), channels, plane, begin, end, args.out());
    });
  };
  return kernel;
}

}  // namespace

void channel_quadratic_f32(Isa isa, std::span<const float> x, std::span<const float> coeffs,
                           i64 channels, i64 plane, std::span<float> y) {
  all_rows<Form::quadratic>(isa, x, coeffs, channels, plane, y);
}

void channel_quadratic_f32(std::span<const float> x, std::span<const float> coeffs, i64 channels,
                           i64 plane, std::span<float> y) {
  channel_quadratic_f32(active_isa(), x, coeffs, channels, plane, y);
}

void channel_affine_f32(Isa isa, std::span<const float> x, std::span<const float> coeffs,
                        i64 channels, i64 plane, std::span<float> y) {
  all_rows<Form::affine>(isa, x, coeffs, channels, plane, y);
}

PreparedKernel prepare_channel_quadratic(const KernelSite& site) {
  if (!site.all(DType::f32)) return {};
  std::vector<float> coeffs = coefficients(site, {1, 2, 3});
  if (coeffs.empty()) return {};
  return prepared<Form::quadratic>(site, std::move(coeffs));
}

PreparedKernel prepare_channel_affine(const KernelSite& site) {
  if (!site.all(DType::f32)) return {};
  std::vector<float> coeffs = coefficients(site, {1, 2});
  if (coeffs.empty()) return {};
  coeffs.insert(coeffs.begin(), size_t(site.in(0)[1]), 0.f);
  return prepared<Form::affine>(site, std::move(coeffs));
}

PreparedKernel prepare_batch_normalization(const KernelSite& site) {
  if (!site.all(DType::f32) || site.outputs.size() != 1 || site.in(0).size() < 2) return {};
  const i64 channels = site.in(0)[1];
  const float epsilon = site.attributes().real("epsilon", 1e-5f);
  for (i64 i = 1; i <= 4; ++i)
    if (site.constant(i) == nullptr || site.constant(i)->size() != channels) return {};
  const float *gamma = site.constant(1)->data<float>().data(),
              *beta = site.constant(2)->data<float>().data(),
              *mean = site.constant(3)->data<float>().data(),
              *variance = site.constant(4)->data<float>().data();
  std::vector<float> coeffs(mean, mean + channels);
  for (i64 c = 0; c < channels; ++c) coeffs.push_back(gamma[c] / std::sqrt(variance[c] + epsilon));
  coeffs.insert(coeffs.end(), beta, beta + channels);
  return prepared<Form::affine>(site, std::move(coeffs));
}

}  // namespace sinter
