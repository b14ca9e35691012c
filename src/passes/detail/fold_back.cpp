// SPDX-License-Identifier: Apache-2.0
// How operators take an affine map f = a*x + b at their result:
//
//   Add      f(u + v) = (a u + b) + a v = a u + (a v + b);  a = 1: one operand alone
//   Sub      f(u - v) = (a u + b) - a v = a u - (a v - b)
//   Mul      f(u v)   = (a u) v = u (a v)      b = 0        Div  (a u) / v = u / (v / a)
//   Neg      f(-u)    = -(a u - b)
//   Clip     f(Clip(u, l, h)) = Clip(f(u), f(l), f(h))      one a > 0 for all axes
//   Where    both branches; Max and Min every operand, a > 0    Concat  every operand its part
//   Split    b = 0 and a = 1 for the other parts            BatchNormalization  gamma' = a gamma,
//                                                           beta' = a beta + b
//   MatMul   of two variables: the scale of rows to the left one, of columns to the right one
// and the operators of carry.h by themselves.
#include <algorithm>

#include "passes/detail/carry.h"
#include "passes/detail/edit.h"
#include "passes/detail/linear.h"

namespace sinter::passes {
namespace {

i64 rank_of(const Graph& g, ValueId v) { return g.shape(v) ? std::ssize(*g.shape(v)) : -1; }

/// A need of operand `i` under broadcasting; nullopt when it cannot take it.
std::optional<Need> operand_need(const Graph& g, const Node& n, i64 i, const AffineMap& map) {
  const ValueId v = n.inputs[size_t(i)];
  const i64 rank = rank_of(g, n.outputs[0]);
  if (g.constant(v) != nullptr) return Need{i, map, std::max<i64>(rank, 0)};
  const std::optional<AffineMap> seen = seen_from_operand(g, v, map, rank);
  return seen ? std::optional(Need{i, *seen, rank_of(g, v)}) : std::nullopt;
}

/// Adds the way that gives maps[i] to operand first + i, unless one cannot take its map.
void add_way(const Graph& g, const Node& n, std::vector<AffineMap> maps, i64 first,
             std::vector<Raised>& ways) {
  Raised way;
  for (size_t i = 0; i < maps.size(); ++i) {
    if (maps[i].is_identity()) continue;
    std::optional<Need> need = operand_need(g, n, first + i64(i), maps[i]);
    if (!need) return;
    way.needs.push_back(std::move(*need));
  }
  ways.push_back(std::move(way));
}

AffineMap negated_shift(AffineMap map) {
  for (double& b : map.shift) b = -b;
  return map;
}

std::vector<Raised> through_sum(const Graph& g, const Node& n, const AffineMap& map) {
  std::vector<Raised> ways;
  const AffineMap scale = map.without_shift();
  const AffineMap right = n.op == Op::Sub ? negated_shift(map) : map;
  const auto to_left = [&] { add_way(g, n, {map, scale}, 0, ways); };
  const auto to_right = [&] { add_way(g, n, {scale, right}, 0, ways); };
  const bool prefers_left = g.constant(n.inputs[0]) != nullptr;
  prefers_left ? to_left() : to_right();
  if (map.has_shift()) prefers_left ? to_right() : to_left();
  return ways;
}

std::vector<Raised> through_product(const Graph& g, const Node& n, const AffineMap& map,
                                    std::string& refusal) {
  if (map.has_shift()) {
    refusal = "a shift does not commute with " + std::string(name(n.op));
    return {};
  }
  std::vector<Raised> ways;
  const std::optional<AffineMap> right = n.op == Op::Div ? map.reciprocal() : std::optional(map);
  const auto to_left = [&] { add_way(g, n, {map, AffineMap()}, 0, ways); };
  const auto to_right = [&] {
    if (right) add_way(g, n, {AffineMap(), *right}, 0, ways);
  };
  const bool prefers_left = g.constant(n.inputs[1]) == nullptr;
  prefers_left ? to_left() : to_right();
  prefers_left ? to_right() : to_left();
  return ways;
}

std::vector<Raised> through_clip(const Graph& g, const Node& n, const AffineMap& map,
                                 std::string& refusal) {
  Raised way{{}, {{0, map, 0}}};
  for (size_t i = 1; i < n.inputs.size(); ++i) {
    if (!n.inputs[i].valid()) continue;
    if (g.constant(n.inputs[i]) == nullptr) refusal = "a bound of the Clip is not a constant";
    way.needs.push_back({i64(i), map, 0});
  }
  if (!map.is_uniform() || !map.is_positive()) refusal = "a Clip takes one positive scale";
  return refusal.empty() ? std::vector<Raised>{std::move(way)} : std::vector<Raised>{};
}

/// Max and Min, of which every operand takes a rising map; Where takes any in its branches.
std::vector<Raised> through_selection(const Graph& g, const Node& n, const AffineMap& map,
                                      std::string& refusal) {
  std::vector<Raised> ways;
  const i64 first = n.op == Op::Where ? 1 : 0;
  if (n.op != Op::Where && !map.is_positive())
    refusal = std::string(name(n.op)) + " takes positive scales";
  else
    add_way(g, n, std::vector<AffineMap>(n.inputs.size() - size_t(first), map), first, ways);
  return ways;
}

/// The part of `map` over [begin, begin + count) of its axis.
AffineMap part_of(const AffineMap& map, i64 begin, i64 count) {
  AffineMap part{map.axis, {}, {}};
  for (i64 i = begin; i < begin + count; ++i) {
    part.scale.push_back(map.a(i));
    part.shift.push_back(map.b(i));
  }
  return part;
}

std::vector<Raised> through_concat(const Graph& g, const Node& n, const AffineMap& map,
                                   std::string& refusal) {
  const i64 rank = rank_of(g, n.outputs[0]);
  const i64 axis = normalized(n.attributes.integer("axis", 0), std::max<i64>(rank, 1));
  Raised way;
  i64 begin = 0;
  for (i64 i = 0; i < std::ssize(n.inputs); ++i) {
    AffineMap part = map;
    if (!map.is_uniform() && map.axis == axis) {
      const std::optional<Shape>& shape = g.shape(n.inputs[size_t(i)]);
      const std::optional<i64> count = shape ? (*shape)[size_t(axis)].value() : std::nullopt;
      if (!count) {
        refusal = "the parts of the Concat are not known";
        return {};
      }
      part = part_of(map, begin, *count);
      begin += *count;
    }
    if (!part.is_identity()) way.needs.push_back({i, std::move(part), rank});
  }
  return {std::move(way)};
}

std::vector<Raised> through_split(const Graph& g, const Node& n, i64 output, const AffineMap& map,
                                  std::string& refusal) {
  const i64 rank = rank_of(g, n.inputs[0]);
  const i64 axis = normalized(n.attributes.integer("axis", 0), std::max<i64>(rank, 1));
  AffineMap whole{axis, {}, {}};
  for (i64 o = 0; o < std::ssize(n.outputs); ++o) {
    const std::optional<Shape>& shape = g.shape(n.outputs[size_t(o)]);
    const std::optional<i64> count = shape ? (*shape)[size_t(axis)].value() : std::nullopt;
    if (!count || rank < 0 || !(map.is_uniform() || map.axis == axis)) {
      refusal = "the parts of the Split are not known along the map's axis";
      return {};
    }
    for (i64 i = 0; i < *count; ++i) {
      whole.scale.push_back(o == output ? map.a(i) : 1);
      whole.shift.push_back(o == output ? map.b(i) : 0);
    }
  }
  return {{{}, {{0, std::move(whole), rank}}}};
}

std::vector<Raised> into_batchnorm(const Graph& g, NodeId id, const AffineMap& map,
                                   std::string& refusal) {
  const std::optional<AffineNode> bn = affine_node(g, id, refusal);
  if (!bn || !(map.is_uniform() || map.axis == 1)) {
    if (refusal.empty()) refusal = "it does not vary along the channels";
    return {};
  }
  return {{{}, {{1, map.without_shift().along(0), 1}, {2, map.along(0), 1}}}};
}

std::vector<Raised> through_variable_product(const Graph& g, const Node& n, const AffineMap& map,
                                             std::string& refusal) {
  const i64 rank = rank_of(g, n.outputs[0]);
  std::vector<Raised> ways;
  for (i64 i : {0, 1}) {
    const i64 operand_rank = rank_of(g, n.inputs[size_t(i)]);
    const i64 free_axis = rank - (i == 0 ? 2 : 1);  // of the result
    if (map.has_shift() || g.constant(n.inputs[size_t(i)]) != nullptr || operand_rank < 2) continue;
    if (map.is_uniform())
      ways.push_back({{}, {{i, map, operand_rank}}});
    else if (map.axis == free_axis && n.op == Op::MatMul)
      ways.push_back({{}, {{i, map.along(operand_rank - (i == 0 ? 2 : 1)), operand_rank}}});
  }
  if (bias_of(n).valid()) ways.clear();
  if (ways.empty() && refusal.empty()) refusal = "the product has no constant factor";
  return ways;
}

std::vector<Raised> through_carrier(const Graph& g, NodeId id, const AffineMap& map,
                                    std::string& refusal) {
  const Node& n = g.node(id);
  if (may_pass(what_passes(g, n), map))
    if (std::optional<AffineMap> before = carried_back(g, n, map))
      return {{{}, {{0, std::move(*before), rank_of(g, n.inputs[0])}}}};
  refusal = "it does not commute with " + g.describe(id);
  return {};
}

}  // namespace

std::vector<Raised> raise_through(const Graph& graph, NodeId id, i64 output, const AffineMap& map,
                                  std::string& refusal) {
  refusal.clear();
  const Node& n = graph.node(id);
  if (output != 0 && n.op != Op::Split) {
    refusal = "it reads a second result of " + graph.describe(id);
    return {};
  }
  switch (n.op) {
    case Op::Conv:
    case Op::ConvTranspose:
      return raise_into_linear(graph, id, map, refusal);
    case Op::Gemm:
    case Op::MatMul: {
      std::vector<Raised> ways = raise_into_linear(graph, id, map, refusal);
      return ways.empty() ? through_variable_product(graph, n, map, refusal) : ways;
    }
    case Op::BatchNormalization:
      return into_batchnorm(graph, id, map, refusal);
    case Op::Add:
    case Op::Sub:
      return through_sum(graph, n, map);
    case Op::Mul:
    case Op::Div:
      return through_product(graph, n, map, refusal);
    case Op::Neg:
      return {{{}, {{0, negated_shift(map), rank_of(graph, n.inputs[0])}}}};
    case Op::Clip:
      return through_clip(graph, n, map, refusal);
    case Op::Where:
    case Op::Max:
    case Op::Min:
      return through_selection(graph, n, map, refusal);
    case Op::Concat:
      return through_concat(graph, n, map, refusal);
    case Op::Split:
      return through_split(graph, n, output, map, refusal);
    default:
      return through_carrier(graph, id, map, refusal);
  }
}

}  // namespace sinter::passes
