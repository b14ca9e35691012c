// SPDX-License-Identifier: Apache-2.0
// Inputs of a network from files: PNG, .npy and TensorProto, told apart by their first bytes, and
// brought to the type and shape that the network asks for.
//
// Integer data for a float input is scaled: value = pixel * scale + offset, a pixel being 0..255
// (16-bit PNGs are divided by 257 first). Without a rule 8- and 16-bit data is scaled by 1/255;
// other integers, and floats, are taken as they are unless a rule is given for integers.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "graph/graph.h"

namespace sinter::cli {

struct InputScaling {
  std::optional<double> scale, offset;
};

/// The file as it is.
/// throws  Error(io), Error(bad_input), Error(unsupported) naming the file
Tensor read_tensor(const std::filesystem::path& path);

/// Scales integer data to f32 as above; floats of any width become f32, unscaled.
Tensor to_float_input(const Tensor& raw, const InputScaling& scaling);

/// read_tensor, brought to `dtype` and, by adding leading ones, to the rank of `shape`.
/// throws  Error(bad_argument) naming file, input and both shapes when a fixed dimension differs
Tensor read_input(const std::filesystem::path& path, const std::string& input_name, DType dtype,
                  const std::optional<Shape>& shape, const InputScaling& scaling);

/// Items [begin, begin + count) along the first dimension, copied.
Tensor take(const Tensor& batch, i64 begin, i64 count);

}  // namespace sinter::cli
