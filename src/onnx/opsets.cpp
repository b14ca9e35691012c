// SPDX-License-Identifier: Apache-2.0
#include "onnx/opsets.h"

#include <algorithm>
#include <iterator>

namespace sinter::onnx {
namespace {

struct Since {
  i64 opset;
  std::string_view ops;  ///< each followed by a blank
};

constexpr Since kOperators[] = {
    {8, "Expand "},
    {9,
     "Acosh Asinh Atanh Compress ConstantOfShape Cosh Erf EyeLike IsNaN MaxUnpool "
     "MeanVarianceNormalization NonZero OneHot Scan Scatter ScatterElements Shrink Sign Sinh "
     "TfIdfVectorizer Where "},
    {10,
     "ConvInteger DequantizeLinear IsInf MatMulInteger Mod NonMaxSuppression QLinearConv "
     "QLinearMatMul QuantizeLinear ReverseSequence RoiAlign StringNormalizer ThresholdedRelu "},
    {11,
     "BitShift ConcatFromSequence CumSum Det DynamicQuantizeLinear GatherElements GatherND Range "
     "Round ScatterND SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert "
     "SequenceLength SplitToSequence Unique "},
    {12,
     "Celu Einsum GreaterOrEqual LessOrEqual NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss "},
    {14, "HardSwish Trilu "},
    {15, "Bernoulli CastLike Optional OptionalGetElement OptionalHasElement "},
    {16, "GridSample "},
    {17,
     "BlackmanWindow DFT HammingWindow HannWindow LayerNormalization MelWeightMatrix STFT "
     "SequenceMap "},
    {18,
     "BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CenterCropPad Col2Im GroupNormalization Mish "},
    {20, "AffineGrid Gelu ImageDecoder RegexFullMatch StringConcat StringSplit "},
    {23, "Attention RMSNormalization RotaryEmbedding "},
    {24, "Swish TensorScatter "},
};

bool has(std::string_view ops, std::string_view op) {
  for (size_t at = ops.find(op); at != ops.npos; at = ops.find(op, at + 1))
    if ((at == 0 || ops[at - 1] == ' ') && ops.substr(at + op.size()).substr(0, 1) == " ")
      return true;
  return false;
}

enum Types { kIntegers, kSmall, kSigned, kBytes, kNumbers, kBoolText, kText };

bool is_in(DType t, Types types) {
  const bool is_small = t == DType::i8 || t == DType::u8 || t == DType::i16 || t == DType::u16;
  switch (types) {
    case kIntegers:
      return is_integer(t);
    case kSmall:
      return is_small;
    case kSigned:
      return t == DType::i8 || t == DType::i16 || t == DType::i32 || t == DType::i64;
    case kBytes:
      return t == DType::i8 || t == DType::u8;
    case kNumbers:
      return t != DType::boolean && t != DType::i32 && t != DType::i64;
    case kBoolText:
      return t == DType::boolean || t == DType::string;
    default:
      return t == DType::string;
  }
}

struct TypesSince {
  i64 opset;
  Types types;
  std::string_view ops;
};

constexpr TypesSince kTypes[] = {
    {9, kIntegers, "Flatten Gemm Greater Less MatMul PRelu "},
    {9, kBoolText, "Flatten "},
    {9, kText, "Cast "},
    {11, kNumbers, "Equal "},
    {11, kIntegers, "Pad TopK "},
    {12, kIntegers, "Clip Max Min Pow "},
    {12, kBytes, "MaxPool ReduceMax ReduceMin "},
    {13, kBoolText, "Pad "},
    {14, kSmall, "Add Div Mul Sub "},
    {14, kSigned, "Relu "},
    {19, kText, "Equal "},
};

constexpr AttributeSince kAttributes[] = {
    {"ArgMax", "select_last_index", 12},
    {"ArgMin", "select_last_index", 12},
    {"AveragePool", "ceil_mode", 10},
    {"AveragePool", "dilations", 19, 1},
    {"BatchNormalization", "training_mode", 14},
    {"Cast", "saturate", 19, 1},
    {"CastLike", "saturate", 19, 1},
    {"DepthToSpace", "mode", 11, 0, "DCR"},
    {"DequantizeLinear", "axis", 13, 1},
    {"DequantizeLinear", "block_size", 21},
    {"DequantizeLinear", "output_dtype", 23},
    {"Dropout", "seed", 12},
    {"GRU", "layout", 14},
    {"LSTM", "layout", 14},
    {"RNN", "layout", 14},
    {"GatherND", "batch_dims", 12},
    {"GroupNormalization", "stash_type", 21, 1},
    {"LpPool", "ceil_mode", 18},
    {"LpPool", "dilations", 18, 1},
    {"MaxPool", "storage_order", 8},
    {"MaxPool", "ceil_mode", 10},
    {"MaxPool", "dilations", 10, 1},
    {"QuantizeLinear", "axis", 13, 1},
    {"QuantizeLinear", "saturate", 19, 1},
    {"QuantizeLinear", "block_size", 21},
    {"QuantizeLinear", "output_dtype", 21},
    {"QuantizeLinear", "precision", 23},
    {"ReduceSum", "noop_with_empty_axes", 13},
    {"Reshape", "allowzero", 14},
    {"Resize", "antialias", 18},
    {"Resize", "keep_aspect_ratio_policy", 18, 0, "stretch"},
    {"ScatterElements", "reduction", 16, 0, "none"},
    {"ScatterND", "reduction", 16, 0, "none"},
    {"Shape", "start", 15},
    {"TopK", "largest", 11, 1},
    {"TopK", "sorted", 11, 1},
    // The other Reduce operators, whose axes became an input together with this attribute.
    {"ReduceL1", "noop_with_empty_axes", 18},
    {"ReduceL2", "noop_with_empty_axes", 18},
    {"ReduceLogSum", "noop_with_empty_axes", 18},
    {"ReduceLogSumExp", "noop_with_empty_axes", 18},
    {"ReduceMax", "noop_with_empty_axes", 18},
    {"ReduceMean", "noop_with_empty_axes", 18},
    {"ReduceMin", "noop_with_empty_axes", 18},
    {"ReduceProd", "noop_with_empty_axes", 18},
    {"ReduceSumSquare", "noop_with_empty_axes", 18},
};

constexpr InputSince kInputs[] = {
    {"Clip", 1, 11, "min", 'f'},          {"Clip", 2, 11, "max", 'f'},
    {"DFT", 2, 20, "axis", 'i'},          {"Dropout", 1, 12, "ratio", 'f'},
    {"Pad", 1, 11, "pads", 'I'},          {"Pad", 2, 11, "value", 'f'},
    {"ReduceL1", 1, 18, "axes", 'I'},     {"ReduceL2", 1, 18, "axes", 'I'},
    {"ReduceLogSum", 1, 18, "axes", 'I'}, {"ReduceLogSumExp", 1, 18, "axes", 'I'},
    {"ReduceMax", 1, 18, "axes", 'I'},    {"ReduceMean", 1, 18, "axes", 'I'},
    {"ReduceMin", 1, 18, "axes", 'I'},    {"ReduceProd", 1, 18, "axes", 'I'},
    {"ReduceSum", 1, 13, "axes", 'I'},    {"ReduceSumSquare", 1, 18, "axes", 'I'},
    {"Slice", 1, 10, "starts", 'I'},      {"Slice", 2, 10, "ends", 'I'},
    {"Slice", 3, 10, "axes", 'I'},        {"Split", 1, 13, "split", 'I'},
    {"Squeeze", 1, 13, "axes", 'I'},      {"TopK", 1, 10, "k", 'i'},
    {"Unsqueeze", 1, 13, "axes", 'I'},
};

}  // namespace

i64 first_opset(std::string_view op) {
  for (const Since& row : kOperators)
    if (has(row.ops, op)) return row.opset;
  return 7;
}

i64 type_since(std::string_view op, DType type) {
  i64 opset = type == DType::bf16 && op != "Constant" ? 13 : 0;
  for (const TypesSince& row : kTypes)
    if (is_in(type, row.types) && has(row.ops, op)) opset = std::max(opset, row.opset);
  if (type == DType::bf16 && has("LeakyRelu PRelu GreaterOrEqual LessOrEqual Scan Where ", op))
    opset = 16;
  return opset;
}

bool is_neutral(const AttributeValue& value, const AttributeSince& row) {
  if (const auto* i = std::get_if<i64>(&value)) return *i == row.integer;
  if (const auto* s = std::get_if<std::string>(&value)) return *s == row.text;
  if (const auto* list = std::get_if<std::vector<i64>>(&value))
    return std::all_of(list->begin(), list->end(), [&](i64 v) { return v == row.integer; });
  return false;
}

std::span<const AttributeSince> attributes_since() { return kAttributes; }
std::span<const InputSince> inputs_since() { return kInputs; }

}  // namespace sinter::onnx
