// SPDX-License-Identifier: Apache-2.0
// Copying the body of a control-flow node into the graph around it.
#pragma once
#include "graph/graph.h"

namespace sinter::passes {

/// Adds the nodes of `body` to `graph` with `arguments` in place of its inputs (one per input;
/// constants are shared, names are fresh). Returns what the outputs of the body are there: results,
/// constants or the arguments themselves.
std::vector<ValueId> inline_body(Graph& graph, const Graph& body,
                                 const std::vector<ValueId>& arguments);

}  // namespace sinter::passes
