// SPDX-License-Identifier: Apache-2.0
// A Slice with constant bounds, axis by axis.
#pragma once
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace sinter::passes {

struct SliceRange {
  i64 axis;              ///< not negative
  i64 start, end, step;  ///< as in the node, but counted from the front where the size is known
  bool from_front;  ///< start and end are not negative; end is at most the size if that is known
  Dim size;         ///< of the sliced dimension, may be unknown
};

/// The ranges of a Slice, ascending by axis. nullopt when a bound is not constant, the rank is not
/// known or an axis comes twice.
std::optional<std::vector<SliceRange>> slice_ranges(const Graph& graph, const Node& slice);

/// A Slice of `value` by `ranges`.
ValueId add_slice(Graph& graph, ValueId value, const std::vector<SliceRange>& ranges,
                  const std::string& name);

/// The list as a constant of rank 1.
ValueId add_list(Graph& graph, const std::vector<i64>& list);

/// The number of elements of a range with a step of 1, when it is known.
std::optional<i64> length(const SliceRange& range);

}  // namespace sinter::passes
