// SPDX-License-Identifier: Apache-2.0
// Is a model a function of each item alone, so that a batch may be cut into pieces?
//
//   f([x_0; x_1; ...]) = [f(x_0); f(x_1); ...]        along axis 0 of every input and output
//
// A walk over the nodes in order proves it. A value is fixed (computed from constants alone), holds
// sizes (inference knows its content, which may name the batch), or holds rows: its dimension 0 is
// the symbol of the batch and its row i depends on row i of the inputs alone. Each operator has a
// rule that says when rows give rows; what no rule covers counts as mixing. The answer is so never
// wrong in the unsafe direction.
#pragma once
#include <string>

#include "graph/graph.h"

namespace sinter {

/// Why a row of an output may depend on other rows of the inputs, naming the node, or "" when it is
/// proven that none does.
/// cost    one look at each node
std::string why_rows_mix(const Graph& graph);

}  // namespace sinter
