// SPDX-License-Identifier: Apache-2.0
// Other ways of writing a graph that mean the same, and so should be optimized as far.
#pragma once
#include "base/random.h"
#include "graph/graph.h"

namespace sinter::fuzzing {

/// Nodes in another order, values and nodes of other names (not those of the interface),
/// initializers as Constant nodes and the reverse.
Graph rewritten(const Graph& graph, Rng& rng);

/// The graph as the branch of an If that a new input "taken" chooses; the other branch negates the
/// outputs that are floats. `constants_outside`: they are captured from around the If.
/// Preconditions: no output is an input (an If of that is another matter).
Graph inside_if(const Graph& graph, bool constants_outside);

/// What comes back of an export at this opset.
Graph through_file(const Graph& graph, i64 opset);

}  // namespace sinter::fuzzing
