// SPDX-License-Identifier: Apache-2.0
// How operators take an affine map f = a*x + b at an input, with c a constant and v a variable:
//
//   Add    f(u) + c = a (u + (c + b)/a)     a goes on; a = 1: nothing does     f(u) + v, a = 1: b
//   Sub    f(u) - c = a (u - (c - b)/a)     c - f(u) = (c - b)/a - u, times a
//   Mul    f(u) c   = u (a c) + b c         b c goes on                        f(u) v, b = 0: a
//   Div    f(u) / c = u / (c/a) + b/c       c / f(u) = (c/a) / u, b = 0
//   Clip   Clip(f(u), l, h) = f(Clip(u, (l-b)/a, (h-b)/a))                     one a > 0
//   Concat, Split                           the map of that part
//   BatchNormalization                      gamma' = a gamma, beta' = beta + k b + mean (k - k a),
//                                           k = gamma / sqrt(var + epsilon)
// and the operators of carry.h by themselves.
#include <algorithm>
#include <cmath>

#include "passes/detail/carry.h"
#include "passes/detail/edit.h"
#include "passes/detail/linear.h"

namespace sinter::passes {
namespace {

// A map's scale is divided by only above this: c/a stays far from the ends of the type's range.
double least_divisor(DType type) {
  return type == DType::f64 ? 0x1p-300 : type == DType::f16 ? 0x1p-6 : 0x1p-40;
}

i64 rank_of(const Graph& g, ValueId v) { return g.shape(v) ? std::ssize(*g.shape(v)) : -1; }

/// sign*(x + sign_of_shift*b)/a as a map of a constant operand; nullopt when a is too near zero.
std::optional<AffineMap> divided(const AffineMap& map, double shift_sign, DType type) {
  AffineMap inverse = map;
  for (i64 i = 0; i < map.count(); ++i) {
    const double a = map.scale[size_t(i)];
    if (!(std::abs(a) >= least_divisor(type))) return std::nullopt;
    inverse.scale[size_t(i)] = 1 / a;
    inverse.shift[size_t(i)] = shift_sign * map.shift[size_t(i)] / a;
  }
  return inverse;
}

AffineMap scaled_shift(const AffineMap& map, double factor) {
  AffineMap shift = map.without_scale();
  for (double& b : shift.shift) b *= factor;
  return shift;
}

/// The map of operand `input` in the coordinates of the result; nullopt when ranks are not known.
std::optional<AffineMap> seen_from_result(const Graph& g, const Node& n, i64 input,
                                          const AffineMap& map) {
  if (map.is_uniform()) return map;
  const i64 from = rank_of(g, n.inputs[size_t(input)]), to = rank_of(g, n.outputs[0]);
  if (from < 0 || to < 0) return std::nullopt;
  return map.along(map.axis + to - from);
}

Sunk refused(std::string why) { return {std::move(why), {}, {}}; }

Sunk into_sum(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& n = g.node(id);
  const i64 other = 1 - input, rank = std::max<i64>(rank_of(g, n.outputs[0]), 0);
  const bool subtracted = n.op == Op::Sub && input == 1;
  const ValueId v = n.inputs[size_t(other)];
  if (g.constant(v) == nullptr) {
    if (map.has_scale()) return refused("a scale does not commute with " + g.describe(id));
    return {"", {}, {{0, scaled_shift(map, subtracted ? -1 : 1)}}};
  }
  // u + c: c takes +b. u - c and c - u: it takes -b.
  const std::optional<AffineMap> constant =
      divided(map, n.op == Op::Sub ? -1 : 1, g.dtype(n.outputs[0]));
  if (!constant) return refused("its scale is too near zero to divide by");
  Sunk sunk;
  sunk.edits.push_back(map_operand(g, id, other, *constant, rank));
  if (map.has_scale()) sunk.rest.emplace_back(0, map.without_shift());
  return sunk;
}

/// The values of a constant factor as factors of `map`, along its axis or along their own.
std::optional<AffineMap> shift_times(const Graph& g, const Node& n, const AffineMap& map,
                                     const Tensor& c, bool divides) {
  const auto values = axis_values(c, g.shape(n.outputs[0]));
  if (!values || (values->axis >= 0 && !map.is_uniform() && values->axis != map.axis))
    return std::nullopt;
  const i64 count = std::max<i64>(map.count(), std::ssize(values->values));
  AffineMap shift{std::max(map.axis, values->axis), std::vector<double>(size_t(count), 1), {}};
  for (i64 i = 0; i < count; ++i) {
    const double factor = values->values[size_t(values->axis < 0 ? 0 : i)];
    shift.shift.push_back(divides ? map.b(i) / factor : map.b(i) * factor);
  }
  return shift;
}

Sunk into_product(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& n = g.node(id);
  const i64 other = 1 - input, rank = std::max<i64>(rank_of(g, n.outputs[0]), 0);
  const Tensor* c = g.constant(n.inputs[size_t(other)]);
  const bool is_divisor = n.op == Op::Div && input == 1, divides = n.op == Op::Div && input == 0;
  const std::optional<AffineMap> inverse = divided(map, 0, g.dtype(n.outputs[0]));
  if (map.has_shift() && (c == nullptr || is_divisor))
    return refused("a shift does not commute with " + g.describe(id));
  if ((is_divisor || (divides && c != nullptr)) && !inverse)
    return refused("its scale is too near zero to divide by");
  if (c == nullptr) return {"", {}, {{0, is_divisor ? *inverse : map}}};
  Sunk sunk;
  if (map.has_scale())
    sunk.edits.push_back(
        map_operand(g, id, other, is_divisor || divides ? *inverse : map.without_shift(), rank));
  if (map.has_shift()) {
    std::optional<AffineMap> shift = shift_times(g, n, map, *c, divides);
    if (!shift) return refused("its shift would vary along two axes behind " + g.describe(id));
    sunk.rest.emplace_back(0, std::move(*shift));
  }
  return sunk;
}

Sunk into_clip(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& n = g.node(id);
  if (input != 0 || !map.is_uniform() || !map.is_positive())
    return refused("a Clip takes one positive scale");
  const std::optional<AffineMap> inverse = divided(map, -1, g.dtype(n.outputs[0]));
  if (!inverse) return refused("its scale is too near zero to divide by");
  Sunk sunk;
  sunk.rest.emplace_back(0, map);
  for (size_t i = 1; i < n.inputs.size(); ++i) {
    if (!n.inputs[i].valid()) continue;
    if (g.constant(n.inputs[i]) == nullptr) return refused("a bound of the Clip is not a constant");
    sunk.edits.push_back(map_operand(g, id, i64(i), *inverse, 0));
  }
  return sunk;
}

/// The part `map` of a longer axis, identity elsewhere.
AffineMap widened(const AffineMap& map, i64 axis, i64 begin, i64 count, i64 total) {
  AffineMap wide{axis, std::vector<double>(size_t(total), 1),
                 std::vector<double>(size_t(total), 0)};
  for (i64 i = 0; i < count; ++i) {
    wide.scale[size_t(begin + i)] = map.a(i);
    wide.shift[size_t(begin + i)] = map.b(i);
  }
  return wide;
}

/// Sizes along `axis`; empty when one is not a number.
std::vector<i64> sizes_along(const Graph& g, const std::vector<ValueId>& values, i64 axis) {
  std::vector<i64> sizes;
  for (ValueId v : values) {
    const std::optional<Shape>& shape = g.shape(v);
    if (!shape || !(*shape)[size_t(axis)].value()) return {};
    sizes.push_back(*(*shape)[size_t(axis)].value());
  }
  return sizes;
}

Sunk into_concat(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& n = g.node(id);
  const i64 rank = rank_of(g, n.outputs[0]);
  if (rank < 1) return refused("the parts of the Concat are not known");
  const i64 axis = normalized(n.attributes.integer("axis", 0), rank);
  const std::vector<i64> sizes = sizes_along(g, n.inputs, axis);
  if (sizes.empty() || !(map.is_uniform() || map.axis == axis))
    return refused("the parts of the Concat are not known along its axis");
  i64 begin = 0, total = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i64(i) < input) begin += sizes[i];
    total += sizes[i];
  }
  return {"", {}, {{0, widened(map, axis, begin, sizes[size_t(input)], total)}}};
}

