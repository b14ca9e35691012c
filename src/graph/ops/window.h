// SPDX-License-Identifier: Apache-2.0
// Sliding windows: what Conv, ConvTranspose and the pools share. The attributes kernel_shape,
// strides, dilations, pads, auto_pad and ceil_mode are read once, checked, and resolved for spatial
// dims that are numbers; everything that walks windows (reference loops, kernels, the encrypted
// compiler) works from the resolved form.
//
//   extent = (kernel - 1) * dilation + 1
//   out    = floor((in + begin + end - extent) / stride) + 1       ceil with ceil_mode
//   SAME_* : out = ceil(in / stride), pads as needed, the odd one at the end for UPPER
//   ConvTranspose: out = (in - 1) * stride + output_padding + extent - begin - end
//
// With ceil_mode a last window that would begin in the padding behind the input is dropped, as the
// ONNX text, PyTorch and ONNX Runtime 1.30 have it (ONNX Runtime 1.20 keeps it).
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "graph/attributes.h"
#include "graph/dim.h"

namespace sinter {

enum class AutoPad { explicit_pads, same_upper, same_lower, valid };

/// The attributes with their defaults filled in; one entry per spatial axis (two per axis in pads).
struct WindowAttributes {
  AutoPad auto_pad = AutoPad::explicit_pads;
  std::vector<i64> kernel, strides, dilations;
  std::vector<i64> pads;  ///< all begins, then all ends; zeros unless explicit_pads
  bool ceil_mode = false;

  i64 extent(i64 axis) const { return (kernel[size_t(axis)] - 1) * dilations[size_t(axis)] + 1; }
};

/// Reads the attributes for `rank` spatial axes. `kernel` is the filter's spatial size, or empty
/// when only kernel_shape says it.
/// throws  Error(bad_input) naming `node` on a wrong count, a size below 1, a negative pad, an
///         unknown auto_pad, or a kernel_shape that contradicts `kernel`
WindowAttributes read_window(std::string_view node, const Attributes& attributes, i64 rank,
                             std::vector<i64> kernel);

/// A window over known sizes, one entry per spatial axis. Tap k of output o reads input
/// o * stride + k * dilation - begin (for ConvTranspose: input i writes i * stride + ... ).
struct Window {
  std::vector<i64> in, kernel, strides, dilations, begin, end, out;

  i64 rank() const { return std::ssize(in); }
  /// The same window over exactly three axes, axes of size 1 in front. rank() <= 3.
  Window in_3d() const;
};

/// throws  Error(bad_input) when the window is larger than the padded input
Window resolve_window(std::string_view node, const WindowAttributes& attributes,
                      std::span<const i64> in);
/// The output size for a size that may be an expression; unknown where no expression is exact.
Dim window_output(std::string_view node, const WindowAttributes& attributes, i64 axis,
                  const Dim& in);

/// Conv: x [N,C,...], w [M,C/group,...].
Window conv_window(std::string_view node, const Attributes& attributes, std::span<const i64> x,
                   std::span<const i64> w);
/// MaxPool, AveragePool: x [N,C,...].
Window pool_window(std::string_view node, const Attributes& attributes, std::span<const i64> x);
/// ConvTranspose: x [N,C,...], w [C,M/group,...]; reads output_padding and output_shape too.
Window conv_transpose_window(std::string_view node, const Attributes& attributes,
                             std::span<const i64> x, std::span<const i64> w);

}  // namespace sinter
