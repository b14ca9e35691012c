// SPDX-License-Identifier: Apache-2.0
// ONNX in. Nodes of opsets 1 to 24 are brought to the internal form of graph/ops; model-local
// functions are inlined, except those that stand for an operator of domain "sinter". Bodies of
// control-flow operators become closed graphs. Constants stay where they are: views into the mapped
// file.
//
// What sinter does not know passes through: a node of an unknown operator, domain, attribute or
// form becomes Op::Opaque with its attributes as bytes, a value of an unknown type DType::unknown,
// an initializer of an unknown type an Opaque Constant.
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter {

/// In models of newer operator sets all default-domain nodes but plain Constants become Opaque.
inline constexpr i64 kNewestOpset = 24;

struct ImportOptions {
  /// Inputs with a default (since IR version 4: an initializer of the same name), which the file
  /// lets a caller override: true = inputs with Value::default_value; false = constants and no
  /// inputs, their names in info.defaulted_inputs. Up to IR version 3 every initializer had to be
  /// an input too, which says nothing: constants.
  bool keep_overridable = true;
  /// False: calls of model-local functions become Opaque and the functions are kept.
  bool inline_functions = true;
  std::vector<std::string> keep_domains = {};  ///< whose functions are kept in any case
};

/// Reads a model file; external data may lie in its folder.
///
/// out     a graph that passes verify(); names, order, types and shapes of inputs and outputs as in
///         the file
/// throws  Error(io) when the file cannot be read; Error(bad_input) when it is not a sound model,
///         naming the node or tensor; Error(unsupported) naming what has no form here at all
/// cost    one pass over the structure; weights are not copied
Graph import_onnx(const std::filesystem::path& path, const ImportOptions& options = {});

/// The same from bytes that `owner` keeps alive (nullptr: all is copied); `what` names them in
/// messages. External data is looked for in `folder`, refused when it is empty.
Graph import_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                  std::string_view what, const std::filesystem::path& folder = {},
                  const ImportOptions& options = {});

/// Inputs in the graph's order: what is given by name, else the default of the input.
/// throws  Error(bad_argument) naming an input that has neither, or a name that is no input
std::vector<Tensor> with_defaults(const Graph& graph, std::map<std::string, Tensor> given);

}  // namespace sinter
