// SPDX-License-Identifier: Apache-2.0
// Moves the transposition of a matrix into the product before or after it.
//
//   before   y = Gemm(Transpose(a), b, c)            after   y = Gemm(a, b, c) transA=1
//   before   y = MatMul(a, Transpose(b))             after   y = Gemm(a, b) transB=1
//   before   y = Transpose(MatMul(a, b))             after   y = Gemm(b, a) transA=1 transB=1
//
// Legality: rank 2 throughout, floating point, perm [1,0] or absent. Before a product, every reader
// of the Transpose is a product that reads it once and it is no graph output, so that it dies.
// After one, the product has one reader and C is absent. Left alone (counted as skipped): those
// that break a condition. The products are the same (E2: by another kernel).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

bool is_matrix(const Graph& g, ValueId v) { return g.shape(v) && g.shape(v)->size() == 2; }

/// A Gemm, or a MatMul of two matrices.
bool is_matrix_product(const Graph& g, const Node& n) {
  return n.op == Op::Gemm || (n.op == Op::MatMul && is_matrix(g, n.inputs[0]) &&
                              is_matrix(g, n.inputs[1]) && is_float(g.dtype(n.inputs[0])));
}

std::string why_not_before(const Graph& g, const Node& transpose) {
  const ValueId y = transpose.outputs[0];
  if (g.is_output(y)) return "its result is a graph output";
  for (NodeId reader : g.value(y).readers) {
    const Node& n = g.node(reader);
    const bool is_factor = n.inputs[0] == y || (n.inputs.size() > 1 && n.inputs[1] == y);
    if (!is_matrix_product(g, n) || !is_factor ||
        std::count(n.inputs.begin(), n.inputs.end(), y) != 1)
      return g.describe(reader) + " reads it";
  }
  return "";
}

/// The product as a Gemm with factor `operand` replaced by the transposed `v`.
void flip(Graph& g, NodeId id, size_t operand, ValueId v) {
  const char* flag = operand == 0 ? "transA" : "transB";
  const Node n = g.node(id);
  std::vector<ValueId> inputs = n.inputs;
  inputs[operand] = v;
  Attributes attributes = n.attributes;
  if (attributes.integer(flag, 0) != 0)
    attributes.erase(flag);
  else
    attributes.set(flag, i64(1));
  const NodeId gemm = g.add_node(Op::Gemm, std::move(inputs), std::move(attributes), {}, n.name);
  passes::replace_and_erase(g, n.outputs[0], g.node(gemm).outputs[0]);
}

bool fuse_before(Graph& g, NodeId id) {
  const Node transpose = g.node(id);
  const std::vector<NodeId> readers = g.value(transpose.outputs[0]).readers;
  std::vector<NodeId> matched = readers;
  matched.push_back(id);
  Rewrite rewrite(g, "fuse_transpose_into_gemm", matched);
  for (NodeId reader : readers)
    flip(g, reader, g.node(reader).inputs[0] == transpose.outputs[0] ? 0 : 1, transpose.inputs[0]);
  return rewrite.commit();
}

std::string why_not_after(const Graph& g, const Node& product) {
  if (product.op == Op::Gemm && passes::input_or_none(product, 2).valid())
    return "the product has a bias";
  return passes::why_not_one_reader(g, product.outputs[0]);
}

bool fuse_after(Graph& g, NodeId id, NodeId product_id) {
  const Node transpose = g.node(id), product = g.node(product_id);
  Rewrite rewrite(g, "fuse_transpose_into_gemm", {id, product_id});
  Attributes attributes;
  if (product.attributes.has("alpha")) attributes.set("alpha", product.attributes.real("alpha", 1));
  if (product.attributes.integer("transB", 0) == 0) attributes.set("transA", i64(1));
  if (product.attributes.integer("transA", 0) == 0) attributes.set("transB", i64(1));
  const NodeId gemm = g.add_node(Op::Gemm, {product.inputs[1], product.inputs[0]},
                                 std::move(attributes), {}, product.name);
  passes::replace_and_erase(g, transpose.outputs[0], g.node(gemm).outputs[0]);
  return rewrite.commit();
}

}  // namespace

PassStats fuse_transpose_into_gemm(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Transpose)) {
    if (!graph.alive(id)) continue;
    const Node& transpose = graph.node(id);
    const std::vector<i64> perm = transpose.attributes.integers("perm", {1, 0});
    if (!is_matrix(graph, transpose.inputs[0]) || perm != std::vector<i64>{1, 0} ||
        graph.constant(transpose.inputs[0]) != nullptr)
      continue;
    const Node* before = graph.producer(transpose.inputs[0]);
    const bool follows_product = before != nullptr && is_matrix_product(graph, *before);
    const std::string why_readers = why_not_before(graph, transpose);
    const std::string why_product = follows_product ? why_not_after(graph, *before) : why_readers;
    if (why_readers.empty() && graph.use_count(transpose.outputs[0]) > 0)
      stats.changed += fuse_before(graph, id);
    else if (follows_product && why_product.empty())
      stats.changed += fuse_after(graph, id, graph.value(transpose.inputs[0]).producer);
    else
      stats.skipped.push_back({graph.describe(id), why_product});
  }
  return stats;
}

}  // namespace sinter
