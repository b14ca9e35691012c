// SPDX-License-Identifier: Apache-2.0
// Linear operators take an affine map at an input:
//
//   Conv           W'[o,i,...] = W[o,i,...] a[i]     B'[o] = B[o] + sum_ik W[o,i,k] b[i]
//                  b = 0 only, unless nothing is padded: a padding zero would have to become b
//   ConvTranspose  W'[i,...] = a[i] W[i,...]         b = 0 only
//   Gemm, MatMul   the summed axis of the other factor scaled by a; left on the result is
//                  t[n] = alpha sum_k b[k] W[k,n]: into C of a Gemm, a 2-D MatMul becomes one, and
//                  from any other MatMul it goes on along the last axis
//                  along a free axis a goes on to the result
//
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/linear.h"

namespace sinter::passes {
namespace {

bool pads_nothing(const Node& conv) {
  const std::string auto_pad = conv.attributes.text("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return true;
  const std::vector<i64> pads = conv.attributes.integers("pads");
  return auto_pad == "NOTSET" &&
         std::all_of(pads.begin(), pads.end(), [](i64 p) { return p == 0; });
}

std::string fold_conv(const Graph& g, const Node& conv, const AffineMap& map, Change& change) {
  const Tensor& weight = *g.constant(conv.inputs[1]);
  const i64 filters = weight.dim(0), per_group = weight.dim(1);
  const i64 group = conv.attributes.integer("group", 1);
  if (weight.size() == 0) return "the weight is empty";
  if (!map.is_uniform() && map.count() != per_group * group)
    return "its axis is not the channels of the Conv";
  const i64 taps = weight.size() / (filters * per_group);
  const std::vector<double> old = doubles(weight);
  std::vector<double> values = old, bias(size_t(filters), 0);
  if (const Tensor* b = g.constant(bias_of(conv))) bias = doubles(*b);
  const std::vector<double> old_bias = bias;
  for (i64 o = 0; o < filters; ++o)
    for (i64 c = 0; c < per_group; ++c) {
      const i64 channel = o / (filters / group) * per_group + c;
      for (i64 k = 0; k < taps; ++k) {
        double& w = values[size_t((o * per_group + c) * taps + k)];
        bias[size_t(o)] += w * map.b(channel);
        w *= map.a(channel);
      }
    }
  if (map.has_scale())
    if (std::string why = put(change, 1, weight.dtype(), weight.dims(), values, old); !why.empty())
      return why;
  return map.has_shift() ? put(change, 2, weight.dtype(), {filters}, bias, old_bias) : "";
}

std::string fold_conv_transpose(const Graph& g, const Node& conv, const AffineMap& map,
                                Change& change) {
  const Tensor& weight = *g.constant(conv.inputs[1]);
  if (weight.size() == 0) return "the weight is empty";
  if (!map.is_uniform() && map.count() != weight.dim(0))
    return "its axis is not the channels of the ConvTranspose";
  const std::vector<double> old = doubles(weight);
  std::vector<double> values = old;
  scale_axis(values, weight.dims(), 0, [&](i64 i) { return map.a(i); });
  return put(change, 1, weight.dtype(), weight.dims(), values, old);
}

Sunk into_convolution(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& conv = g.node(id);
  const ValueId bias = bias_of(conv);
  if (input != 0) return {"it is not the first operand of " + g.describe(id), {}, {}};
  if (!map.is_uniform() && map.axis != 1) return {"it does not vary along the channels", {}, {}};
  if (g.constant(conv.inputs[1]) == nullptr)
    return {"the weight of " + g.describe(id) + " is not a constant", {}, {}};
  if (map.has_shift() && conv.op == Op::ConvTranspose)
    return {"the ConvTranspose that reads it would have to spread the shift", {}, {}};
  if (map.has_shift() && !pads_nothing(conv))
    return {"the Conv that reads it pads, and the shift is not zero", {}, {}};
  if (map.has_shift() && bias.valid() && g.constant(bias) == nullptr)
    return {"the bias of " + g.describe(id) + " is not a constant", {}, {}};
  Sunk sunk;
  sunk.edits.push_back({id, [&g, id, map](Change& change) {
                          const Node& n = g.node(id);
                          return n.op == Op::Conv ? fold_conv(g, n, map, change)
                                                  : fold_conv_transpose(g, n, map, change);
                        }});
  return sunk;
}

/// sum_k b[k] W[k,n] for a matrix W that sums over `axis`.
std::vector<double> summed_shift(const Tensor& weight, i64 axis, const AffineMap& map) {
  const std::vector<double> w = doubles(weight);
  const i64 columns = weight.dim(1);
  std::vector<double> sum(static_cast<size_t>(weight.dim(1 - axis)), 0);
  for (i64 i = 0; i < weight.size(); ++i) {
    const i64 row = i / columns, column = i % columns;
    sum[size_t(axis == 0 ? column : row)] += w[size_t(i)] * map.b(axis == 0 ? row : column);
  }
  return sum;
}

/// The scale of a map along a free axis of a factor, or of a uniform one, goes on to the result.
Sunk past_product(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& product = g.node(id);
  const std::optional<Shape>&x = g.shape(product.inputs[size_t(input)]),
        &y = g.shape(product.outputs[0]);
  if (map.has_shift())
    return {"the product that reads it does not sum over axis " + std::to_string(map.axis), {}, {}};
  if (bias_of(product).valid()) return {"the product that reads it has a bias", {}, {}};
  AffineMap rest = map;
  if (!map.is_uniform()) {
    const i64 rank = x ? std::ssize(*x) : 0;
    if (!y || rank < 2 || map.axis == summed_axis(product, input, rank))
      return {"the product that reads it has no constant factor", {}, {}};
    if (std::ssize(*y) < 2) return {"the product that reads it is not a matrix", {}, {}};
    rest.axis = map.axis >= rank - 2 ? std::ssize(*y) - (input == 0 ? 2 : 1)
                                     : map.axis + std::ssize(*y) - rank;
  }
  return {"", {}, {{0, std::move(rest)}}};
}

Sunk into_product(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& product = g.node(id);
  const i64 other = 1 - input;
  const Tensor* weight = input < 2 ? g.constant(product.inputs[size_t(other)]) : nullptr;
  if (input >= 2) return {"it is the bias of " + g.describe(id), {}, {}};
  const std::optional<Shape>&x = g.shape(product.inputs[size_t(input)]),
        &y = g.shape(product.outputs[0]);
  const i64 rank = x ? std::ssize(*x) : 0;
  const bool sums =
      map.is_uniform() || (rank >= 2 && map.axis == summed_axis(product, input, rank));
  if (weight == nullptr || weight->rank() < 2 || !sums) return past_product(g, id, input, map);
  const i64 axis = summed_axis(product, other, weight->rank());
  if (!map.is_uniform() && weight->dim(axis) != map.count())
    return {"its axis is not the summed one", {}, {}};
  AffineMap shift;  // on the result
  if (map.has_shift()) {
    if (weight->rank() != 2 || !x || !y || std::ssize(*y) < 2)
      return {"the weight of " + g.describe(id) + " is not a matrix", {}, {}};
    shift.axis = std::ssize(*y) - (input == 0 ? 1 : 2);
    shift.shift = summed_shift(*weight, axis, map);
    for (double& v : shift.shift) v *= product.attributes.real("alpha", 1);
    shift.scale.assign(shift.shift.size(), 1);
  }
  const ValueId bias = bias_of(product);
  const bool takes_shift = product.op == Op::Gemm ? !bias.valid() || g.constant(bias) != nullptr
                                                  : rank == 2 && y && y->size() == 2;
  Sunk sunk;
  sunk.edits.push_back(
      {id, [&g, id, map, other, axis, shift, takes_shift](Change& change) -> std::string {
         const Node& n = g.node(id);
         const Tensor& w = *g.constant(n.inputs[size_t(other)]);
         if (map.has_scale()) {
           const std::vector<double> old = doubles(w);
           std::vector<double> values = old;
           scale_axis(values, w.dims(), axis, [&](i64 i) { return map.a(i); });
           if (std::string why = put(change, other, w.dtype(), w.dims(), values, old); !why.empty())
             return why;
         }
         return takes_shift ? put_product_bias(g, n, shift, w.dtype(), change) : "";
       }});
  if (shift.has_shift() && !takes_shift) sunk.rest.emplace_back(0, std::move(shift));
  return sunk;
}

}  // namespace

Sunk sink_into_linear(const Graph& graph, NodeId id, i64 input, const AffineMap& map) {
  return is_convolution(graph.node(id).op) ? into_convolution(graph, id, input, map)
                                           : into_product(graph, id, input, map);
}

}  // namespace sinter::passes
