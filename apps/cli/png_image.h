// SPDX-License-Identifier: Apache-2.0
// PNG images as tensors (libpng).
#pragma once
#include <cstddef>
#include <span>
#include <string>

#include "graph/tensor.h"

namespace sinter::cli {

bool is_png(std::span<const std::byte> data);

/// Grey or RGB, any bit depth, palettes expanded: [1, 1 or 3, height, width], u8, or u16 for images
/// of 16 bits. At most 16384 pixels a side.
/// throws  Error(bad_input) naming the file when damaged; Error(unsupported) for transparency
Tensor read_png(std::span<const std::byte> data, const std::string& name);

}  // namespace sinter::cli
