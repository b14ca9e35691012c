// SPDX-License-Identifier: Apache-2.0
// Merges a Slice of a Slice, and a Slice or Gather of one index with the node that adds or drops
// its dimension.
//
//   before   y = Slice(Slice(x, [s1:e1:t1]), [s2:e2:t2])          on one axis
//   after    y = Slice(x, [s1 + s2*t1 : min(e1, s1 + e2*t1) : t1*t2])
//   before   y = Slice(Slice(x, axis 1), axis 3)
//   after    y = Slice(x, axes 1 and 3)
//   before   y = Squeeze(Slice(x, [i:i+1]))      after   y = Gather(x, i)
//   before   y = Squeeze(Gather(x, [i]))         after   y = Gather(x, i)
//   before   y = Unsqueeze(Gather(x, i))         after   y = Gather(x, [i])
//
// Legality (K, U1): bounds constant; the middle has no other reader. On one axis both steps are
// positive and all bounds count from the front (a bound from the end needs the size as a number).
// For Squeeze and Unsqueeze only the sliced axis may come or go. Exact (E0).

#include <algorithm>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/detail/match.h"
#include "passes/detail/slice.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::SliceRange;

constexpr i64 kEverything = std::numeric_limits<i64>::max();

/// a*b + c for numbers >= 0, or kEverything when that is too large.
i64 saturated(i64 a, i64 b, i64 c) {
  i64 product = 0, sum = 0;
  if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(product, c, &sum))
    return kEverything;
  return sum;
}

std::optional<SliceRange> composed(const SliceRange& first, const SliceRange& second) {
  if (first.step < 0 || second.step < 0 || !first.from_front || !second.from_front)
    return std::nullopt;
  SliceRange both = first;
  both.start = saturated(second.start, first.step, first.start);
  both.end = std::min(first.end, saturated(second.end, first.step, first.start));
  both.step = saturated(first.step, second.step, 0);
  if (both.step == kEverything) return std::nullopt;
  return both;
}

bool merge_slices_of_slice(Graph& g, NodeId id, PassStats& stats) {
  const Node second = g.node(id);
  const NodeId producer = g.value(second.inputs[0]).producer;
  if (!producer.valid() || g.node(producer).op != Op::Slice) return false;
  const Node first = g.node(producer);
  const auto a = passes::slice_ranges(g, first), b = passes::slice_ranges(g, second);
  if (!a || !b) return false;
  std::string why = passes::why_not_one_reader(g, first.outputs[0]);
  std::vector<SliceRange> merged = *a;
  for (const SliceRange& range : *b) {
    const auto at = std::find_if(merged.begin(), merged.end(),
                                 [&](const SliceRange& r) { return r.axis == range.axis; });
    if (at == merged.end()) {
      merged.push_back(range);
    } else if (const auto both = composed(*at, range)) {
      *at = *both;
    } else {
      why = "a bound of the same axis counts from the end or backwards";
    }
  }
  if (!why.empty()) {
    stats.skipped.push_back({g.describe(id), why});
    return false;
  }
  std::sort(merged.begin(), merged.end(),
            [](const auto& x, const auto& y) { return x.axis < y.axis; });
  Rewrite rewrite(g, "merge_slices", {id, producer});
  const ValueId now = passes::add_slice(g, first.inputs[0], merged, second.name);
  passes::replace_and_erase(g, second.outputs[0], now);
  return rewrite.commit();
}

struct OneIndex {
  i64 axis, index;
};

/// The single element that a node picks on one axis, which it keeps as a dimension of 1.
std::optional<OneIndex> kept_index(const Graph& g, const Node& node) {
  if (node.op == Op::Gather) {
    const auto indices = passes::integers(g, node.inputs[1]);
    const std::optional<Shape>& shape = g.shape(node.inputs[0]);
    if (!indices || indices->size() != 1 || g.constant(node.inputs[1])->rank() != 1 || !shape)
      return std::nullopt;
    return OneIndex{passes::normalized(node.attributes.integer("axis", 0), std::ssize(*shape)),
                    (*indices)[0]};
  }
  if (node.op != Op::Slice) return std::nullopt;
  const auto ranges = passes::slice_ranges(g, node);
  if (!ranges || ranges->size() != 1) return std::nullopt;
  const SliceRange& r = (*ranges)[0];
  const bool last = r.start == -1 && r.end >= std::numeric_limits<i32>::max();
  if (r.step != 1 || !(last || (r.end == r.start + 1 && (r.start < 0) == (r.end < 0))))
    return std::nullopt;
  return OneIndex{r.axis, r.start};
}

ValueId gather(Graph& g, ValueId x, const OneIndex& pick, bool keep, const std::string& name) {
  const Dims dims = keep ? Dims{1} : Dims{};
  const ValueId index = g.add_constant(Tensor::of<i64>(dims, {pick.index}));
  const NodeId node = g.add_node(Op::Gather, {x, index}, {{"axis", pick.axis}}, {}, name);
  return g.node(node).outputs[0];
}

/// Squeeze or Unsqueeze behind a node that picks one element.
bool merge_with_pick(Graph& g, NodeId id) {
  const Node node = g.node(id);
  const NodeId producer = g.value(node.inputs[0]).producer;
  if (!producer.valid() || !passes::has_one_reader(g, node.inputs[0])) return false;
  const Node pick = g.node(producer);
  const auto axes = passes::integers(g, passes::input(node, 1));
  const std::optional<Shape>& middle = g.shape(node.inputs[0]);
  if (!axes || axes->size() != 1 || !middle) return false;
  std::optional<OneIndex> one;
  i64 rank = std::ssize(*middle);
  if (node.op == Op::Squeeze) {
    one = kept_index(g, pick);
  } else if (pick.op == Op::Gather && ++rank > 0) {
    const Tensor* index = g.constant(pick.inputs[1]);
    if (index == nullptr || index->rank() != 0) return false;
    one = OneIndex{passes::normalized(pick.attributes.integer("axis", 0), rank), index->as_int(0)};
  }
  if (!one || passes::normalized((*axes)[0], rank) != one->axis) return false;
  Rewrite rewrite(g, "merge_slices", {id, producer});
  const ValueId now = gather(g, pick.inputs[0], *one, node.op == Op::Unsqueeze, node.name);
  passes::replace_and_erase(g, node.outputs[0], now);
  return rewrite.commit();
}

}  // namespace

PassStats merge_slices(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (i64 before = -1; before != stats.changed;) {  // a new Slice may merge again
    before = stats.changed;
    stats.skipped.clear();
    for (NodeId id : graph.nodes()) {
      if (!graph.alive(id)) continue;
      const Op op = graph.node(id).op;
      if (op == Op::Slice) stats.changed += merge_slices_of_slice(graph, id, stats);
      if (op == Op::Squeeze || op == Op::Unsqueeze) stats.changed += merge_with_pick(graph, id);
    }
  }
  return stats;
}

}  // namespace sinter
