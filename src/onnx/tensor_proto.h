// SPDX-License-Identifier: Apache-2.0
// TensorProto to Tensor and back.
#pragma once
#include <filesystem>
#include <memory>

#include "graph/tensor.h"
#include "onnx/model.h"

namespace sinter::onnx {

/// Where a tensor's bytes may come from.
struct TensorSource {
  std::shared_ptr<const void> owner;  ///< keeps the parsed bytes alive
  std::filesystem::path folder;       ///< external data must lie inside it; empty = not allowed
};

/// raw_data and external data become views (copied only when misaligned), typed fields are copied.
/// throws  Error(bad_input) naming the tensor: wrong size, location outside the folder, offset and
///         length outside the file; Error(unsupported) for an element type that is not in DType;
///         Error(io) when the external file cannot be opened
Tensor to_tensor(const TensorProto& proto, const TensorSource& source, std::string_view what);

/// A TensorProto message, raw_data little-endian (string_data for strings).
std::string to_proto(const Tensor& tensor, std::string_view name);

}  // namespace sinter::onnx

namespace sinter {

/// Reads one TensorProto file, such as input_0.pb of ONNX's test data.
Tensor read_tensor_pb(const std::filesystem::path& path);
/// Writes one, atomically.
void write_tensor_pb(const std::filesystem::path& path, const Tensor& tensor,
                     std::string_view name = "");

}  // namespace sinter
