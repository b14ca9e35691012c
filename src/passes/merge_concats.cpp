// SPDX-License-Identifier: Apache-2.0
// Cancels and merges what joins and cuts along one axis.
//
//   Concat(a, Concat(b, c), d)                   Concat(a, b, c, d)
//   Concat of all results of a Split, in order   the operand of the Split
//   Split of a Concat at its seams               the operands of the Concat
//   Slice or Gather within one operand of a Concat    the same of that operand
//   k Slices of one value that do not overlap    one Split
//
// Legality (K, S, U1): one axis, counted from the front. An inner Concat may stand several times in
// the outer one, but nowhere else. Seams are compared as expressions; Slice bounds and indices are
// constants that count from the front, and the operands up to theirs have sizes that are numbers;
// the Concat dies with its Slice unless the Slice takes one whole operand. Slices to Split: every
// Slice cuts that axis alone with step 1, the size is a number. A rewrite that saves no node is not
// done. Exact (E0).

#include <algorithm>
#include <map>

#include "passes/detail/edit.h"
#include "passes/detail/match.h"
#include "passes/detail/slice.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::SliceRange;

constexpr std::string_view kRule = "merge_concats";

/// The axis of a Concat, Split or Gather, counted from the front; nullopt when the rank is unknown.
std::optional<i64> axis_of(const Graph& g, const Node& n) {
  const std::optional<Shape>& shape = g.shape(n.op == Op::Concat ? n.outputs[0] : n.inputs[0]);
  if (!shape) return std::nullopt;
  return passes::normalized(n.attributes.integer("axis", 0), std::ssize(*shape));
}

const Node* concat_of(const Graph& g, ValueId v) {
  const Node* n = g.producer(v);
  return n != nullptr && n->op == Op::Concat ? n : nullptr;
}

Dim size_along(const Graph& g, ValueId v, i64 axis) {
  return g.shape(v) ? (*g.shape(v))[size_t(axis)] : Dim::unknown();
}

/// True when every reader of `v` is `reader` and it is no graph output.
bool only_reader(const Graph& g, ValueId v, NodeId reader) {
  return !g.is_output(v) && std::all_of(g.value(v).readers.begin(), g.value(v).readers.end(),
                                        [&](NodeId r) { return r == reader; });
}

bool flatten_concat(Graph& g, NodeId id, PassStats& stats) {
  const Node outer = g.node(id);
  const std::optional<i64> axis = axis_of(g, outer);
  std::vector<NodeId> matched = {id};
  std::vector<ValueId> inputs;
  for (ValueId v : outer.inputs) {
    const Node* inner = concat_of(g, v);
    if (inner == nullptr || !axis || axis_of(g, *inner) != axis) {
      inputs.push_back(v);
    } else if (!only_reader(g, v, id)) {
      inputs.push_back(v);
      stats.skipped.push_back({g.describe(id), passes::why_not_one_reader(g, v)});
    } else {
      inputs.insert(inputs.end(), inner->inputs.begin(), inner->inputs.end());
      matched.push_back(g.value(v).producer);
    }
  }
  if (matched.size() == 1) return false;
  Rewrite rewrite(g, kRule, matched);
  const NodeId merged = g.add_node(Op::Concat, inputs, {{"axis", *axis}}, {}, outer.name);
  passes::replace_and_erase(g, outer.outputs[0], g.node(merged).outputs[0]);
  return rewrite.commit();
}

/// Runs of all results of a Split in the inputs of a Concat become the Split's operand.
bool join_split(Graph& g, NodeId id) {
  const Node concat = g.node(id);
  const std::optional<i64> axis = axis_of(g, concat);
  for (size_t i = 0; i < concat.inputs.size(); ++i) {
    const Node* split = g.producer(concat.inputs[i]);
    if (split == nullptr || split->op != Op::Split || !axis || axis_of(g, *split) != axis) continue;
    const std::vector<ValueId> parts = split->outputs;
    if (i + parts.size() > concat.inputs.size() ||
        !std::equal(parts.begin(), parts.end(), concat.inputs.begin() + std::ptrdiff_t(i)))
      continue;
    const bool all = parts.size() == concat.inputs.size();
    const bool dies = std::all_of(parts.begin(), parts.end(),
                                  [&](ValueId v) { return passes::has_one_reader(g, v); });
    if (!all && !dies) continue;
    const ValueId whole = split->inputs[0];
    Rewrite rewrite(g, kRule, {id, g.value(parts[0]).producer});
    std::vector<ValueId> inputs = concat.inputs;
    inputs.erase(inputs.begin() + std::ptrdiff_t(i) + 1,
                 inputs.begin() + std::ptrdiff_t(i + parts.size()));
    inputs[i] = whole;
    const ValueId now =
        all ? whole
            : g.node(g.add_node(Op::Concat, inputs, concat.attributes, {}, concat.name)).outputs[0];
    passes::replace_and_erase(g, concat.outputs[0], now);
    return rewrite.commit();
  }
  return false;
}

