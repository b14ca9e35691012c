// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/carry.h"

#include <algorithm>

#include "passes/detail/edit.h"

namespace sinter::passes {
namespace {

/// Average pooling counts implicit zeros when it pads and counts the padding.
bool averages_padding(const Node& pool) {
  const std::vector<i64> pads = pool.attributes.integers("pads");
  const bool pads_nothing = std::all_of(pads.begin(), pads.end(), [](i64 p) { return p == 0; });
  const std::string auto_pad = pool.attributes.text("auto_pad", "NOTSET");
  const bool is_plain = (auto_pad == "NOTSET" && pads_nothing) || auto_pad == "VALID";
  return pool.attributes.integer("count_include_pad", 0) != 0 &&
         !(is_plain && pool.attributes.integer("ceil_mode", 0) == 0);
}

/// True when a window of the pool may hold no element of its input: what the pool then gives is no
/// element that a map has seen. Rounding the size up starts the last window less than one stride
/// behind the last place where one fits; when it begins behind the input, some runtimes drop it and
/// some keep it (graph/ops/window.h), and a rewrite has to be right in both.
bool may_have_empty_window(const Node& pool) {
  const std::vector<i64> kernel = pool.attributes.integers("kernel_shape");
  const std::vector<i64> strides = pool.attributes.integers("strides");
  const std::vector<i64> dilations = pool.attributes.integers("dilations");
  const std::vector<i64> pads = pool.attributes.integers("pads");
  const bool rounds_up = pool.attributes.integer("ceil_mode", 0) != 0;
  const size_t rank = kernel.size();
  for (size_t s = 0; s < rank; ++s) {
    const i64 stride = s < strides.size() ? strides[s] : 1;
    const i64 dilation = s < dilations.size() ? dilations[s] : 1;
    const i64 begin = pads.size() == 2 * rank ? pads[s] : 0;
    const i64 end = pads.size() == 2 * rank ? pads[s + rank] : 0;
    if (begin >= kernel[s] || end >= kernel[s]) return true;
    if (dilation > 1 && (begin > 0 || end > 0 || rounds_up)) return true;
    if (rounds_up && stride + end > kernel[s]) return true;
  }
  return false;
}

/// Only the zeros that a Pad of another mode would not add matter: constant mode with value 0.
Passes through_pad(const Graph& g, const Node& pad) {
  if (pad.attributes.text("mode", "constant") != "constant") return Passes::affine;
  if (pad.inputs.size() > 2 && pad.inputs[2].valid()) {
    const Tensor* value = g.constant(pad.inputs[2]);
    if (value == nullptr || value->size() != 1 || value->as_double(0) != 0) return Passes::nothing;
  }
  return Passes::scale;
}

/// Interpolation weights sum to 1, but for what lies outside.
Passes through_resize(const Node& resize) {
  const bool extrapolates = resize.attributes.text("coordinate_transformation_mode",
                                                   "half_pixel") == "tf_crop_and_resize";
  const bool renormalizes = resize.attributes.integer("exclude_outside", 0) != 0 ||
                            resize.attributes.integer("antialias", 0) != 0;
  return extrapolates ? Passes::nothing : renormalizes ? Passes::scale : Passes::affine;
}

/// The axes that a reduction sums over; nullopt when they are not known.
std::optional<std::vector<i64>> reduced_axes(const Graph& g, const Node& n, i64 rank) {
  std::vector<i64> axes = n.attributes.integers("axes");
  if (n.inputs.size() > 1 && n.inputs[1].valid()) {
    const Tensor* t = g.constant(n.inputs[1]);
    if (t == nullptr) return std::nullopt;
    axes = t->as_ints();
  }
  if (axes.empty()) {
    if (n.attributes.integer("noop_with_empty_axes", 0) != 0) return axes;
    for (i64 d = 0; d < rank; ++d) axes.push_back(d);
  }
  for (i64& a : axes) a = normalized(a, rank);
  return axes;
}

/// The input axis of every output axis, or -1 where the output axis is not one of the input.
using AxisTable = std::vector<i64>;

std::optional<AxisTable> reduction_axes(const Graph& g, const Node& n, i64 rank) {
  const auto axes = reduced_axes(g, n, rank);
  if (!axes) return std::nullopt;
  const bool keeps = n.attributes.integer("keepdims", 1) != 0;
  AxisTable table;
  for (i64 d = 0; d < rank; ++d) {
    const bool reduced = std::find(axes->begin(), axes->end(), d) != axes->end();
    if (!reduced)
      table.push_back(d);
    else if (keeps)
      table.push_back(-1);
  }
  return table;
}

/// Axes of Gather(data, indices): the gathered one becomes those of the indices.
std::optional<AxisTable> gather_axes(const Graph& g, const Node& n, i64 rank) {
  const std::optional<Shape>& indices = g.shape(n.inputs[1]);
  if (!indices) return std::nullopt;
  const i64 axis = normalized(n.attributes.integer("axis", 0), rank);
  AxisTable table;
  for (i64 d = 0; d < rank; ++d) {
    if (d == axis)
      table.insert(table.end(), indices->size(), -1);
    else
      table.push_back(d);
  }
  return table;
}

/// The axes that a Resize cannot touch: their scale is the constant 1, or the sizes are the same
/// numbers. Equal symbols would not do: a crop of an axis could give its size back.
AxisTable resize_axes(const Graph& g, const Node& n, const Shape& x, const Shape& y) {
  AxisTable table(x.size(), -1);
  const Tensor* scales = n.inputs.size() > 2 ? g.constant(n.inputs[2]) : nullptr;
  const bool has_axes = n.attributes.has("axes");
  for (size_t d = 0; d < x.size(); ++d) {
    const bool is_kept = scales != nullptr && !has_axes && scales->size() == std::ssize(x) &&
                         scales->as_double(i64(d)) == 1;
    if (is_kept || (d < 2 && x[d].value() && same(x[d], y[d]))) table[d] = i64(d);
  }
  return table;
}

/// Right-aligned; an axis stays where its dimension is the same before and after.
AxisTable unchanged_axes(const Shape& x, const Shape& y) {
  AxisTable table;
  const i64 more = std::ssize(y) - std::ssize(x);
  for (i64 d = 0; d < std::ssize(y); ++d)
    table.push_back(d >= more && same(x[size_t(d - more)], y[size_t(d)]) ? d - more : -1);
  return table;
}

/// An axis that Slice or Pad may touch is lost, whatever its size is afterwards.
AxisTable without_axes(i64 rank, const std::vector<i64>& lost) {
  AxisTable table;
  for (i64 d = 0; d < rank; ++d)
    table.push_back(std::find(lost.begin(), lost.end(), d) == lost.end() ? d : -1);
  return table;
}

std::optional<AxisTable> slice_axes(const Graph& g, const Node& n, i64 rank) {
  std::vector<i64> axes;
  if (n.inputs.size() > 3 && n.inputs[3].valid()) {
    const Tensor* t = g.constant(n.inputs[3]);
    if (t == nullptr) return std::nullopt;
    for (i64 axis : t->as_ints()) axes.push_back(normalized(axis, rank));
  } else {
    const std::optional<Shape>& starts = g.shape(n.inputs[1]);
    if (!starts || starts->size() != 1 || !(*starts)[0].value()) return std::nullopt;
    for (i64 d = 0; d < *(*starts)[0].value(); ++d) axes.push_back(d);
  }
  return without_axes(rank, axes);
}

std::optional<AxisTable> pad_axes(const Graph& g, const Node& n, i64 rank) {
  const Tensor* pads = g.constant(n.inputs[1]);
  if (pads == nullptr || pads->size() != 2 * rank) return std::nullopt;
  std::vector<i64> axes;
  for (i64 d = 0; d < rank; ++d)
    if (pads->as_int(d) != 0 || pads->as_int(rank + d) != 0) axes.push_back(d);
  return without_axes(rank, axes);
}

/// For operators that move, drop or repeat axes whole; reshapes are apart.
std::optional<AxisTable> axis_table(const Graph& g, const Node& n) {
  const std::optional<Shape>&x = g.shape(n.inputs[0]), &y = g.shape(n.outputs[0]);
  if (!x || !y) return std::nullopt;
  const i64 rank = std::ssize(*x);
  switch (n.op) {
    case Op::Transpose: {
      AxisTable perm = n.attributes.integers("perm");
      if (perm.empty())
        for (i64 d = rank; d-- > 0;) perm.push_back(d);
      return perm;
    }
    case Op::ReduceMean:
    case Op::ReduceSum:
    case Op::ReduceMax:
    case Op::ReduceMin:
      return reduction_axes(g, n, rank);
    case Op::Gather:
      return gather_axes(g, n, rank);
    case Op::Resize:
      return resize_axes(g, n, *x, *y);
    case Op::Slice:
      return slice_axes(g, n, rank);
    case Op::Pad:
      return pad_axes(g, n, rank);
    case Op::MaxPool:
    case Op::AveragePool:
    case Op::GlobalAveragePool:
    case Op::GlobalMaxPool: {
      AxisTable table(size_t(rank), -1);
      for (size_t d = 0; d < std::min<size_t>(2, table.size()); ++d) table[d] = i64(d);
      return table;
    }
    default:
      return unchanged_axes(*x, *y);
  }
}

bool is_reshape(Op op) {
  return op == Op::Reshape || op == Op::Flatten || op == Op::Squeeze || op == Op::Unsqueeze;
}

}  // namespace

Passes what_passes(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::Relu:
    case Op::LeakyRelu:
    case Op::PRelu:
      return Passes::positive_scale;
    case Op::MaxPool:
      if (may_have_empty_window(node)) return Passes::nothing;
      return node.outputs.size() > 1 && graph.use_count(node.outputs[1]) > 0 ? Passes::nothing
                                                                             : Passes::monotone;
    case Op::GlobalMaxPool:
    case Op::ReduceMax:
    case Op::ReduceMin:
      return Passes::monotone;
    case Op::Resize:
      return through_resize(node);
    case Op::AveragePool:
      return averages_padding(node) || may_have_empty_window(node) ? Passes::scale : Passes::affine;
    case Op::ReduceSum:
      return Passes::scale;
    case Op::Pad:
      return through_pad(graph, node);
    case Op::Identity:
    case Op::GlobalAveragePool:
    case Op::ReduceMean:
    case Op::Transpose:
    case Op::Reshape:
    case Op::Flatten:
    case Op::Squeeze:
    case Op::Unsqueeze:
    case Op::Slice:
    case Op::Gather:
    case Op::Expand:
      return Passes::affine;
    default:
      return Passes::nothing;
  }
}

