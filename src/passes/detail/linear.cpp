// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/linear.h"

#include "passes/detail/edit.h"

namespace sinter::passes {

i64 summed_axis(const Node& product, i64 operand, i64 rank) {
  if (product.op == Op::MatMul) return operand == 0 ? rank - 1 : rank - 2;
  const bool transposed = product.attributes.integer(operand == 0 ? "transA" : "transB", 0) != 0;
  return (operand == 0) == transposed ? 0 : 1;
}

void scale_axis(std::vector<double>& values, const Dims& dims, i64 axis,
                const std::function<double(i64)>& factor) {
  i64 inner = 1;
  for (size_t d = size_t(axis) + 1; d < dims.size(); ++d) inner *= dims[d];
  const i64 count = dims[size_t(axis)];
  std::vector<double> factors(static_cast<size_t>(count));
  for (i64 i = 0; i < count; ++i) factors[size_t(i)] = factor(i);
  for (size_t row = 0; row < values.size(); row += size_t(inner)) {
    const double f = factors[row / size_t(inner) % size_t(count)];
    for (size_t i = row; i < row + size_t(inner); ++i) values[i] *= f;
  }
}

std::string put(Change& change, i64 index, DType type, Dims dims, std::span<const double> values,
                std::span<const double> old) {
  if (std::string why = rounding_refusal(type, values, old); !why.empty()) return why;
  change.constants.emplace_back(index, rounded(type, std::move(dims), values));
  return "";
}

std::string put_product_bias(const Graph& graph, const Node& product, const AffineMap& map,
                             DType type, Change& change) {
  const Tensor* c = graph.constant(bias_of(product));
  if (c == nullptr && !map.has_shift()) return "";
  if (c != nullptr && map.is_identity()) return "";
  const double beta = c == nullptr ? 0 : product.attributes.real("beta", 1);
  AffineMap total = map;
  for (double& a : total.scale) a *= beta;
  Tensor zero(type, {1}), result;
  if (std::string why = map_constant(c == nullptr ? zero : *c, type, total, 2, result);
      !why.empty())
    return why;
  change.constants.emplace_back(2, std::move(result));
  change.attributes.emplace_back("beta", std::nullopt);
  change.becomes_gemm = product.op == Op::MatMul;
  return "";
}

}  // namespace sinter::passes
