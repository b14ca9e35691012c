// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/slice.h"

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/match.h"

namespace sinter::passes {
namespace {

/// Bounds counted from the front where that is possible.
void normalize(SliceRange& range) {
  if (range.step < 0) {
    range.from_front = false;
    return;
  }
  if (const std::optional<i64> size = range.size.value()) {
    for (i64* bound : {&range.start, &range.end})
      *bound = std::clamp<i64>(*bound < 0 ? *bound + *size : *bound, 0, *size);
  }
  range.from_front = range.start >= 0 && range.end >= 0;
}

}  // namespace

std::optional<std::vector<SliceRange>> slice_ranges(const Graph& graph, const Node& slice) {
  const auto starts = integers(graph, input(slice, 1)), ends = integers(graph, input(slice, 2));
  auto axes = integers(graph, input(slice, 3)), steps = integers(graph, input(slice, 4));
  const std::optional<Shape>& shape = graph.shape(slice.inputs[0]);
  if (!starts || !ends || !axes || !steps || !shape || starts->size() != ends->size())
    return std::nullopt;
  const i64 rank = std::ssize(*shape);
  const bool has_axes = !axes->empty() || starts->empty();
  std::vector<SliceRange> ranges;
  for (size_t i = 0; i < starts->size(); ++i) {
    if (has_axes && i >= axes->size()) return std::nullopt;
    const i64 axis = has_axes ? normalized((*axes)[i], rank) : i64(i);
    const i64 step = i < steps->size() ? (*steps)[i] : 1;
    if (axis < 0 || axis >= rank || step == 0) return std::nullopt;
    ranges.push_back({axis, (*starts)[i], (*ends)[i], step, false, (*shape)[size_t(axis)]});
    normalize(ranges.back());
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.axis < b.axis; });
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].axis == ranges[i - 1].axis) return std::nullopt;
  return ranges;
}

ValueId add_list(Graph& graph, const std::vector<i64>& list) {
  return graph.add_constant(Tensor::of<i64>({std::ssize(list)}, std::span<const i64>(list)));
}

ValueId add_slice(Graph& graph, ValueId value, const std::vector<SliceRange>& ranges,
                  const std::string& name) {
  std::vector<i64> starts, ends, axes, steps;
  for (const SliceRange& range : ranges) {
    starts.push_back(range.start);
    ends.push_back(range.end);
    axes.push_back(range.axis);
    steps.push_back(range.step);
  }
  std::vector<ValueId> inputs = {value, add_list(graph, starts), add_list(graph, ends),
                                 add_list(graph, axes)};
  if (std::any_of(steps.begin(), steps.end(), [](i64 step) { return step != 1; }))
    inputs.push_back(add_list(graph, steps));
  return graph.node(graph.add_node(Op::Slice, inputs, {}, {}, name)).outputs[0];
}

std::optional<i64> length(const SliceRange& range) {
  if (!range.from_front || range.step != 1) return std::nullopt;
  if (range.size.value()) return std::max<i64>(0, range.end - range.start);
  return std::nullopt;
}

}  // namespace sinter::passes