Sunk into_split(const Graph& g, NodeId id, const AffineMap& map) {
  const Node& n = g.node(id);
  const i64 rank = rank_of(g, n.inputs[0]);
  if (rank < 1) return refused("the parts of the Split are not known");
  const i64 axis = normalized(n.attributes.integer("axis", 0), rank);
  const std::vector<i64> sizes = sizes_along(g, n.outputs, axis);
  if (sizes.empty()) return refused("the parts of the Split are not known");
  Sunk sunk;
  i64 begin = 0;
  for (size_t o = 0; o < sizes.size(); ++o) {
    AffineMap part = map;
    if (!map.is_uniform() && map.axis == axis) {
      part = {axis, {}, {}};
      for (i64 i = begin; i < begin + sizes[o]; ++i) {
        part.scale.push_back(map.a(i));
        part.shift.push_back(map.b(i));
      }
    }
    begin += sizes[o];
    sunk.rest.emplace_back(i64(o), std::move(part));
  }
  return sunk;
}

Sunk into_batchnorm(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  std::string reason;
  const std::optional<AffineNode> bn = affine_node(g, id, reason);
  const Node& n = g.node(id);
  if (!bn || input != 0) return refused(g.describe(id) + " is no affine map of it");
  if (!map.is_uniform() && (map.axis != 1 || map.count() != bn->map.count()))
    return refused("it does not vary along the channels");
  const std::vector<double> mean = doubles(*g.constant(n.inputs[3]));
  AffineMap gamma = map.without_shift(), beta{0, {}, {}};
  for (i64 i = 0; i < bn->map.count(); ++i) {
    const double k = bn->map.a(i);
    beta.scale.push_back(1);
    beta.shift.push_back(k * map.b(i) + mean[size_t(i)] * (k * map.a(i) - k));
  }
  Sunk sunk;
  sunk.edits.push_back(map_operand(g, id, 1, gamma.along(0), 1));
  sunk.edits.push_back(map_operand(g, id, 2, std::move(beta), 1));
  return sunk;
}

