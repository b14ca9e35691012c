// SPDX-License-Identifier: Apache-2.0
// Which rewrite made a model wrong? An optimization is deterministic, so its first n rewrites can
// be run again alone (OptimizeOptions::limit); a binary search over n finds one after which the
// graph is refused and before which it was accepted. What was wrong from the first wrong rewrite on
// is found exactly; where a later rewrite hides an error, one of those that bring it up is found.
#pragma once
#include <functional>
#include <optional>

#include "passes/pipeline.h"

namespace sinter {

struct Bisection {
  i64 index = -1;        ///< in OptimizeReport::rewrites; -1: wrong before any rewrite was made
  RewriteRecord record;  ///< of that rewrite; empty when index is -1
  Graph before, after;   ///< the whole model without it and with it, all earlier ones made
};

/// `rewrites` is how many the refused run made; `accepts` judges an optimized graph, mostly by
/// compare_graphs(original, graph, ...).accepted.
///
/// out     nothing when the graph after all rewrites is accepted
/// throws  what optimize() and `accepts` throw
/// cost    2 + log2(rewrites) optimizations and judgements
std::optional<Bisection> bisect(const Graph& original, const OptimizeOptions& options, i64 rewrites,
                                const std::function<bool(const Graph&)>& accepts);

}  // namespace sinter
