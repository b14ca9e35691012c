// SPDX-License-Identifier: Apache-2.0
// Affine maps f(x) = a*x + b whose coefficients are constants that vary along one axis of x, or
// along none: what Mul, Add, Sub, Div by such constants, Neg, Add(x,x), BatchNormalization in
// inference and ChannelAffine are. Coefficients are doubles.
//
// A constant beside x varies along axis d when it broadcasts into x without enlarging it and, seen
// right-aligned, differs along d alone: for x of [N,C,H,W] the constants [C,1,1] and [1,C,1,1] vary
// along axis 1, [W] along axis 3 even when W = C, and [], [1] or equal elements along none.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter::passes {

/// a*x + b. Either along one axis of x, with one coefficient pair an index, or along none (axis -1)
/// with a single pair.
struct AffineMap {
  i64 axis = -1;
  std::vector<double> scale = {1}, shift = {0};

  bool is_uniform() const { return axis < 0; }
  i64 count() const { return std::ssize(scale); }
  bool has_scale() const;  ///< a scale that is not 1
  bool has_shift() const;  ///< a shift that is not 0
  bool is_identity() const { return !has_scale() && !has_shift(); }
  bool is_positive() const;  ///< every scale is above 0
  double a(i64 i) const { return scale[size_t(is_uniform() ? 0 : i)]; }
  double b(i64 i) const { return shift[size_t(is_uniform() ? 0 : i)]; }

  AffineMap without_shift() const;
  AffineMap without_scale() const;
  /// x -> (x - 0)/a, for maps without shift and without zeros; elsewhere nullopt.
  std::optional<AffineMap> reciprocal() const;
  /// Without an axis when all its coefficients are equal.
  AffineMap simplified() const;
  /// The same map seen along `new_axis`.
  AffineMap along(i64 new_axis) const;
};

/// The node y = map(x).
struct AffineNode {
  NodeId node;
  ValueId x, y;
  AffineMap map;
};

/// What `node` is as an affine map of one of its inputs. nullopt when it is none; `reason` then
/// says why if it nearly was (training mode, statistics that are not constant, a coefficient that
/// is not finite or subnormal), else it is empty.
std::optional<AffineNode> affine_node(const Graph& graph, NodeId node, std::string& reason);

/// Values of `constant` along the one axis of `x` that it varies along.
struct AxisValues {
  i64 axis = -1;  ///< -1: all elements are equal, and values has one
  std::vector<double> values;
};
/// nullopt when it varies along two axes or may enlarge x. An x of unknown shape takes rank 0 only.
std::optional<AxisValues> axis_values(const Tensor& constant, const std::optional<Shape>& x);

}  // namespace sinter::passes
