// SPDX-License-Identifier: Apache-2.0
// The rewrite that made a refused model wrong, in words and as two files to look at.
#pragma once
#include <filesystem>

#include "onnx/export.h"
#include "passes/bisect.h"

namespace sinter::cli {

/// Where the pair is written: `fused.onnx` gives fused.before.onnx and fused.after.onnx.
struct BlameFiles {
  std::filesystem::path base;  ///< empty: no files are wanted
  std::string model;           ///< never overwritten
  ExportOptions form;
};

/// "; the first wrong rewrite is number 3 of 12, merge_x of pass merge at Conv "c"; ...": the end
/// of an error message. Never throws an Error: what goes wrong on the way is said in the text.
std::string blame(const Graph& original, const OptimizeOptions& options, i64 rewrites,
                  const std::function<bool(const Graph&)>& accepts, const BlameFiles& files);

}  // namespace sinter::cli
