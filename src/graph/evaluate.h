// SPDX-License-Identifier: Apache-2.0
// Reference evaluation: every node in topological order by the plain loops of graph/ops. Slow and
// right; the runtime's oracle and the float64 truth of the verifier.
#pragma once
#include <span>

#include "graph/graph.h"

namespace sinter {

enum class Precision {
  as_stored,  ///< float arithmetic in the element type
  widened,    ///< every float32 tensor becomes float64 first: the truth that errors are measured by
};

/// The outputs of `graph` for `inputs` (one per graph input, in order).
/// out     one tensor per graph output, in order; under `widened` float32 outputs come as float64
/// throws  Error(bad_argument) when count, type or shape of an input does not fit the graph;
///         Error(bad_input) or Error(unsupported) naming the node that cannot be evaluated
/// thread  safe on a const graph
std::vector<Tensor> evaluate(const Graph& graph, std::span<const Tensor> inputs,
                             Precision precision = Precision::as_stored);

/// Evaluates one operator on tensors (nullptr = absent optional input).
std::vector<Tensor> evaluate_op(Op op, const Attributes& attributes,
                                std::span<const Tensor* const> inputs, i64 outputs = 1,
                                std::string_view node = "");

/// How often the bodies of all loops of one evaluation run together at most, so that a file cannot
/// keep a machine busy without end: 2^20.
inline constexpr i64 kMaxBodyRuns = i64(1) << 20;

/// Runs the closed body of a control-flow node. Where the body takes an optional, a tensor or
/// sequence is one that holds it; the shapes that the body declares for its inputs are not checked,
/// because a loop's values may change theirs.
/// throws  Error(unsupported) after kMaxBodyRuns; what `evaluate` throws
std::vector<Tensor> evaluate_body(const EvalContext& around, const Graph& body,
                                  std::span<const Tensor* const> inputs);

/// throws  Error(bad_argument) naming input and the shapes when `tensor` does not fit it; symbols
///         are bound in `symbols` and must agree between inputs
void check_input(const Graph& graph, ValueId input, const Tensor& tensor,
                 std::map<std::string, i64>& symbols);

}  // namespace sinter
