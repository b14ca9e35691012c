// SPDX-License-Identifier: Apache-2.0
#include "onnx/upgrade.h"

#include <algorithm>
#include <limits>

#include "onnx/opsets.h"

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
    {Op::ReduceL1, "axes", 'I'},
    {Op::ReduceL2, "axes", 'I'},
    {Op::ReduceLogSum, "axes", 'I'},
    {Op::ReduceLogSumExp, "axes", 'I'},
    {Op::ReduceMax, "axes", 'I'},
    {Op::ReduceMean, "axes", 'I'},
    {Op::ReduceMin, "axes", 'I'},
    {Op::ReduceProd, "axes", 'I'},
    {Op::ReduceSumSquare, "axes", 'I'},
    {Op::Split, "split", 'I'},
    {Op::Slice, "axes", 'I'},
    {Op::Slice, "starts", 'I'},
    {Op::Slice, "ends", 'I'},
    {Op::Pad, "pads", 'I'},
    {Op::Pad, "paddings", 'I'},
    {Op::Pad, "value", 'f'},
    {Op::Scan, "directions", 'I'},
    {Op::Clip, "min", 'f'},
    {Op::Clip, "max", 'f'},
    {Op::Dropout, "ratio", 'f'},
    {Op::Dropout, "is_test", 'i'},
    {Op::Reshape, "shape", 'I'},
    {Op::Cast, "to", 's'},
    {Op::BatchNormalization, "spatial", 'i'},
    {Op::BatchNormalization, "is_test", 'i'},
    {Op::Gemm, "broadcast", 'i'},
    {Op::Resize, "scales", 'F'},
    {Op::Resize, "height_scale", 'f'},
    {Op::Resize, "width_scale", 'f'},
    {Op::DFT, "axis", 'i'},
    {Op::RNN, "output_sequence", 'i'},
    {Op::GRU, "output_sequence", 'i'},
    {Op::LSTM, "output_sequence", 'i'},
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
    {Op::And, "axis", 'i'},
    {Op::And, "broadcast", 'i'},
    {Op::Or, "axis", 'i'},
    {Op::Or, "broadcast", 'i'},
    {Op::Xor, "axis", 'i'},
    {Op::Xor, "broadcast", 'i'},
    {Op::Greater, "axis", 'i'},
    {Op::Greater, "broadcast", 'i'},
    {Op::Less, "axis", 'i'},
    {Op::Less, "broadcast", 'i'},
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

/// Some models, ONNX's own among them, give one axis as a scalar where a list is asked for.
void upgrade_axes(Graph& g, RawNode& n, i64 opset) {
  if (opset < 13) list_to_input(g, n, "axes", 1);
  const Tensor* axes = n.inputs.size() > 1 ? g.constant(n.inputs[1]) : nullptr;
  if (axes != nullptr && axes->rank() == 0 && axes->dtype() == DType::i64)
    n.inputs[1] = ints(g, n, axes->as_ints(), "axes");
}

