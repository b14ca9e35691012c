// SPDX-License-Identifier: Apache-2.0
// Re-fusion: a table of patterns, each with the operator that it spells out.
#pragma once
#include <span>
#include <string>

#include "passes/detail/match.h"
#include "passes/passes.h"

namespace sinter::passes {

struct Refusion {
  i64 opset;            ///< the lowest that has the operators of the result
  std::string pattern;  ///< detail/match.h
  /// Adds the nodes that do the same and returns their result, fewer than were matched. An invalid
  /// id, and no edit, when a condition does not hold.
  ValueId (*build)(Graph&, const Match&);
};

/// Applies the rows in order, the first that fits at each node; rows that need an opset above the
/// options' are left out. Only results of floating-point type whose type the new value keeps.
PassStats refuse(Graph& graph, const PassOptions& options, std::string_view rule,
                 std::span<const Refusion> rows);

/// A node over `inputs` named like the root of the match.
ValueId add_like_root(Graph& graph, const Match& match, Op op, std::vector<ValueId> inputs,
                      Attributes attributes = {});

/// The axes of a Reduce node, not negative and ascending; all axes when it names none. nullopt when
/// they are not constant, the rank is unknown or none means nothing to reduce.
std::optional<std::vector<i64>> reduced_axes(const Graph& graph, const Node& reduce);

}  // namespace sinter::passes
