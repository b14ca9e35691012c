// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/fuse_polynomials.h"

#include <algorithm>
#include <set>

#include "passes/detail/channel.h"
#include "passes/detail/edit.h"
#include "passes/detail/polynomial.h"

namespace sinter::passes {
namespace {

constexpr size_t kWindow = 64;  // values looked at behind one root

/// A root seen from one base.
struct Match {
  ValueId base;
  Polynomial polynomial;
  i64 nodes = 0;        ///< that the replacement erases
  std::string refusal;  ///< why it may not be replaced; empty when it may
  std::vector<ValueId> interior;
};

/// Non-constant values behind `root` through expandable nodes, nearest first.
std::vector<ValueId> window(const Graph& g, ValueId root) {
  std::vector<ValueId> found = {root};
  std::set<ValueId> seen = {root};
  for (size_t i = 0; i < found.size() && found.size() < kWindow; ++i) {
    const Node* n = g.producer(found[i]);
    if (n == nullptr || !is_expandable(n->op) || n->op == Op::ConstantOfShape) continue;
    for (ValueId v : n->inputs)
      if (v.valid() && g.constant(v) == nullptr && seen.insert(v).second) found.push_back(v);
  }
  found.erase(found.begin());
  return found;
}

/// Why an interior value cannot vanish: an output, or read by a node outside of `erased`.
std::string outside_use(const Graph& g, ValueId v, const std::set<NodeId>& erased) {
  if (g.is_output(v))
    return "an intermediate value is the graph output \"" + g.value(v).name + "\"";
  for (NodeId reader : g.value(v).readers)
    if (!erased.contains(reader)) return "an intermediate value is read by " + g.describe(reader);
  return "";
}

/// The root seen from `base`, without coefficients.
std::optional<Match> match(const Graph& g, ValueId root, ValueId base, bool quadratic) {
  if (!channels(g.shape(base)) || *channels(g.shape(base)) < 1) return std::nullopt;
  const Interpretation seen = interpret(g, root, base, false);
  if (!seen.polynomial || !seen.polynomial->has_x || seen.multiplies != quadratic)
    return std::nullopt;
  Match m{base, {}, 0, "", {}};
  std::set<NodeId> erased;
  for (ValueId v : seen.with_x)
    if (v != base) erased.insert(g.value(v).producer);
  m.nodes = std::ssize(erased);
  for (ValueId v : seen.with_x) {
    if (v == base || v == root) continue;
    m.interior.push_back(v);
    if (m.refusal.empty()) m.refusal = outside_use(g, v, erased);
  }
  return m;
}

/// The base that erases most nodes, with coefficients; among the refused ones when none may be
/// replaced.
std::optional<Match> best_match(const Graph& g, ValueId root, bool quadratic) {
  std::vector<Match> matches;
  for (ValueId base : window(g, root))
    if (std::optional<Match> m = match(g, root, base, quadratic); m && m->nodes >= 2)
      matches.push_back(std::move(*m));
  std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    if (a.refusal.empty() != b.refusal.empty()) return a.refusal.empty();
    return a.nodes > b.nodes;
  });
  std::optional<Match> refused;
  for (Match& m : matches) {
    const std::optional<Polynomial> p = interpret(g, root, m.base, true).polynomial;
    if (!p) continue;
    m.polynomial = *p;
    for (const auto& q : p->q) {
      if (m.refusal.empty() && !all_finite(g.dtype(m.base), q))
        m.refusal = "a coefficient is not finite";
      if (m.refusal.empty() && is_subnormal(g.dtype(m.base), q))
        m.refusal = "a coefficient would be subnormal";
    }
    if (m.refusal.empty()) return std::move(m);
    if (!refused) refused = std::move(m);
  }
  return refused;
}

void replace(Graph& g, ValueId root, const Match& m) {
  const DType type = g.dtype(m.base);
  const i64 rank = std::ssize(*g.shape(m.base));
  const auto parameter = [&](int degree) {
    return g.add_constant(channel_parameter(type, rank, m.polynomial.q[degree]));
  };
  const std::vector<double>& leading = m.polynomial.q[2];
  const bool is_affine =
      std::all_of(leading.begin(), leading.end(), [](double v) { return v == 0; });
  std::vector<ValueId> inputs = {m.base};
  for (int degree = is_affine ? 1 : 2; degree >= 0; --degree) inputs.push_back(parameter(degree));
  const std::string name = g.producer(root)->name;
  const NodeId fused = g.add_node(is_affine ? Op::ChannelAffine : Op::ChannelQuadratic,
                                  std::move(inputs), {}, {}, name);
  replace_and_erase(g, root, g.node(fused).outputs[0]);
}

}  // namespace

PassStats fuse_polynomials(Graph& graph, bool quadratic) {
  PassStats stats;
  std::set<ValueId> reported;  // inside a match that was refused as a whole
  const std::vector<NodeId> order = graph.topological_order();
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    if (!graph.alive(*it) || !is_expandable(graph.node(*it).op)) continue;
    const ValueId root = graph.node(*it).outputs[0];
    if (graph.use_count(root) == 0) continue;
    if (!is_foldable(graph.dtype(root))) continue;
    const std::optional<Match> m = best_match(graph, root, quadratic);
    if (!m) continue;
    const std::string& refusal = m->refusal;
    if (refusal.empty()) {
      replace(graph, root, *m);
      ++stats.changed;
    } else {
      if (!reported.contains(root)) stats.skipped.push_back({graph.describe(*it), refusal});
      reported.insert(m->interior.begin(), m->interior.end());
    }
  }
  return stats;
}

}  // namespace sinter::passes
