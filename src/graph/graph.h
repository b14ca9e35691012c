// SPDX-License-Identifier: Apache-2.0
// The graph: values and nodes with stable ids, use lists kept by every edit, and types inferred the
// moment a node is added. It knows operators (graph/ops) but neither files nor kernels.
//
// - A value is a graph input, a constant, or the result of one node; ids are never reused.
// - The interface is apart from the values: an output is a (name, value) pair, so a rewrite may
//   move an output to any value and the names that a user sees never change.
// - Constants are shared and never written: a pass adds a new one.
// - Facts that only some code needs (levels, ranges, offsets) live in NodeMap / ValueMap.
// thread: const access from any number of threads; edits by one.
#pragma once
#include <string>
#include <vector>

#include "graph/ops/op.h"

namespace sinter {

struct ValueId {
  i32 index = -1;
  bool valid() const { return index >= 0; }
  friend auto operator<=>(ValueId, ValueId) = default;
};
struct NodeId {
  i32 index = -1;
  bool valid() const { return index >= 0; }
  friend auto operator<=>(NodeId, NodeId) = default;
};

struct Node {
  Op op;
  std::string name;              ///< as in the file; may be empty
  std::vector<ValueId> inputs;   ///< an invalid id is an absent optional input
  std::vector<ValueId> outputs;  ///< always valid ids
  Attributes attributes;
};

struct Value {
  std::string name;  ///< unique in the graph, never empty
  ValueType type;
  TensorPtr constant;           ///< set for constants
  NodeId producer;              ///< invalid for inputs and constants
  std::vector<NodeId> readers;  ///< one entry per use, ascending by time of use
  bool is_input = false;
  TensorPtr default_value = nullptr;  ///< of an input that a caller may leave out
};

struct GraphOutput {
  std::string name;
  ValueId value;
  /// What the file promises; export falls back on it where inference knows no dimension.
  std::optional<Shape> declared = std::nullopt;
};

/// What a file says about a model besides the computation; kept for export.
struct ModelInfo {
  i64 ir_version = 8, opset = 17;
  std::string graph_name = "sinter", producer_name, producer_version, doc;
  std::vector<std::pair<std::string, std::string>> metadata;
  /// Inputs with default values, which a caller could override in the file; constants here.
  std::vector<std::string> defaulted_inputs = {};
  i64 model_version = 0;
  std::string domain = {}, graph_doc = {};
  std::vector<std::pair<std::string, i64>> domains = {};  ///< versions of other operator sets
  /// Dimension names that are no plain words: the name used here, the name in the file.
  std::vector<std::pair<std::string, std::string>> symbols = {};
  /// TypeProto bytes of inputs and outputs whose type sinter has no form for, by name.
  std::map<std::string, std::string> types = {};
  std::vector<std::string> functions = {};  ///< FunctionProto bytes, kept for calls not inlined
};

class EditLog;  // graph/edit_log.h: who records the edits of a graph

class Graph {
 public:
  ModelInfo info;

  // -- building --------------------------------------------------------------------------------
  /// Names must be new (Error(bad_input) otherwise). An empty name gets a fresh one.
  ValueId add_input(std::string name, DType dtype, std::optional<Shape> shape);
  ValueId add_input(std::string name, ValueType type);
  ValueId add_constant(TensorPtr tensor, std::string name = "");
  ValueId add_constant(Tensor tensor, std::string name = "");
  /// Adds a node, infers its outputs, returns its id. `outputs` names the outputs; "" = fresh name;
  /// one unnamed output when empty. Invalid inputs stand for absent optional ones.
  /// throws  Error(bad_input) naming the node when arity, attributes, types or shapes do not fit
  NodeId add_node(Op op, std::vector<ValueId> inputs, Attributes attributes = {},
                  std::vector<std::string> outputs = {}, std::string name = "");
  /// The same for one output, returned as a value.
  ValueId add(Op op, std::vector<ValueId> inputs, Attributes attributes = {},
              std::string output_name = "");
  void add_output(std::string name, ValueId value, std::optional<Shape> declared = std::nullopt);

  // -- reading ---------------------------------------------------------------------------------
  const Value& value(ValueId id) const { return values_[size_t(id.index)]; }
  const Node& node(NodeId id) const { return nodes_[size_t(id.index)]; }
  bool alive(NodeId id) const { return alive_nodes_[size_t(id.index)]; }
  bool alive(ValueId id) const { return alive_values_[size_t(id.index)]; }
  /// Ids below these bounds may be alive; for side tables.
  i64 node_bound() const { return std::ssize(nodes_); }
  i64 value_bound() const { return std::ssize(values_); }
  i64 node_count() const { return node_count_; }
  std::vector<NodeId> nodes() const;          ///< alive, ascending by id
  std::vector<NodeId> nodes_of(Op op) const;  ///< a copy: editing while looping is safe
  std::vector<ValueId> values() const;        ///< alive, ascending by id
  std::vector<ValueId> constants() const;     ///< alive constants, ascending by id
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<GraphOutput>& outputs() const { return outputs_; }
  /// Nodes so that producers come first; among the ready ones the smallest id first.
  /// throws  Error(bad_input) naming a node on a cycle
  std::vector<NodeId> topological_order() const;

