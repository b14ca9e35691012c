// SPDX-License-Identifier: Apache-2.0
// The measured speed of this machine as a small JSON file, one per instruction set:
//
//   $XDG_CACHE_HOME/sinter/units-<isa>.json     (~/.cache without XDG_CACHE_HOME)
//
// written by `sinter calibrate` and read by `sinter compile` when it is there.
#pragma once
#include <filesystem>
#include <optional>

#include "encrypted/unit_costs.h"

namespace sinter::cli {

/// Empty when neither XDG_CACHE_HOME nor HOME is set.
std::filesystem::path units_path(Isa isa);

/// Makes the folder that `path` lies in, if there is none. throws Error(io)
void make_units_folder(const std::filesystem::path& path);
void write_units(const encrypted::UnitTable& units, const std::filesystem::path& path);
/// throws  Error(io) when it cannot be read; Error(bad_input) naming file and key when it is
/// damaged
encrypted::UnitTable read_units(const std::filesystem::path& path);

/// What --units says: "avx2", "avx512ifma" or "scalar" for the built-in figures, a file, or
/// nothing: then the measured ones of this machine when they are there, else the built-in ones.
encrypted::UnitTable units_for(const std::string& option);

}  // namespace sinter::cli
