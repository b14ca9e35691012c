// SPDX-License-Identifier: Apache-2.0
// Rewrites a chain of nodes that only move elements with as few nodes as its effect needs.
//
//   before   y = Reshape(Flatten(x), t)                   x [N,4,2,2] -> [N,16] -> [N,8,2]
//   after    y = Reshape(x, [0,8,2])
//
//   before   y = Transpose(Transpose(x, p), q)
//   after    y = Transpose(x, r)      r[i] = p[q[i]]      or x when r is the identity
//
//   before   y = Reshape(Relu(Reshape(x, s)), t)          back to the shape of x
//   after    y = Relu(x)
//
// Reshape, Flatten, Squeeze, Unsqueeze and Transpose are followed as one list of axes, each a list
// of factors of the dimensions of x (detail/layout.h). So a 0 of a second target means the
// dimension of the middle value that it copies, axes of a second Unsqueeze count in its own result,
// and a Transpose that moves only dimensions of 1 is a reshape. Nodes that map element by element
// inside the chain move to its front.
//
// Legality (S, U1, I): ranks known; with a Transpose, Reshape sizes factor (2*3 -> 3*2 does not);
// the middle values have one reader, as far as nodes are counted as saved; a scalar constant
// operand adds no dimension. Left alone: no node would go (counted as skipped when a reader is the
// reason); a target would need two -1; in profile ort a chain of Unsqueezes, which its attention
// matcher looks for. Exact (E0). A -1 beside a copied dimension assumes that no copied dimension is
// 0 at run time.

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/elementwise.h"
#include "passes/detail/layout.h"
#include "passes/detail/reshape_target.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr size_t kLongestChain = 32;

/// The chain that ends in `tail`, last node first; each reads the next as its data.
std::vector<NodeId> chain_to(const Graph& g, NodeId tail) {
  std::vector<NodeId> chain = {tail};
  ValueId v = g.node(tail).inputs[0];
  while (chain.size() < kLongestChain) {
    const NodeId producer = g.value(v).producer;
    if (!producer.valid()) break;
    const Node& node = g.node(producer);
    const ValueId data =
        passes::moves_elements(node.op) ? node.inputs[0] : passes::mapped_value(g, node);
    if (!data.valid() || node.outputs[0] != v) break;
    chain.push_back(producer);
    v = data;
  }
  return chain;
}

/// True when `reader` is the only node that reads the result of `id`.
bool feeds_only(const Graph& g, NodeId id, NodeId reader) {
  const ValueId result = g.node(id).outputs[0];
  if (g.is_output(result)) return false;
  for (NodeId r : g.value(result).readers)
    if (r != reader) return false;
  return true;
}

struct Plan {
  size_t length = 0;  ///< nodes of the chain that it replaces
  i64 saved = 0;
  std::vector<passes::LayoutChain::Step> steps;
};

/// Where the sizes do not factor (4*6 -> 2*12 -> 3*8) but nothing is transposed: from shape to
/// shape.
std::optional<std::vector<passes::LayoutChain::Step>> one_reshape(const Graph& g,
                                                                  const std::vector<NodeId>& chain,
                                                                  size_t length,
                                                                  const PassOptions& options) {
  for (size_t i = 0; i < length; ++i)
    if (g.node(chain[i]).op == Op::Transpose) return std::nullopt;
  const std::optional<Shape>& from = g.shape(g.node(chain[length - 1]).inputs[0]);
  const std::optional<Shape>& to = g.shape(g.node(chain[0]).outputs[0]);
  if (!from || !to || !options.assume_nonempty) return std::nullopt;
  const std::optional<std::vector<i64>> target = passes::reshape_target(*from, *to);
  if (!target) return std::nullopt;
  return std::vector<passes::LayoutChain::Step>{{Op::Reshape, *target}};
}

