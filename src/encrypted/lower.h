// SPDX-License-Identifier: Apache-2.0
// From graph to stages, operator by operator. lower.cpp has the table: one row per operator that
// has an encrypted form, one line of advice per operator that has none.
#pragma once
#include "encrypted/stage.h"
#include "graph/graph.h"

namespace sinter::encrypted {

/// One stage or more per node, nothing merged yet. What does not depend on the input is evaluated.
///
/// graph   one input and one output, every shape static, batch 1
/// throws  Error(unsupported) naming the node that has no encrypted form, with what would work
StageGraph lower(const Graph& graph);

}  // namespace sinter::encrypted
