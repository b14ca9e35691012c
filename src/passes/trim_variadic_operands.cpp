// SPDX-License-Identifier: Apache-2.0
// Drops operands that add nothing to an operator of many operands.
//
//   Concat(a, b, e) axis=1, e of size 0 along axis 1      Concat(a, b)
//   Max(a, b, -inf)  Min(a, b, +inf)  Sum(a, b, -0)       Max(a, b)  Min(a, b)  Sum(a, b)
//   Max(a, b, a)  Min(a, b, a)                            Max(a, b)
//
// One operand stays, and the shape of the result must be that of before: a neutral operand that
// broadcasts into the others may go, one that enlarges them may not. A +0 in a Sum goes unless the
// options are strict about the sign of zero. Exact (E0).
#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

bool is_empty_part(const Graph& g, const Node& n, ValueId v) {
  const std::optional<Shape>& shape = g.shape(v);
  if (!shape) return false;
  const i64 axis = passes::normalized(n.attributes.integer("axis", 0), std::ssize(*shape));
  return (*shape)[size_t(axis)].is(0);
}

/// Every element is the neutral one, and the result keeps its shape without the operand.
bool is_neutral(const Graph& g, const Node& n, size_t i, bool strict_zero) {
  const std::string_view op = name(n.op);
  const std::optional<double> fill = passes::fill_value(g, n.inputs[i]);
  if (!fill || !is_float(g.dtype(n.inputs[i])) || !g.shape(n.inputs[i])) return false;
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const double wanted = op == "Max" ? -kInfinite : op == "Min" ? kInfinite : 0;
  if (*fill != wanted || (op == "Sum" && strict_zero && !std::signbit(*fill))) return false;
  for (size_t k = 0; k < n.inputs.size(); ++k) {
    if (k == i || !g.shape(n.inputs[k])) continue;
    if (passes::same_shape(g, n.inputs[k], n.outputs[0]) &&
        passes::broadcasts_into(*g.shape(n.inputs[i]), *g.shape(n.inputs[k])))
      return true;
  }
  return false;
}

/// The operands that are needed, in order.
std::vector<ValueId> needed(const Graph& g, const Node& n, const PassOptions& options) {
  const std::string_view op = name(n.op);
  std::vector<ValueId> kept;
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    const ValueId v = n.inputs[i];
    bool drop = false;
    if (op == "Concat")
      drop = is_empty_part(g, n, v);
    else if (op == "Max" || op == "Min")
      drop = std::find(kept.begin(), kept.end(), v) != kept.end();
    if (op == "Max" || op == "Min" || op == "Sum")
      drop = drop || is_neutral(g, n, i, options.strict_zero);
    if (!drop) kept.push_back(v);
  }
  return kept;
}

}  // namespace

PassStats trim_variadic_operands(Graph& graph, const PassOptions& options) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    const std::string_view op = name(graph.node(id).op);
    if (op != "Concat" && op != "Max" && op != "Min" && op != "Sum") continue;
    std::vector<ValueId> kept = needed(graph, graph.node(id), options);
    if (kept.empty()) kept.push_back(graph.node(id).inputs[0]);
    if (kept.size() == graph.node(id).inputs.size()) continue;
    PassOptions strict = options;
    strict.strict_zero = true;
    const bool exact = needed(graph, graph.node(id), strict).size() == kept.size();
    Rewrite rewrite(graph, "trim_variadic_operands", {id});
    if (!exact) rewrite.assumes("signed_zero");
    graph.set_inputs(id, std::move(kept));
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