  /// The producing node, or nullptr for an input or constant (or an invalid id).
  const Node* producer(ValueId id) const;
  /// The tensor, or nullptr when the value is not a constant (or invalid).
  const Tensor* constant(ValueId id) const;
  DType dtype(ValueId id) const { return value(id).type.dtype; }
  const std::optional<Shape>& shape(ValueId id) const { return value(id).type.shape; }
  /// Uses by nodes plus uses as graph output.
  i64 use_count(ValueId id) const;
  bool is_output(ValueId id) const;
  std::optional<ValueId> find_value(std::string_view name) const;
  /// `Conv "layer1/conv"` for messages; falls back to the first output's name.
  std::string describe(NodeId id) const;

  // -- editing ---------------------------------------------------------------------------------
  /// Every node input and graph output that read `from` now reads `to`. Types are not re-inferred.
  void replace_uses(ValueId from, ValueId to);
  void set_input(NodeId node, i64 index, ValueId value);
  void set_inputs(NodeId node, std::vector<ValueId> inputs);
  void set_attribute(NodeId node, std::string name, AttributeValue value);
  void erase_attribute(NodeId node, std::string_view name);
  /// throws  Error(internal) when an output is still used
  void erase_node(NodeId node);
  /// Removes an unused constant. Inputs are part of the interface and stay.
  void erase_constant(ValueId value);
  /// Removes an unused graph input; for the inputs of bodies, which are no interface.
  void erase_input(ValueId value);
  /// Infers this node's outputs again (after set_input or set_attribute). Results of Opaque keep
  /// their types; what reads a value of unknown type gives unknown types.
  /// out     true when a type changed
  bool infer(NodeId node);
  /// Infers these nodes and, while types change, the nodes that read them. Ids of erased nodes are
  /// passed over.
  void infer_from(const std::vector<NodeId>& start);
  /// Infers every node again in topological order, e.g. after an input's shape was bound.
  void infer_all();
  void set_input_type(ValueId input, DType dtype, std::optional<Shape> shape);
  void set_input_type(ValueId input, ValueType type);
  /// The tensor that stands for the input when a caller gives none.
  void set_default(ValueId input, TensorPtr tensor);
  /// What the file says of a result whose type inference cannot know (Opaque).
  void set_result_type(ValueId result, ValueType type);

  Graph clone() const { return *this; }
  /// Who records the edits, or nullptr. Copies of a graph are not recorded.
  EditLog* log() const { return log_.log; }

 private:
  friend class EditLog;
  struct LogPointer {
    LogPointer() = default;
    LogPointer(const LogPointer&) noexcept {}
    LogPointer& operator=(const LogPointer&) noexcept { return *this; }
    EditLog* log = nullptr;
  };
  void edits(NodeId id);
  void edits(ValueId id);
  void set_type(ValueId id, ValueType type);
  ValueId new_value(std::string name);
  std::string fresh_name(std::string_view hint);
  void add_reader(ValueId value, NodeId node);   // nothing for an absent input
  void drop_reader(ValueId value, NodeId node);  // likewise
  void check_signature(const Node& node, std::string_view description) const;

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<bool> alive_values_, alive_nodes_;
  std::vector<ValueId> inputs_;
  std::vector<GraphOutput> outputs_;
  std::map<std::string, ValueId, std::less<>> by_name_;
  i64 node_count_ = 0, next_name_ = 0;
  LogPointer log_;
};

/// Bytes of all constants, bodies included.
i64 constant_bytes(const Graph& graph);
/// Nodes of the graph and of the bodies in it.
i64 deep_node_count(const Graph& graph);
/// False when two runs on the same inputs may differ: random operators, Dropout and
/// BatchNormalization in training mode, Opaque, and bodies that hold one of them.
bool is_pure(const Graph& graph, const Node& node);
/// The bodies of a control-flow node with their attribute names; empty for others.
std::vector<std::pair<std::string, GraphPtr>> bodies(const Node& node);
/// How many of the node's trailing inputs are captures of its bodies.
i64 capture_count(const Node& node);

/// A fact per node or value, beside the graph. Grows on write; `absent` where nothing was written.
template <class T, class Id>
class IdMap {
 public:
  explicit IdMap(T absent = T()) : absent_(std::move(absent)) {}
  T& operator[](Id id) {
    if (size_t(id.index) >= facts_.size()) facts_.resize(size_t(id.index) + 1, absent_);
    return facts_[size_t(id.index)];
  }
  const T& operator[](Id id) const {
    return size_t(id.index) < facts_.size() ? facts_[size_t(id.index)] : absent_;
  }

 private:
  T absent_;
  std::vector<T> facts_;
};
template <class T>
using NodeMap = IdMap<T, NodeId>;
template <class T>
using ValueMap = IdMap<T, ValueId>;

}  // namespace sinter