void upgrade_reduce(Graph& g, RawNode& n, i64 opset) {
  if (opset < 18) list_to_input(g, n, "axes", 1);
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

/// Before opset 7 Dropout was in training mode unless is_test said otherwise, from 7 to 11 never.
void upgrade_dropout(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 12) return;
  require(opset >= 10 || n.outputs.size() == 1, ErrorKind::unsupported, n.description,
          ": the mask of Dropout before opset 10 is not supported");
  if (opset < 7 && n.attributes.integer("is_test", 0) == 0)
    n.inputs = {n.inputs[0], scalar(g, n, n.attributes.real("ratio", 0.5f), "ratio"),
                g.add_constant(Tensor::scalar(true), helper(n, "training"))};
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

/// spatial=0: one statistic an element of [C,...], which is plain arithmetic.
void spell_out_batch_normalization(Graph& g, RawNode& n) {
  const ValueId scale = n.inputs[1], bias = n.inputs[2], mean = n.inputs[3], var = n.inputs[4];
  const ValueId epsilon = scalar(g, n, n.attributes.real("epsilon", 1e-5f), "epsilon");
  const ValueId shifted = g.add(Op::Add, {var, epsilon}, {}, helper(n, "shifted"));
  const ValueId deviation = g.add(Op::Sqrt, {shifted}, {}, helper(n, "deviation"));
  const ValueId factor = g.add(Op::Div, {scale, deviation}, {}, helper(n, "factor"));
  const ValueId centred = g.add(Op::Sub, {n.inputs[0], mean}, {}, helper(n, "centred"));
  const ValueId scaled = g.add(Op::Mul, {centred, factor}, {}, helper(n, "scaled"));
  n.op = Op::Add;
  n.inputs = {scaled, bias};
  n.attributes = {};
}

/// Before opset 14 the mode was told by is_test (below 7) or by the number of outputs.
void upgrade_batch_normalization(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 14) return;
  const bool training = opset >= 7 ? n.outputs.size() > 1 : n.attributes.integer("is_test", 0) == 0;
  const bool spatial = n.attributes.integer("spatial", 1) != 0;
  require(!training || n.outputs.size() <= 3, ErrorKind::unsupported, n.description,
          ": the saved statistics of BatchNormalization before opset 14 are not supported");
  require(spatial || !training, ErrorKind::unsupported, n.description,
          ": BatchNormalization with spatial=0 is supported in inference only");
  drop(n, {"spatial", "is_test"});
  if (training) n.attributes.set("training_mode", i64(1));
  if (!training) n.outputs.resize(1);
  if (!spatial && n.inputs.size() == 5) spell_out_batch_normalization(g, n);
}

void upgrade_gemm(Graph&, RawNode& n, i64) { drop(n, {"broadcast"}); }

/// Gives the second operand trailing axes of size 1, so that its first axis lines up with `axis` of
/// the first operand.
void align_second(Graph& g, RawNode& n, i64 axis) {
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

/// Before opset 7 the second operand was aligned at `axis` when broadcast=1.
void upgrade_broadcast(Graph& g, RawNode& n, i64 opset) {
  const bool has_axis = n.attributes.has("axis");
  const i64 axis = n.attributes.integer("axis", 0);
  const bool broadcast = n.attributes.integer("broadcast", 0) != 0;
  drop(n, {"axis", "broadcast"});
  if (opset < 7 && broadcast && has_axis) align_second(g, n, axis);
}

/// Before opset 7 a slope of rank 1 held one number a channel, or one for all.
void upgrade_prelu(Graph& g, RawNode& n, i64 opset) {
  const auto &x = g.shape(n.inputs[0]), &slope = g.shape(n.inputs[1]);
  if (opset >= 7 || (slope && (slope->size() != 1 || slope->at(0).is(1)))) return;
  if (x && slope && x->size() < 2) return;
  align_second(g, n, 1);
}

/// Before opset 6 the defaults were rounded.
void upgrade_selu(Graph&, RawNode& n, i64 opset) {
  if (opset >= 6) return;
  n.attributes.set("alpha", n.attributes.real("alpha", 1.6732f));
  n.attributes.set("gamma", n.attributes.real("gamma", 1.0507f));
}

/// Below 10 this is Upsample, whose scales were attributes below 9. Both knew no offsets, and
/// nearest rounded down where an axis grows and up where it shrinks.
void upgrade_resize(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 11) return;
  if (opset < 9) {
    std::vector<float> scales = {1, 1, n.attributes.real("height_scale", 1),
                                 n.attributes.real("width_scale", 1)};
    for (const auto& [key, value] : n.attributes)
      if (const auto* list = std::get_if<std::vector<float>>(&value); key == "scales" && list)
        scales = *list;
    n.inputs.resize(1);
    n.inputs.push_back(
        g.add_constant(Tensor::of<float>({std::ssize(scales)}, std::span<const float>(scales)),
                       helper(n, "scales")));
  }
  drop(n, {"scales", "height_scale", "width_scale"});
  if (n.inputs.size() != 2) return;  // the shape rule says what is missing
  bool grows = opset < 10, shrinks = false;
  if (const Tensor* scales = g.constant(n.inputs[1]))
    for (i64 i = 0; i < scales->size(); ++i) {
      grows |= scales->as_double(i) > 1;
      shrinks |= scales->as_double(i) < 1;
    }
  else
    grows = true, shrinks = opset >= 10;
  const std::string mode = n.attributes.text("mode", "nearest");
  require(mode != "nearest" || !grows || !shrinks, ErrorKind::unsupported, n.description,
          ": nearest scales of opset 10 that may grow one axis and shrink another");
  n.inputs.insert(n.inputs.begin() + 1, ValueId{});  // roi
  n.attributes = {{"mode", mode == "bilinear" ? std::string("linear") : mode},
                  {"coordinate_transformation_mode", std::string("asymmetric")}};
  if (mode == "nearest") n.attributes.set("nearest_mode", std::string(shrinks ? "ceil" : "floor"));
}

