// SPDX-License-Identifier: Apache-2.0
// Composes two Transposes in a row, or cancels them.
//
//   before   y = Transpose(Transpose(x, p), q)
//   after    y = Transpose(x, r)       r[i] = p[q[i]]
//            y = x                     when r is the identity
//
// A missing perm reverses the axes and needs the rank. Cancelling is done even when the middle
// value has other readers (one node goes); composing only when it has none (otherwise no node would
// go, and it is a skip). Exact (E0).

#include <numeric>

#include "passes/detail/edit.h"
#include "passes/passes.h"

namespace sinter {
namespace {

/// The permutation of a Transpose; empty when it is the default and the rank is unknown.
std::vector<i64> permutation(const Graph& graph, const Node& node) {
  std::vector<i64> perm = node.attributes.integers("perm");
  const std::optional<Shape>& shape = graph.shape(node.inputs[0]);
  if (perm.empty() && shape) {
    perm.resize(shape->size());
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  return perm;
}

}  // namespace

PassStats eliminate_redundant_transposes(Graph& graph) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Transpose)) {
    while (graph.alive(id)) {
      const Node second = graph.node(id);
      const Node* producer = graph.producer(second.inputs[0]);
      if (producer == nullptr || producer->op != Op::Transpose) break;
      const Node first = *producer;
      const std::vector<i64> p = permutation(graph, first), q = permutation(graph, second);
      if (p.empty() || p.size() != q.size()) break;
      std::vector<i64> r(p.size()), identity(p.size());
      for (size_t i = 0; i < p.size(); ++i) r[i] = p[size_t(q[i])];
      std::iota(identity.begin(), identity.end(), 0);
      if (r == identity) {
        passes::replace_and_erase(graph, second.outputs[0], first.inputs[0]);
      } else if (std::string why = passes::why_not_one_reader(graph, first.outputs[0]);
                 !why.empty()) {
        stats.skipped.push_back({graph.describe(id), why});
        break;
      } else {
        graph.set_attribute(id, "perm", r);
        graph.set_input(id, 0, first.inputs[0]);
        passes::erase_if_dead(graph, graph.value(first.outputs[0]).producer);
      }
      ++stats.changed;
    }
  }
  return stats;
}

}  // namespace sinter
