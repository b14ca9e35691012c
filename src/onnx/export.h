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
///         a constant or another output's value gets an Identity; opset as export_opset says;
///         symbolic dimensions by their names in the file, expressions of them left unknown.
///         Captures of bodies are read by their names around the body; names are unique over a
///         body and all graphs around it, node names over the model
/// throws  Error(io) when it cannot be written; Error(unsupported) when what stays in the model
///         file is above 2 GiB, or no operator set fits all nodes; Error(bad_argument) when an
///         output has the name of an input that is another value. `path` is then as it was
/// cost    constants are written from where they are, not copied
void export_onnx(const Graph& graph, const std::filesystem::path& path,
                 const ExportOptions& options = {});

/// The same as bytes, all constants inside.
/// throws  Error(unsupported) above 2 GiB
std::vector<std::byte> export_onnx(const Graph& graph, const ExportOptions& options = {});

/// The lowest version of the default operator set, at least 7 and at least the model's own, that
/// expresses every node, bodies included. Opaque default-domain nodes need the one they came with.
/// throws  Error(unsupported) naming a node when there is none
i64 export_opset(const Graph& graph);

}  // namespace sinter
