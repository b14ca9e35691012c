// SPDX-License-Identifier: Apache-2.0
// Removes a conversion that is undone behind nodes that only pick and place elements.
//
//   before   y = Cast(Transpose(Cast(x, f32)), f16)        x f16
//   after    y = Transpose(x)
//   before   y = QuantizeLinear(Concat(DequantizeLinear(a, s, z), DequantizeLinear(b, s, z)), s, z)
//   after    y = Concat(a, b)
//   before   y = QuantizeLinear(Relu(x), s, z)             z the least number of its type
//   after    y = QuantizeLinear(x, s, z)                   a Clip beyond the range of the type, too
//
// Legality (K, T, U1): the wide type of a Cast pair holds every value of the narrow one and the
// pair ends in the type it began with. Scales and zero points are constants of one element and the
// same bits; bounds are constants. The middle values have no other reader; every operand of a
// Concat is such a conversion. Exact (E0): a quantized number that is dequantized is its own
// nearest.

#include <algorithm>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/detail/layout.h"
#include "passes/detail/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr std::string_view kRule = "eliminate_sandwiches";

/// Input 0 is data whose elements the result repeats in some order.
bool places_elements(Op op) {
  switch (op) {
    case Op::Slice:
    case Op::Gather:
    case Op::Expand:
    case Op::Tile:
    case Op::Concat:
      return true;
    default:
      return passes::moves_elements(op);
  }
}

bool same_constant(const Graph& g, ValueId a, ValueId b) {
  if (a == b) return true;
  return g.constant(a) && g.constant(b) && identical(*g.constant(a), *g.constant(b));
}

/// Integers of this many bits and a sign are exact in the floating-point type.
int exact_digits(DType type) {
  switch (type) {
    case DType::f64:
      return 53;
    case DType::f32:
      return 24;
    case DType::f16:
      return 11;
    case DType::bf16:
      return 8;
    default:
      return 0;
  }
}

/// True when `wide` holds every value of `narrow`.
bool holds(DType wide, DType narrow) {
  if (is_float(narrow))
    return (wide == DType::f64 && narrow != DType::f64) ||
           (wide == DType::f32 && (narrow == DType::f16 || narrow == DType::bf16));
  if (is_integer(narrow) && is_float(wide)) return 8 * element_size(narrow) <= exact_digits(wide);
  return false;
}

/// True when `down` undoes `up` element by element: Cast of Cast, QuantizeLinear of
/// DequantizeLinear with the same numbers.
bool undoes(const Graph& g, const Node& down, const Node& up) {
  const DType narrow = g.dtype(up.inputs[0]), wide = g.dtype(up.outputs[0]);
  if (g.dtype(down.outputs[0]) != narrow || g.dtype(down.inputs[0]) != wide) return false;
  if (down.op == Op::Cast) return up.op == Op::Cast && holds(wide, narrow);
  if (down.op != Op::QuantizeLinear || up.op != Op::DequantizeLinear) return false;
  const Tensor* scale = g.constant(down.inputs[1]);
  const ValueId a = passes::input(down, 2), b = passes::input(up, 2);
  return scale != nullptr && scale->rank() == 0 && scale->as_double(0) > 0 &&
         same_constant(g, down.inputs[1], up.inputs[1]) &&
         (a.valid() ? b.valid() && same_constant(g, a, b) : !b.valid());
}

/// Walks up from the operand of `down`: every path must end in a conversion that `down` undoes,
/// through values with one reader. Collects the nodes, first the one next to `down`.
bool collect(const Graph& g, const Node& down, ValueId v, std::vector<NodeId>& placing,
             std::vector<NodeId>& converting) {
  const NodeId id = g.value(v).producer;
  if (!id.valid() || !passes::has_one_reader(g, v) || placing.size() > 64) return false;
  const Node& n = g.node(id);
  if (undoes(g, down, n)) {
    converting.push_back(id);
    return true;
  }
  if (!places_elements(n.op) || n.outputs.size() != 1) return false;
  placing.push_back(id);
  for (size_t i = 0; i < (n.op == Op::Concat ? n.inputs.size() : 1); ++i)
    if (!collect(g, down, n.inputs[i], placing, converting)) return false;
  return true;
}

/// The same value in the narrow type.
ValueId narrowed(Graph& g, ValueId v, const std::vector<NodeId>& converting) {
  const NodeId id = g.value(v).producer;
  const Node n = g.node(id);
  if (std::find(converting.begin(), converting.end(), id) != converting.end()) return n.inputs[0];
  std::vector<ValueId> inputs = n.inputs;
  for (size_t i = 0; i < (n.op == Op::Concat ? inputs.size() : 1); ++i)
    inputs[i] = narrowed(g, inputs[i], converting);
  return g.node(g.add_node(n.op, inputs, n.attributes, {}, n.name)).outputs[0];
}

bool eliminate_sandwich(Graph& g, NodeId id) {
  const Node down = g.node(id);
  std::vector<NodeId> placing, converting;
  if (!collect(g, down, down.inputs[0], placing, converting)) return false;
  std::vector<NodeId> matched = {id};
  matched.insert(matched.end(), placing.begin(), placing.end());
  matched.insert(matched.end(), converting.begin(), converting.end());
  Rewrite rewrite(g, kRule, matched);
  passes::replace_and_erase(g, down.outputs[0], narrowed(g, down.inputs[0], converting));
  return rewrite.commit();
}

/// The least and greatest real number that a quantizer with one scale represents.
std::optional<std::pair<double, double>> range_of(const Graph& g, const Node& quantize) {
  const std::optional<double> scale = passes::scalar(g, quantize.inputs[1]);
  const ValueId zero_point = passes::input(quantize, 2);
  const std::optional<double> zero = zero_point.valid() ? passes::scalar(g, zero_point) : 0.0;
  const DType type = g.dtype(quantize.outputs[0]);
  if (!scale || !zero || !(*scale > 0) || (type != DType::u8 && type != DType::i8))
    return std::nullopt;
  const double low = type == DType::u8 ? 0 : -128;
  return std::pair((low - *zero) * *scale, (low + 255 - *zero) * *scale);
}

/// Relu or Clip whose bounds the quantizer has anyway.
bool absorb_bounds(Graph& g, NodeId id) {
  const Node quantize = g.node(id);
  const NodeId producer = g.value(quantize.inputs[0]).producer;
  if (!producer.valid() || !passes::has_one_reader(g, quantize.inputs[0])) return false;
  const Node bound = g.node(producer);
  if (bound.op != Op::Relu && bound.op != Op::Clip) return false;
  const auto range = range_of(g, quantize);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto number = [&](size_t i, double absent) {
    const ValueId v = passes::input(bound, i);
    return v.valid() ? passes::scalar(g, v) : std::optional(absent);
  };
  const auto low = bound.op == Op::Relu ? std::optional(0.0) : number(1, -kInfinity);
  const auto high = bound.op == Op::Relu ? std::optional(kInfinity) : number(2, kInfinity);
  if (!range || !low || !high || *low > range->first || *high < range->second) return false;
  Rewrite rewrite(g, kRule, {id, producer});
  g.set_input(id, 0, bound.inputs[0]);
  passes::erase_if_dead(g, producer);
  return rewrite.commit();
}

}  // namespace

PassStats eliminate_sandwiches(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    if (!graph.alive(id)) continue;
    const Op op = graph.node(id).op;
    if (op == Op::QuantizeLinear) stats.changed += absorb_bounds(graph, id);
    if (op == Op::QuantizeLinear || op == Op::Cast) stats.changed += eliminate_sandwich(graph, id);
  }
  return stats;
}

}  // namespace sinter
