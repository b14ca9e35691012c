// SPDX-License-Identifier: Apache-2.0
// Convolutions as matrices over pixels:
//
//   M[(co, o)][(ci, o * stride + k * dilation - begin)] = W[co][ci][k]      inside the image
//
// A transposed convolution has the pixels' roles exchanged: input i writes to i * stride + k *
// dilation - begin. Groups restrict ci to the group of co. Any of them costs one level.
#include "encrypted/detail/lowering.h"
#include "graph/ops/window.h"

namespace sinter::encrypted::detail {
namespace {

i64 volume(std::span<const i64> dims) { return dims[0] * dims[1] * dims[2]; }

/// Calls entry(far pixel, near pixel, tap): near = o * stride + k * dilation - begin, inside
/// `near_dims`, for every pixel o of `far_dims`.
template <class Entry>
void for_each_tap(const Window& w, std::span<const i64> far_dims, std::span<const i64> near_dims,
                  const Entry& entry) {
  const auto at = [&](size_t axis, i64 o, i64 k) {
    return o * w.strides[axis] + k * w.dilations[axis] - w.begin[axis];
  };
  i64 far = 0;
  for (i64 z = 0; z < far_dims[0]; ++z)
    for (i64 y = 0; y < far_dims[1]; ++y)
      for (i64 x = 0; x < far_dims[2]; ++x, ++far) {
        i64 tap = 0;
        for (i64 kz = 0; kz < w.kernel[0]; ++kz)
          for (i64 ky = 0; ky < w.kernel[1]; ++ky)
            for (i64 kx = 0; kx < w.kernel[2]; ++kx, ++tap) {
              const i64 nz = at(0, z, kz), ny = at(1, y, ky), nx = at(2, x, kx);
              if (nz < 0 || nz >= near_dims[0] || ny < 0 || ny >= near_dims[1] || nx < 0 ||
                  nx >= near_dims[2])
                continue;
              entry(far, (nz * near_dims[1] + ny) * near_dims[2] + nx, tap);
            }
      }
}

void finish(Lowering& l, NodeId id, Stage stage, SparseMatrix m) {
  const Node& node = l.graph().node(id);
  stage.terms.push_back({l.stage(node.inputs[0]), share(std::move(m))});
  if (l.has(node, 2)) {
    const Tensor* bias = l.constant(node.inputs[2]);
    if (bias == nullptr) refuse(l, id, "the bias is not a constant");
    const i64 pixels = stage.size() / bias->size();
    for (i64 i = 0; i < stage.size(); ++i) stage.bias.push_back(bias->as_double(i / pixels));
  }
  l.bind(node.outputs[0], l.emit(std::move(stage)));
}

const Tensor& weight_of(const Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Tensor* weight = l.constant(node.inputs[1]);
  if (weight == nullptr || l.constant(node.inputs[0]) != nullptr)
    refuse(l, id, "the filter is not a constant");
  return *weight;
}

}  // namespace

void lower_conv(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Tensor& weight = weight_of(l, id);
  const Dims x = l.dims(node.inputs[0]), y = l.dims(node.outputs[0]);
  require_one_image(l, id, x);
  const Window w = conv_window(l.describe(id), node.attributes, x, weight.dims()).in_3d();
  const i64 groups = node.attributes.integer("group", 1), in_pixels = volume(w.in);
  const i64 out_pixels = volume(w.out), taps = volume(w.kernel);
  const i64 outputs = weight.dim(0), per_group = weight.dim(1);
  SparseBuilder m(outputs * out_pixels, x[1] * in_pixels);
  for (i64 co = 0; co < outputs; ++co) {
    const i64 group = co / (outputs / groups);
    for (i64 c = 0; c < per_group; ++c)
      for_each_tap(w, w.out, w.in, [&](i64 out, i64 in, i64 tap) {
        m.add(co * out_pixels + out, (group * per_group + c) * in_pixels + in,
              weight.as_double((co * per_group + c) * taps + tap));
      });
  }
  finish(l, id,
         l.linear(id, strided_geometry(l.geometry(node.inputs[0]), y, w.strides[1], w.strides[2])),
         m.build());
}

void lower_conv_transpose(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Tensor& weight = weight_of(l, id);
  const Dims x = l.dims(node.inputs[0]), y = l.dims(node.outputs[0]);
  require_one_image(l, id, x);
  const Window w = conv_transpose_window(l.describe(id), node.attributes, x, weight.dims()).in_3d();
  const i64 groups = node.attributes.integer("group", 1), in_pixels = volume(w.in);
  const i64 out_pixels = volume(w.out), taps = volume(w.kernel);
  const i64 inputs = weight.dim(0), per_group = weight.dim(1);
  SparseBuilder m(y[1] * out_pixels, inputs * in_pixels);
  for (i64 ci = 0; ci < inputs; ++ci) {
    const i64 group = ci / (inputs / groups);
    for (i64 c = 0; c < per_group; ++c)
      for_each_tap(w, w.in, w.out, [&](i64 in, i64 out, i64 tap) {
        m.add((group * per_group + c) * out_pixels + out, ci * in_pixels + in,
              weight.as_double((ci * per_group + c) * taps + tap));
      });
  }
  const Geometry& in = l.geometry(node.inputs[0]);
  Geometry geometry = dense_geometry(y);
  const i64 stride = w.strides[2];
  if (std::ssize(y) == 4 && w.strides[1] == stride && in.gap % stride == 0) {
    geometry.gap = in.gap / stride;
    geometry.plane_height = std::max(in.plane_height, geometry.height * geometry.gap);
    geometry.plane_width = std::max(in.plane_width, geometry.width * geometry.gap);
  }
  finish(l, id, l.linear(id, geometry), m.build());
}

}  // namespace sinter::encrypted::detail
