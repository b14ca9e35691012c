// SPDX-License-Identifier: Apache-2.0
// An ONNX file as plain structs: what the protobuf messages say, nothing interpreted. Texts and
// tensor bytes are views into the bytes that were parsed, so reading a large model copies nothing.
// Field numbers are those of onnx.proto (IR version 10). Attributes, types and tensors remember
// their own bytes (`raw`), so that what nobody understands can be written as it was.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"

namespace sinter::onnx {

using Bytes = std::span<const std::byte>;

struct TensorProto {
  std::string_view raw, name;
  std::vector<i64> dims;
  int data_type = 0;
  std::optional<Bytes> raw_data;
  std::vector<float> float_data;
  std::vector<i32> int32_data;
  std::vector<i64> int64_data;
  std::vector<double> double_data;
  std::vector<u64> uint64_data;
  std::vector<std::string_view> string_data;
  bool is_external = false, has_segment = false;
  std::vector<std::pair<std::string_view, std::string_view>> external_data;
};

/// Values at positions, zero elsewhere.
struct SparseTensorProto {
  TensorProto values, indices;
  std::vector<i64> dims;
};

struct DimProto {
  std::optional<i64> value;
  std::string_view param;
};

struct TypeProto {
  enum class Kind { none, tensor, sequence, optional, other };
  Kind kind = Kind::none;
  int elem_type = 0;                           ///< of a tensor
  std::optional<std::vector<DimProto>> shape;  ///< of a tensor
  std::shared_ptr<const TypeProto> element;    ///< of a sequence or an optional
  std::string_view raw;
};

struct GraphProto;

struct AttributeProto {
  std::string_view raw;
  std::string_view name, reference;  ///< reference: the function attribute it stands for
  int type = 0;                      ///< 0 in files older than IR 2: guessed from what is there
  float f = 0;
  i64 i = 0;
  std::string_view s;
  std::optional<TensorProto> t;
  std::vector<float> floats;
  std::vector<i64> ints;
  std::vector<std::string_view> strings;
  std::shared_ptr<const SparseTensorProto> sparse;
  std::shared_ptr<const TypeProto> type_proto;
  std::vector<std::shared_ptr<const GraphProto>> graphs;  ///< `g` or `graphs`
};

struct NodeProto {
  std::string_view name, op_type, domain, overload, doc;
  std::vector<std::string_view> inputs, outputs;
  std::vector<AttributeProto> attributes;
  /// Names that subgraphs among the attributes read and do not define, each once, in order.
  std::vector<std::string_view> captures;
};

struct ValueInfoProto {
  std::string_view name, doc;
  TypeProto type;
};

struct OpsetProto {
  std::string_view domain;
  i64 version = 0;
};

struct GraphProto {
  std::string_view name, doc;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<SparseTensorProto> sparse_initializers;
  std::vector<ValueInfoProto> inputs, outputs, values;
};

struct FunctionProto {
  std::string_view raw, name, domain, overload;
  std::vector<std::string_view> inputs, outputs, attributes;
  std::vector<AttributeProto> defaults;  ///< of attributes that a call may leave out
  std::vector<NodeProto> nodes;
  std::vector<OpsetProto> opsets;
};

struct ModelProto {
  i64 ir_version = 0, model_version = 0;
  std::string_view producer_name, producer_version, domain, doc;
  std::vector<OpsetProto> opsets;
  std::optional<GraphProto> graph;
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  std::vector<FunctionProto> functions;
  bool has_training_info = false;
};

/// A SequenceProto or an OptionalProto; items of the kind that `kind` names.
struct ContainerProto {
  int kind = 0;  ///< 1 tensor, 2 sparse tensor, 3 sequence, 4 map, 5 optional
  std::vector<TensorProto> tensors;
  std::vector<ContainerProto> containers;
};

/// Names that `g` reads, itself or in subgraphs, and does not define; each once, in order.
std::vector<std::string_view> free_names(const GraphProto& g);

/// Parses a ModelProto or a TensorProto. `what` names the file in messages.
/// cost    one pass, one more for each level of subgraphs; tensor bytes are not touched
/// throws  Error(bad_input) when the bytes are not that message, or nest deeper than any model
ModelProto parse_model(Bytes bytes, std::string_view what);
TensorProto parse_tensor(Bytes bytes, std::string_view what);
ContainerProto parse_container(Bytes bytes, std::string_view what);
/// The fields of one NodeProto, such as an Opaque node's.
NodeProto parse_node(Bytes bytes, std::string_view what);
/// One GraphProto, such as a subgraph inside raw attribute bytes.
GraphProto parse_graph_proto(Bytes bytes, std::string_view what);

}  // namespace sinter::onnx
