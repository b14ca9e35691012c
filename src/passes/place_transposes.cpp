// SPDX-License-Identifier: Apache-2.0
// Chooses for every node that does not mind the layout whether it works before or after a
// permutation, so that the fewest Transposes are left.
//
//   before   y = Transpose(Concat(Transpose(a, p), Transpose(b, p), axis), p^-1)
//   after    y = Concat(a, b, p[axis])
//
// For one permutation p a value v can stand as it is, or moved: v = Transpose(v', p). A result of
// Transpose by p stands moved for free (its operand), a constant both ways (a transposed copy), a
// node that does not mind (detail/transposed.h) as it is labelled. A Transpose is needed where a
// reader wants the other form; one serves all readers of a value. Every cost is paid when a
// producer is on one side and some reader on the other, so the cheapest labelling is a minimum cut;
// it is found by augmenting paths, and of equal ones the one that moves the fewest nodes is taken.
//
// Legality (K, S): ranks known and equal; axes, pads and slices constant; transposed copies of
// constants within the copy limit. Done only when fewer Transposes are left. Exact (E0).

#include <algorithm>
#include <map>
#include <queue>
#include <set>

#include "passes/detail/edit.h"
#include "passes/detail/layout.h"
#include "passes/detail/transposed.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::Permutation;

/// A flow network with vertex 0 as source (moved) and 1 as sink (as it is).
class Cut {
 public:
  static constexpr i32 kInfinite = 1 << 20;
  int add_vertex() {
    edges_.emplace_back();
    return int(edges_.size()) - 1;
  }
  void add_edge(int from, int to, i32 capacity) {
    edges_[size_t(from)].push_back(int(all_.size()));
    all_.push_back({to, capacity});
    edges_[size_t(to)].push_back(int(all_.size()));
    all_.push_back({from, 0});
  }
  /// The value of the minimum cut; afterwards on_source_side() knows its smallest source side.
  i64 solve() {
    i64 flow = 0;
    while (augment()) ++flow;
    return flow;
  }
  bool on_source_side(int vertex) const { return via_[size_t(vertex)] != kUnseen; }

 private:
  static constexpr int kUnseen = -1, kStart = -2;
  struct Edge {
    int to;
    i32 capacity;
  };
  /// One unit along a shortest path; every path crosses an edge of capacity 1.
  bool augment() {
    via_.assign(edges_.size(), kUnseen);
    via_[0] = kStart;
    std::queue<int> open({0});
    while (!open.empty() && via_[1] == kUnseen) {
      const int at = open.front();
      open.pop();
      for (int e : edges_[size_t(at)]) {
        const Edge& edge = all_[size_t(e)];
        if (edge.capacity == 0 || via_[size_t(edge.to)] != kUnseen) continue;
        via_[size_t(edge.to)] = e;
        open.push(edge.to);
      }
    }
    if (via_[1] == kUnseen) return false;
    for (int at = 1; at != 0; at = all_[size_t(via_[size_t(at)] ^ 1)].to) {
      --all_[size_t(via_[size_t(at)])].capacity;
      ++all_[size_t(via_[size_t(at)] ^ 1)].capacity;
    }
    return true;
  }

  std::vector<std::vector<int>> edges_ = std::vector<std::vector<int>>(2);
  std::vector<Edge> all_;
  std::vector<int> via_;
};

/// The nodes that take part for one permutation, and the values between them.
class Region {
 public:
  Region(Graph& graph, Permutation perm) : g_(graph), perm_(std::move(perm)) {
    back_ = passes::inverse(perm_);
    for (NodeId id : g_.nodes_of(Op::Transpose))
      for (ValueId v : {g_.node(id).inputs[0], g_.node(id).outputs[0]}) reach(v);
  }

  /// Moves what the cheapest labelling moves; false when that would save nothing.
  bool rewrite() {
    if (vertex_.empty()) return false;
    i64 before = 0;
    for (ValueId v : values_) before += add_costs(v);
    if (cut_.solve() >= before) return false;
    std::vector<NodeId> matched;
    for (NodeId id : g_.topological_order())
      if (is_moved(id)) order_.push_back(id);
    if (order_.empty()) return false;
    matched = order_;
    for (ValueId v : values_)
      for (NodeId reader : g_.value(v).readers)
        if (g_.node(reader).op == Op::Transpose) matched.push_back(reader);
    std::sort(matched.begin(), matched.end());
    matched.erase(std::unique(matched.begin(), matched.end()), matched.end());
    Rewrite rewrite(g_, "place_transposes", matched);
    move();
    return rewrite.commit();
  }

 private:
  /// Collects the nodes around `v` that do not mind the layout, and their values.
  void reach(ValueId start) {
    std::vector<ValueId> open = {start};
    while (!open.empty()) {
      const ValueId v = open.back();
      open.pop_back();
      if (g_.constant(v) != nullptr || !values_.insert(v).second) continue;
      std::vector<NodeId> around = g_.value(v).readers;
      if (g_.value(v).producer.valid()) around.push_back(g_.value(v).producer);
      for (NodeId id : around) {
        const Node& n = g_.node(id);
        const std::vector<ValueId> operands =
            passes::transposable_operands(g_, n, std::ssize(perm_));
        if (operands.empty() || vertex_.contains(id)) continue;
        vertex_[id] = cut_.add_vertex();
        open.insert(open.end(), operands.begin(), operands.end());
        open.insert(open.end(), n.outputs.begin(), n.outputs.end());
      }
    }
  }

