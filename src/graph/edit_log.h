// SPDX-License-Identifier: Apache-2.0
// The record of edits of a graph: what nodes and values looked like before they were first touched,
// so that everything since the last begin() can be told apart and undone exactly.
//
// A graph without a log pays one comparison an edit. Before-images are copies of the nodes and
// values themselves; what was added lies above first_node() and first_value().
// thread: with the graph, one at a time.
#pragma once
#include "graph/graph.h"

namespace sinter {

class EditLog {
 public:
  /// Attaches to `graph`, which must have no log, and begins.
  explicit EditLog(Graph& graph);
  virtual ~EditLog();
  EditLog(const EditLog&) = delete;
  EditLog& operator=(const EditLog&) = delete;

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }

  /// Forgets the record: what follows can be undone as one.
  void begin();
  /// Takes the graph back to what it was at begin(): nodes, values, readers in their order, names,
  /// interface, types, and the ids and names that the next additions get.
  void undo();
  /// Nothing was edited since begin().
  bool empty() const;
  /// Grows with every edit, also with undo(); never goes back.
  u64 version() const { return version_; }

  /// Nodes and values with ids from here on were added since begin().
  NodeId first_node() const { return first_node_; }
  ValueId first_value() const { return first_value_; }
  /// Nodes and values that were there at begin() and were edited or erased, in that order.
  const std::vector<NodeId>& edited_nodes() const { return edited_nodes_; }
  const std::vector<ValueId>& edited_values() const { return edited_values_; }

  bool was_alive(NodeId id) const;
  bool was_alive(ValueId id) const;
  /// As at begin(); the id must be below first_node() or first_value().
  const Node& before(NodeId id) const;
  const Value& before(ValueId id) const;
  const std::vector<ValueId>& inputs_before() const;
  const std::vector<GraphOutput>& outputs_before() const;
  i64 node_count_before() const { return node_count_; }

 private:
  friend class Graph;
  void save(NodeId id);
  void save(ValueId id);
  void save_inputs();
  void save_outputs();

  template <class T>
  struct Image {
    T image;
    bool alive;
  };
  Graph& graph_;
  u64 version_ = 0;
  NodeId first_node_;
  ValueId first_value_;
  i64 node_count_ = 0, next_name_ = 0;
  std::vector<NodeId> edited_nodes_;
  std::vector<ValueId> edited_values_;
  std::vector<Image<Node>> nodes_;    // of edited_nodes_
  std::vector<Image<Value>> values_;  // of edited_values_
  NodeMap<i32> node_slot_{-1};        // place in nodes_, -1 when not edited
  ValueMap<i32> value_slot_{-1};
  std::optional<std::vector<ValueId>> inputs_;
  std::optional<std::vector<GraphOutput>> outputs_;
};

}  // namespace sinter
