// SPDX-License-Identifier: Apache-2.0
// The text form of a graph: one line a value, printed in topological order and parsed back.
//
//   x = input f32[batch,1,8,8]
//   W = const f32[2] {0.5, 1}
//   c = Conv(x, W, _) pads=[1,1,1,1] auto_pad="NOTSET" @"node name"
//   a, b = Split(c) axis=1
//   output logits = a
//
// A body is written as an attribute, `then_branch={`, its lines, `}`; a container input as
// `input sequence(f32[2])` or `input optional()`.
// "_" is an absent optional input. An operand may be a constant in place: `random f32[4,3,3,3]`
// (standard normal), `positive f32[4]` (uniform in [0.5, 1.5)), `const i64[2] {1, -1}`,
// `fill f32[4] 1`; f32 where no type is given. Random ones depend only on the seed and their order.
// Names of other characters than letters, digits, "_./:" are written %"like this", symbolic
// dimensions "like this", f16 and bf16 elements as their bits, a tensor attribute as its type and
// elements (value=f32[1] {0.5}). "#" starts a comment.
#pragma once
#include <string>

#include "graph/graph.h"

namespace sinter {

struct PrintOptions {
  i64 max_elements = -1;  ///< constants above it are printed as their first elements and "...",
                          ///< which does not parse; -1 prints all, exactly (shortest decimals)
};

std::string to_text(const Graph& graph, const PrintOptions& options = {});

/// throws  Error(bad_input) "line L: expected ..., found ..."
Graph parse_graph(std::string_view text, u64 seed = 1);

/// "12 Conv, 3 Add, ..." sorted by count, then name: what inspect and reports show.
std::vector<std::pair<std::string, i64>> op_histogram(const Graph& graph);

}  // namespace sinter
