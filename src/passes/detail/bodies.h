// SPDX-License-Identifier: Apache-2.0
// Captures of control-flow bodies: what the graph around a body knows, the body learns; what a body
// no longer reads, the node no longer takes.
#pragma once
#include "graph/graph.h"

namespace sinter::passes {

/// Copies captured constants into the bodies of `node`, gives captures the types that their outer
/// values have, and removes captures that no body reads. Returns true when something changed.
bool tidy_captures(Graph& graph, NodeId node);

}  // namespace sinter::passes
