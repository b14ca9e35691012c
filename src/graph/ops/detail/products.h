// SPDX-License-Identifier: Apache-2.0
// Matrix product and convolution as functions, for the operators that are these and something more:
// the quantized ones. Sums wrap around for integers.
#pragma once
#include "graph/ops/detail/common.h"

namespace sinter::detail {

/// Shape of the product of inputs a and b; nullopt when a rank is unknown.
/// throws  Error(bad_input) when the inner sizes contradict or the leading axes do not broadcast
std::optional<Shape> matmul_shape(const InferContext& ctx, i64 a, i64 b);
/// a and b of one element type, float or integer; `dims` is their matmul_shape.
Tensor matmul(const Tensor& a, const Tensor& b, const Dims& dims);

/// Shape of the convolution of input x with filters w; `bias` is the number of an input that may be
/// absent, or -1. nullopt when the rank of x is unknown.
/// throws  Error(bad_input) when ranks, channels, groups or the window contradict
std::optional<Shape> conv_shape(const InferContext& ctx, i64 x, i64 w, i64 bias);
/// x and w of one element type, f32, f64 or i32; `dims` is their conv_shape; no bias.
Tensor convolve(std::string_view node, const Attributes& attributes, const Tensor& x,
                const Tensor& w, const Dims& dims);

}  // namespace sinter::detail
