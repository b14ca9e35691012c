// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/elementwise.h"

#include <algorithm>

namespace sinter::passes {
namespace {

// Sorted, so that a look-up is a binary search.
constexpr std::string_view kUnary[] = {
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "BitwiseNot",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "DequantizeLinear",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Not",
    "QuantizeLinear",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
};
constexpr std::string_view kBroadcasting[] = {
    "Add",        "And",         "BitShift", "BitwiseAnd", "BitwiseOr",
    "BitwiseXor", "Div",         "Equal",    "Greater",    "GreaterOrEqual",
    "Less",       "LessOrEqual", "Max",      "Mean",       "Min",
    "Mod",        "Mul",         "Or",       "PRelu",      "Pow",
    "Sub",        "Sum",         "Where",    "Xor",
};
static_assert(std::is_sorted(std::begin(kUnary), std::end(kUnary)));
static_assert(std::is_sorted(std::begin(kBroadcasting), std::end(kBroadcasting)));

bool is_quantizer(std::string_view op) {
  return op == "QuantizeLinear" || op == "DequantizeLinear";
}

}  // namespace

bool is_unary_elementwise(Op op) {
  return std::binary_search(std::begin(kUnary), std::end(kUnary), name(op));
}

bool is_broadcasting(Op op) {
  return std::binary_search(std::begin(kBroadcasting), std::end(kBroadcasting), name(op));
}

ValueId mapped_value(const Graph& graph, const Node& node) {
  const bool unary = is_unary_elementwise(node.op);
  if ((!unary && !is_broadcasting(node.op)) || node.outputs.size() != 1) return {};
  const i64 allowed_rank = is_quantizer(name(node.op)) ? 0 : 1;
  ValueId mapped;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    const Tensor* constant = graph.constant(v);
    if (!v.valid() || (constant && constant->size() == 1 && constant->rank() <= allowed_rank))
      continue;
    if (constant != nullptr || (mapped.valid() && mapped != v) || (unary && i > 0)) return {};
    mapped = v;
  }
  return mapped;
}

}  // namespace sinter::passes
