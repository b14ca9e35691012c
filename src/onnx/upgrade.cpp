// SPDX-License-Identifier: Apache-2.0
#include "onnx/upgrade.h"

#include <algorithm>
#include <limits>

namespace sinter::onnx {
namespace {

struct Legacy {
  Op op;
  std::string_view attribute;
  char kind;
};

// Attributes that older forms have and the internal form has not.
constexpr Legacy kLegacy[] = {
    {Op::Squeeze, "axes", 'I'},
    {Op::Unsqueeze, "axes", 'I'},
    {Op::ReduceSum, "axes", 'I'},
    {Op::Split, "split", 'I'},
    {Op::Slice, "axes", 'I'},
    {Op::Slice, "starts", 'I'},
    {Op::Slice, "ends", 'I'},
    {Op::Pad, "pads", 'I'},
    {Op::Pad, "paddings", 'I'},
    {Op::Pad, "value", 'f'},
    {Op::Clip, "min", 'f'},
    {Op::Clip, "max", 'f'},
    {Op::Dropout, "ratio", 'f'},
    {Op::Dropout, "is_test", 'i'},
    {Op::Reshape, "shape", 'I'},
    {Op::Cast, "to", 's'},
    {Op::BatchNormalization, "spatial", 'i'},
    {Op::BatchNormalization, "is_test", 'i'},
    {Op::Gemm, "broadcast", 'i'},
    {Op::Add, "axis", 'i'},
    {Op::Add, "broadcast", 'i'},
    {Op::Sub, "axis", 'i'},
    {Op::Sub, "broadcast", 'i'},
    {Op::Mul, "axis", 'i'},
    {Op::Mul, "broadcast", 'i'},
    {Op::Div, "axis", 'i'},
    {Op::Div, "broadcast", 'i'},
    {Op::Pow, "axis", 'i'},
    {Op::Pow, "broadcast", 'i'},
    {Op::Equal, "axis", 'i'},
    {Op::Equal, "broadcast", 'i'},
};

/// The name of a helper value of this node: "<first output>_<what>".
std::string helper(RawNode& n, std::string_view what) {
  return n.names->fresh((n.outputs.empty() ? std::string(name(n.op)) : n.outputs[0]) + "_" +
                        std::string(what));
}

ValueId ints(Graph& g, RawNode& n, const std::vector<i64>& values, std::string_view what) {
  return g.add_constant(Tensor::of<i64>({std::ssize(values)}, std::span<const i64>(values)),
                        helper(n, what));
}

/// A scalar of the type of the node's first input.
ValueId scalar(Graph& g, RawNode& n, float value, std::string_view what) {
  return g.add_constant(convert(Tensor::scalar(value), g.dtype(n.inputs[0])), helper(n, what));
}

/// Moves a list attribute to input `index`, leaving inputs between absent.
void list_to_input(Graph& g, RawNode& n, std::string_view attribute, size_t index) {
  if (!n.attributes.has(attribute)) return;
  const auto values = n.attributes.integers(attribute);
  n.attributes.erase(attribute);
  if (n.inputs.size() <= index) n.inputs.resize(index + 1);
  n.inputs[index] = ints(g, n, values, attribute);
}

void drop(RawNode& n, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) n.attributes.erase(name);
}

void upgrade_axes(Graph& g, RawNode& n, i64 opset) {
  if (opset < 13) list_to_input(g, n, "axes", 1);
}

void upgrade_split(Graph& g, RawNode& n, i64 opset) {
  if (opset < 13) list_to_input(g, n, "split", 1);
}

void upgrade_slice(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 10) return;
  list_to_input(g, n, "starts", 1);
  list_to_input(g, n, "ends", 2);
  list_to_input(g, n, "axes", 3);
}

void upgrade_pad(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 11) return;
  const float value = n.attributes.real("value", 0);
  list_to_input(g, n, "paddings", 1);
  list_to_input(g, n, "pads", 1);
  n.attributes.erase("value");
  if (value != 0) {
    n.inputs.resize(2);
    n.inputs.push_back(scalar(g, n, value, "value"));
  }
}