/// Before opset 20 the axis was an attribute.
void upgrade_dft(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 20) return;
  const i64 axis = n.attributes.integer("axis", 1);
  n.attributes.erase("axis");
  n.inputs.resize(3);
  n.inputs[2] = g.add_constant(Tensor::scalar<i64>(axis), helper(n, "axis"));
}

/// Before opset 16 the coordinates were not shifted by half a pixel.
void upgrade_roi_align(Graph&, RawNode& n, i64 opset) {
  if (opset < 16)
    n.attributes.set("coordinate_transformation_mode", std::string("output_half_pixel"));
}

/// Before opset 20 the modes had the names of two axes.
void upgrade_grid_sample(Graph&, RawNode& n, i64 opset) {
  if (opset >= 20) return;
  const std::string mode = n.attributes.text("mode", "bilinear");
  n.attributes.set("mode", mode == "bilinear"  ? std::string("linear")
                           : mode == "bicubic" ? std::string("cubic")
                                               : mode);
}

/// Before opset 21 scale and bias had one element a group: each is repeated for its channels.
void upgrade_group_normalization(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 21 || n.inputs.size() != 3) return;
  const i64 groups = n.attributes.integer("num_groups", 0);
  const auto& x = g.shape(n.inputs[0]);
  const std::optional<i64> channels = x && x->size() > 1 ? x->at(1).value() : std::optional<i64>();
  require(channels && groups > 0 && *channels % groups == 0, ErrorKind::unsupported, n.description,
          ": GroupNormalization of opset 18 needs a known number of channels");
  for (size_t i : {1, 2}) {
    const ValueId column =
        g.add(Op::Unsqueeze, {n.inputs[i], ints(g, n, {1}, "axes")}, {}, helper(n, "column"));
    const ValueId spread =
        g.add(Op::Expand, {column, ints(g, n, {groups, *channels / groups}, "spread_shape")}, {},
              helper(n, "spread"));
    n.inputs[i] =
        g.add(Op::Reshape, {spread, ints(g, n, {-1}, "flat_shape")}, {}, helper(n, "parameter"));
  }
}

/// A hint of opsets 1 and 3: whether the whole sequence is wanted, which its readers tell.
void upgrade_recurrent(Graph&, RawNode& n, i64) { drop(n, {"output_sequence"}); }

/// Before opset 4 Concat had a default axis.
void upgrade_concat(Graph&, RawNode& n, i64 opset) {
  if (opset < 4 && !n.attributes.has("axis")) n.attributes.set("axis", i64(1));
}

/// Before opset 13 Softmax, LogSoftmax and Hardmax saw their input as a matrix cut at `axis`
/// (default 1). That is one axis when all behind it have size 1.
void upgrade_softmax(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 13) return;
  i64 axis = n.attributes.integer("axis", 1);
  n.attributes.set("axis", i64(-1));
  if (axis == -1) return;  // rows along the last axis: then and now the same
  const ValueId x = n.inputs[0];
  std::optional<Dims> dims;
  if (const auto shape = g.shape(x)) {
    const i64 rank = std::ssize(*shape);
    require(axis >= -rank && axis <= rank, ErrorKind::bad_input, n.description, ": axis ", axis,
            " does not fit rank ", rank);
    if (axis < 0) axis += rank;
    const auto is_one = [](const Dim& d) { return d.is(1); };
    if (axis < rank && std::all_of(shape->begin() + axis + 1, shape->end(), is_one)) {
      if (axis < rank - 1) n.attributes.set("axis", axis);
      return;
    }
    dims = static_dims(*shape);
  }
  const ValueId flat = g.add(Op::Flatten, {x}, {{"axis", axis}}, helper(n, "flat"));
  const ValueId soft = g.add(n.op, {flat}, {{"axis", i64(-1)}}, helper(n, "soft"));
  n.op = Op::Reshape;
  n.attributes = {};
  if (!dims) {
    n.inputs = {soft, g.add(Op::Shape, {x}, {}, helper(n, "shape"))};
    return;
  }
  // The target is a whole shape: 0 means empty.
  if (std::find(dims->begin(), dims->end(), 0) != dims->end())
    n.attributes = {{"allowzero", i64(1)}};
  n.inputs = {soft, ints(g, n, *dims, "shape")};
}

