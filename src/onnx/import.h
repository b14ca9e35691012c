// SPDX-License-Identifier: Apache-2.0
// ONNX in. Nodes of opsets 7 to 17 (older ones where they can be upgraded) are brought to the
// internal form of graph/ops; model-local functions are inlined, except those that stand for an
// operator of domain "sinter". Constants stay where they are: views into the mapped file.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "graph/graph.h"

namespace sinter {

inline constexpr i64 kNewestOpset = 17;

/// Reads a model file; external data may lie in its folder.
///
/// out     a graph that passes verify(); names, order, types and shapes of inputs and outputs as in
///         the file; an input with a default value (since IR version 4: an initializer of the same
///         name), which the file lets a caller override, is a constant and no input, and its name
///         is in info.defaulted_inputs
/// throws  Error(io) when the file cannot be read; Error(bad_input) when it is not a sound model,
///         naming the node or tensor; Error(unsupported) naming node, operator and opset
/// cost    one pass over the structure; weights are not copied
Graph import_onnx(const std::filesystem::path& path);

/// The same from bytes that `owner` keeps alive (nullptr: all is copied); `what` names them in
/// messages. External data is looked for in `folder`, refused when it is empty.
Graph import_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                  std::string_view what, const std::filesystem::path& folder = {});

}  // namespace sinter