/// What the first `length` nodes of the chain do to the value that the last of them reads.
std::optional<std::vector<passes::LayoutChain::Step>> steps_of(const Graph& g,
                                                               const std::vector<NodeId>& chain,
                                                               size_t length,
                                                               const PassOptions& options) {
  const Node& first = g.node(chain[length - 1]);
  const std::optional<Shape>& shape = g.shape(first.inputs[0]);
  i64 rank = shape ? std::ssize(*shape) : 0;
  if (!shape) {
    const auto perm = first.op == Op::Transpose ? passes::permutation(g, first) : std::nullopt;
    if (!perm) return std::nullopt;
    rank = std::ssize(*perm);
  }
  passes::LayoutChain effect(rank, shape);
  for (size_t i = length; i-- > 0;) {
    const Node& node = g.node(chain[i]);
    // A constant of rank 1 beside a scalar would make it a vector.
    if (!passes::moves_elements(node.op)) {
      if (rank == 0) return std::nullopt;
    } else if (!effect.append(g, node)) {
      return one_reshape(g, chain, length, options);
    }
  }
  return effect.shortest(options);
}

/// The prefix of the chain whose rewriting saves the most nodes. `why` says what stood in the way.
Plan best_plan(const Graph& g, const std::vector<NodeId>& chain, const PassOptions& options,
               std::string& why) {
  Plan best;
  i64 dying = 0, mapping = 0, moving = 0;
  for (size_t i = 0; i < chain.size(); ++i) {
    const bool dies = dying == i64(i) && (i == 0 || feeds_only(g, chain[i], chain[i - 1]));
    if (dies) ++dying;
    if (!passes::moves_elements(g.node(chain[i]).op)) {
      ++mapping;
      continue;
    }
    if (++moving < 2) continue;
    const auto steps = steps_of(g, chain, i + 1, options);
    if (!steps) {
      if (why.empty()) why = "the sizes do not factor, or a target needs two inferred dimensions";
      continue;
    }
    const i64 saved = dying - mapping - std::ssize(*steps);
    if (saved > best.saved) best = {i + 1, saved, *steps};
    if (saved <= 0 && !dies && std::ssize(*steps) + mapping < i64(i) + 1)
      why = passes::why_not_one_reader(g, g.node(chain[size_t(dying)]).outputs[0]);
  }
  return best;
}

bool is_mask_chain(const Graph& g, const std::vector<NodeId>& chain, size_t length) {
  return std::all_of(chain.begin(), chain.begin() + std::ptrdiff_t(length),
                     [&](NodeId id) { return g.node(id).op == Op::Unsqueeze; });
}

/// Nodes that map element by element first, then the steps. True when the rewrite stands.
bool apply(Graph& g, const std::vector<NodeId>& chain, const Plan& plan) {
  const std::vector<NodeId> matched(chain.begin(), chain.begin() + std::ptrdiff_t(plan.length));
  Rewrite rewrite(g, "merge_layout_chains", matched);
  for (const passes::LayoutChain::Step& step : plan.steps)
    if (step.op == Op::Reshape && passes::copies_beside_inferred(step.list))
      rewrite.assumes("nonempty");
  const Node tail = g.node(chain[0]);
  ValueId value = g.node(chain[plan.length - 1]).inputs[0];
  for (size_t i = plan.length; i-- > 0;) {
    const Node node = g.node(chain[i]);
    if (passes::moves_elements(node.op)) continue;
    const ValueId mapped = passes::mapped_value(g, node);
    std::vector<ValueId> inputs = node.inputs;
    std::replace(inputs.begin(), inputs.end(), mapped, value);
    value = g.node(g.add_node(node.op, inputs, node.attributes, {}, node.name)).outputs[0];
  }
  value = passes::add_steps(g, value, plan.steps, tail.name);
  passes::replace_and_erase(g, tail.outputs[0], value);
  return rewrite.commit();
}

}  // namespace

PassStats merge_layout_chains(Graph& graph, const PassOptions& options) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id) || !passes::moves_elements(graph.node(id).op)) continue;
    const std::vector<NodeId> chain = chain_to(graph, id);
    std::string why;
    const Plan plan = best_plan(graph, chain, options, why);
    if (plan.saved > 0 && options.profile == Profile::ort &&
        is_mask_chain(graph, chain, plan.length))
      continue;
    if (plan.saved > 0) {
      stats.changed += apply(graph, chain, plan);
    } else if (!why.empty()) {
      stats.skipped.push_back({graph.describe(id), why});
    }
  }
  return stats;
}

}  // namespace sinter
