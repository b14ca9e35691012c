// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/affine_map.h"

#include <algorithm>
#include <cmath>

#include "passes/detail/channel.h"
#include "passes/detail/edit.h"

namespace sinter::passes {
namespace {

template <class Predicate>
bool all(const std::vector<double>& v, const Predicate& predicate) {
  return std::all_of(v.begin(), v.end(), predicate);
}

AffineMap uniform(double scale, double shift) { return {-1, {scale}, {shift}}; }

/// The constant operand of a binary node as values along an axis of the other, x.
struct Operand {
  ValueId x;
  AxisValues constant;
  bool constant_is_left = false;
};

std::optional<Operand> split_operands(const Graph& g, const Node& n) {
  for (size_t i : {size_t(1), size_t(0)}) {
    const Tensor* constant = g.constant(n.inputs[i]);
    const ValueId x = n.inputs[1 - i];
    if (constant == nullptr || g.constant(x) != nullptr) continue;
    if (auto values = axis_values(*constant, g.shape(x)))
      return Operand{x, std::move(*values), i == 0};
  }
  return std::nullopt;
}

std::optional<AffineMap> binary_map(Op op, const Operand& operand) {
  const std::vector<double>& c = operand.constant.values;
  AffineMap map{operand.constant.axis, std::vector<double>(c.size(), 1),
                std::vector<double>(c.size(), 0)};
  const auto negated = [](double v) { return -v; };
  switch (op) {
    case Op::Mul:
      map.scale = c;
      return map;
    case Op::Add:
      map.shift = c;
      return map;
    case Op::Sub:
      if (operand.constant_is_left) {
        std::fill(map.scale.begin(), map.scale.end(), -1.0);
        map.shift = c;
      } else {
        std::transform(c.begin(), c.end(), map.shift.begin(), negated);
      }
      return map;
    case Op::Div:
      if (operand.constant_is_left) return std::nullopt;
      std::transform(c.begin(), c.end(), map.scale.begin(), [](double v) { return 1 / v; });
      return map;
    default:
      return std::nullopt;
  }
}

std::optional<AffineNode> binary(const Graph& g, const Node& n) {
  const ValueId left = n.inputs[0];
  if (left == n.inputs[1]) {
    if (n.op != Op::Add || g.constant(left) != nullptr) return std::nullopt;
    return AffineNode{{}, left, {}, uniform(2, 0)};
  }
  const std::optional<Operand> operand = split_operands(g, n);
  if (!operand) return std::nullopt;
  std::optional<AffineMap> map = binary_map(n.op, *operand);
  if (!map) return std::nullopt;
  return AffineNode{{}, operand->x, {}, std::move(*map)};
}

/// Inputs 1.. as doubles, all constants of as many elements; or the reason.
std::optional<std::vector<std::vector<double>>> parameters(const Graph& g, const Node& n,
                                                           std::string& reason) {
  std::vector<std::vector<double>> vectors;
  for (size_t i = 1; i < n.inputs.size(); ++i) {
    const Tensor* t = g.constant(n.inputs[i]);
    if (t == nullptr) {
      reason = "input " + std::to_string(i) + " is not a constant";
      return std::nullopt;
    }
    vectors.push_back(doubles(*t));
    if (vectors.back().size() != vectors.front().size()) return std::nullopt;
  }
  return vectors;
}

std::optional<AffineNode> batch_normalization(const Graph& g, const Node& n, std::string& reason) {
  if (n.attributes.integer("training_mode", 0) != 0) {
    reason = "is in training mode";
    return std::nullopt;
  }
  if (!only_first_output_used(g, n)) {
    reason = "its running statistics are used";
    return std::nullopt;
  }
  const auto p = parameters(g, n, reason);
  const std::optional<Shape>& x = g.shape(n.inputs[0]);
  if (!p || (x && x->size() < 2)) return std::nullopt;
  const auto &gamma = (*p)[0], &beta = (*p)[1], &mean = (*p)[2], &var = (*p)[3];
  const double epsilon = n.attributes.real("epsilon", 1e-5f);
  AffineMap map{1, gamma, beta};
  for (size_t i = 0; i < gamma.size(); ++i) {
    if (!(var[i] + epsilon > 0)) {
      reason = "variance + epsilon is not positive";
      return std::nullopt;
    }
    map.scale[i] = gamma[i] / std::sqrt(var[i] + epsilon);
    map.shift[i] = beta[i] - mean[i] * map.scale[i];
  }
  return AffineNode{{}, n.inputs[0], {}, std::move(map)};
}

std::optional<AffineNode> channel_affine(const Graph& g, const Node& n, std::string& reason) {
  const auto p = parameters(g, n, reason);
  if (!p) return std::nullopt;
  return AffineNode{{}, n.inputs[0], {}, {1, (*p)[0], (*p)[1]}};
}

std::optional<AffineNode> form(const Graph& g, const Node& n, std::string& reason) {
  switch (n.op) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Div:
      return binary(g, n);
    case Op::Neg:
      return AffineNode{{}, n.inputs[0], {}, uniform(-1, 0)};
    case Op::ChannelAffine:
      return channel_affine(g, n, reason);
    case Op::BatchNormalization:
      return batch_normalization(g, n, reason);
    default:
      return std::nullopt;
  }
}

}  // namespace

