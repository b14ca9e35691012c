// SPDX-License-Identifier: Apache-2.0
// Merges Relu and Clip in a row into one Clip.
//
//   before   y = Clip(Clip(x, l1, h1), l2, h2)           Relu is a Clip from 0
//   after    y = Clip(x, max(l1, l2), min(h1, h2))
//
// Legal when the bounds are constants, the intervals meet (otherwise the result is a constant that
// no interval describes) and the middle value has one reader. A missing bound is infinite; a side
// without bound on both nodes has none afterwards. NaN passes through both forms. Exact (E0).
#include <cmath>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Each side with the constant it came from; an invalid id where there is no constant.
struct Interval {
  double low = -kInfinite, high = kInfinite;
  ValueId low_value, high_value;
};

std::optional<Interval> interval_of(const Graph& g, const Node& n) {
  Interval range;
  if (n.op == Op::Relu) {
    range.low = 0;
    return range;
  }
  if (n.op != Op::Clip) return std::nullopt;
  for (const bool low : {true, false}) {
    const size_t i = low ? 1 : 2;
    if (!passes::has_input(n, i)) continue;
    const std::optional<double> bound = passes::scalar_value(g, n.inputs[i]);
    if (!bound || std::isnan(*bound)) return std::nullopt;
    (low ? range.low : range.high) = *bound;
    (low ? range.low_value : range.high_value) = n.inputs[i];
  }
  return range;
}

ValueId zero(Graph& g, DType type) { return g.add_constant(Tensor(type, {})); }

/// Rewrites `id` (the second node) to read x; empty when done, else why not.
std::string merge(Graph& g, NodeId id) {
  const Node second = g.node(id);
  const NodeId first_id = g.value(second.inputs[0]).producer;
  const Node first = g.node(first_id);
  const std::optional<Interval> a = interval_of(g, first), b = interval_of(g, second);
  if (!a || !b) return "a bound is not a constant";
  if (!is_float(g.dtype(first.inputs[0]))) return "the element type is not a float";
  Interval both = *a;
  if (b->low > a->low) both.low = b->low, both.low_value = b->low_value;
  if (b->high < a->high) both.high = b->high, both.high_value = b->high_value;
  if (both.low > both.high || a->low > a->high || b->low > b->high)
    return "the intervals do not meet";
  if (std::string why = passes::why_not_one_reader(g, first.outputs[0]); !why.empty()) return why;
  Rewrite rewrite(g, "merge_clips", {first_id, id});
  if (both.low == 0 && !both.low_value.valid() && both.high < kInfinite)
    both.low_value = zero(g, g.dtype(first.inputs[0]));
  const bool relu = both.low == 0 && !both.low_value.valid();
  std::vector<ValueId> inputs = {first.inputs[0]};
  if (!relu) inputs.insert(inputs.end(), {both.low_value, both.high_value});
  const ValueId merged = g.add(relu ? Op::Relu : Op::Clip, std::move(inputs));
  passes::replace_and_erase(g, second.outputs[0], merged);
  return rewrite.commit() ? "" : "the check of the rewrite failed";
}

bool is_clip(const Node* n) { return n != nullptr && (n->op == Op::Relu || n->op == Op::Clip); }

}  // namespace

PassStats merge_clips(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || !is_clip(&graph.node(id))) continue;
    if (!is_clip(graph.producer(graph.node(id).inputs[0]))) continue;
    const std::string where = graph.describe(id);
    const std::string why = merge(graph, id);
    if (why.empty())
      ++stats.changed;
    else
      stats.skipped.push_back({where, why});
  }
  return stats;
}

}  // namespace sinter