void upgrade_clip(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 11) return;
  n.inputs.resize(1);
  for (std::string_view bound : {"min", "max"}) {
    n.inputs.push_back(n.attributes.has(bound) ? scalar(g, n, n.attributes.real(bound, 0), bound)
                                               : ValueId{});
    n.attributes.erase(bound);
  }
}

void upgrade_dropout(Graph&, RawNode& n, i64 opset) {
  if (opset >= 12) return;
  require(opset >= 7 || n.attributes.integer("is_test", 0) != 0, ErrorKind::unsupported,
          n.description, ": Dropout in training mode is not supported; export for inference");
  require(opset >= 10 || n.outputs.size() == 1, ErrorKind::unsupported, n.description,
          ": the mask of Dropout before opset 10 is not supported");
  drop(n, {"ratio", "is_test"});
}

void upgrade_reshape(Graph& g, RawNode& n, i64 opset) {
  if (opset < 5) list_to_input(g, n, "shape", 1);
}

void upgrade_cast(Graph&, RawNode& n, i64 opset) {
  if (opset >= 6) return;
  constexpr std::pair<std::string_view, DType> kNames[] = {
      {"FLOAT", DType::f32},    {"UINT8", DType::u8},     {"INT8", DType::i8},
      {"UINT16", DType::u16},   {"INT16", DType::i16},    {"INT32", DType::i32},
      {"INT64", DType::i64},    {"BOOL", DType::boolean}, {"FLOAT16", DType::f16},
      {"DOUBLE", DType::f64},   {"UINT32", DType::u32},   {"UINT64", DType::u64},
      {"STRING", DType::string}};
  const std::string to = n.attributes.text("to", "");
  for (const auto& [label, type] : kNames)
    if (label == to) return n.attributes.set("to", i64(type));
  fail(ErrorKind::bad_input, n.description, ": attribute to=\"", to, "\" is not an element type");
}

void upgrade_batch_normalization(Graph&, RawNode& n, i64 opset) {
  if (opset >= 14) return;
  const bool inference =
      opset >= 7 ? n.outputs.size() == 1 : n.attributes.integer("is_test", 0) != 0;
  require(inference, ErrorKind::unsupported, n.description,
          ": BatchNormalization in training mode is not supported; export for inference");
  require(n.attributes.integer("spatial", 1) == 1, ErrorKind::unsupported, n.description,
          ": BatchNormalization with spatial=0 is not supported");
  n.outputs.resize(1);
  drop(n, {"spatial", "is_test"});
}

void upgrade_gemm(Graph&, RawNode& n, i64) { drop(n, {"broadcast"}); }

/// Before opset 7 the second operand was aligned at `axis` when broadcast=1.
void upgrade_broadcast(Graph& g, RawNode& n, i64 opset) {
  const bool has_axis = n.attributes.has("axis");
  i64 axis = n.attributes.integer("axis", 0);
  const bool broadcast = n.attributes.integer("broadcast", 0) != 0;
  drop(n, {"axis", "broadcast"});
  if (opset >= 7 || !broadcast || !has_axis) return;
  const auto &a = g.shape(n.inputs[0]), &b = g.shape(n.inputs[1]);
  require(a && b, ErrorKind::unsupported, n.description,
          ": broadcast with axis needs operands of known rank");
  const i64 rank = std::ssize(*a), inner = std::ssize(*b);
  if (axis < 0) axis += rank;
  require(axis >= 0 && axis + inner <= rank, ErrorKind::bad_input, n.description,
          ": broadcast axis ", axis, " does not fit ranks ", rank, " and ", inner);
  std::vector<i64> axes;
  for (i64 i = inner; i < rank - axis; ++i) axes.push_back(i);
  if (!axes.empty())
    n.inputs[1] =
        g.add(Op::Unsqueeze, {n.inputs[1], ints(g, n, axes, "axes")}, {}, helper(n, "operand"));
}

