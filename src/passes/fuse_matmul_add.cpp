// SPDX-License-Identifier: Apache-2.0
// Turns a matrix product and an addition into one Gemm.
//
//   before   y = Add(MatMul(a, b), c)      a [M,K], b [K,N]
//   after    y = Gemm(a, b, c)
//
// Either order of the operands of Add; c need not be a constant. Legality: both factors have rank
// 2 and a floating-point type; c broadcasts into [M,N] without enlarging it: [], [1], [N], [1,N],
// and [M,1] or [M,N] when M is the same expression. Left alone (counted as skipped): the product
// has another reader; c would enlarge it. The sum is the same but for the kernel that takes it
// (E2).

#include "passes/detail/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

bool has_rank_two(const Graph& g, ValueId v) { return g.shape(v) && g.shape(v)->size() == 2; }

/// Which operand of the Add is a 2-D MatMul; -1 when none.
int product_operand(const Graph& g, const Node& add) {
  for (int i : {0, 1}) {
    const Node* product = g.producer(add.inputs[size_t(i)]);
    if (product != nullptr && product->op == Op::MatMul && has_rank_two(g, product->inputs[0]) &&
        has_rank_two(g, product->inputs[1]) && passes::is_foldable(g.dtype(product->inputs[0])))
      return i;
  }
  return -1;
}

}  // namespace

PassStats fuse_matmul_add(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Add)) {
    if (!graph.alive(id)) continue;
    const Node add = graph.node(id);
    const int which = product_operand(graph, add);
    if (which < 0) continue;
    const ValueId product = add.inputs[size_t(which)], c = add.inputs[size_t(1 - which)];
    std::string why = passes::why_not_one_reader(graph, product);
    if (why.empty() && (!graph.shape(c) || !graph.shape(product) ||
                        !passes::broadcasts_into(*graph.shape(c), *graph.shape(product))))
      why = "the other operand may be larger than the product";
    if (!why.empty()) {
      stats.skipped.push_back({graph.describe(id), why});
      continue;
    }
    const NodeId matmul_id = graph.value(product).producer;
    const Node matmul = graph.node(matmul_id);
    Rewrite rewrite(graph, "fuse_matmul_add", {matmul_id, id});
    const NodeId gemm =
        graph.add_node(Op::Gemm, {matmul.inputs[0], matmul.inputs[1], c}, {}, {}, matmul.name);
    passes::replace_and_erase(graph, add.outputs[0], graph.node(gemm).outputs[0]);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
