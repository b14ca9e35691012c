// SPDX-License-Identifier: Apache-2.0
// What the control-flow operators share: reading their closed bodies, inferring through them, and
// values that a loop carries from one run of its body to the next.
#pragma once
#include "graph/evaluate.h"
#include "graph/ops/detail/types.h"

namespace sinter::detail {

/// The body called `name` with this many inputs and outputs (outputs -1 = any).
/// throws  Error(bad_input)
const Graph& read_body(std::string_view node, const Attributes& attributes, std::string_view name,
                       i64 inputs, i64 outputs);

/// How many of the node's inputs, the last ones, are captures.
i64 capture_count(std::string_view node, const Attributes& attributes, i64 inputs);

/// The type of body input `i` for a value of type `given`: where the body takes an optional, a
/// tensor or sequence is one; where it takes float32, float64 is what a widened evaluation gives.
ValueType fitted(const Graph& body, i64 i, ValueType given);

/// Types of the body's results when its inputs are of these types.
/// throws  Error(bad_input) when they contradict the body
std::vector<ValueType> body_types(std::string_view node, const Graph& body,
                                  const std::vector<ValueType>& inputs);

/// Types that hold for every run of a body that hands results first_result.. on to its inputs
/// first_input..: widens those of `inputs` until they cover the results. Returns the results'
/// types.
struct Carried {
  i64 first_input, first_result, count;
};
std::vector<ValueType> carried_types(std::string_view node, const Graph& body, Carried carried,
                                     std::vector<ValueType>& inputs);

/// A sequence of tensors that the runs of a body gave, as one tensor with a new axis; of `type`
/// (unknown sizes as 0) when there was no run.
Tensor stacked_runs(const EvalContext& ctx, const std::vector<Tensor>& runs, i64 axis,
                    const ValueType& type);

}  // namespace sinter::detail
