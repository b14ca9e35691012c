// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files, versions 1 and 2: a magic string, a header in the form of a Python dictionary
// with the keys descr, fortran_order and shape, then the elements.
//
// Source: NEP 1, "A Simple File Format for NumPy Arrays".
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "graph/tensor.h"

namespace sinter::cli {

/// Reads f4, f8, u1, i1, u2, i4, i8 and bool, little-endian, C order.
/// throws  Error(bad_input) naming the file: not .npy, malformed header, truncated or trailing
///         bytes; Error(unsupported) for other element types, big-endian or Fortran order
Tensor read_npy(std::span<const std::byte> data, const std::string& name);
Tensor read_npy(const std::filesystem::path& path);

/// Writes version 1, in one step. throws Error(io), Error(unsupported) for strings and 16-bit
/// floats
void write_npy(const std::filesystem::path& path, const Tensor& tensor);

}  // namespace sinter::cli
