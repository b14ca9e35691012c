// SPDX-License-Identifier: Apache-2.0
// Most differences are rows of onnx/opsets.h: an attribute that must have its neutral value, an
// input that must be a constant and becomes an attribute. The functions here are the others, one
// an operator.
#include "onnx/lower.h"

#include <algorithm>
#include <cmath>

#include "onnx/opsets.h"

namespace sinter::onnx {
namespace {

class Lowering {
 public:
  Lowering(const Graph& graph, const Node& node, i64 opset) : g(graph), n(node), opset(opset) {
    out.op_type = name(n.op);
    out.attributes = n.attributes;
    for (ValueId v : n.inputs) out.inputs.push_back({v, nullptr});
    out.inputs.resize(out.inputs.size() - size_t(capture_count(n)));  // bodies say them by name
  }

  const Tensor* constant(size_t i) const {
    if (i >= out.inputs.size()) return nullptr;
    return out.inputs[i].constant ? out.inputs[i].constant.get() : g.constant(out.inputs[i].value);
  }
  bool has(size_t i) const { return i < out.inputs.size() && out.inputs[i].valid(); }
  const Shape* shape(size_t i) const {
    return i < n.inputs.size() && n.inputs[i].valid() && g.shape(n.inputs[i])
               ? &*g.shape(n.inputs[i])
               : nullptr;
  }
  i64 rank(size_t i) const { return shape(i) ? std::ssize(*shape(i)) : -1; }
  void drop_input(size_t i) {
    if (i < out.inputs.size()) out.inputs[i] = {};
    while (!out.inputs.empty() && !out.inputs.back().valid()) out.inputs.pop_back();
  }
  void set_input(size_t i, Tensor t) {
    if (out.inputs.size() <= i) out.inputs.resize(i + 1);
    out.inputs[i] = {{}, std::make_shared<const Tensor>(std::move(t))};
  }
  void set_ints(size_t i, const std::vector<i64>& v) {
    set_input(i, Tensor::of<i64>({std::ssize(v)}, std::span<const i64>(v)));
  }

