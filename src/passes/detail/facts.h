// SPDX-License-Identifier: Apache-2.0
// What can be proven of a value by looking at where it comes from.
#pragma once
#include <optional>

#include "graph/graph.h"

namespace sinter::passes {

/// Both shapes are known and equal for every value of the symbols.
bool same_shape(const Graph& graph, ValueId a, ValueId b);

/// The number that every element of `value` has: a constant, or ConstantOfShape, Expand, Tile,
/// Reshape, Cast, ... of one. nullopt for empty tensors, mixed ones, zeros of both signs and
/// strings.
std::optional<double> fill_value(const Graph& graph, ValueId value);

/// The number when `value` is a constant of one element (not a string).
std::optional<double> scalar_value(const Graph& graph, ValueId value);

/// True when no element can be below zero (NaN aside; the sign of zero is not looked at).
bool is_never_negative(const Graph& graph, ValueId value);

/// The producer of `value` when it is an `op` and `value` is its first output, else nullptr.
const Node* producer_of_kind(const Graph& graph, ValueId value, std::string_view op);

/// Input i is there.
inline bool has_input(const Node& node, size_t i) {
  return i < node.inputs.size() && node.inputs[i].valid();
}
/// Input i, or an invalid id.
inline ValueId input_or_none(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : ValueId{};
}

}  // namespace sinter::passes
