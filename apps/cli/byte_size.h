// SPDX-License-Identifier: Apache-2.0
// Sizes of memory as a user writes them: --memory 16G.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "base/types.h"

namespace sinter::cli {

/// Bytes of "16G", "512MiB", "1.5T", "900MB", "1048576". K, M, G and T, alone or as KiB, MiB, ...,
/// are powers of 1024; KB, MB, GB and TB are powers of 1000; no suffix is bytes. Case and blanks
/// between number and suffix do not matter.
/// throws  Error(bad_argument) naming `what` (e.g. "--memory") for anything else, for a negative
///         number, and for 2^62 bytes or more
i64 parse_byte_size(std::string_view text, std::string_view what);

/// An option that takes such a size; `bytes` keeps its value when the option is not given. A
/// malformed size is an error of the command line.
CLI::Option* add_byte_size(CLI::App& command, const std::string& name, i64& bytes,
                           const std::string& description);

}  // namespace sinter::cli
