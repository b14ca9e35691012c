// SPDX-License-Identifier: Apache-2.0
// Element by element: affine maps per channel, sums, products, quadratics.
//
// A quadratic a x^2 + b x + c with s = b / (2 a) becomes
//
//   y = (x + s)^2 - s^2 = x^2 + (b/a) x,   then   a y + c
//
// one product and a diagonal map that merge.cpp moves into the readers, so the activation costs one
// level. What it costs in precision: an error e of x reaches the result as |2 a (x + s)| e, by the
// slope, as in any other form. On top comes the rounding of the constant s^2, which is encoded in
// double arithmetic, at a relative 2^-45 or better: a s^2 2^-45 = b s 2^-46, which stays below half
// of what the noise 2^-27 of x brings through the slope b as long as |s| <= 2^18 = kMaxShift.
// Beyond that (or where a is 0 in some channel) x * (a x + b) + c is taken: two levels, said in the
// notes.
#include <cmath>

#include "encrypted/detail/lowering.h"

namespace sinter::encrypted::detail {
namespace {

/// The stage's value broadcast to `to`, as a matrix.
std::shared_ptr<const SparseMatrix> spread(const Dims& from, const Dims& to, double scale = 1) {
  SparseMatrix m = selection(broadcast_source(from, to), element_count(from));
  for (double& v : m.value) v *= scale;
  return share(std::move(m));
}

/// The geometry for a result of `dims`: that of an operand of the same dims when there is one.
Geometry result_geometry(const Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims dims = l.dims(node.outputs[0]);
  for (ValueId v : node.inputs)
    if (v.valid() && l.constant(v) == nullptr && l.dims(v) == dims) return l.geometry(v);
  return dense_geometry(dims);
}

/// A stage holding `value` broadcast to `dims`; the value's own stage when nothing is to be done.
i32 broadcast_stage(Lowering& l, NodeId id, ValueId value, const Dims& dims,
                    const Geometry& geometry) {
  if (element_count(l.dims(value)) == element_count(dims)) return l.stage(value);
  Stage stage = l.linear(id, geometry);
  stage.terms.push_back({l.stage(value), spread(l.dims(value), dims)});
  return l.emit(std::move(stage));
}

/// scale .* x + offset as a stage of its own.
i32 emit_affine(Lowering& l, NodeId id, i32 x, const Geometry& geometry, std::vector<double> scale,
                std::vector<double> offset, bool is_affine) {
  Stage stage = l.linear(id, geometry);
  stage.terms.push_back({x, share(diagonal(scale))});
  stage.bias = std::move(offset);
  stage.is_affine = is_affine;
  return l.emit(std::move(stage));
}

/// Constant input `i` broadcast to the output's dims.
std::vector<double> parameter(const Lowering& l, NodeId id, i64 i, const Dims& dims) {
  const Tensor* tensor = l.constant(l.graph().node(id).inputs[size_t(i)]);
  if (tensor == nullptr) refuse(l, id, "a parameter is not a constant");
  return broadcast_values(*tensor, dims);
}

}  // namespace

void lower_channel_affine(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims dims = l.dims(node.outputs[0]);
  std::vector<double> scale, offset;
  if (node.op == Op::ChannelAffine) {
    scale = parameter(l, id, 1, dims);
    offset = parameter(l, id, 2, dims);
  } else {
    if (node.attributes.integer("training_mode", 0) != 0)
      refuse(l, id, "a BatchNormalization in training mode; export the model in eval mode");
    Dims channel(dims.size() > 1 ? dims.size() - 1 : 1, 1);
    channel[0] = dims[dims.size() > 1 ? 1 : 0];
    std::vector<double> p[4];
    for (i64 i = 1; i <= 4; ++i) {
      const Tensor* t = l.constant(node.inputs[size_t(i)]);
      if (t == nullptr) refuse(l, id, "a statistic is not a constant");
      for (i64 s : broadcast_source(channel, dims)) p[i - 1].push_back(t->as_double(s));
    }
    const double epsilon = node.attributes.real("epsilon", 1e-5f);
    for (size_t i = 0; i < p[0].size(); ++i) {
      scale.push_back(p[0][i] / std::sqrt(p[3][i] + epsilon));
      offset.push_back(p[1][i] - p[2][i] * scale.back());
    }
  }
  const Geometry geometry = l.geometry(node.inputs[0]);
  l.bind(node.outputs[0], emit_affine(l, id, l.stage(node.inputs[0]), geometry, std::move(scale),
                                      std::move(offset), true));
}

void lower_channel_quadratic(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims dims = l.dims(node.outputs[0]);
  const i32 x = l.stage(node.inputs[0]);
  const Geometry geometry = l.geometry(node.inputs[0]);
  std::vector<double> a = parameter(l, id, 1, dims), b = parameter(l, id, 2, dims);
  std::vector<double> c = parameter(l, id, 3, dims);
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = a[i] == 0 ? INFINITY : std::max(largest, std::abs(b[i] / (2 * a[i])));
  i32 y = -1;
  if (largest <= kMaxShift) {
    Stage square = l.product(id, geometry, x, x);
    for (size_t i = 0; i < a.size(); ++i) {
      const double s = b[i] / (2 * a[i]);
      square.shift_x.push_back(s);
      square.post.push_back(-s * s);
    }
    square.shift_y = square.shift_x;
    y = emit_affine(l, id, l.emit(std::move(square)), geometry, std::move(a), std::move(c), false);
  } else {
    l.note(l.describe(id) + ": evaluated as x*(a*x+b)+c, two levels, because |b/2a| reaches " +
           (std::isinf(largest) ? std::string("infinity") : std::to_string(largest)));
    const i32 line = emit_affine(l, id, x, geometry, std::move(a), std::move(b), false);
    Stage times = l.product(id, geometry, x, line);
    times.post = std::move(c);
    y = l.emit(std::move(times));
  }
  l.bind(node.outputs[0], y);
}

void lower_add(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims dims = l.dims(node.outputs[0]);
  Stage stage = l.linear(id, result_geometry(l, id));
  for (i64 i = 0; i < 2; ++i) {
    const ValueId v = node.inputs[size_t(i)];
    const double sign = i == 1 && node.op == Op::Sub ? -1 : 1;
    if (l.constant(v) != nullptr) {
      stage.bias = parameter(l, id, i, dims);
      for (double& b : stage.bias) b *= sign;
      continue;
    }
    const auto matrix = spread(l.dims(v), dims, sign);
    const i32 value = l.stage(v);
    if (!stage.terms.empty() && stage.terms[0].value == value)
      stage.terms[0].matrix = share(add(*stage.terms[0].matrix, *matrix));
    else
      stage.terms.push_back({value, matrix});
  }
  l.bind(node.outputs[0], l.emit(std::move(stage)));
}

void lower_multiply(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Dims dims = l.dims(node.outputs[0]);
  const Geometry geometry = result_geometry(l, id);
  const bool constant_right = l.constant(node.inputs[1]) != nullptr;
  if (node.op == Op::Div && !constant_right)
    refuse(l, id,
           "the divisor depends on the input; divide by a constant, or leave it to the "
           "client");
  if (!constant_right && l.constant(node.inputs[0]) == nullptr) {
    const i32 x = broadcast_stage(l, id, node.inputs[0], dims, geometry);
    const i32 y = broadcast_stage(l, id, node.inputs[1], dims, geometry);
    l.bind(node.outputs[0], l.emit(l.product(id, geometry, x, y)));
    return;
  }
  std::vector<double> scale = parameter(l, id, constant_right ? 1 : 0, dims);
  if (node.op == Op::Div)
    for (double& v : scale) v = 1 / v;
  const ValueId value = node.inputs[constant_right ? 0 : 1];
  Stage stage = l.linear(id, geometry);
  SparseMatrix m = *spread(l.dims(value), dims);
  SINTER_ASSERT(m.nonzeros() == std::ssize(scale));
  for (size_t i = 0; i < scale.size(); ++i) m.value[i] = scale[i];
  stage.terms.push_back({l.stage(value), share(std::move(m))});
  stage.is_affine = is_diagonal(*stage.terms[0].matrix);
  l.bind(node.outputs[0], l.emit(std::move(stage)));
}

void lower_power(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Tensor* exponent = l.constant(node.inputs[1]);
  if (exponent == nullptr || exponent->size() != 1 || exponent->as_double(0) != 2)
    refuse(l, id, "only the power 2 has an encrypted form; write other powers as products");
  const i32 x = l.stage(node.inputs[0]);
  l.bind(node.outputs[0], l.emit(l.product(id, l.geometry(node.inputs[0]), x, x)));
}

void lower_negate(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Geometry geometry = l.geometry(node.inputs[0]);
  const std::vector<double> scale(size_t(geometry.size()), -1.0);
  l.bind(node.outputs[0], emit_affine(l, id, l.stage(node.inputs[0]), geometry, scale, {}, false));
}

}  // namespace sinter::encrypted::detail
