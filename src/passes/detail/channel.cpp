// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/channel.h"

#include <algorithm>
#include <cmath>

#include "passes/detail/edit.h"

namespace sinter::passes {
namespace {

/// The constant operand of a binary node as a channel vector of the other; x is that other one.
struct Operand {
  ValueId x;
  std::vector<double> values;
  bool constant_is_left = false;
};

std::optional<Operand> split_operands(const Graph& g, const Node& n) {
  for (size_t i : {size_t(1), size_t(0)}) {
    const Tensor* constant = g.constant(n.inputs[i]);
    const ValueId x = n.inputs[1 - i];
    if (constant == nullptr || g.constant(x) != nullptr || !channels(g.shape(x))) continue;
    auto values = channel_values(*constant, *g.shape(x));
    if (values) return Operand{x, std::move(*values), i == 0};
  }
  return std::nullopt;
}

std::optional<Affine> binary(const Graph& g, const Node& n) {
  std::optional<Operand> operand = split_operands(g, n);
  if (!operand) return std::nullopt;
  std::vector<double>& c = operand->values;
  Affine f{operand->x, std::vector<double>(c.size(), 1), std::vector<double>(c.size(), 0)};
  switch (n.op) {
    case Op::Mul:
      f.scale = c;
      return f;
    case Op::Add:
      f.shift = c;
      return f;
    case Op::Sub:
      if (operand->constant_is_left) {
        std::fill(f.scale.begin(), f.scale.end(), -1.0);
        f.shift = c;
      } else {
        std::transform(c.begin(), c.end(), f.shift.begin(), [](double v) { return -v; });
      }
      return f;
    case Op::Div:
      if (operand->constant_is_left) return std::nullopt;
      std::transform(c.begin(), c.end(), f.scale.begin(), [](double v) { return 1 / v; });
      return f;
    default:
      return std::nullopt;
  }
}

/// Inputs 1.. as channel vectors of input 0, or the reason in `reason`.
std::optional<std::vector<std::vector<double>>> parameters(const Graph& g, const Node& n,
                                                           std::string& reason) {
  const ValueId x = n.inputs[0];
  const std::optional<i64> channel_count = channels(g.shape(x));
  std::vector<std::vector<double>> vectors;
  for (size_t i = 1; i < n.inputs.size(); ++i) {
    const Tensor* t = g.constant(n.inputs[i]);
    if (t == nullptr) {
      reason = "input " + std::to_string(i) + " is not a constant";
      return std::nullopt;
    }
    if (!channel_count) {
      reason = "the number of channels of its input is not known";
      return std::nullopt;
    }
    std::optional<std::vector<double>> values =
        n.op == Op::BatchNormalization ? doubles(*t) : channel_values(*t, *g.shape(x));
    if (!values || std::ssize(*values) != *channel_count) return std::nullopt;
    vectors.push_back(std::move(*values));
  }
  return vectors;
}

std::optional<Affine> batch_normalization(const Graph& g, const Node& n, std::string& reason) {
  if (n.attributes.integer("training_mode", 0) != 0) {
    reason = "is in training mode";
    return std::nullopt;
  }
  if (!only_first_output_used(g, n)) {
    reason = "its running statistics are used";
    return std::nullopt;
  }
  const auto p = parameters(g, n, reason);
  if (!p) return std::nullopt;
  const auto &gamma = (*p)[0], &beta = (*p)[1], &mean = (*p)[2], &var = (*p)[3];
  const double epsilon = n.attributes.real("epsilon", 1e-5f);
  Affine f{n.inputs[0], gamma, beta};
  for (size_t i = 0; i < gamma.size(); ++i) {
    if (!(var[i] + epsilon > 0)) {
      reason = "variance + epsilon is not positive";
      return std::nullopt;
    }
    f.scale[i] = gamma[i] / std::sqrt(var[i] + epsilon);
    f.shift[i] = beta[i] - mean[i] * f.scale[i];
  }
  return f;
}

std::optional<Affine> form(const Graph& g, const Node& n, std::string& reason) {
  switch (n.op) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Div:
      return binary(g, n);
    case Op::Neg: {
      const std::optional<i64> c = channels(g.shape(n.inputs[0]));
      if (!c) return std::nullopt;
      return Affine{n.inputs[0], std::vector<double>(size_t(*c), -1.0),
                    std::vector<double>(size_t(*c), 0.0)};
    }
    case Op::ChannelAffine: {
      auto p = parameters(g, n, reason);
      if (!p) return std::nullopt;
      return Affine{n.inputs[0], std::move((*p)[0]), std::move((*p)[1])};
    }
    case Op::BatchNormalization:
      return batch_normalization(g, n, reason);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<i64> channels(const std::optional<Shape>& shape) {
  if (!shape || shape->size() < 2) return std::nullopt;
  return (*shape)[1].value();
}

std::optional<std::vector<double>> channel_values(const Tensor& constant, const Shape& x) {
  const std::optional<i64> c = channels(x);
  const i64 rank = std::ssize(x);
  if (!c || *c < 1 || constant.size() == 0 || constant.dtype() == DType::string)
    return std::nullopt;
  if (!broadcasts_into(to_shape(constant.dims()), x)) return std::nullopt;
  const i64 axis = constant.rank() - (rank - 1);  // of the channels inside the constant
  const i64 count = axis >= 0 ? constant.dim(axis) : 1;
  i64 inner = 1;
  for (i64 d = std::max<i64>(axis + 1, 0); d < constant.rank(); ++d) inner *= constant.dim(d);
  std::vector<double> values(static_cast<size_t>(*c));
  for (i64 i = 0; i < *c; ++i) values[size_t(i)] = constant.as_double(count == 1 ? 0 : i * inner);
  for (i64 i = 0; i < constant.size(); ++i) {
    const double expected = values[size_t(count == 1 ? 0 : i / inner % count)];
    if (!(constant.as_double(i) == expected)) return std::nullopt;
  }
  return values;
}

Tensor channel_parameter(DType type, i64 rank, std::span<const double> values) {
  Dims dims(size_t(rank - 1), 1);
  dims[0] = std::ssize(values);
  return rounded(type, std::move(dims), values);
}

std::optional<Affine> affine_form(const Graph& graph, NodeId node, std::string& reason) {
  reason.clear();
  const Node& n = graph.node(node);
  std::optional<Affine> f = form(graph, n, reason);
  if (!f) return std::nullopt;
  const DType type = graph.dtype(f->x);
  if (!is_foldable(type)) {
    if (is_float(type)) reason = "element type " + std::string(name(type)) + " is left alone";
    return std::nullopt;
  }
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(f->scale.begin(), f->scale.end(), finite) ||
      !std::all_of(f->shift.begin(), f->shift.end(), finite)) {
    reason = "a coefficient is not finite";
    return std::nullopt;
  }
  return f;
}

}  // namespace sinter::passes
