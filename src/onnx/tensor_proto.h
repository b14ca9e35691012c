// SPDX-License-Identifier: Apache-2.0
// TensorProto to Tensor and back.
#pragma once
#include <filesystem>
#include <map>
#include <memory>

#include "base/file.h"
#include "graph/graph.h"
#include "onnx/model.h"

namespace sinter::onnx {

/// Where a tensor's bytes may come from. thread: owned by one.
struct TensorSource {
  std::shared_ptr<const void> owner;  ///< keeps the parsed bytes alive; nullptr = copy everything
  std::filesystem::path folder;       ///< external data must lie inside it; empty = not allowed
  std::map<std::filesystem::path, std::shared_ptr<const MappedFile>> files;  ///< opened so far
};

/// raw_data and external data become views (copied only when misaligned), typed fields are copied.
/// throws  Error(bad_input) naming the tensor: wrong size, location outside the folder, offset and
///         length outside the file; Error(unsupported) for an element type that is not in DType;
///         Error(io) when the external file cannot be opened
Tensor to_tensor(const TensorProto& proto, TensorSource& source);

/// True for ONNX's numbers of the element types in DType.
bool is_element_type(int code);

/// The dense tensor.
/// throws  as to_tensor; Error(unsupported) when it has more than 256 MiB
Tensor to_dense(const SparseTensorProto& proto, TensorSource& source);

/// The message with external data put inside, whatever its element type.
std::string inline_proto(const TensorProto& proto, TensorSource& source);

/// Dims, type and name of a TensorProto message; its data may follow as any later field.
std::string proto_head(const Tensor& tensor, std::string_view name);
/// A TensorProto message, raw_data little-endian (string_data for strings).
std::string to_proto(const Tensor& tensor, std::string_view name);

}  // namespace sinter::onnx

namespace sinter {

/// Reads one TensorProto file, such as input_0.pb of ONNX's test data.
/// throws  Error(io), Error(bad_input) or Error(unsupported), naming the file
Tensor read_tensor_pb(const std::filesystem::path& path);
/// Reads a TensorProto, SequenceProto or OptionalProto file: the type says which.
/// throws  as read_tensor_pb
Tensor read_value_pb(const std::filesystem::path& path, const ValueType& type);
/// The same from bytes, which are copied; `what` names them in messages.
Tensor read_tensor_pb(std::span<const std::byte> bytes, std::string_view what);
/// Writes one, atomically.
/// throws  Error(io); `path` is then as it was
void write_tensor_pb(const std::filesystem::path& path, const Tensor& tensor,
                     std::string_view name = "");

}  // namespace sinter
