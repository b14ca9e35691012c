// SPDX-License-Identifier: Apache-2.0
// The first walks of compiling: numbers for symbols, then types and constants that follow from
// them.
#pragma once
#include "runtime/program.h"

namespace sinter {

/// Gives the inputs of `graph` the shapes that `bound` says. Types behind them are not inferred
/// yet. throws  Error(bad_argument) as Program::compile
void bind_inputs(Graph& graph, const InputShapes& bound);

/// Infers in order and replaces what binding made constant: integer tensors whose content inference
/// knows, and results of nodes with constant inputs only. Folded nodes stay, unread.
/// throws  Error(bad_input) from inference, naming the node
void infer_and_fold(Graph& graph);

}  // namespace sinter
