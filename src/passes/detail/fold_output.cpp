// SPDX-License-Identifier: Apache-2.0
// Linear operators take an affine map at their result:
//
//   Conv           W'[m,...]   = a[m] W[m,...]               B'[m] = a[m] B[m] + b[m]
//   ConvTranspose  W'[i,m,...] = a[j(i) M/g + m] W[i,m,...]  the same, j(i) = group of input i
//   Gemm, MatMul   columns of the right factor (rows of the left one) scaled by a;
//                  C' = a (beta C) + b, beta' = 1, alpha kept; a MatMul with b != 0 becomes a Gemm
//   Gemm           of two variables: alpha' = a alpha, for a single number a
//
// Any group, padding, stride, dilation and number of spatial axes. C = 0 when there is none, and no
// bias is made of zeros.
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/linear.h"

namespace sinter::passes {
namespace {

std::string scale_filters(const Graph& g, const Node& conv, const AffineMap& map, Change& change) {
  const Tensor& weight = *g.constant(conv.inputs[1]);
  const std::vector<double> old = doubles(weight);
  std::vector<double> values = old;
  const i64 per_group = weight.dim(1), group = conv.attributes.integer("group", 1);
  if (conv.op == Op::Conv) {
    scale_axis(values, weight.dims(), 0, [&](i64 m) { return map.a(m); });
  } else {  // rows (i, m) of the weight, one scale each
    const i64 inputs = weight.dim(0), per_input = inputs / group;
    scale_axis(values, {inputs * per_group, weight.size() / (inputs * per_group)}, 0, [&](i64 row) {
      return map.a(row / per_group / per_input * per_group + row % per_group);
    });
  }
  return put(change, 1, weight.dtype(), weight.dims(), values, old);
}

std::string fold_convolution(const Graph& g, const Node& conv, const AffineMap& map,
                             Change& change) {
  const Tensor& weight = *g.constant(conv.inputs[1]);
  const i64 group = conv.attributes.integer("group", 1);
  const i64 filters = conv.op == Op::Conv ? weight.dim(0) : weight.dim(1) * group;
  if (weight.size() == 0) return "the weight is empty";
  if (!map.is_uniform() && map.count() != filters) return "its channels are not the filters";
  if (map.has_scale())
    if (std::string why = scale_filters(g, conv, map, change); !why.empty()) return why;
  const Tensor* bias = g.constant(bias_of(conv));
  if (bias == nullptr && !map.has_shift()) return "";
  std::vector<double> old(size_t(filters), 0);
  if (bias != nullptr) old = doubles(*bias);
  std::vector<double> values = old;
  for (i64 m = 0; m < filters; ++m) values[size_t(m)] = map.a(m) * values[size_t(m)] + map.b(m);
  return put(change, 2, weight.dtype(), {filters}, values, old);
}

/// Which factor takes the scale: 1 its columns, 0 its rows; -1 alpha; nullopt when nothing can.
std::optional<i64> scaled_factor(const Graph& g, const Node& product, const AffineMap& map,
                                 std::string& refusal) {
  const auto is_matrix = [&](i64 i) {
    const Tensor* t = g.constant(product.inputs[size_t(i)]);
    return t != nullptr && t->rank() >= 2;
  };
  if (map.is_uniform()) {
    if (is_matrix(1) || !map.has_scale()) return 1;
    if (is_matrix(0)) return 0;
    if (product.op == Op::Gemm && g.dtype(product.outputs[0]) != DType::f64) return -1;
    refusal = "the weight is not a constant";
    return std::nullopt;
  }
  const std::optional<Shape>& y = g.shape(product.outputs[0]);
  if (!y || (map.axis != std::ssize(*y) - 1 && map.axis != std::ssize(*y) - 2)) {
    refusal = "its axis is not the columns of a product, as axis 1 is in rank 2";
    return std::nullopt;
  }
  const i64 factor = map.axis == std::ssize(*y) - 1 ? 1 : 0;
  if (!is_matrix(factor) && map.has_scale()) {
    refusal = factor == 1 || std::ssize(*y) == 2
                  ? "the weight is not a constant"
                  : "its axis is the rows of a product, not of rank 2 with constant rows";
    return std::nullopt;
  }
  return factor;
}

std::string fold_product(const Graph& g, const Node& product, const AffineMap& map, i64 factor,
                         Change& change) {
  const DType type = g.dtype(product.outputs[0]);
  if (factor < 0) {
    const double alpha = product.attributes.real("alpha", 1) * map.a(0);
    if (!all_finite(DType::f32, {&alpha, 1})) return "a folded constant is not finite";
    change.attributes.emplace_back("alpha", float(alpha));
  } else if (map.has_scale()) {
    const Tensor& weight = *g.constant(product.inputs[size_t(factor)]);
    const i64 summed = summed_axis(product, factor, weight.rank());
    const i64 axis = weight.rank() - 2 + (summed == weight.rank() - 1 ? 0 : 1);
    if (!map.is_uniform() && weight.dim(axis) != map.count()) return "its axis is not the columns";
    const std::vector<double> old = doubles(weight);
    std::vector<double> values = old;
    scale_axis(values, weight.dims(), axis, [&](i64 i) { return map.a(i); });
    if (std::string why = put(change, factor, weight.dtype(), weight.dims(), values, old);
        !why.empty())
      return why;
  }
  return put_product_bias(g, product, map, type, change);
}

std::vector<Raised> into_product(const Graph& g, NodeId id, const AffineMap& map,
                                 std::string& refusal) {
  const Node& product = g.node(id);
  const std::optional<i64> factor = scaled_factor(g, product, map, refusal);
  if (!factor) return {};
  const ValueId bias = bias_of(product);
  if (bias.valid() && g.constant(bias) == nullptr) {
    refusal = "the bias is not a constant";
    return {};
  }
  const auto is_matrix = [&](ValueId v) { return g.shape(v) && g.shape(v)->size() == 2; };
  if (product.op == Op::MatMul && map.has_shift() &&
      !(is_matrix(product.inputs[0]) && is_matrix(product.inputs[1]))) {
    refusal = "the product is not of rank 2";
    return {};
  }
  Raised way;
  way.edits.push_back({id, [&g, id, map, factor = *factor](Change& change) {
                         return fold_product(g, g.node(id), map, factor, change);
                       }});
  return {std::move(way)};
}

}  // namespace

std::vector<Raised> raise_into_linear(const Graph& graph, NodeId id, const AffineMap& map,
                                      std::string& refusal) {
  const Node& linear = graph.node(id);
  if (is_matrix_product(linear.op)) return into_product(graph, id, map, refusal);
  const ValueId bias = bias_of(linear);
  if (graph.constant(linear.inputs[1]) == nullptr)
    refusal = "the weight is not a constant";
  else if (bias.valid() && graph.constant(bias) == nullptr)
    refusal = "the bias is not a constant";
  else if (!map.is_uniform() && map.axis != 1)
    refusal = "it does not vary along the channels";
  else
    return {{{{id,
               [&graph, id, map](Change& change) {
                 return fold_convolution(graph, graph.node(id), map, change);
               }}},
             {}}};
  return {};
}

}  // namespace sinter::passes
