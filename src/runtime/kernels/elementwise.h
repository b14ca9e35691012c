// SPDX-License-Identifier: Apache-2.0
// Float32 operators that compute each output element from one element of each input.
#pragma once
#include "runtime/kernels/kernel.h"

namespace sinter {

enum class UnaryOp { relu, leaky_relu, clip, neg, abs, sqrt, square, exp, log, sigmoid, tanh };
enum class BinaryOp { add, sub, mul, div, pow };

/// y[i] = op(x[i]); leaky_relu has slope p for x < 0, clip the bounds p and q (q wins).
///
/// x, y      same size, dense; y may be x. No alignment needed.
/// accuracy  relu to square: the bits of the reference. exp to tanh: the C library's function, as
///           the reference uses; a NaN stays one
/// thread    safe
void unary_f32(Isa isa, UnaryOp op, std::span<const float> x, std::span<float> y, float p = 0,
               float q = 0);

/// y[i] = op(a[i * a_step], b[i * b_step]) for a step of 0 or 1.
///
/// a, b, y   y may be a or b where that has step 1. No alignment needed.
/// accuracy  the bits of the reference: one rounding (pow: the C library's)
/// thread    safe
void binary_f32(Isa isa, BinaryOp op, const float* a, i64 a_step, const float* b, i64 b_step,
                i64 count, float* y);

template <UnaryOp op>
PreparedKernel prepare_unary(const KernelSite& site);
template <BinaryOp op>
PreparedKernel prepare_binary(const KernelSite& site);

/// Softmax over the last axis, or over one behind which all sizes are 1.
///
/// accuracy  relative error <= (n + 16) * 2^-24 for rows of n, beside the rounding of x - max(x)
PreparedKernel prepare_softmax(const KernelSite& site);

}  // namespace sinter
