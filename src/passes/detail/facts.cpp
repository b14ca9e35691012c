// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/facts.h"

#include <algorithm>
#include <cmath>

namespace sinter::passes {
namespace {

constexpr int kMaxDepth = 16;  // producers looked at, one behind the other

bool contains(std::span<const std::string_view> names, Op op) {
  return std::find(names.begin(), names.end(), name(op)) != names.end();
}

/// Operators that only repeat, drop or move elements of input 0.
constexpr std::string_view kMovers[] = {"Identity",  "Reshape",   "Flatten",      "Squeeze",
                                        "Unsqueeze", "Transpose", "Expand",       "Tile",
                                        "Slice",     "Split",     "DepthToSpace", "SpaceToDepth"};

std::optional<double> fill_of_constant(const Tensor& t) {
  if (t.size() == 0 || element_size(t.dtype()) == 0) return std::nullopt;
  const double first = t.as_double(0);
  for (i64 i = 1; i < t.size(); ++i) {
    const double v = t.as_double(i);
    if (v != first || std::signbit(v) != std::signbit(first)) return std::nullopt;
  }
  return first;
}

std::optional<double> fill_value(const Graph& g, ValueId v, int depth) {
  if (const Tensor* t = g.constant(v)) return fill_of_constant(*t);
  const Node* n = g.producer(v);
  if (n == nullptr || depth == 0) return std::nullopt;
  if (n->op == Op::ConstantOfShape) {
    const TensorPtr value = n->attributes.tensor("value");
    return value ? fill_of_constant(*value) : 0.0;
  }
  if (contains(kMovers, n->op)) return fill_value(g, n->inputs[0], depth - 1);
  if (n->op != Op::Cast) return std::nullopt;
  const auto before = fill_value(g, n->inputs[0], depth - 1);
  // Small whole numbers mean the same in every type but bool.
  if (!before || *before != std::trunc(*before) || *before < 0 || *before > 127)
    return std::nullopt;
  return g.dtype(v) == DType::boolean ? double(*before != 0) : *before;
}

/// Operators whose result is at least zero whatever they read.
constexpr std::string_view kNotNegative[] = {
    "Relu",     "Sigmoid",         "Softmax",         "Exp",
    "Sqrt",     "HardSigmoid",     "ReduceL1",        "ReduceL2",
    "Softplus", "ReduceSumSquare", "ThresholdedRelu", "NonZero"};
/// Operators that keep the sign of what they read.
constexpr std::string_view kKeepSign[] = {"MaxPool",    "AveragePool",  "GlobalAveragePool",
                                          "ReduceMean", "ReduceMax",    "ReduceMin",
                                          "ReduceSum",  "Ceil",         "Floor",
                                          "Round",      "GlobalMaxPool"};
/// Operators whose result is at least zero when all operands are.
constexpr std::string_view kKeepSigns[] = {"Add", "Mul", "Concat", "Max", "Min", "Sum"};

bool is_never_negative(const Graph& g, ValueId v, int depth) {
  const DType type = g.dtype(v);
  if (type == DType::u8 || type == DType::u16 || type == DType::u32 || type == DType::u64 ||
      type == DType::boolean)
    return true;
  if (!is_float(type)) return false;  // integers wrap around
  if (const Tensor* t = g.constant(v)) {
    for (i64 i = 0; i < t->size(); ++i)
      if (!(t->as_double(i) >= 0)) return false;
    return true;
  }
  const Node* n = g.producer(v);
  if (n == nullptr || depth == 0) return false;
  if (contains(kNotNegative, n->op) || n->op == Op::Abs) return true;
  const auto behind = [&](ValueId in) { return is_never_negative(g, in, depth - 1); };
  if (contains(kMovers, n->op) || contains(kKeepSign, n->op))
    return n->outputs[0] == v ? behind(n->inputs[0]) : n->op == Op::Split && behind(n->inputs[0]);
  if (contains(kKeepSigns, n->op)) return std::all_of(n->inputs.begin(), n->inputs.end(), behind);
  if (n->op != Op::Clip) return false;
  const auto high = scalar_value(g, input_or_none(*n, 2));
  if (has_input(*n, 2) && !(high && *high >= 0)) return false;
  const auto low = scalar_value(g, input_or_none(*n, 1));
  return (low && *low >= 0) || behind(n->inputs[0]);
}

}  // namespace

bool same_shape(const Graph& g, ValueId a, ValueId b) {
  return g.shape(a) && g.shape(b) && same(*g.shape(a), *g.shape(b));
}

std::optional<double> fill_value(const Graph& graph, ValueId value) {
  return value.valid() ? fill_value(graph, value, kMaxDepth) : std::nullopt;
}

std::optional<double> scalar_value(const Graph& graph, ValueId value) {
  const Tensor* t = graph.constant(value);
  return t != nullptr && t->size() == 1 && element_size(t->dtype()) > 0
             ? std::optional(t->as_double(0))
             : std::nullopt;
}

bool is_never_negative(const Graph& graph, ValueId value) {
  return is_never_negative(graph, value, kMaxDepth);
}

const Node* producer_of_kind(const Graph& graph, ValueId value, std::string_view op) {
  const Node* n = graph.producer(value);
  return n != nullptr && name(n->op) == op && n->outputs[0] == value ? n : nullptr;
}

}  // namespace sinter::passes
