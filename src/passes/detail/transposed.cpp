// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/transposed.h"

#include <algorithm>

#include "graph/evaluate.h"
#include "passes/detail/edit.h"
#include "passes/detail/elementwise.h"
#include "passes/detail/match.h"
#include "passes/detail/slice.h"

namespace sinter::passes {
namespace {

bool has_rank(const Graph& g, ValueId v, i64 rank) {
  return g.shape(v) && std::ssize(*g.shape(v)) == rank;
}

/// True for an operand that means the same in every layout: one element, no axes of its own.
bool is_scalar(const Graph& g, ValueId v) {
  const auto& shape = g.shape(v);
  if (!shape) return false;
  const bool ones = std::all_of(shape->begin(), shape->end(), [](const Dim& d) { return d.is(1); });
  return shape->empty() || (ones && shape->size() == 1);
}

std::vector<ValueId> elementwise_operands(const Graph& g, const Node& n, i64 rank) {
  std::vector<ValueId> operands;
  const bool unary = is_unary_elementwise(n.op);
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    const ValueId v = n.inputs[i];
    if (!v.valid() || (is_scalar(g, v) && rank > 1)) {
      // A scale of rank 1 belongs to an axis, even if it has one element.
      if (unary && v.valid() && i > 0 && !g.shape(v)->empty()) return {};
      continue;
    }
    if (unary && i > 0) return {};
    const bool constant = g.constant(v) != nullptr && g.constant(v)->rank() <= rank;
    if (!has_rank(g, v, rank) && !constant) return {};
    if (constant && !may_copy(g, v)) return {};
    operands.push_back(v);
  }
  return operands;
}

bool reduces_in_place(const Graph& g, const Node& n) {
  if (name(n.op).substr(0, 6) != "Reduce" || n.attributes.integer("keepdims", 1) != 1) return false;
  return !input(n, 1).valid() || integers(g, input(n, 1)).has_value();
}

bool names_one_axis(const Graph& g, const Node& n) {
  switch (n.op) {
    case Op::Concat:
    case Op::Softmax:
    case Op::LogSoftmax:
    case Op::Split:
      return true;
    case Op::Gather:
      return g.constant(n.inputs[1]) != nullptr && g.constant(n.inputs[1])->rank() == 1;
    case Op::ArgMax:
    case Op::ArgMin:
      return n.attributes.integer("keepdims", 1) == 1;
    default:
      return false;
  }
}

i64 default_axis(Op op) { return op == Op::Softmax || op == Op::LogSoftmax ? -1 : 0; }

}  // namespace

Permutation inverse(const Permutation& p) {
  Permutation q(p.size());
  for (size_t i = 0; i < p.size(); ++i) q[size_t(p[i])] = i64(i);
  return q;
}

std::vector<ValueId> transposable_operands(const Graph& g, const Node& n, i64 rank) {
  for (ValueId v : n.outputs)
    if (!has_rank(g, v, rank)) return {};
  if (is_unary_elementwise(n.op) || is_broadcasting(n.op))
    return n.outputs.size() == 1 && name(n.op) != "PRelu" ? elementwise_operands(g, n, rank)
                                                          : std::vector<ValueId>{};
  std::vector<ValueId> operands = {n.inputs[0]};
  if (n.op == Op::Concat) operands = n.inputs;
  const bool knows = names_one_axis(g, n) || reduces_in_place(g, n) ||
                     (n.op == Op::Slice && slice_ranges(g, n).has_value()) ||
                     (n.op == Op::Pad && integers(g, n.inputs[1]) && !input(n, 3).valid());
  for (ValueId v : operands)
    if (!knows || !has_rank(g, v, rank) || (g.constant(v) && !may_copy(g, v))) return {};
  return operands;
}

ValueId transposed_constant(Graph& g, ValueId v, const Permutation& perm) {
  const Tensor& tensor = *g.constant(v);
  Dims dims(perm.size() - size_t(tensor.rank()), 1);
  dims.insert(dims.end(), tensor.dims().begin(), tensor.dims().end());
  const Tensor wide = tensor.clone().reshaped(dims);
  const Tensor* inputs[] = {&wide};
  const Attributes attributes = {{"perm", inverse(perm)}};
  return g.add_constant(std::move(evaluate_op(Op::Transpose, attributes, inputs)[0]));
}

NodeId add_transposed(Graph& g, const Node& n, const Permutation& perm,
                      const std::function<ValueId(ValueId)>& operand) {
  const i64 rank = std::ssize(perm);
  const std::vector<ValueId> moved = transposable_operands(g, n, rank);
  std::vector<ValueId> inputs = n.inputs;
  for (ValueId& v : inputs)
    if (std::find(moved.begin(), moved.end(), v) != moved.end()) v = operand(v);
  Attributes attributes = n.attributes;
  const auto map_axis = [&](i64 axis) { return perm[size_t(normalized(axis, rank))]; };
  if (names_one_axis(g, n)) {
    attributes.set("axis", map_axis(attributes.integer("axis", default_axis(n.op))));
    for (size_t i = 1; i < n.inputs.size() && n.op != Op::Concat; ++i) inputs[i] = n.inputs[i];
  } else if (reduces_in_place(g, n) && input(n, 1).valid()) {
    std::vector<i64> axes = *integers(g, n.inputs[1]);
    for (i64& axis : axes) axis = map_axis(axis);
    inputs[1] = add_list(g, axes);
  } else if (n.op == Op::Slice) {
    std::vector<i64> axes, starts = *integers(g, n.inputs[1]);
    const std::vector<i64> named = *integers(g, input(n, 3));
    for (size_t i = 0; i < starts.size(); ++i)
      axes.push_back(map_axis(named.empty() ? i64(i) : named[i]));
    inputs.resize(std::max<size_t>(inputs.size(), 4));
    inputs[3] = add_list(g, axes);
  } else if (n.op == Op::Pad) {
    const std::vector<i64> pads = *integers(g, n.inputs[1]);
    std::vector<i64> mapped(pads.size());
    for (i64 i = 0; i < std::ssize(pads); ++i)
      mapped[size_t(map_axis(i % rank) + (i >= rank ? rank : 0))] = pads[size_t(i)];
    inputs[1] = add_list(g, mapped);
  }
  return g.add_node(n.op, inputs, attributes, std::vector<std::string>(n.outputs.size()), n.name);
}

}  // namespace sinter::passes