/// Before opset 4 Concat had a default axis.
void upgrade_concat(Graph&, RawNode& n, i64 opset) {
  if (opset < 4 && !n.attributes.has("axis")) n.attributes.set("axis", i64(1));
}

/// Before opset 13 Softmax saw its input as a matrix cut at `axis` (default 1).
void upgrade_softmax(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 13) return;
  i64 axis = n.attributes.integer("axis", 1);
  n.attributes.set("axis", i64(-1));
  if (axis == -1) return;  // rows along the last axis: then and now the same
  const auto& shape = g.shape(n.inputs[0]);
  if (shape) {
    const i64 rank = std::ssize(*shape);
    require(axis >= -rank && axis <= rank, ErrorKind::bad_input, n.description, ": axis ", axis,
            " does not fit rank ", rank);
    if ((axis < 0 ? axis + rank : axis) == rank - 1) return;
  }
  const ValueId x = n.inputs[0];
  const ValueId flat = g.add(Op::Flatten, {x}, {{"axis", axis}}, helper(n, "flat"));
  const ValueId soft = g.add(Op::Softmax, {flat}, {{"axis", i64(-1)}}, helper(n, "soft"));
  n.op = Op::Reshape;
  n.inputs = {soft, g.add(Op::Shape, {x}, {}, helper(n, "shape"))};
  n.attributes = {{"allowzero", i64(1)}};  // the target is a whole shape: 0 means empty
}

/// Operators whose upgrade looks at the second input.
bool takes_two(Op op) {
  return op == Op::Add || op == Op::Sub || op == Op::Mul || op == Op::Div || op == Op::Pow ||
         op == Op::Equal;
}

struct Row {
  Op op;
  void (*upgrade)(Graph&, RawNode&, i64 opset);
};

constexpr Row kUpgrades[] = {
    {Op::Squeeze, upgrade_axes},
    {Op::Unsqueeze, upgrade_axes},
    {Op::ReduceSum, upgrade_axes},
    {Op::Split, upgrade_split},
    {Op::Slice, upgrade_slice},
    {Op::Pad, upgrade_pad},
    {Op::Clip, upgrade_clip},
    {Op::Dropout, upgrade_dropout},
    {Op::Reshape, upgrade_reshape},
    {Op::Cast, upgrade_cast},
    {Op::BatchNormalization, upgrade_batch_normalization},
    {Op::Gemm, upgrade_gemm},
    {Op::Add, upgrade_broadcast},
    {Op::Sub, upgrade_broadcast},
    {Op::Mul, upgrade_broadcast},
    {Op::Div, upgrade_broadcast},
    {Op::Pow, upgrade_broadcast},
    {Op::Equal, upgrade_broadcast},
    {Op::Softmax, upgrade_softmax},
    {Op::Concat, upgrade_concat},
};

}  // namespace

void upgrade(Graph& graph, RawNode& node, i64 opset) {
  // A form may read its first input's type; which inputs must be there is checked here, once.
  const int needed = std::min(info(node.op).min_inputs, 1 + int(takes_two(node.op)));
  for (int i = 0; i < needed; ++i)
    require(std::ssize(node.inputs) > i && node.inputs[size_t(i)].valid(), ErrorKind::bad_input,
            node.description, ": input ", i, " is required");
  if (opset < 6) node.attributes.erase("consumed_inputs");  // a hint of the first opsets
  for (const Row& row : kUpgrades)
    if (row.op == node.op) return row.upgrade(graph, node, opset);
}

char legacy_kind(Op op, std::string_view attribute) {
  for (const Legacy& row : kLegacy)
    if (row.op == op && row.attribute == attribute) return row.kind;
  if (attribute == "consumed_inputs") return 'I';
  return 0;
}

}  // namespace sinter::onnx