  bool is_transpose(NodeId id, const Permutation& perm) const {
    return id.valid() && g_.node(id).op == Op::Transpose &&
           passes::permutation(g_, g_.node(id)) == perm;
  }
  bool is_moved(NodeId id) const {
    const auto at = vertex_.find(id);
    return at != vertex_.end() && cut_.on_source_side(at->second);
  }

  /// Adds what `v` costs for each labelling; returns what it costs when nothing moves.
  i64 add_costs(ValueId v) {
    const NodeId producer = g_.value(v).producer;
    const bool both = is_transpose(producer, perm_);
    const auto made = vertex_.find(producer);
    const int from = both ? 0 : made != vertex_.end() ? made->second : 1;
    const int plain = cut_.add_vertex(), moved = cut_.add_vertex();
    bool wants_plain = g_.is_output(v), wants_moved = false;
    for (NodeId reader : g_.value(v).readers) {
      if (const auto at = vertex_.find(reader); at != vertex_.end()) {
        cut_.add_edge(plain, at->second, Cut::kInfinite);
        cut_.add_edge(at->second, moved, Cut::kInfinite);
        wants_plain = true;
      } else if (is_transpose(reader, back_)) {
        wants_moved = true;
        cut_.add_edge(0, moved, Cut::kInfinite);
      } else if (g_.node(reader).op != Op::Transpose) {
        wants_plain = true;
        cut_.add_edge(plain, 1, Cut::kInfinite);
      }
    }
    if (g_.is_output(v)) cut_.add_edge(plain, 1, Cut::kInfinite);
    if (from != 1) cut_.add_edge(from, plain, 1);
    if (!both) cut_.add_edge(moved, from, 1);
    return both ? wants_plain : wants_moved;
  }

  /// v' with v = Transpose(v', perm).
  ValueId moved_value(ValueId v) {
    if (const auto known = moved_.find(v); known != moved_.end()) return known->second;
    ValueId& result = moved_[v];
    const NodeId producer = g_.value(v).producer;
    if (g_.constant(v) != nullptr) return result = passes::transposed_constant(g_, v, perm_);
    if (is_transpose(producer, perm_)) return result = g_.node(producer).inputs[0];
    for (NodeId reader : g_.value(v).readers)
      if (is_transpose(reader, back_)) return result = g_.node(reader).outputs[0];
    return result = g_.add(Op::Transpose, {v}, {{"perm", back_}});
  }

  void move() {
    for (NodeId id : order_) {
      const Node old = g_.node(id);
      const NodeId now =
          passes::add_transposed(g_, old, perm_, [&](ValueId v) { return moved_value(v); });
      for (size_t i = 0; i < old.outputs.size(); ++i)
        moved_[old.outputs[i]] = g_.node(now).outputs[i];
    }
    for (NodeId id : order_) {
      const std::vector<ValueId> outputs = g_.node(id).outputs;
      for (ValueId v : outputs) connect(v);
    }
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) passes::erase_if_dead(g_, *id);
  }

  /// Readers that did not move read the moved value through a Transpose, or none when they undo it.
  void connect(ValueId v) {
    const ValueId now = moved_.at(v);
    bool wants_plain = g_.is_output(v);
    const std::vector<NodeId> readers = g_.value(v).readers;
    for (NodeId reader : readers) {
      if (is_moved(reader) || !g_.alive(reader)) continue;
      if (g_.node(reader).op != Op::Transpose) {
        wants_plain = true;
        continue;
      }
      const ValueId result = g_.node(reader).outputs[0];
      const Permutation second = *passes::permutation(g_, g_.node(reader));
      Permutation both;
      for (i64 axis : second) both.push_back(perm_[size_t(axis)]);
      const bool undone = std::is_sorted(both.begin(), both.end());
      passes::replace_and_erase(g_, result,
                                undone ? now : g_.add(Op::Transpose, {now}, {{"perm", both}}));
    }
    if (wants_plain) g_.replace_uses(v, g_.add(Op::Transpose, {now}, {{"perm", perm_}}));
  }

  Graph& g_;
  Permutation perm_, back_;
  Cut cut_;
  std::map<NodeId, int> vertex_;
  std::set<ValueId> values_;
  std::vector<NodeId> order_;
  std::map<ValueId, ValueId> moved_;
};

}  // namespace

PassStats place_transposes(Graph& graph, const PassOptions&) {
  PassStats stats;
  std::set<Permutation> perms;
  for (NodeId id : graph.nodes_of(Op::Transpose))
    if (const auto perm = passes::permutation(graph, graph.node(id))) perms.insert(*perm);
  for (const Permutation& perm : perms)
    if (!std::is_sorted(perm.begin(), perm.end())) stats.changed += Region(graph, perm).rewrite();
  return stats;
}

}  // namespace sinter