/// Operators whose upgrade looks at the second input.
bool takes_two(Op op) {
  constexpr Op kTwo[] = {Op::Add, Op::Sub, Op::Mul, Op::Div,     Op::Pow,  Op::Equal,
                         Op::And, Op::Or,  Op::Xor, Op::Greater, Op::Less, Op::PRelu};
  return std::find(std::begin(kTwo), std::end(kTwo), op) != std::end(kTwo);
}

struct Row {
  Op op;
  void (*upgrade)(Graph&, RawNode&, i64 opset);
};

constexpr Row kUpgrades[] = {
    {Op::Squeeze, upgrade_axes},
    {Op::Unsqueeze, upgrade_axes},
    {Op::ReduceSum, upgrade_axes},
    {Op::ReduceL1, upgrade_reduce},
    {Op::ReduceL2, upgrade_reduce},
    {Op::ReduceLogSum, upgrade_reduce},
    {Op::ReduceLogSumExp, upgrade_reduce},
    {Op::ReduceMax, upgrade_reduce},
    {Op::ReduceMean, upgrade_reduce},
    {Op::ReduceMin, upgrade_reduce},
    {Op::ReduceProd, upgrade_reduce},
    {Op::ReduceSumSquare, upgrade_reduce},
    {Op::Split, upgrade_split},
    {Op::Slice, upgrade_slice},
    {Op::Pad, upgrade_pad},
    {Op::Clip, upgrade_clip},
    {Op::Dropout, upgrade_dropout},
    {Op::Reshape, upgrade_reshape},
    {Op::Cast, upgrade_cast},
    {Op::BatchNormalization, upgrade_batch_normalization},
    {Op::Gemm, upgrade_gemm},
    {Op::Resize, upgrade_resize},
    {Op::DFT, upgrade_dft},
    {Op::RoiAlign, upgrade_roi_align},
    {Op::GridSample, upgrade_grid_sample},
    {Op::GroupNormalization, upgrade_group_normalization},
    {Op::RNN, upgrade_recurrent},
    {Op::GRU, upgrade_recurrent},
    {Op::LSTM, upgrade_recurrent},
    {Op::Add, upgrade_broadcast},
    {Op::Sub, upgrade_broadcast},
    {Op::Mul, upgrade_broadcast},
    {Op::Div, upgrade_broadcast},
    {Op::Pow, upgrade_broadcast},
    {Op::Equal, upgrade_broadcast},
    {Op::And, upgrade_broadcast},
    {Op::Or, upgrade_broadcast},
    {Op::Xor, upgrade_broadcast},
    {Op::Greater, upgrade_broadcast},
    {Op::Less, upgrade_broadcast},
    {Op::PRelu, upgrade_prelu},
    {Op::Selu, upgrade_selu},
    {Op::Softmax, upgrade_softmax},
    {Op::LogSoftmax, upgrade_softmax},
    {Op::Hardmax, upgrade_softmax},
    {Op::Concat, upgrade_concat},
    {Op::Scan, upgrade_scan},
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
  upgrade_form(graph, node, opset);
}

char legacy_kind(Op op, std::string_view attribute) {
  for (const Legacy& row : kLegacy)
    if (row.op == op && row.attribute == attribute) return row.kind;
  for (const InputSince& row : inputs_since())
    if (row.op == name(op) && row.attribute == attribute) return row.kind;
  if (attribute == "consumed_inputs") return 'I';
  return 0;
}

std::optional<Op> renamed_op(std::string_view old_name, i64 opset) {
  if (old_name == "Upsample" && opset < 10) return Op::Resize;
  return std::nullopt;
}

}  // namespace sinter::onnx
