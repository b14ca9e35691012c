// SPDX-License-Identifier: Apache-2.0
// Per-channel polynomials: the fused activation, the fused affine and BatchNormalization. A row is
// one (batch, channel) plane with constant coefficients.
#pragma once
#include "runtime/kernels/kernel.h"

namespace sinter {

/// y[n,c,p] = (a[c]*x + b[c])*x + c0[c].
///
/// x, y      [batch, channels, plane], f32, row-major, dense; y may be x. No alignment needed.
/// coeffs    [3, channels]: rows a, b, c0.
/// accuracy  error <= 8 * 2^-24 * max(|a x^2|, |b x|, |c0|), first order; avx2 (FMA) rounds less.
/// checked   by the caller: sizes agree, channels and plane at least 1. Not here.
void channel_quadratic_f32(Isa isa, std::span<const float> x, std::span<const float> coeffs,
                           i64 channels, i64 plane, std::span<float> y);
void channel_quadratic_f32(std::span<const float> x, std::span<const float> coeffs, i64 channels,
                           i64 plane, std::span<float> y);

/// y[n,c,p] = (x - m[c])*s[c] + t[c].  Without centring, m = 0, it is ChannelAffine; with it,
/// BatchNormalization, which would lose digits as s*x + (t - s*m) where |m| is large.
///
/// x, y      as above
/// coeffs    [3, channels]: rows m, s, t.
/// accuracy  error <= 4 * 2^-24 * max(|(x - m) s|, |t|), first order
void channel_affine_f32(Isa isa, std::span<const float> x, std::span<const float> coeffs,
                        i64 channels, i64 plane, std::span<float> y);

PreparedKernel prepare_channel_quadratic(const KernelSite& site);
PreparedKernel prepare_channel_affine(const KernelSite& site);
PreparedKernel prepare_batch_normalization(const KernelSite& site);

}  // namespace sinter
