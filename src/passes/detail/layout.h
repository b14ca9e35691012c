// SPDX-License-Identifier: Apache-2.0
// The algebra of nodes that move elements without changing them: Reshape, Flatten, Squeeze,
// Unsqueeze and Transpose. An axis is a list of factors of the source's dimensions, slowest first;
// an empty list is a dimension of 1. A reshape splits and joins factors in place, a Transpose
// permutes axes, so a whole chain is one pair (axes of the source, axes of the result) over common
// factors, and what it does can be written with as few nodes as that pair needs.
#pragma once
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "passes/passes.h"

namespace sinter::passes {

/// Reshape, Flatten, Squeeze, Unsqueeze or Transpose.
bool moves_elements(Op op);

/// The permutation of a Transpose; nullopt when it is the default and the rank is unknown.
std::optional<std::vector<i64>> permutation(const Graph& graph, const Node& transpose);

class LayoutChain {
 public:
  /// The identity on a value of rank `rank` and, if known, that shape.
  LayoutChain(i64 rank, const std::optional<Shape>& shape);

  /// Appends what `node` does. False when it cannot be followed (then the chain is spoilt).
  bool append(const Graph& graph, const Node& node);

  /// One node of the shortest form: a Transpose by perm, or a reshape between two lists of axes.
  struct Step {
    Op op;
    std::vector<i64> list;  ///< perm, target or axes
  };
  /// The shortest sequence of nodes that does the same; empty when the chain does nothing. nullopt
  /// when a target would need two inferred dimensions.
  std::optional<std::vector<Step>> shortest(const PassOptions& options) const;

 private:
  using Axis = std::vector<int>;  // factors
  using Axes = std::vector<Axis>;

  bool reshape(const Shape& to, const std::vector<i64>& target);
  bool take(std::vector<int>& rest, Dim need, Axis& axis);
  void split(int factor, const Dim& first, const Dim& second);
  Dim size(const Axis& axis) const;
  bool append_step(const Axes& from, const Axes& to, const PassOptions& options,
                   std::vector<Step>& steps) const;
  std::optional<std::vector<Step>> with_transpose(const PassOptions& options) const;

  std::vector<Dim> factors_;
  Axes source_, result_;
};

/// Adds the nodes of `steps` behind `value`; returns the last result.
ValueId add_steps(Graph& graph, ValueId value, const std::vector<LayoutChain::Step>& steps,
                  const std::string& name);

}  // namespace sinter::passes
