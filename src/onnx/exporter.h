// SPDX-License-Identifier: Apache-2.0
// The exporter's insides: export_graph.cpp writes graphs and names, export_nodes.cpp nodes,
// export_types.cpp types.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "onnx/export.h"
#include "onnx/lower.h"
#include "onnx/pieces.h"

namespace sinter::onnx {

/// Writes ValueInfoProto messages.
class TypeWriter {
 public:
  explicit TypeWriter(const ModelInfo& info);
  /// `raw`: the TypeProto of the file, for types that have no form here; `declared`: what the file
  /// promised where nothing is inferred. In inputs, expressions of symbols are written as texts.
  std::string value_info(std::string_view name, const ValueType& type, std::string_view raw,
                         const std::optional<Shape>& declared, bool is_input) const;

 private:
  std::string type_proto(const ValueType& type, bool is_input) const;
  std::string shape_proto(const Shape& shape, bool is_input) const;
  std::map<std::string, std::string, std::less<>> file_symbols_;
};

/// One graph on its way out: the names of its values in the file.
struct Frame {
  const Graph& g;
  ValueMap<std::string> names = ValueMap<std::string>();
  std::vector<std::pair<ValueId, std::string>> identities = {};  ///< outputs that need an Identity
  std::vector<std::string> output_names = {};
  const Frame* outer = nullptr;                         ///< the graph around a body
  std::map<const Tensor*, std::string> constants = {};  ///< of this graph, for bodies in it
  std::string nodes = {};                               ///< bytes so far
  Pieces initializers = {};
};

class Exporter {
 public:
  Exporter(const Graph& graph, const ExportOptions& options, DataFile* data)
      : g_(graph), options_(options), data_(data), types_(graph.info) {}
  /// The whole model; it borrows bytes of the graph and of this.
  Pieces run();

 private:
  // export_graph.cpp
  Pieces main_graph();
  std::string body(const Graph& g, const Frame& outer, std::span<const ValueId> captures);
  std::string opaque_types(const Frame& f) const;
  void reserve_names();
  void name_interface(Frame& f);
  void name_body(Frame& f, const Frame& outer, std::span<const ValueId> captures);
  void name_rest(Frame& f);
  void hoist_constants(Frame& f);
  void write_nodes(Frame& f);
  void initializer(Frame& f, const Tensor& t, const std::string& name);
  std::string fresh(std::string name);
  std::string node_name(const std::string& wanted, std::string_view op);

  // export_nodes.cpp
  void write_node(Frame& f, const Node& n);
  void write_opaque(Frame& f, const Node& n);
  bool write_opaque_constant(Frame& f, const std::string& proto, const std::string& name);
  void write_own(Frame& f, const Node& n);
  void write_call(std::string& nodes, std::string_view op, std::vector<std::string> inputs,
                  std::string_view output, int tag);
  void write_steps(std::string& nodes, Op op, const std::vector<std::string>& in,
                   const std::string& y, const std::string& scope, int tag);
  void write_function(pbf_writer& model, Op op);
  void write_attribute(Frame& f, pbf_writer& node, const std::string& key,
                       const AttributeValue& value, std::span<const ValueId> captures);
  static void write_opset(pbf_writer& w, int tag, std::string_view domain, i64 version);

  const Graph& g_;
  const ExportOptions& options_;
  DataFile* data_;
  TypeWriter types_;
  std::set<std::string, std::less<>> taken_;       ///< value names in this graph and around it
  std::vector<std::string> given_;                 ///< by fresh(), in order
  std::set<std::string> node_names_, used_names_;  ///< of nodes: wanted somewhere, written
  std::map<std::string, i64> next_number_;
  std::set<Op> functions_;
  std::vector<TensorPtr> kept_;  ///< constants that only the file has
  i64 opset_ = 0;
};

}  // namespace sinter::onnx
