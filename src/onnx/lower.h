// SPDX-License-Identifier: Apache-2.0
// From the internal form of an operator (the newest one) to the form that an older operator set
// has, so that a model is written with the version it came with.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter::onnx {

inline constexpr i64 kNewestLowered = 24;  ///< the last version that lower() knows

/// An input of a lowered node: a value of the graph, a constant that only the file has, or absent.
struct Operand {
  ValueId value;
  TensorPtr constant;
  bool valid() const { return value.valid() || constant != nullptr; }
};

struct LoweredNode {
  std::string op_type;
  std::vector<Operand> inputs;
  Attributes attributes;
};

/// The node as version `opset` (>= 7) of the default domain writes it; nullopt when that version
/// cannot. Outputs stay. Not for Opaque and domain "sinter".
std::optional<LoweredNode> lower(const Graph& graph, const Node& node, i64 opset);

}  // namespace sinter::onnx