/// Every used result of a Split of a Concat is one operand of the Concat.
bool split_at_seams(Graph& g, NodeId id) {
  const Node split = g.node(id);
  const Node* concat = concat_of(g, split.inputs[0]);
  const std::optional<i64> axis = axis_of(g, split);
  if (concat == nullptr || !axis || axis_of(g, *concat) != axis) return false;
  std::vector<Dim> seams = {0};
  for (ValueId v : concat->inputs) seams.push_back(seams.back() + size_along(g, v, *axis));
  std::vector<ValueId> replacement(split.outputs.size());
  Dim at = 0;
  for (size_t i = 0; i < split.outputs.size(); ++i) {
    const Dim end = at + size_along(g, split.outputs[i], *axis);
    for (size_t k = 0; k + 1 < seams.size(); ++k)
      if (same(seams[k], at) && same(seams[k + 1], end)) replacement[i] = concat->inputs[k];
    if (!replacement[i].valid() && g.use_count(split.outputs[i]) > 0) return false;
    at = end;
  }
  Rewrite rewrite(g, kRule, {id, g.value(split.inputs[0]).producer});
  for (size_t i = 0; i < replacement.size(); ++i)
    if (replacement[i].valid()) g.replace_uses(split.outputs[i], replacement[i]);
  passes::erase_if_dead(g, id);
  return rewrite.commit();
}

struct Piece {
  ValueId operand;
  i64 begin = 0, end = 0;  ///< of the operand within the Concat
};

/// The operand of the Concat that holds elements [begin, end) of the axis, if one does.
std::optional<Piece> operand_holding(const Graph& g, const Node& concat, i64 axis, i64 begin,
                                     i64 end) {
  i64 at = 0;
  for (ValueId v : concat.inputs) {
    const std::optional<i64> size = size_along(g, v, axis).value();
    if (!size) return std::nullopt;
    if (begin >= at && end <= at + *size) return Piece{v, at, at + *size};
    at += *size;
  }
  return std::nullopt;
}

bool slice_of_concat(Graph& g, NodeId id) {
  const Node slice = g.node(id);
  const Node* concat = concat_of(g, slice.inputs[0]);
  if (concat == nullptr) return false;
  const auto ranges = passes::slice_ranges(g, slice);
  const std::optional<i64> axis = axis_of(g, *concat);
  if (!ranges || !axis) return false;
  std::vector<SliceRange> moved = *ranges;
  const auto range = std::find_if(moved.begin(), moved.end(),
                                  [&](const SliceRange& r) { return r.axis == *axis; });
  if (range == moved.end() || !range->from_front || range->start >= range->end) return false;
  const auto piece = operand_holding(g, *concat, *axis, range->start, range->end);
  if (!piece) return false;
  const bool whole = moved.size() == 1 && range->step == 1 && range->start == piece->begin &&
                     range->end == piece->end;
  if (!whole && !passes::has_one_reader(g, slice.inputs[0])) return false;
  range->start -= piece->begin;
  range->end -= piece->begin;
  Rewrite rewrite(g, kRule, {id, g.value(slice.inputs[0]).producer});
  const ValueId now =
      whole ? piece->operand : passes::add_slice(g, piece->operand, moved, slice.name);
  passes::replace_and_erase(g, slice.outputs[0], now);
  return rewrite.commit();
}

