// SPDX-License-Identifier: Apache-2.0
// Float32 convolution over two spatial axes (one axis is a height of 1), with groups and bias.
//
//   y[n,o,p] = bias[o] + sum over c, t of w[o,c,t] * x[n, group(o), c, p*stride + t*dilation - pad]
//
// Two ways, the better of which is chosen by the shape when the node is prepared:
//   direct   (conv_direct.cpp) for few channels and depthwise: a band of the padded input is copied
//            so that every tap is a contiguous row, then 4 filters x 3 vectors accumulate in
//            registers over all channels and taps;
//   im2col   (conv_im2col.cpp) for the rest: the taps of a tile of outputs become the columns of a
//            matrix, and one sgemm multiplies the filters with it. A 1x1 convolution needs no copy.
#pragma once
#include "graph/ops/window.h"
#include "runtime/kernels/kernel.h"

namespace sinter {

/// A convolution with everything resolved; channels and filters are per group.
struct ConvShape {
  i64 batch = 1, groups = 1, channels = 1, filters = 1;
  i64 in_h = 1, in_w = 1, kernel_h = 1, kernel_w = 1, out_h = 1, out_w = 1;
  i64 stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;

  i64 taps() const { return kernel_h * kernel_w; }
  i64 depth() const { return channels * taps(); }  ///< products added into one output
  i64 in_plane() const { return in_h * in_w; }
  i64 out_plane() const { return out_h * out_w; }
  /// 1x1 without stride or padding: a plain matrix product.
  bool is_pointwise() const {
    return taps() == 1 && stride_h == 1 && stride_w == 1 && out_plane() == in_plane();
  }
};

/// A prepared convolution: weights packed, tiles chosen.
///
/// x         [batch, groups*channels, in_h, in_w], dense
/// weight    [groups*filters, channels, kernel_h, kernel_w], read while preparing by the direct
///           way; by im2col its pointer must stay valid
/// bias      groups*filters elements or nullptr; y may not overlap x
/// accuracy  error <= (depth + 2) * 2^-24 * (|w| * |x| + |bias|), first order
/// thread    the calls of one pool at a time for one scratch
class ConvPlan {
 public:
  virtual ~ConvPlan() = default;
  virtual i64 scratch_bytes() const = 0;  ///< for each worker
  virtual i64 packed_bytes() const = 0;
  /// `scratch(worker)` gives each worker its own bytes, 64-byte aligned.
  virtual void run(ThreadPool& pool, const float* x, const float* weight, const float* bias,
                   float* y, std::byte* scratch, i64 scratch_stride) const = 0;
};

std::unique_ptr<ConvPlan> plan_conv_direct(const ConvShape& shape, const float* weight, Isa isa);
std::unique_ptr<ConvPlan> plan_conv_im2col(const ConvShape& shape);
/// True where the direct way was measured to be the faster one (docs/runtime.md, section 4).
bool prefers_direct(const ConvShape& shape, Isa isa);

/// Conv of rank 3 or 4.
PreparedKernel prepare_conv(const KernelSite& site);

}  // namespace sinter
