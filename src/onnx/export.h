// SPDX-License-Identifier: Apache-2.0
// ONNX out. Deterministic: the same graph gives the same bytes.
#pragma once
#include <filesystem>
#include <vector>

#include "graph/graph.h"

namespace sinter {

struct ExportOptions {
  /// Operators of domain "sinter" as plain Mul and Add nodes instead of calls of model-local
  /// functions. Functions need IR version 8; every runtime that knows functions runs them.
  bool expand_functions = false;
  /// Constants above 1 KiB go to `<file name>.data` beside the model when all constants together
  /// have more bytes than this. Protobuf ends at 2 GiB.
  i64 external_threshold = i64(1900) << 20;
};

/// Writes the model (and its data file), each in one step.
///
/// out     inputs and outputs with the graph's names, order and types; an output that is an input,
///         a constant or another output's value gets an Identity; opset = the lowest that expresses
///         every node, at least 13 and at least the model's own; symbolic dimensions by name,
///         expressions of them left unknown
/// throws  Error(io) when it cannot be written; Error(unsupported) when what stays in the model
///         file is above 2 GiB; Error(bad_argument) when an output has the name of an input that is
///         another value. `path` is then as it was
/// cost    constants are written from where they are, not copied
void export_onnx(const Graph& graph, const std::filesystem::path& path,
                 const ExportOptions& options = {});

/// The same as bytes, all constants inside.
/// throws  Error(unsupported) above 2 GiB
std::vector<std::byte> export_onnx(const Graph& graph, const ExportOptions& options = {});

}  // namespace sinter