bool AffineMap::has_scale() const {
  return !all(scale, [](double v) { return v == 1; });
}
bool AffineMap::has_shift() const {
  return !all(shift, [](double v) { return v == 0; });
}
bool AffineMap::is_positive() const {
  return all(scale, [](double v) { return v > 0; });
}

AffineMap AffineMap::without_shift() const {
  return {axis, scale, std::vector<double>(shift.size(), 0)};
}
AffineMap AffineMap::without_scale() const {
  return {axis, std::vector<double>(scale.size(), 1), shift};
}
std::optional<AffineMap> AffineMap::reciprocal() const {
  if (has_shift() || !all(scale, [](double v) { return v != 0; })) return std::nullopt;
  AffineMap inverse = *this;
  for (double& v : inverse.scale) v = 1 / v;
  return inverse;
}
AffineMap AffineMap::simplified() const {
  const bool is_one_pair = !scale.empty() && all(scale, [&](double v) { return v == scale[0]; }) &&
                           all(shift, [&](double v) { return v == shift[0]; });
  return is_one_pair ? uniform(scale[0], shift[0]) : *this;
}
AffineMap AffineMap::along(i64 new_axis) const {
  AffineMap map = *this;
  if (!is_uniform()) map.axis = new_axis;
  return map;
}

std::optional<AxisValues> axis_values(const Tensor& constant, const std::optional<Shape>& x) {
  if (constant.size() == 0 || !is_foldable(constant.dtype())) return std::nullopt;
  if (constant.rank() > 0 && (!x || !broadcasts_into(to_shape(constant.dims()), *x)))
    return std::nullopt;
  std::vector<double> values = doubles(constant);
  if (all(values, [&](double v) { return v == values[0]; })) {
    values.resize(1);
    return AxisValues{-1, std::move(values)};
  }
  const i64 offset = std::ssize(*x) - constant.rank();
  i64 inner = constant.size();
  for (i64 d = 0; d < constant.rank(); ++d) {
    const i64 count = constant.dim(d);
    inner /= count;
    std::vector<double> found(static_cast<size_t>(count));
    for (i64 i = 0; i < count; ++i) found[size_t(i)] = values[size_t(i * inner)];
    bool varies_here_alone = true;
    for (i64 i = 0; i < constant.size() && varies_here_alone; ++i)
      varies_here_alone = values[size_t(i)] == found[size_t(i / inner % count)];
    if (varies_here_alone) return AxisValues{d + offset, std::move(found)};
  }
  return std::nullopt;
}

std::optional<AffineNode> affine_node(const Graph& graph, NodeId node, std::string& reason) {
  reason.clear();
  const Node& n = graph.node(node);
  std::optional<AffineNode> found = form(graph, n, reason);
  if (!found || !is_foldable(graph.dtype(found->x))) return std::nullopt;
  found->node = node;
  found->y = n.outputs[0];
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!all(found->map.scale, finite) || !all(found->map.shift, finite)) {
    reason = "a coefficient is not finite";
    return std::nullopt;
  }
  if (has_subnormal_scale(graph.dtype(found->x), found->map.scale)) {
    reason = "its scale is subnormal";
    return std::nullopt;
  }
  found->map = found->map.simplified();
  return found;
}

}  // namespace sinter::passes
