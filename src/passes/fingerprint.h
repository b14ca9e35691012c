// SPDX-License-Identifier: Apache-2.0
// A hash that two graphs share exactly when they compute the same by the same nodes: operators,
// attributes, edges, constants and the interface count, the names of inner values and nodes and the
// ids do not.
#pragma once
#include "graph/graph.h"

namespace sinter {

enum class ConstantsBy {
  bytes,  ///< SHA-256 of the elements
  shape,  ///< only small ones by their elements: fast, for telling steps of one run apart
};

/// Hexadecimal. Depends on the order in which nodes were added where that order is free.
std::string fingerprint(const Graph& graph, ConstantsBy constants = ConstantsBy::bytes);

}  // namespace sinter
