// SPDX-License-Identifier: Apache-2.0
// The part of a graph that a rewrite edited, before and after, cut out along common values.
//
//        leaves            values that the edit left alone: the same on both sides
//       /      \           .
//   before    after        nodes that were matched, erased, added or changed
//       \      /           .
//        pairs             a value before and the one that took its place: they must be equal
//
// A node that only reads another value than before is not part of it: then what it read and what it
// reads now is a pair. Cuts can be widened when that is not enough: such readers are taken in, and
// the producers of leaves. Equal on a narrow cut means equal on every wider one, not the reverse.
// Impure nodes are never inside: their results are leaves.
#pragma once
#include <set>

#include "graph/edit_log.h"

namespace sinter::passes {

enum class Side { before, after };

class Cut {
 public:
  struct Pair {
    ValueId before, after;
    friend auto operator<=>(Pair, Pair) = default;
  };

  Cut(const EditLog& log, const std::vector<NodeId>& matched);

  const std::vector<Pair>& pairs() const { return pairs_; }
  /// Why the edit cannot be compared; empty when it can.
  const std::string& obstacle() const { return obstacle_; }

  const Node& node(Side side, NodeId id) const;
  const Value& value(Side side, ValueId id) const;
  /// The node that computes `id` on this side and is part of the cut; invalid for a leaf.
  NodeId producer(Side side, ValueId id) const;
  /// The node was there before and is the same now.
  bool is_untouched(NodeId id) const;

  /// Takes in the nodes whose inputs were moved. False when there is none.
  bool take_readers();
  /// Takes in the producers of the values that pairs depend on. False when all are graph inputs.
  bool take_producers();
  /// The values that the pairs depend on from outside, ascending. Constants are not among them.
  std::vector<ValueId> leaves() const;

 private:
  bool touched(NodeId id) const;
  void add_edited(NodeId id);
  void add_pair(ValueId before, ValueId after);
  void find_pairs();
  void collect_leaves(Side side, ValueId id, std::set<std::pair<Side, ValueId>>& seen,
                      std::set<ValueId>& leaves) const;

  const EditLog& log_;
  NodeMap<char> inside_{0};
  std::vector<NodeId> core_;     // matched or edited
  std::vector<NodeId> readers_;  // edited only in their inputs
  std::vector<Pair> pairs_;
  std::string obstacle_;
};

/// Both sides as graphs of the leaves, outputs "out0", ...; for reports.
std::pair<Graph, Graph> cut_graphs(const Cut& cut);

}  // namespace sinter::passes