bool may_pass(Passes passes, const AffineMap& map) {
  switch (passes) {
    case Passes::nothing:
      return false;
    case Passes::positive_scale:
      return map.is_positive() && !map.has_shift();
    case Passes::monotone:
      return map.is_positive();
    case Passes::scale:
      return !map.has_shift();
    case Passes::affine:
      return true;
  }
  return false;
}

std::optional<AffineMap> carried_forward(const Graph& graph, const Node& node,
                                         const AffineMap& map) {
  if (map.is_uniform()) return map;
  const std::optional<Shape>&x = graph.shape(node.inputs[0]), &y = graph.shape(node.outputs[0]);
  if (!x || !y) return std::nullopt;
  if (is_reshape(node.op)) return reshaped_map(map, *x, *y);
  const auto table = axis_table(graph, node);
  if (!table) return std::nullopt;
  const auto it = std::find(table->begin(), table->end(), map.axis);
  return it == table->end() ? std::nullopt : std::optional(map.along(it - table->begin()));
}

std::optional<AffineMap> carried_back(const Graph& graph, const Node& node, const AffineMap& map) {
  if (map.is_uniform()) return map;
  const std::optional<Shape>&x = graph.shape(node.inputs[0]), &y = graph.shape(node.outputs[0]);
  if (!x || !y) return std::nullopt;
  if (is_reshape(node.op)) return reshaped_map(map, *y, *x);
  const auto table = axis_table(graph, node);
  if (!table || map.axis >= std::ssize(*table) || (*table)[size_t(map.axis)] < 0)
    return std::nullopt;
  return map.along((*table)[size_t(map.axis)]);
}

std::optional<AffineMap> seen_from_operand(const Graph& graph, ValueId operand,
                                           const AffineMap& map, i64 rank) {
  if (map.is_uniform()) return map;
  const std::optional<Shape>& shape = graph.shape(operand);
  if (!shape) return std::nullopt;
  const i64 axis = map.axis - (rank - std::ssize(*shape));
  if (axis < 0 || !(*shape)[size_t(axis)].is(map.count())) return std::nullopt;
  return map.along(axis);
}

}  // namespace sinter::passes
