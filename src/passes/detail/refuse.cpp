// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/refuse.h"

#include <algorithm>
#include <numeric>

#include "passes/detail/edit.h"
#include "passes/rewrite.h"

namespace sinter::passes {
namespace {

/// Constants made for a result that was not built.
void erase_unused_constants(Graph& graph, i64 first) {
  for (i64 i = first; i < graph.value_bound(); ++i) {
    const ValueId v{i32(i)};
    if (graph.alive(v) && graph.constant(v) != nullptr && graph.use_count(v) == 0)
      graph.erase_constant(v);
  }
}

bool apply(Graph& graph, std::string_view rule, const Refusion& row, const Match& match) {
  const ValueId old = graph.node(match.nodes[0]).outputs[0];
  if (!is_float(graph.dtype(old))) return false;
  Rewrite rewrite(graph, rule, match.nodes);
  const i64 first_new = graph.value_bound();
  const ValueId now = row.build(graph, match);
  if (!now.valid() || !may_stand_for(graph, now, old, match)) {
    if (now.valid()) erase_if_dead(graph, graph.value(now).producer);
    erase_unused_constants(graph, first_new);
    return false;
  }
  replace_and_erase(graph, old, now);
  return rewrite.commit();
}

}  // namespace

PassStats refuse(Graph& graph, const PassOptions& options, std::string_view rule,
                 std::span<const Refusion> rows) {
  PassStats stats;
  for (const Refusion& row : rows) {
    if (row.opset > options.max_opset) continue;
    const Pattern pattern(row.pattern);
    for (NodeId id : graph.nodes_of(pattern.root())) {
      if (!graph.alive(id)) continue;
      if (const std::optional<Match> match = pattern.match(graph, id))
        stats.changed += apply(graph, rule, row, *match);
    }
  }
  return stats;
}

ValueId add_like_root(Graph& graph, const Match& match, Op op, std::vector<ValueId> inputs,
                      Attributes attributes) {
  const std::string name = graph.node(match.nodes[0]).name;
  const NodeId node = graph.add_node(op, std::move(inputs), std::move(attributes), {}, name);
  return graph.node(node).outputs[0];
}

std::optional<std::vector<i64>> reduced_axes(const Graph& graph, const Node& reduce) {
  const std::optional<Shape>& shape = graph.shape(reduce.inputs[0]);
  std::optional<std::vector<i64>> axes = integers(graph, input(reduce, 1));
  if (!axes || !shape) return std::nullopt;
  const i64 rank = std::ssize(*shape);
  if (axes->empty()) {
    if (reduce.attributes.integer("noop_with_empty_axes", 0) != 0) return std::nullopt;
    axes->resize(shape->size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  for (i64& axis : *axes) axis = normalized(axis, rank);
  std::sort(axes->begin(), axes->end());
  return axes;
}

}  // namespace sinter::passes
