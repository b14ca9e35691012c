// SPDX-License-Identifier: Apache-2.0
// An ONNX file as plain structs: what the protobuf messages say, nothing interpreted. Texts and
// tensor bytes are views into the bytes that were parsed, so reading a large model copies nothing.
// Field numbers are those of onnx.proto (IR version 8).
#pragma once
#include <cstddef>
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
  std::string_view name;
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

struct AttributeProto {
  std::string_view name, reference;  ///< reference: the function attribute it stands for
  int type = 0;                      ///< 0 in files older than IR 2: guessed from what is there
  float f = 0;
  i64 i = 0;
  std::string_view s;
  std::optional<TensorProto> t;
  std::vector<float> floats;
  std::vector<i64> ints;
  std::vector<std::string_view> strings;
  bool has_graph = false;
};

struct NodeProto {
  std::string_view name, op_type, domain;
  std::vector<std::string_view> inputs, outputs;
  std::vector<AttributeProto> attributes;
};

struct DimProto {
  std::optional<i64> value;
  std::string_view param;
};

struct ValueInfoProto {
  std::string_view name;
  bool is_tensor = false;
  int elem_type = 0;
  std::optional<std::vector<DimProto>> shape;
};

struct OpsetProto {
  std::string_view domain;
  i64 version = 0;
};

struct GraphProto {
  std::string_view name;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<ValueInfoProto> inputs, outputs;
  bool has_sparse = false;
};

struct FunctionProto {
  std::string_view name, domain;
  std::vector<std::string_view> inputs, outputs, attributes;
  std::vector<AttributeProto> defaults;  ///< of attributes that a call may leave out
  std::vector<NodeProto> nodes;
  std::vector<OpsetProto> opsets;
};

struct ModelProto {
  i64 ir_version = 0;
  std::string_view producer_name, producer_version, doc;
  std::vector<OpsetProto> opsets;
  std::optional<GraphProto> graph;
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  std::vector<FunctionProto> functions;
};

/// Parses a ModelProto or a TensorProto. `what` names the file in messages.
/// cost    one pass; tensor bytes are not touched
/// throws  Error(bad_input) when the bytes are not that message
ModelProto parse_model(Bytes bytes, std::string_view what);
TensorProto parse_tensor(Bytes bytes, std::string_view what);

}  // namespace sinter::onnx
