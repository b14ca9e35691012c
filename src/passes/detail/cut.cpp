// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/cut.h"

#include <algorithm>

namespace sinter::passes {

Cut::Cut(const EditLog& log, const std::vector<NodeId>& matched) : log_(log) {
  for (NodeId id : matched)
    if (log.was_alive(id)) {
      inside_[id] = is_pure(log.graph(), log.before(id)) ? 1 : 0;
      core_.push_back(id);
    }
  for (NodeId id : log.edited_nodes())
    if (log.was_alive(id)) {
      add_edited(id);
      core_.push_back(id);
    }
  find_pairs();
}

void Cut::add_edited(NodeId id) {
  const Graph& g = log_.graph();
  if (!g.alive(id)) {
    inside_[id] = is_pure(g, log_.before(id)) ? 1 : 0;
    return;
  }
  const Node &was = log_.before(id), &is = g.node(id);
  bool same_form = was.op == is.op && was.inputs.size() == is.inputs.size() &&
                   was.outputs == is.outputs && was.attributes == is.attributes;
  for (size_t i = 0; same_form && i < was.inputs.size(); ++i)
    same_form = was.inputs[i].valid() == is.inputs[i].valid();
  if (is_pure(g, is) && (inside_[id] || !same_form)) {
    inside_[id] = 1;
  } else if (same_form) {
    readers_.push_back(id);
    inside_[id] = 0;
  } else {
    obstacle_ = "an impure node was edited";
  }
}

void Cut::add_pair(ValueId before, ValueId after) {
  if (before.valid()) pairs_.push_back({before, after});
}

void Cut::find_pairs() {
  const Graph& g = log_.graph();
  pairs_.clear();
  const auto &was = log_.outputs_before(), &is = g.outputs();
  for (size_t i = 0; i < std::min(was.size(), is.size()); ++i)
    if (was[i].value != is[i].value) add_pair(was[i].value, is[i].value);
  for (NodeId id : readers_) {
    const Node &old = log_.before(id), &now = g.node(id);
    for (size_t i = 0; !inside_[id] && i < old.inputs.size(); ++i)
      if (old.inputs[i] != now.inputs[i]) add_pair(old.inputs[i], now.inputs[i]);
  }
  // A value must keep its meaning for the uses outside that it had and has; uses that moved are
  // pairs already, and what only the cut itself reads may change.
  const auto keeps_a_use = [&](ValueId v) {
    for (size_t i = 0; i < std::min(was.size(), is.size()); ++i)
      if (was[i].value == v && is[i].value == v) return true;
    for (NodeId r : g.value(v).readers) {
      if (r >= log_.first_node() || inside_[r]) continue;
      const auto &old = log_.before(r).inputs, &now = g.node(r).inputs;
      for (size_t i = 0; i < std::min(old.size(), now.size()); ++i)
        if (old[i] == v && now[i] == v) return true;
    }
    return false;
  };
  for (NodeId id : core_)
    if (g.alive(id) && inside_[id])
      for (ValueId v : g.node(id).outputs)
        if (keeps_a_use(v)) add_pair(v, v);
  std::sort(pairs_.begin(), pairs_.end());
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
}

const Node& Cut::node(Side side, NodeId id) const {
  return side == Side::before ? log_.before(id) : log_.graph().node(id);
}

const Value& Cut::value(Side side, ValueId id) const {
  return side == Side::before ? log_.before(id) : log_.graph().value(id);
}

NodeId Cut::producer(Side side, ValueId id) const {
  const NodeId p = value(side, id).producer;
  if (!p.valid()) return p;
  const bool added = p >= log_.first_node();
  const Graph& g = log_.graph();
  const bool is_inside = added ? is_pure(g, g.node(p)) : inside_[p] != 0;
  return is_inside ? p : NodeId{};
}

bool Cut::touched(NodeId id) const {
  const auto& edited = log_.edited_nodes();
  return id >= log_.first_node() || std::find(edited.begin(), edited.end(), id) != edited.end();
}

bool Cut::is_untouched(NodeId id) const { return !touched(id); }

bool Cut::take_readers() {
  bool any = false;
  for (NodeId id : readers_)
    if (!inside_[id] && is_pure(log_.graph(), log_.graph().node(id))) {
      inside_[id] = 1;
      any = true;
    }
  if (any) find_pairs();
  return any;
}

void Cut::collect_leaves(Side side, ValueId id, std::set<std::pair<Side, ValueId>>& seen,
                         std::set<ValueId>& leaves) const {
  if (!id.valid() || !seen.insert({side, id}).second) return;
  if (value(side, id).constant) return;
  const NodeId p = producer(side, id);
  if (!p.valid()) {
    leaves.insert(id);
    return;
  }
  for (ValueId v : node(side, p).inputs) collect_leaves(side, v, seen, leaves);
}

std::vector<ValueId> Cut::leaves() const {
  std::set<std::pair<Side, ValueId>> seen;
  std::set<ValueId> found;
  for (const Pair& pair : pairs_) {
    collect_leaves(Side::before, pair.before, seen, found);
    collect_leaves(Side::after, pair.after, seen, found);
  }
  return {found.begin(), found.end()};
}

bool Cut::take_producers() {
  bool any = false;
  for (ValueId v : leaves()) {
    if (v >= log_.first_value()) continue;
    const NodeId p = log_.before(v).producer;
    if (!p.valid() || !is_pure(log_.graph(), log_.before(p))) continue;
    inside_[p] = 1;
    any = true;
  }
  return any;
}

namespace {

/// Copies one side of a cut into a graph of its own.
class Copy {
 public:
  Copy(const Cut& cut, Side side, const std::vector<ValueId>& leaves) : cut_(cut), side_(side) {
    for (ValueId v : leaves) {
      const Value& value = cut.value(Side::before, v);
      const bool known = value.type.dtype != DType::none && value.type.dtype != DType::unknown;
      const ValueType type = known ? value.type : ValueType{DType::f32, Shape{2}, std::nullopt};
      copies_[v] = graph.add_input(value.name, type);
    }
    i64 number = 0;
    for (const Cut::Pair& pair : cut.pairs())
      graph.add_output("out" + std::to_string(number++),
                       copy(side == Side::before ? pair.before : pair.after));
  }
  Graph graph;

 private:
  ValueId copy(ValueId v) {
    if (!v.valid()) return v;
    if (const auto it = copies_.find(v); it != copies_.end()) return it->second;
    const Value& value = cut_.value(side_, v);
    if (value.constant) return copies_[v] = graph.add_constant(value.constant, value.name);
    const NodeId p = cut_.producer(side_, v);
    require(p.valid(), ErrorKind::unsupported, "cut: \"", value.name, "\" has no producer");
    const Node& node = cut_.node(side_, p);
    std::vector<ValueId> inputs;
    for (ValueId input : node.inputs) inputs.push_back(copy(input));
    std::vector<std::string> names;
    for (ValueId out : node.outputs) names.push_back(cut_.value(side_, out).name);
    const NodeId copied =
        graph.add_node(node.op, std::move(inputs), node.attributes, std::move(names), node.name);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      copies_[node.outputs[i]] = graph.node(copied).outputs[i];
    return copies_[v];
  }

  const Cut& cut_;
  Side side_;
  std::map<ValueId, ValueId> copies_;
};

}  // namespace

std::pair<Graph, Graph> cut_graphs(const Cut& cut) {
  const std::vector<ValueId> leaves = cut.leaves();
  return {Copy(cut, Side::before, leaves).graph, Copy(cut, Side::after, leaves).graph};
}

}  // namespace sinter::passes