  const Graph& g;
  const Node& n;
  const i64 opset;
  LoweredNode out;
};

// -- tables --------------------------------------------------------------------------------------

bool drop_attributes(Lowering& l) {
  for (const AttributeSince& row : attributes_since()) {
    if (row.op != l.out.op_type || l.opset >= row.opset || !l.out.attributes.has(row.name))
      continue;
    const auto it = std::find_if(l.out.attributes.begin(), l.out.attributes.end(),
                                 [&](const auto& entry) { return entry.first == row.name; });
    if (!is_neutral(it->second, row)) return false;
    l.out.attributes.erase(row.name);
  }
  return true;
}

bool inputs_to_attributes(Lowering& l) {
  for (const InputSince& row : inputs_since()) {
    if (row.op != l.out.op_type || l.opset >= row.opset || !l.has(row.index)) continue;
    const Tensor* t = l.constant(row.index);
    if (t == nullptr || (row.kind != 'I' && t->size() != 1)) return false;
    const std::string key(row.attribute);
    if (row.kind == 'I')
      l.out.attributes.set(key, t->as_ints());
    else if (row.kind == 'i')
      l.out.attributes.set(key, t->as_int(0));
    else if (double(float(t->as_double(0))) == t->as_double(0))
      l.out.attributes.set(key, float(t->as_double(0)));
    else
      return false;
    l.out.inputs[row.index] = {};
  }
  while (!l.out.inputs.empty() && !l.out.inputs.back().valid()) l.out.inputs.pop_back();
  return true;
}

/// Before version 11 an axis counted from the front. Where the rank is not known it stays.
void count_axes_from_front(Lowering& l) {
  if (l.opset >= 11) return;
  const i64 rank = l.out.op_type == "Unsqueeze" && l.rank(0) >= 0
                       ? l.rank(0) + std::ssize(l.out.attributes.integers("axes"))
                   : l.out.op_type == "OneHot" && l.rank(0) >= 0 ? l.rank(0) + 1
                                                                 : l.rank(0);
  if (rank < 0) return;
  const auto it = std::find_if(l.out.attributes.begin(), l.out.attributes.end(),
                               [](const auto& entry) { return entry.first == "axis"; });
  if (it != l.out.attributes.end())
    if (const auto* axis = std::get_if<i64>(&it->second); axis && *axis < 0)
      l.out.attributes.set("axis", *axis + rank);
  if (!l.out.attributes.has("axes")) return;
  std::vector<i64> axes = l.out.attributes.integers("axes");
  for (i64& a : axes) a += a < 0 ? rank : 0;
  l.out.attributes.set("axes", axes);
}

// -- operators -----------------------------------------------------------------------------------

/// An empty list of axes means all of them for Reduce operators, and is not written.
bool lower_reduce(Lowering& l) {
  const bool is_attribute = l.out.attributes.has("axes");
  if (!is_attribute || !l.out.attributes.integers("axes").empty()) return true;
  l.out.attributes.erase("axes");
  return true;
}

bool lower_batch_normalization(Lowering& l) {
  return l.opset >= 14 || l.n.outputs.size() == 1;  // more outputs meant training
}

bool lower_dropout(Lowering& l) {
  if (l.opset >= 12) return true;
  const Tensor* training = l.constant(2);
  if (l.has(2) && (training == nullptr || training->as_int(0) != 0)) return false;
  l.drop_input(2);
  l.out.attributes.erase("seed");
  return l.opset >= 10 || l.n.outputs.size() == 1 || l.g.use_count(l.n.outputs[1]) == 0;
}

bool lower_slice(Lowering& l) {
  if (l.opset >= 10) return true;
  const Tensor* steps = l.constant(4);
  if (l.has(4) && steps == nullptr) return false;
  for (i64 i = 0; steps != nullptr && i < steps->size(); ++i)
    if (steps->as_int(i) != 1) return false;
  l.drop_input(4);
  return true;
}

/// From 18 on a Split without sizes says how many parts; before, the parts had to be equal.
bool lower_split(Lowering& l) {
  const i64 parts = std::ssize(l.n.outputs);
  if (l.opset >= 18) {
    if (!l.has(1)) l.out.attributes.set("num_outputs", parts);
    return true;
  }
  l.out.attributes.erase("num_outputs");
  if (l.has(1) || parts == 1) return true;
  if (l.rank(0) < 0) return !l.n.attributes.has("num_outputs");
  const i64 axis = l.n.attributes.integer("axis", 0);
  const auto size = (*l.shape(0))[size_t(axis < 0 ? axis + l.rank(0) : axis)].value();
  if (!size) return !l.n.attributes.has("num_outputs");
  if (*size % parts == 0) return true;
  std::vector<i64> sizes(size_t(parts), (*size + parts - 1) / parts);
  sizes.back() = *size - sizes[0] * (parts - 1);
  if (sizes.back() < 0) return false;
  l.set_ints(1, sizes);
  return true;
}

bool lower_pad(Lowering& l) {
  if (l.opset < 19 && l.n.attributes.text("mode", "constant") == "wrap") return false;
  if (l.opset >= 18 || !l.has(3)) return true;
  const Tensor *axes = l.constant(3), *pads = l.constant(1);
  const i64 rank = l.rank(0);
  if (axes == nullptr || pads == nullptr || rank < 0 || pads->size() != 2 * axes->size())
    return false;
  std::vector<i64> all(size_t(2 * rank), 0);
  for (i64 i = 0; i < axes->size(); ++i) {
    const i64 a = axes->as_int(i) < 0 ? axes->as_int(i) + rank : axes->as_int(i);
    if (a < 0 || a >= rank) return false;
    all[size_t(a)] = pads->as_int(i);
    all[size_t(a + rank)] = pads->as_int(i + axes->size());
  }
  l.drop_input(3);
  l.set_ints(1, all);
  return true;
}

/// Before 14 a zero in the target always meant "copy".
bool lower_reshape(Lowering& l) {
  if (l.opset >= 14 || l.n.attributes.integer("allowzero", 0) == 0) return true;
  const Tensor* target = l.constant(1);
  if (target == nullptr) return false;
  const auto dims = target->as_ints();
  l.out.attributes.erase("allowzero");
  return std::find(dims.begin(), dims.end(), 0) == dims.end();
}

bool lower_shape(Lowering& l) { return l.opset >= 15 || !l.n.attributes.has("end"); }

/// Before 13 the input was a matrix cut at `axis`: the same when nothing is behind the axis.
bool lower_softmax(Lowering& l) {
  if (l.opset >= 13) return true;
  const i64 axis = l.n.attributes.integer("axis", -1), rank = l.rank(0);
  if (rank < 0) return axis == -1 && l.opset >= 11;
  const i64 from_front = axis < 0 ? axis + rank : axis;
  for (i64 i = from_front + 1; i < rank; ++i)
    if (!(*l.shape(0))[size_t(i)].is(1)) return false;
  l.out.attributes.set("axis", from_front);
  return true;
}

/// Before 11 Gemm always added something.
bool lower_gemm(Lowering& l) {
  if (l.opset >= 11 || l.has(2)) return true;
  l.set_input(2, convert(Tensor::of<float>({1}, {0.f}), l.g.dtype(l.n.inputs[0])));
  return true;
}

/// Before 8 the operands of Sum, Max, Min and Mean had one shape.
bool lower_variadic(Lowering& l) {
  for (size_t i = 0; i < l.n.inputs.size() && l.opset < 8; ++i)
    if (!l.shape(0) || !l.shape(i) || !same(*l.shape(0), *l.shape(i))) return false;
  return true;
}

bool lower_max_pool(Lowering& l) { return l.opset >= 8 || l.n.outputs.size() == 1; }

bool lower_scatter_elements(Lowering& l) {
  const std::string reduction = l.n.attributes.text("reduction", "none");
  if (l.opset < 18 && (reduction == "max" || reduction == "min")) return false;
  if (l.out.op_type != "ScatterND") l.out.op_type = l.opset < 11 ? "Scatter" : "ScatterElements";
  return true;
}

bool lower_grid_sample(Lowering& l) {
  if (l.opset >= 20) return true;
  if (l.rank(0) > 4) return false;
  const std::string mode = l.n.attributes.text("mode", "linear");
  l.out.attributes.set("mode", mode == "linear" ? "bilinear" : mode == "cubic" ? "bicubic" : mode);
  return true;
}

bool lower_roi_align(Lowering& l) {
  if (l.opset >= 16) return true;
  const bool fits =
      l.n.attributes.text("coordinate_transformation_mode", "half_pixel") == "output_half_pixel";
  l.out.attributes.erase("coordinate_transformation_mode");
  return fits;
}

/// Before 21 scale and bias had one element a group.
bool lower_group_normalization(Lowering& l) {
  if (l.opset >= 21) return true;
  const i64 groups = l.n.attributes.integer("num_groups", 0);
  for (size_t i : {1, 2}) {
    const Tensor* t = l.constant(i);
    if (t == nullptr || t->rank() != 1 || groups <= 0 || t->size() % groups != 0) return false;
    const i64 in_group = t->size() / groups, width = element_size(t->dtype());
    Tensor one(t->dtype(), {groups});
    for (i64 c = 0; c < t->size(); ++c) {
      const auto element = t->raw().subspan(size_t(c * width), size_t(width));
      const auto first = t->raw().subspan(size_t(c / in_group * in_group * width), size_t(width));
      if (!std::equal(element.begin(), element.end(), first.begin())) return false;
      std::copy(element.begin(), element.end(), one.mutable_raw().begin() + c / in_group * width);
    }
    l.set_input(i, std::move(one));
  }
  return true;
}

/// Resize 10 and Upsample 7 and 9 knew linear and nearest, without offsets; nearest rounded down
/// where an axis grows and up where it shrinks. Upsample never shrinks.
bool resize_is_plain(const Attributes& a, const Tensor* scales, i64 opset) {
  const std::string mode = a.text("mode", "nearest");
  if (a.text("coordinate_transformation_mode", "half_pixel") != "asymmetric") return false;
  if (mode == "linear") return true;
  const std::string rounding = a.text("nearest_mode", "round_prefer_floor");
  if (mode != "nearest" || (rounding != "floor" && rounding != "ceil")) return false;
  if (scales == nullptr) return rounding == "floor" && opset < 10;
  for (i64 i = 0; i < scales->size(); ++i)
    if (rounding == "floor" ? scales->as_double(i) < 1 : scales->as_double(i) > 1) return false;
  return true;
}

bool lower_resize(Lowering& l) {
  if (l.opset >= 19) return true;
  const Attributes& a = l.n.attributes;
  if (a.text("coordinate_transformation_mode", "half_pixel") == "half_pixel_symmetric")
    return false;
  if (l.opset >= 18) return true;
  if (a.has("axes")) return false;
  if (l.opset >= 13) return true;
  if (l.opset >= 11) {  // roi and scales may be empty, not absent
    if (!l.has(1)) l.set_input(1, Tensor(DType::f32, {0}));
    if (!l.has(2)) l.set_input(2, Tensor(DType::f32, {0}));
    return true;
  }
  if (!l.has(2) || l.has(3) || !resize_is_plain(a, l.constant(2), l.opset)) return false;
  l.out.inputs = {l.out.inputs[0], l.out.inputs[2]};
  l.out.attributes = {{"mode", a.text("mode", "nearest")}};
  if (l.opset == 10) return true;
  const Tensor* scales = l.constant(1);
  for (i64 i = 0; scales != nullptr && i < scales->size(); ++i)
    if (scales->as_double(i) < 1) return false;
  l.out.op_type = "Upsample";
  if (l.opset >= 9) return true;
  if (scales == nullptr) return false;
  std::vector<float> list;
  for (i64 i = 0; i < scales->size(); ++i) list.push_back(float(scales->as_double(i)));
  l.out.attributes.set("scales", list);
  l.out.inputs.resize(1);
  return true;
}

struct Row {
  std::string_view op;
  bool (*lower)(Lowering&);
};

// Before the tables, which take inputs away, and after them.
constexpr Row kBefore[] = {
    {"Dropout", lower_dropout}, {"Slice", lower_slice},     {"Split", lower_split},
    {"Pad", lower_pad},         {"Reshape", lower_reshape}, {"Resize", lower_resize},
};
constexpr Row kAfter[] = {
    {"BatchNormalization", lower_batch_normalization},
    {"Gemm", lower_gemm},
    {"GridSample", lower_grid_sample},
    {"GroupNormalization", lower_group_normalization},
    {"Hardmax", lower_softmax},
    {"LogSoftmax", lower_softmax},
    {"Max", lower_variadic},
    {"MaxPool", lower_max_pool},
    {"Mean", lower_variadic},
    {"Min", lower_variadic},
    {"RoiAlign", lower_roi_align},
    {"Scatter", lower_scatter_elements},
    {"ScatterElements", lower_scatter_elements},
    {"ScatterND", lower_scatter_elements},
    {"Shape", lower_shape},
    {"Softmax", lower_softmax},
    {"Sum", lower_variadic},
};

template <size_t count>
bool apply(const Row (&rows)[count], Lowering& l) {
  for (const Row& row : rows)
    if (row.op == name(l.n.op) && !row.lower(l)) return false;
  return true;
}

}  // namespace

std::optional<LoweredNode> lower(const Graph& graph, const Node& node, i64 opset) {
  Lowering l(graph, node, opset);
  const std::string_view op = name(node.op);
  if (opset < 7 || opset < first_opset(op)) return std::nullopt;
  if (!node.inputs.empty() && node.inputs[0].valid() &&
      opset < type_since(op, graph.dtype(node.inputs[0])))
    return std::nullopt;
  l.out.attributes.erase("captures");
  if (!apply(kBefore, l) || !drop_attributes(l) || !inputs_to_attributes(l) || !apply(kAfter, l))
    return std::nullopt;
  if (op.substr(0, 6) == "Reduce") lower_reduce(l);
  count_axes_from_front(l);
  return std::move(l.out);
}

}  // namespace sinter::onnx
