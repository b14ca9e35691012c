// SPDX-License-Identifier: Apache-2.0
// Averages and sums: every output is a weighted sum of inputs, or of their squares.
#include "encrypted/detail/lowering.h"
#include "graph/evaluate.h"
#include "graph/ops/window.h"

namespace sinter::encrypted::detail {
namespace {

/// The result is m times the value of stage `x`.
void finish(Lowering& l, NodeId id, i32 x, const Geometry& geometry, SparseMatrix m) {
  const Node& node = l.graph().node(id);
  Stage stage = l.linear(id, geometry);
  stage.terms.push_back({x, share(std::move(m))});
  l.bind(node.outputs[0], l.emit(std::move(stage)));
}

}  // namespace

// What a window divides by (padding counted or not, windows cut by ceil_mode) is read off the
// reference operator on an image of ones: it gives (taps inside) / divisor.
void lower_average_pool(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims x = l.dims(node.inputs[0]), y = l.dims(node.outputs[0]);
  require_one_image(l, id, x);
  const Window w = pool_window(l.describe(id), node.attributes, x).in_3d();
  Dims plane = x;
  plane[0] = plane[1] = 1;
  Tensor ones(DType::f64, plane);
  for (double& v : ones.mutable_data<double>()) v = 1;
  const Tensor* inputs[] = {&ones};
  const Tensor share_of_ones =
      std::move(evaluate_op(node.op, node.attributes, inputs, 1, l.describe(id))[0]);
  const i64 in_pixels = w.in[0] * w.in[1] * w.in[2], out_pixels = w.out[0] * w.out[1] * w.out[2];
  SparseBuilder m(x[1] * out_pixels, x[1] * in_pixels);
  std::vector<i64> inside;
  for (i64 o = 0; o < out_pixels; ++o) {
    const i64 at[3] = {o / (w.out[1] * w.out[2]), o / w.out[2] % w.out[1], o % w.out[2]};
    inside.clear();
    for (i64 k = 0; k < w.kernel[0] * w.kernel[1] * w.kernel[2]; ++k) {
      const i64 tap[3] = {k / (w.kernel[1] * w.kernel[2]), k / w.kernel[2] % w.kernel[1],
                          k % w.kernel[2]};
      i64 pixel = 0;
      for (size_t a = 0; a < 3 && pixel >= 0; ++a) {
        const i64 i = at[a] * w.strides[a] + tap[a] * w.dilations[a] - w.begin[a];
        pixel = i < 0 || i >= w.in[a] ? -1 : pixel * w.in[a] + i;
      }
      if (pixel >= 0) inside.push_back(pixel);
    }
    for (i64 pixel : inside)
      for (i64 c = 0; c < x[1]; ++c)
        m.add(c * out_pixels + o, c * in_pixels + pixel,
              share_of_ones.as_double(o) / double(inside.size()));
  }
  finish(l, id, l.stage(node.inputs[0]),
         strided_geometry(l.geometry(node.inputs[0]), y, w.strides[1], w.strides[2]), m.build());
}

void lower_global_average_pool(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims x = l.dims(node.inputs[0]), y = l.dims(node.outputs[0]);
  const i64 channels = x[0] * x[1], pixels = element_count(x) / channels;
  SparseBuilder m(channels, channels * pixels);
  for (i64 c = 0; c < channels; ++c)
    for (i64 i = 0; i < pixels; ++i) m.add(c, c * pixels + i, 1.0 / double(pixels));
  finish(l, id, l.stage(node.inputs[0]), dense_geometry({1, element_count(y)}), m.build());
}

void lower_reduce(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims x = l.dims(node.inputs[0]);
  std::vector<i64> axes;
  if (l.has(node, 1)) {
    const Tensor* given = l.constant(node.inputs[1]);
    if (given == nullptr) refuse(l, id, "the axes are not a constant");
    axes = given->as_ints();
  }
  if (axes.empty() && node.attributes.integer("noop_with_empty_axes", 0) == 0)
    for (i64 a = 0; a < std::ssize(x); ++a) axes.push_back(a);
  Dims kept = x;
  for (i64 a : axes) kept[size_t(a < 0 ? a + std::ssize(x) : a)] = 1;
  const std::vector<i64> target = broadcast_source(kept, x);
  const double weight =
      node.op == Op::ReduceMean ? double(element_count(kept)) / double(element_count(x)) : 1.0;
  SparseBuilder m(element_count(kept), element_count(x));
  for (size_t i = 0; i < target.size(); ++i) m.add(target[i], i64(i), weight);
  i32 value = l.stage(node.inputs[0]);
  if (node.op == Op::ReduceSumSquare)
    value = l.emit(l.product(id, l.geometry(node.inputs[0]), value, value));
  finish(l, id, value, dense_geometry(l.dims(node.outputs[0])), m.build());
}

}  // namespace sinter::encrypted::detail
