// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv.h"

#include <limits>

namespace sinter {
namespace {

ConvShape conv_shape(const KernelSite& site) {
  const Dims &x = site.in(0), &w = site.in(1);
  const Window v = conv_window(site.description, site.attributes(), x, w).in_3d();
  ConvShape s;
  s.batch = x[0];
  s.groups = site.attributes().integer("group", 1);
  s.channels = w[1];
  s.filters = w[0] / s.groups;
  s.in_h = v.in[1], s.in_w = v.in[2];
  s.kernel_h = v.kernel[1], s.kernel_w = v.kernel[2];
  s.out_h = v.out[1], s.out_w = v.out[2];
  s.stride_h = v.strides[1], s.stride_w = v.strides[2];
  s.dilation_h = v.dilations[1], s.dilation_w = v.dilations[2];
  s.pad_top = v.begin[1], s.pad_left = v.begin[2];
  return s;
}

}  // namespace

bool prefers_direct(const ConvShape& s, Isa isa) {
  if (s.filters == 1) return true;          // a product of one row has nothing to reuse
  if (isa == Isa::scalar) return false;     // BLAS brings its own vectors
  if (s.is_pointwise()) return false;       // and needs no columns here
  const i64 lanes = (s.out_w + 7) / 8 * 8;  // of vectors that cover a row
  return s.depth() <= 600 || (s.depth() <= 1152 && 4 * s.out_w >= 3 * lanes);
}

PreparedKernel prepare_conv(const KernelSite& site) {
  if (!site.all(DType::f32) || site.in(0).size() > 4) return {};
  const ConvShape s = conv_shape(site);
  constexpr i64 kLargest = std::numeric_limits<int>::max();
  if (s.depth() > kLargest || s.out_plane() > kLargest || s.in_plane() > kLargest) return {};
  const Tensor* weight = site.constant(1);
  std::shared_ptr<const ConvPlan> plan;
  if (weight != nullptr && prefers_direct(s, site.isa))
    plan = plan_conv_direct(s, weight->data<float>().data(), site.isa);
  else
    plan = plan_conv_im2col(s);
  const bool has_bias = site.has(2);
  PreparedKernel kernel;
  kernel.body = [=](const KernelArgs& args) {
    plan->run(args.pool, args.in(0), args.in(1), has_bias ? args.in(2) : nullptr, args.out(),
              args.scratch, args.scratch_stride);
  };
  kernel.scratch_bytes = plan->scratch_bytes();
  kernel.packed_bytes = plan->packed_bytes();
  return kernel;
}

}  // namespace sinter
