// SPDX-License-Identifier: Apache-2.0
// A map applied to a constant operand, and a map carried through a reshape.
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/fold.h"

namespace sinter::passes {
namespace {

constexpr i64 kLargestExpansion = 64 * 1024;  // elements of a constant that grows

/// Products of the first i dimensions, i = 0..rank.
std::vector<Dim> prefix_products(const Shape& shape) {
  std::vector<Dim> products = {Dim(1)};
  for (const Dim& d : shape) products.push_back(products.back() * d);
  return products;
}

/// A block of axes whose sizes multiply to the same number on both sides of a reshape.
struct Block {
  size_t from_begin, from_end, to_begin, to_end;
};

/// The smallest block that holds `axis` of `from`.
std::optional<Block> block_of(const Shape& from, const Shape& to, size_t axis) {
  const std::vector<Dim> p = prefix_products(from), q = prefix_products(to);
  std::optional<std::pair<size_t, size_t>> begin, end;
  for (size_t i = 0; i <= axis; ++i)
    for (size_t j = 0; j < q.size(); ++j)
      if (same(p[i], q[j])) begin = {i, j};
  for (size_t i = p.size(); i-- > axis + 1;)
    for (size_t j = q.size(); j-- > 0;)
      if (same(p[i], q[j])) end = {i, j};
  if (!begin || !end || end->second < begin->second) return std::nullopt;
  return Block{begin->first, end->first, begin->second, end->second};
}

}  // namespace

std::string map_constant(const Tensor& constant, DType type, const AffineMap& map, i64 rank,
                         Tensor& result) {
  const std::vector<double> old = doubles(constant);
  Dims dims = constant.dims();
  i64 axis = -1, inner = 1;
  if (!map.is_uniform()) {
    const i64 from_end = rank - map.axis;  // >= 1
    if (constant.rank() < from_end)
      dims.insert(dims.begin(), size_t(from_end - constant.rank()), 1);
    axis = std::ssize(dims) - from_end;
    for (size_t d = size_t(axis) + 1; d < dims.size(); ++d) inner *= dims[d];
  }
  const bool grows = axis >= 0 && dims[size_t(axis)] == 1 && map.count() != 1;
  const i64 old_count = axis >= 0 ? dims[size_t(axis)] : 1;
  if (!map.is_uniform() && !grows && old_count != map.count())
    return "a constant operand does not fit the axis of the map";
  if (grows) dims[size_t(axis)] = map.count();
  if (grows && constant.size() > 1 && element_count(dims) > kLargestExpansion)
    return "a constant operand would grow";
  std::vector<double> values(static_cast<size_t>(element_count(dims)));
  for (i64 i = 0; i < std::ssize(values); ++i) {
    const i64 at = axis < 0 ? 0 : i / inner % map.count();
    const i64 source = grows ? i / (inner * map.count()) * inner + i % inner : i;
    const double scaled = map.a(at) * old[size_t(source)];
    values[size_t(i)] = map.b(at) == 0 ? scaled : scaled + map.b(at);  // -0 stays, a divisor may be
  }
  if (std::string why = rounding_refusal(type, values, old); !why.empty()) return why;
  result = rounded(type, std::move(dims), values);
  return "";
}

Edit map_operand(const Graph& graph, NodeId node, i64 input, AffineMap map, i64 rank) {
  return {node, [&graph, node, input, map = std::move(map), rank](Change& change) {
            const Tensor& old = *graph.constant(graph.node(node).inputs[size_t(input)]);
            Tensor result;
            std::string why = map_constant(old, old.dtype(), map, rank, result);
            if (why.empty()) change.constants.emplace_back(input, std::move(result));
            return why;
          }};
}

std::optional<AffineMap> reshaped_map(const AffineMap& map, const Shape& from, const Shape& to) {
  if (map.is_uniform()) return map;
  const std::optional<Block> block = block_of(from, to, size_t(map.axis));
  if (!block) return std::nullopt;
  i64 inner = 1, count = 1;  // elements behind the axis inside the block, and of the block
  for (size_t d = block->from_begin; d < block->from_end; ++d) {
    const std::optional<i64> dim = from[d].value();
    if (!dim || *dim < 1) return std::nullopt;
    count *= *dim;
    if (d > size_t(map.axis)) inner *= *dim;
  }
  if (count > (1 << 22)) return std::nullopt;
  const auto source = [&](i64 flat) { return flat / inner % map.count(); };
  // Along which axis of the target block do the coefficients vary, and along it alone?
  i64 behind = count;
  for (size_t d = block->to_begin; d < block->to_end; ++d) {
    const std::optional<i64> dim = to[d].value();
    if (!dim) return std::nullopt;
    behind /= *dim;
    AffineMap seen{i64(d), {}, {}};
    for (i64 i = 0; i < *dim; ++i) {
      seen.scale.push_back(map.a(source(i * behind)));
      seen.shift.push_back(map.b(source(i * behind)));
    }
    bool fits = true;
    for (i64 i = 0; i < count && fits; ++i) {
      const i64 at = i / behind % *dim;
      fits = seen.a(at) == map.a(source(i)) && seen.b(at) == map.b(source(i));
    }
    if (fits) return seen;
  }
  return std::nullopt;
}

}  // namespace sinter::passes
