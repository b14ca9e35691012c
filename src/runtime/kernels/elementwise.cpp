// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/elementwise.h"

#include <immintrin.h>

#include <algorithm>
#include <cmath>

#include "runtime/kernels/broadcast.h"

namespace sinter {
namespace {

constexpr i64 kGrain = 16384;  // elements below which a loop stays on one thread

// -- one operand ---------------------------------------------------------------------------------

template <UnaryOp op>
float unary(float v, float p, float q) {
  switch (op) {
    case UnaryOp::relu:
      return v < 0 ? 0.f : v;  // a NaN compares false and is kept
    case UnaryOp::leaky_relu:
      return v < 0 ? p * v : v;
    case UnaryOp::clip:
      v = v < p ? p : v;
      return v > q ? q : v;
    case UnaryOp::neg:
      return -v;
    case UnaryOp::abs:
      return std::fabs(v);
    case UnaryOp::sqrt:
      return std::sqrt(v);
    case UnaryOp::square:
      return v * v;
    case UnaryOp::exp:
      return std::exp(v);
    case UnaryOp::log:
      return std::log(v);
    case UnaryOp::tanh:
      return std::tanh(v);
    case UnaryOp::sigmoid:
      break;
  }
  const float e = std::exp(-std::fabs(v));
  return (v < 0 ? e : 1.f) / (1.f + e);
}

using UnaryKernel = void (*)(const float* x, i64 n, float p, float q, float* y);

template <UnaryOp op>
void unary_scalar(const float* x, i64 n, float p, float q, float* y) {
  for (i64 i = 0; i < n; ++i) y[i] = unary<op>(x[i], p, q);
}

// max(a, b) and min(a, b) return b when either is a NaN, so the value goes second to keep one.
template <UnaryOp op>
SINTER_TARGET_AVX2 void unary_avx2(const float* x, i64 n, float p, float q, float* y) {
  const __m256 zero = _mm256_setzero_ps(), vp = _mm256_set1_ps(p), vq = _mm256_set1_ps(q);
  const __m256 sign = _mm256_set1_ps(-0.f);
  i64 i = 0;
  for (; i + 8 <= n; i += 8) {
    __m256 v = _mm256_loadu_ps(x + i);
    if constexpr (op == UnaryOp::relu) v = _mm256_max_ps(zero, v);
    if constexpr (op == UnaryOp::leaky_relu)
      v = _mm256_blendv_ps(v, _mm256_mul_ps(vp, v), _mm256_cmp_ps(v, zero, _CMP_LT_OQ));
    if constexpr (op == UnaryOp::clip) v = _mm256_min_ps(vq, _mm256_max_ps(vp, v));
    if constexpr (op == UnaryOp::neg) v = _mm256_xor_ps(v, sign);
    if constexpr (op == UnaryOp::abs) v = _mm256_andnot_ps(sign, v);
    if constexpr (op == UnaryOp::sqrt) v = _mm256_sqrt_ps(v);
    if constexpr (op == UnaryOp::square) v = _mm256_mul_ps(v, v);
    _mm256_storeu_ps(y + i, v);
  }
  unary_scalar<op>(x + i, n - i, p, q, y + i);
}

template <UnaryOp op>
UnaryKernel unary_kernel(Isa isa) {
  if constexpr (op < UnaryOp::exp)
    if (isa >= Isa::avx2) return unary_avx2<op>;
  return unary_scalar<op>;
}

// -- two operands --------------------------------------------------------------------------------

template <BinaryOp op>
float binary(float a, float b) {
  if constexpr (op == BinaryOp::add) return a + b;
  if constexpr (op == BinaryOp::sub) return a - b;
  if constexpr (op == BinaryOp::mul) return a * b;
  if constexpr (op == BinaryOp::div) return a / b;
  return b == 2.f ? a * a : std::pow(a, b);
}

using BinaryKernel = void (*)(const float* a, const float* b, i64 n, float* y);

template <BinaryOp op, int kA, int kB>
void binary_scalar(const float* a, const float* b, i64 n, float* y) {
  for (i64 i = 0; i < n; ++i) y[i] = binary<op>(a[i * kA], b[i * kB]);
}

template <BinaryOp op, int kA, int kB>
SINTER_TARGET_AVX2 void binary_avx2(const float* a, const float* b, i64 n, float* y) {
  __m256 va = _mm256_set1_ps(*a), vb = _mm256_set1_ps(*b);
  i64 i = 0;
  for (; i + 8 <= n; i += 8) {
    if constexpr (kA == 1) va = _mm256_loadu_ps(a + i);
    if constexpr (kB == 1) vb = _mm256_loadu_ps(b + i);
    __m256 v;
    if constexpr (op == BinaryOp::add) v = _mm256_add_ps(va, vb);
    if constexpr (op == BinaryOp::sub) v = _mm256_sub_ps(va, vb);
    if constexpr (op == BinaryOp::mul) v = _mm256_mul_ps(va, vb);
    if constexpr (op == BinaryOp::div) v = _mm256_div_ps(va, vb);
    _mm256_storeu_ps(y + i, v);
  }
  binary_scalar<op, kA, kB>(a + i * kA, b + i * kB, n - i, y + i);
}

template <BinaryOp op, int kA, int kB>
BinaryKernel binary_kernel_for(Isa isa) {
  if constexpr (op != BinaryOp::pow)
    if (isa >= Isa::avx2) return binary_avx2<op, kA, kB>;
  return binary_scalar<op, kA, kB>;
}

template <BinaryOp op>
BinaryKernel binary_kernel(Isa isa, i64 a_step, i64 b_step) {
  if (a_step == 0) {
    if (b_step == 0) return binary_scalar<op, 0, 0>;
    return binary_kernel_for<op, 0, 1>(isa);
  }
  return b_step == 0 ? binary_kernel_for<op, 1, 0>(isa) : binary_kernel_for<op, 1, 1>(isa);
}

template <UnaryOp op>
PreparedKernel prepared_unary(i64 size, Isa isa, float p, float q) {
  const UnaryKernel kernel = unary_kernel<op>(isa);
  PreparedKernel prepared;
  prepared.may_overwrite = {0};
  prepared.body = [=](const KernelArgs& args) {
    args.pool.ranges(size, kGrain, [&](i64 begin, i64 end) {
      kernel(args.in(0) + begin, end - begin, p, q, args.out() + begin);
    });
  };
  return prepared;
}

/// The one element of a constant, or `absent` when there is no input; nullopt when not constant.
std::optional<float> scalar(const KernelSite& site, i64 input, float absent) {
  if (!site.has(input)) return absent;
  const Tensor* t = site.constant(input);
  if (t == nullptr || t->size() != 1) return std::nullopt;
  return t->data<float>()[0];
}

void softmax_row(const float* x, i64 n, float* y) {
  float largest = x[0], sum = 0;
  for (i64 i = 1; i < n; ++i) largest = std::max(largest, x[i]);
  for (i64 i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - largest);
  for (i64 i = 0; i < n; ++i) y[i] /= sum;
}

}  // namespace

void unary_f32(Isa isa, UnaryOp op, std::span<const float> x, std::span<float> y, float p,
               float q) {
  UnaryKernel kernel = nullptr;
  switch (op) {
#define SINTER_CASE(o)                      \
  case UnaryOp::o:                          \
    kernel = unary_kernel<UnaryOp::o>(isa); \
    break;
    SINTER_CASE(relu)
    SINTER_CASE(leaky_relu)
    SINTER_CASE(clip)
    SINTER_CASE(neg)
    SINTER_CASE(abs)
    SINTER_CASE(sqrt)
    SINTER_CASE(square)
    SINTER_CASE(exp)
    SINTER_CASE(log)
    SINTER_CASE(sigmoid)
    SINTER_CASE(tanh)
#undef SINTER_CASE
  }
  kernel(x.data(), std::ssize(x), p, q, y.data());
}

void binary_f32(Isa isa, BinaryOp op, const float* a, i64 a_step, const float* b, i64 b_step,
                i64 count, float* y) {
  BinaryKernel kernel = nullptr;
  switch (op) {
#define SINTER_CASE(o)                                        \
  case BinaryOp::o:                                           \
    kernel = binary_kernel<BinaryOp::o>(isa, a_step, b_step); \
    break;
    SINTER_CASE(add)
    SINTER_CASE(sub)
    SINTER_CASE(mul)
    SINTER_CASE(div)
    SINTER_CASE(pow)
#undef SINTER_CASE
  }
  kernel(a, b, count, y);
}

template <UnaryOp op>
PreparedKernel prepare_unary(const KernelSite& site) {
  if (!site.all(DType::f32)) return {};
  float p = 0, q = 0;
  if (op == UnaryOp::leaky_relu) p = site.attributes().real("alpha", 0.01f);
  if (op == UnaryOp::clip) {
    const std::optional<float> low = scalar(site, 1, -INFINITY), high = scalar(site, 2, INFINITY);
    if (!low || !high || std::isnan(*low) || std::isnan(*high)) return {};
    p = *low, q = *high;
  }
  return prepared_unary<op>(element_count(site.out()), site.isa, p, q);
}

template <BinaryOp op>
PreparedKernel prepare_binary(const KernelSite& site) {
  if (site.types[0] != DType::f32) return {};
  if (op == BinaryOp::pow && site.in(0) == site.out() && site.constant(1) != nullptr &&
      site.constant(1)->size() == 1 && site.constant(1)->as_double(0) == 2)
    return prepared_unary<UnaryOp::square>(element_count(site.out()), site.isa, 0, 0);
  if (!site.all(DType::f32)) return {};
  const BroadcastLoop loop = broadcast_loop(site.out(), {site.in(0), site.in(1)});
  const BinaryKernel kernel = binary_kernel<op>(site.isa, loop.inner_steps[0], loop.inner_steps[1]);
  PreparedKernel prepared;
  for (i64 i : {0, 1})
    if (site.in(i) == site.out()) prepared.may_overwrite.push_back(i);
  if (loop.runs == 1) {
    prepared.body = [=](const KernelArgs& args) {
      args.pool.ranges(loop.inner, kGrain, [&](i64 begin, i64 end) {
        kernel(args.in(0) + begin * loop.inner_steps[0], args.in(1) + begin * loop.inner_steps[1],
               end - begin, args.out() + begin);
      });
    };
    return prepared;
  }
  prepared.body = [=](const KernelArgs& args) {
    args.pool.ranges(loop.runs, std::max<i64>(1, kGrain / loop.inner), [&](i64 begin, i64 end) {
      for_runs(loop, begin, end, [&](i64 to, const std::array<i64, 3>& from) {
        kernel(args.in(0) + from[0], args.in(1) + from[1], loop.inner, args.out() + to);
      });
    });
  };
  return prepared;
}

PreparedKernel prepare_softmax(const KernelSite& site) {
  if (!site.all(DType::f32)) return {};
  const Dims& x = site.in(0);
  const i64 rank = std::ssize(x);
  if (rank == 0) return {};
  i64 axis = site.attributes().integer("axis", -1);
  if (axis < 0) axis += rank;
  for (i64 a = axis + 1; a < rank; ++a)
    if (x[size_t(a)] != 1) return {};
  const i64 length = x[size_t(axis)], lines = element_count(x) / length;
  PreparedKernel prepared;
  prepared.may_overwrite = {0};
  prepared.body = [=](const KernelArgs& args) {
    args.pool.ranges(lines, std::max<i64>(1, 1024 / length), [&](i64 begin, i64 end) {
      for (i64 i = begin; i < end; ++i)
        softmax_row(args.in(0) + i * length, length, args.out() + i * length);
    });
  };
  return prepared;
}

template PreparedKernel prepare_unary<UnaryOp::relu>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::leaky_relu>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::clip>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::neg>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::abs>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::sqrt>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::exp>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::log>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::sigmoid>(const KernelSite&);
template PreparedKernel prepare_unary<UnaryOp::tanh>(const KernelSite&);
template PreparedKernel prepare_binary<BinaryOp::add>(const KernelSite&);
template PreparedKernel prepare_binary<BinaryOp::sub>(const KernelSite&);
template PreparedKernel prepare_binary<BinaryOp::mul>(const KernelSite&);
template PreparedKernel prepare_binary<BinaryOp::div>(const KernelSite&);
template PreparedKernel prepare_binary<BinaryOp::pow>(const KernelSite&);

}  // namespace sinter