Sunk past_carrier(const Graph& g, NodeId id, i64 input, const AffineMap& map) {
  const Node& n = g.node(id);
  if (input != 0 || !may_pass(what_passes(g, n), map))
    return refused("its reader " + g.describe(id) + " is not linear");
  std::optional<AffineMap> after = carried_forward(g, n, map);
  if (!after) return refused("its reader " + g.describe(id) + " is not linear along its axis");
  return {"", {}, {{0, std::move(*after)}}};
}

}  // namespace

Sunk sink_through(const Graph& graph, NodeId id, i64 input, const AffineMap& map) {
  const Node& n = graph.node(id);
  const auto elementwise = [&](Sunk (*into)(const Graph&, NodeId, i64, const AffineMap&)) {
    const std::optional<AffineMap> seen = seen_from_result(graph, n, input, map);
    return seen ? into(graph, id, input, *seen) : refused("a rank is not known");
  };
  switch (n.op) {
    case Op::Conv:
    case Op::ConvTranspose:
    case Op::Gemm:
    case Op::MatMul:
      return sink_into_linear(graph, id, input, map);
    case Op::BatchNormalization:
      return into_batchnorm(graph, id, input, map);
    case Op::Add:
    case Op::Sub:
      return elementwise(into_sum);
    case Op::Mul:
    case Op::Div:
      return elementwise(into_product);
    case Op::Neg: {
      AffineMap rest = map;
      for (double& b : rest.shift) b = -b;
      return {"", {}, {{0, std::move(rest)}}};
    }
    case Op::Clip:
      return into_clip(graph, id, input, map);
    case Op::Concat:
      return into_concat(graph, id, input, map);
    case Op::Split:
      return input == 0 ? into_split(graph, id, map) : refused("it is the sizes of a Split");
    case Op::Shape:
      return {};
    default:
      return past_carrier(graph, id, input, map);
  }
}

}  // namespace sinter::passes
