// SPDX-License-Identifier: Apache-2.0
// The importer's insides, shared by the import_*.cpp files: import.cpp reads the model and its
// interface, import_nodes.cpp nodes and attributes, import_bodies.cpp subgraphs, import_calls.cpp
// functions, import_gradient.cpp derivatives, import_opaque.cpp what passes through.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "onnx/import.h"
#include "onnx/model.h"
#include "onnx/tensor_proto.h"
#include "onnx/upgrade.h"

namespace sinter::onnx {

using Names = std::map<std::string, ValueId, std::less<>>;
using FunctionAttributes = std::map<std::string_view, const AttributeProto*>;

inline bool is_default_domain(std::string_view domain) {
  return domain.empty() || domain == "ai.onnx";
}

/// `Conv "conv1"`, or the first output when the node has no name.
std::string describe(const NodeProto& n);

/// Positions of `nodes` so that producers come first, stable by position; captures of subgraphs
/// count as inputs.
/// throws  Error(bad_input) naming a node that reads what nobody gives, or is on a cycle
std::vector<size_t> sorted(const std::vector<NodeProto>& nodes, const Names& given);

/// Dimension names. One that is no plain word gets another name inside, so that it never reads like
/// an expression ("floor((H + 1)/2)"); export writes the file's name again.
class Symbols {
 public:
  Dim dim(std::string_view name);
  /// (inside, in the file), in order of appearance.
  const std::vector<std::pair<std::string, std::string>>& renamed() const { return renamed_; }

 private:
  std::map<std::string, std::string, std::less<>> inside_;
  std::vector<std::pair<std::string, std::string>> renamed_;
  std::set<std::string, std::less<>> taken_;
};

/// The type of a value as the graph holds it; `unknown` where it has no form.
/// throws  Error(bad_input) naming `what` for a negative dimension
ValueType value_type(const TypeProto& type, Symbols& symbols, std::string_view what);

/// What the names inside one graph or function body stand for.
struct Scope {
  Graph* graph = nullptr;    ///< that nodes go to
  NameSet* names = nullptr;  ///< of that graph
  Names values;
  FunctionAttributes attributes;                          ///< that references may name
  std::map<std::string_view, std::string> result_names;   ///< a function's outputs, outside
  std::map<std::string_view, const TypeProto*> declared;  ///< value_info
  std::string prefix;                                     ///< of values inside a function
  const std::vector<OpsetProto>* opsets = nullptr;        ///< of the model or function
  i64 opset = 0;                                          ///< version of the default domain
  int calls = 0;                                          ///< functions around this one
};

class Importer {
 public:
  Importer(const ModelProto& model, TensorSource source, const ImportOptions& options)
      : model_(model), source_(std::move(source)), options_(options) {}
  Graph run();

 private:
  // import.cpp
  i64 opset_of(const std::vector<OpsetProto>& opsets) const;
  void model_info(const Scope& scope) const;
  void initializers(const GraphProto& g, Scope& scope);
  void initializer(std::string_view name, const TensorProto& proto, Scope& scope);
  void inputs(const GraphProto& g, Scope& scope);
  void outputs(const GraphProto& g, Scope& scope, bool is_body);
  static void reserve_names(const GraphProto& g, Scope& scope);

  // import_nodes.cpp
  void node(const NodeProto& n, Scope& scope);
  void operator_node(const NodeProto& n, std::vector<ValueId> inputs, Scope& scope);
  std::vector<ValueId> known_node(const NodeProto& n, RawNode raw, Scope& scope);
  static void bind(const NodeProto& n, const std::vector<ValueId>& results, Scope& scope);
  void check_known(const NodeProto& n, const Scope& scope, const OpInfo* op) const;
  void read_attributes(const NodeProto& n, const Scope& scope, RawNode& raw);
  AttributeValue attribute(const AttributeProto& a);
  ValueId constant(RawNode& raw, Scope& scope);
  std::vector<std::string> result_names(const NodeProto& n, const Scope& scope) const;
  std::string result_name(std::string_view name, const Scope& scope) const;

  // import_bodies.cpp
  void read_bodies(const NodeProto& n, const Scope& scope, RawNode& raw);
  Graph body_of(const GraphProto& g, const std::vector<std::string_view>& captures,
                const std::vector<ValueId>& given, const Scope& outer);
  Graph body(const GraphProto& g, const std::vector<std::string_view>& captures,
             const std::vector<ValueId>& given, const Scope& outer, bool with_shapes);
  void body_inputs(const GraphProto& g, const std::vector<ValueId>& given, const Scope& outer,
                   Scope& scope);

  // import_gradient.cpp
  std::vector<ValueId> gradient(const NodeProto& n, const std::vector<ValueId>& inputs,
                                Scope& scope);

  // import_calls.cpp
  const FunctionProto* function_of(const NodeProto& n) const;
  bool is_inlined(const FunctionProto& f) const;
  void inline_call(const NodeProto& n, const FunctionProto& f, std::vector<ValueId> inputs,
                   Scope& outer);

  // import_opaque.cpp
  std::vector<ValueId> opaque_node(const NodeProto& n, std::vector<ValueId> inputs, Scope& scope,
                                   const std::string& reason);
  ValueId opaque_constant(std::string_view name, const TensorProto& proto, Scope& scope);
  void need_domain(std::string_view domain, const std::vector<OpsetProto>& opsets);

  const ModelProto& model_;
  TensorSource source_;
  const ImportOptions& options_;
  Symbols symbols_;
  std::map<std::string, i64, std::less<>> domains_;  ///< versions of the other operator sets
  bool keeps_functions_ = false;
  i64 inlined_ = 0, calls_ = 0, retries_ = 0;
};

/// The attribute itself, or what it refers to; nullptr when the call does not give that.
const AttributeProto* resolve(const AttributeProto& a, const FunctionAttributes& given);

}  // namespace sinter::onnx
