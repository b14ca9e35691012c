// SPDX-License-Identifier: Apache-2.0
// Operators that only move elements, all in one way: the reference operator runs once on tensors
// of element numbers, which says where every output element comes from, and once with the inputs
// at zero, which leaves the constants that it mixes in (a Pad value, a constant part of a Concat).
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

}  // namespace

void lower_move(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  struct Part {
    i32 stage;
    i64 first, size;
  };
  std::vector<Part> parts;
  std::vector<Tensor> numbers, constants;
  i64 next = 1;
  const i64 count = std::ssize(node.inputs);
  numbers.resize(size_t(count));
  constants.resize(size_t(count));
  std::vector<const Tensor*> where(size_t(count), nullptr), what(size_t(count), nullptr);
  for (i64 i = 0; i < count; ++i) {
    const size_t k = size_t(i);
    if (!l.has(node, i)) continue;
    const Tensor* constant = l.constant(node.inputs[k]);
    if (!is_data(node.op, i)) {
      if (constant == nullptr) refuse(l, id, "a parameter is not a constant");
      where[k] = what[k] = constant;
      continue;
    }
    const Dims dims = l.dims(node.inputs[k]);
    if (constant != nullptr) {
      numbers[k] = Tensor(DType::f64, dims);
      constants[k] = convert(*constant, DType::f64);
    } else {
      numbers[k] = numbered(dims, next);
      constants[k] = Tensor(DType::f64, dims);
      parts.push_back({l.stage(node.inputs[k]), next, element_count(dims)});
      next += element_count(dims);
    }
    where[k] = &numbers[k];
    what[k] = &constants[k];
  }
  const Op op = node.op == Op::Cast ? Op::Identity : node.op;
  if (node.op == Op::Cast && !is_float(l.graph().dtype(node.outputs[0])))
    refuse(l, id, "an encrypted value cannot be cast to an integer");
  const i64 outputs = node.op == Op::Dropout ? 1 : std::ssize(node.outputs);
  if (node.op == Op::Dropout) where.resize(1), what.resize(1);
  const std::vector<Tensor> from = evaluate_op(
      op, node.op == Op::Cast ? Attributes() : node.attributes, where, outputs, l.describe(id));
  const std::vector<Tensor> mixed = evaluate_op(
      op, node.op == Op::Cast ? Attributes() : node.attributes, what, outputs, l.describe(id));
  for (i64 o = 0; o < outputs; ++o) {
    const ValueId result = node.outputs[size_t(o)];
    const Dims dims = l.dims(result);
    const bool same = l.has(node, 0) && l.constant(node.inputs[0]) == nullptr &&
                      l.dims(node.inputs[0]) == dims && op != Op::Transpose;
    Stage stage = l.linear(id, same ? l.geometry(node.inputs[0]) : dense_geometry(dims));
    const i64 size = stage.size();
    for (const Part& part : parts) {
      std::vector<i64> source(size_t(size), -1);
      bool used = false;
      for (i64 i = 0; i < size; ++i) {
        const i64 n = i64(from[size_t(o)].as_double(i));
        if (n < part.first || n >= part.first + part.size) continue;
        source[size_t(i)] = n - part.first;
        used = true;
      }
      if (!used) continue;
      SparseMatrix m = selection(source, part.size);
      bool added = false;
      for (Term& term : stage.terms) {
        if (term.value != part.stage) continue;
        term.matrix = share(add(*term.matrix, m));
        added = true;
      }
      if (!added) stage.terms.push_back({part.stage, share(std::move(m))});
    }
    bool any = false;
    for (i64 i = 0; i < size; ++i) any = any || mixed[size_t(o)].as_double(i) != 0;
    for (i64 i = 0; any && i < size; ++i) stage.bias.push_back(mixed[size_t(o)].as_double(i));
    if (stage.terms.empty()) {  // only constants arrived here
      l.set_constant(result, mixed[size_t(o)].clone());
      continue;
    }
    l.bind(result, l.emit(std::move(stage)));
  }
}

}  // namespace sinter::encrypted::detail
