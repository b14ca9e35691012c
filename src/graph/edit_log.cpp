// SPDX-License-Identifier: Apache-2.0
#include "graph/edit_log.h"

namespace sinter {

EditLog::EditLog(Graph& graph) : graph_(graph) {
  SINTER_ASSERT(graph.log_.log == nullptr);
  graph.log_.log = this;
  begin();
}

EditLog::~EditLog() { graph_.log_.log = nullptr; }

void EditLog::begin() {
  for (NodeId id : edited_nodes_) node_slot_[id] = -1;
  for (ValueId id : edited_values_) value_slot_[id] = -1;
  edited_nodes_.clear();
  edited_values_.clear();
  nodes_.clear();
  values_.clear();
  inputs_.reset();
  outputs_.reset();
  first_node_ = {i32(graph_.node_bound())};
  first_value_ = {i32(graph_.value_bound())};
  node_count_ = graph_.node_count_;
  next_name_ = graph_.next_name_;
}

bool EditLog::empty() const {
  return edited_nodes_.empty() && edited_values_.empty() && !inputs_ && !outputs_ &&
         graph_.node_bound() == first_node_.index && graph_.value_bound() == first_value_.index;
}

void EditLog::save(NodeId id) {
  ++version_;
  if (id >= first_node_ || node_slot_[id] >= 0) return;
  node_slot_[id] = i32(nodes_.size());
  edited_nodes_.push_back(id);
  nodes_.push_back({graph_.node(id), graph_.alive(id)});
}

void EditLog::save(ValueId id) {
  ++version_;
  if (id >= first_value_ || value_slot_[id] >= 0) return;
  value_slot_[id] = i32(values_.size());
  edited_values_.push_back(id);
  values_.push_back({graph_.value(id), graph_.alive(id)});
}

void EditLog::save_inputs() {
  ++version_;
  if (!inputs_) inputs_ = graph_.inputs_;
}

void EditLog::save_outputs() {
  ++version_;
  if (!outputs_) outputs_ = graph_.outputs_;
}

bool EditLog::was_alive(NodeId id) const {
  if (id >= first_node_) return false;
  const i32 slot = node_slot_[id];
  return slot >= 0 ? nodes_[size_t(slot)].alive : graph_.alive(id);
}

bool EditLog::was_alive(ValueId id) const {
  if (id >= first_value_) return false;
  const i32 slot = value_slot_[id];
  return slot >= 0 ? values_[size_t(slot)].alive : graph_.alive(id);
}

const Node& EditLog::before(NodeId id) const {
  SINTER_ASSERT(id < first_node_);
  const i32 slot = node_slot_[id];
  return slot >= 0 ? nodes_[size_t(slot)].image : graph_.node(id);
}

const Value& EditLog::before(ValueId id) const {
  SINTER_ASSERT(id < first_value_);
  const i32 slot = value_slot_[id];
  return slot >= 0 ? values_[size_t(slot)].image : graph_.value(id);
}

const std::vector<ValueId>& EditLog::inputs_before() const {
  return inputs_ ? *inputs_ : graph_.inputs_;
}

const std::vector<GraphOutput>& EditLog::outputs_before() const {
  return outputs_ ? *outputs_ : graph_.outputs_;
}

void EditLog::undo() {
  Graph& g = graph_;
  // Names go first, all of them, so that one that moved to another value finds its old place free.
  const auto drop_name = [&](ValueId id) {
    if (g.alive(id)) g.by_name_.erase(g.value(id).name);
  };
  for (i32 i = first_value_.index; i < g.value_bound(); ++i) drop_name({i});
  for (ValueId id : edited_values_) drop_name(id);
  g.values_.resize(size_t(first_value_.index));
  g.alive_values_.resize(size_t(first_value_.index));
  g.nodes_.resize(size_t(first_node_.index), Node{Op::Identity, {}, {}, {}, {}});
  g.alive_nodes_.resize(size_t(first_node_.index));
  for (size_t i = 0; i < edited_values_.size(); ++i) {
    const size_t at = size_t(edited_values_[i].index);
    g.values_[at] = std::move(values_[i].image);
    g.alive_values_[at] = values_[i].alive;
    if (values_[i].alive) g.by_name_.emplace(g.values_[at].name, edited_values_[i]);
  }
  for (size_t i = 0; i < edited_nodes_.size(); ++i) {
    const size_t at = size_t(edited_nodes_[i].index);
    g.nodes_[at] = std::move(nodes_[i].image);
    g.alive_nodes_[at] = nodes_[i].alive;
  }
  if (inputs_) g.inputs_ = std::move(*inputs_);
  if (outputs_) g.outputs_ = std::move(*outputs_);
  g.node_count_ = node_count_;
  g.next_name_ = next_name_;
  ++version_;
  begin();
}

}  // namespace sinter
