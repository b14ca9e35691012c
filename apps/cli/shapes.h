// SPDX-License-Identifier: Apache-2.0
// Shapes on the command line.
#pragma once
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter::cli {

/// Fixes the shapes of graph inputs and infers all types again. Each text is "NAME:1,3,224,224", or
/// "1,3,224,224" when the graph has one input; several in one text are separated by blanks.
/// throws  Error(bad_argument) naming the text and the input when it does not fit
void overwrite_shapes(Graph& graph, const std::vector<std::string>& texts);

}  // namespace sinter::cli
