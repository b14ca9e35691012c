// SPDX-License-Identifier: Apache-2.0
// Operators that only move elements, all in one way: the reference operator runs once on tensors
// of element numbers, which says where every output element comes from, and once with the inputs
// at zero, which leaves the constants that it mixes in (a Pad value, a constant part of a Concat).
#include <algorithm>

#include "encrypted/detail/lowering.h"
#include "graph/evaluate.h"

namespace sinter::encrypted::detail {
namespace {

/// Does input i carry elements, or does it say how to move them?
bool is_data(Op op, i64 i) {
  switch (op) {
    case Op::Concat:
      return true;
    case Op::Pad:
      return i == 0 || i == 2;
    case Op::Where:
      return i == 1 || i == 2;
    default:
      return i == 0;
  }
}

Tensor numbered(const Dims& dims, i64 first) {
  Tensor t(DType::f64, dims);
  double next = double(first);
  for (double& v : t.mutable_data<double>()) v = next++;
  return t;
}

/// An encrypted input: its stage and the numbers that its elements carry in the first run.
struct Part {
  i32 stage;
  i64 first, size;
};

/// The operator's inputs for both runs.
struct Runs {
  std::vector<Part> parts;
  std::vector<Tensor> numbers, constants;  ///< own what the pointers below point to
  std::vector<const Tensor*> where, what;  ///< nullptr = absent
};

Runs prepare(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const size_t count = node.op == Op::Dropout ? 1 : node.inputs.size();
  Runs runs;
  runs.numbers.resize(count);
  runs.constants.resize(count);
  runs.where.resize(count, nullptr);
  runs.what.resize(count, nullptr);
  i64 next = 1;
  for (size_t k = 0; k < count; ++k) {
    if (!l.has(node, i64(k))) continue;
    const Tensor* constant = l.constant(node.inputs[k]);
    if (!is_data(node.op, i64(k))) {
      if (constant == nullptr) refuse(l, id, "a parameter is not a constant");
      runs.where[k] = runs.what[k] = constant;
      continue;
    }
    const Dims dims = l.dims(node.inputs[k]);
    if (constant != nullptr) {
      runs.numbers[k] = Tensor(DType::f64, dims);
      runs.constants[k] = convert(*constant, DType::f64);
    } else {
      runs.numbers[k] = numbered(dims, next);
      runs.constants[k] = Tensor(DType::f64, dims);
      runs.parts.push_back({l.stage(node.inputs[k]), next, element_count(dims)});
      next += element_count(dims);
    }
    runs.where[k] = &runs.numbers[k];
    runs.what[k] = &runs.constants[k];
  }
  return runs;
}

/// Adds what comes from `part` to the stage.
void add_part(Stage& stage, const Part& part, const Tensor& from) {
  std::vector<i64> source(size_t(stage.size()), -1);
  bool used = false;
  for (i64 i = 0; i < stage.size(); ++i) {
    const i64 number = i64(from.as_double(i));
    if (number < part.first || number >= part.first + part.size) continue;
    source[size_t(i)] = number - part.first;
    used = true;
  }
  if (!used) return;
  SparseMatrix m = selection(source, part.size);
  for (Term& term : stage.terms) {
    if (term.value != part.stage) continue;
    term.matrix = share(add(*term.matrix, m));
    return;
  }
  stage.terms.push_back({part.stage, share(std::move(m))});
}

}  // namespace

void lower_move(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const bool is_cast = node.op == Op::Cast;
  if (is_cast && !is_float(l.graph().dtype(node.outputs[0])))
    refuse(l, id, "an encrypted value cannot be cast to an integer");
  const Op op = is_cast ? Op::Identity : node.op;
  const Attributes attributes = is_cast ? Attributes() : node.attributes;
  const i64 outputs = node.op == Op::Dropout ? 1 : std::ssize(node.outputs);
  const Runs runs = prepare(l, id);
  const std::vector<Tensor> from = evaluate_op(op, attributes, runs.where, outputs, l.describe(id));
  const std::vector<Tensor> mixed = evaluate_op(op, attributes, runs.what, outputs, l.describe(id));
  for (size_t o = 0; o < size_t(outputs); ++o) {
    const ValueId result = node.outputs[o];
    const Dims dims = l.dims(result);
    const bool stays = op != Op::Transpose && l.has(node, 0) &&
                       l.constant(node.inputs[0]) == nullptr && l.dims(node.inputs[0]) == dims;
    Stage stage = l.linear(id, stays ? l.geometry(node.inputs[0]) : dense_geometry(dims));
    for (const Part& part : runs.parts) add_part(stage, part, from[o]);
    if (stage.terms.empty()) {  // only constants arrived here
      l.set_constant(result, mixed[o].clone());
      continue;
    }
    const auto constants = mixed[o].data<double>();
    if (std::any_of(constants.begin(), constants.end(), [](double v) { return v != 0; }))
      stage.bias.assign(constants.begin(), constants.end());
    l.bind(result, l.emit(std::move(stage)));
  }
}

}  // namespace sinter::encrypted::detail
