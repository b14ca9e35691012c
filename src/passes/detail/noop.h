// SPDX-License-Identifier: Apache-2.0
// Which input a node's first output equals, bit for bit (but for the sign of zero where the options
// allow that). One function per operator, found by a table; the three files noop_*.cpp hold them by
// idea: moving elements, arithmetic units, doing a thing twice.
#pragma once
#include "graph/graph.h"
#include "passes/passes.h"

namespace sinter::passes {

/// The equal input, or an invalid id.
using NoOp = ValueId (*)(const Graph&, const Node&, const PassOptions&);

struct NoOpRule {
  std::string_view op;
  NoOp equal_input;
};

std::span<const NoOpRule> moving_noops();
std::span<const NoOpRule> arithmetic_noops();
std::span<const NoOpRule> repeated_noops();

}  // namespace sinter::passes