bool gather_of_concat(Graph& g, NodeId id) {
  const Node gather = g.node(id);
  const Node* concat = concat_of(g, gather.inputs[0]);
  const Tensor* indices = g.constant(gather.inputs[1]);
  if (concat == nullptr || indices == nullptr || indices->size() == 0 ||
      !passes::has_one_reader(g, gather.inputs[0]))
    return false;
  const std::optional<i64> axis = axis_of(g, gather);
  if (!axis || axis_of(g, *concat) != axis) return false;
  std::vector<i64> list = indices->as_ints();
  const auto [low, high] = std::minmax_element(list.begin(), list.end());
  if (*low < 0) return false;
  const auto piece = operand_holding(g, *concat, *axis, *low, *high + 1);
  if (!piece) return false;
  for (i64& index : list) index -= piece->begin;
  Tensor moved =
      convert(Tensor::of<i64>(indices->dims(), std::span<const i64>(list)), indices->dtype());
  Rewrite rewrite(g, kRule, {id, g.value(gather.inputs[0]).producer});
  const NodeId now = g.add_node(Op::Gather, {piece->operand, g.add_constant(std::move(moved))},
                                gather.attributes, {}, gather.name);
  passes::replace_and_erase(g, gather.outputs[0], g.node(now).outputs[0]);
  return rewrite.commit();
}

struct Cut {
  SliceRange range;
  NodeId node;
};

/// The Slices among the readers of `v` that cut one axis alone, by axis, ascending and not
/// overlapping.
std::map<i64, std::vector<Cut>> cuts_of(const Graph& g, ValueId v) {
  std::map<i64, std::vector<Cut>> cuts;
  for (NodeId reader : g.value(v).readers) {
    const Node& node = g.node(reader);
    if (node.op != Op::Slice || node.inputs[0] != v) continue;
    const auto ranges = passes::slice_ranges(g, node);
    if (!ranges || ranges->size() != 1 || passes::length((*ranges)[0]).value_or(0) == 0) continue;
    cuts[(*ranges)[0].axis].push_back({(*ranges)[0], reader});
  }
  for (auto& [axis, list] : cuts) {
    std::sort(list.begin(), list.end(), [](const Cut& a, const Cut& b) {
      return std::pair(a.range.start, a.node) < std::pair(b.range.start, b.node);
    });
    i64 end = 0;
    std::erase_if(list, [&](const Cut& cut) {
      const bool overlaps = cut.range.start < end;
      if (!overlaps) end = cut.range.end;
      return overlaps;
    });
  }
  return cuts;
}

bool slices_to_split(Graph& g, ValueId v) {
  for (const auto& [axis, list] : cuts_of(g, v)) {
    if (list.size() < 2) continue;
    std::vector<i64> sizes;
    std::vector<std::pair<size_t, ValueId>> uses;  // result of the Split, result of the Slice
    std::vector<NodeId> matched;
    i64 at = 0;
    for (const Cut& cut : list) {
      if (cut.range.start > at) sizes.push_back(cut.range.start - at);
      uses.emplace_back(sizes.size(), g.node(cut.node).outputs[0]);
      sizes.push_back(cut.range.end - cut.range.start);
      matched.push_back(cut.node);
      at = cut.range.end;
    }
    if (at < *list[0].range.size.value()) sizes.push_back(*list[0].range.size.value() - at);
    Rewrite rewrite(g, kRule, matched);
    const std::string name = g.node(list[0].node).name;
    const NodeId split = g.add_node(Op::Split, {v, passes::add_list(g, sizes)}, {{"axis", axis}},
                                    std::vector<std::string>(sizes.size()), name);
    for (const auto& [part, slice] : uses)
      passes::replace_and_erase(g, slice, g.node(split).outputs[part]);
    return rewrite.commit();
  }
  return false;
}

bool rewrite_node(Graph& g, NodeId id, PassStats& stats) {
  switch (g.node(id).op) {
    case Op::Concat:
      return flatten_concat(g, id, stats) || join_split(g, id);
    case Op::Split:
      return split_at_seams(g, id);
    case Op::Slice:
      return slice_of_concat(g, id);
    case Op::Gather:
      return gather_of_concat(g, id);
    default:
      return false;
  }
}

}  // namespace

PassStats merge_concats(Graph& graph, const PassOptions& options) {
  PassStats stats;
  const bool may_split = options.max_opset >= 13 && options.profile != Profile::fhe;
  for (i64 before = -1; before != stats.changed;) {  // a new node may match again
    before = stats.changed;
    stats.skipped.clear();
    for (NodeId id : graph.nodes())
      if (graph.alive(id)) stats.changed += rewrite_node(graph, id, stats);
    if (!may_split) continue;
    for (ValueId v : graph.values())
      if (graph.alive(v) && graph.constant(v) == nullptr && graph.value(v).readers.size() > 1)
        stats.changed += slices_to_split(graph, v);
  }
  return stats;
}

}  // namespace sinter
