// SPDX-License-Identifier: Apache-2.0
// Packs products of one tensor with several matrices: queries, keys and values, gate and up.
//
//   before   q = x Wq + bq    k = x Wk + bk    v = x Wv + bv
//   after    q, k, v = Split(x [Wq Wk Wv] + [bq bk bv])     along the last axis
//
// The products are MatMul with a constant matrix on the right and, where there is one, an Add of a
// constant [N] that alone reads it. At least three products, or two with additions, so that nodes
// are saved: 2k become 3. Left alone: a matrix or a bias that something else reads too (it would be
// stored twice), fewer products; the profiles ort, whose runtime matches them apart, and fhe. A
// result is the same sum by a wider kernel (E2).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// One product x W (+ b).
struct Product {
  NodeId matmul, add;  ///< add is invalid when there is none
  ValueId weight, bias, result;
};

/// The Add of a constant vector as long as W has columns that alone reads the product.
void find_bias(const Graph& g, Product& p, i64 columns) {
  const ValueId y = g.node(p.matmul).outputs[0];
  if (!passes::has_one_reader(g, y)) return;
  const NodeId reader = g.value(y).readers[0];
  const Node& add = g.node(reader);
  if (add.op != Op::Add) return;
  const ValueId bias = add.inputs[0] == y ? add.inputs[1] : add.inputs[0];
  const Tensor* b = g.constant(bias);
  if (b == nullptr || b->rank() != 1 || b->dim(0) != columns || g.use_count(bias) != 1) return;
  p.add = reader;
  p.bias = bias;
  p.result = add.outputs[0];
}

std::vector<Product> products_of(const Graph& g, ValueId x) {
  std::vector<Product> found;
  std::vector<NodeId> readers = g.value(x).readers;
  std::sort(readers.begin(), readers.end());
  for (NodeId id : readers) {
    const Node& n = g.node(id);
    if (n.op != Op::MatMul || n.inputs[0] != x || !is_float(g.dtype(x))) continue;
    const Tensor* w = g.constant(n.inputs[1]);
    if (w == nullptr || w->rank() != 2 || w->size() == 0 || g.use_count(n.inputs[1]) != 1) continue;
    Product p{id, {}, n.inputs[1], {}, n.outputs[0]};
    find_bias(g, p, w->dim(1));
    found.push_back(p);
  }
  return found;
}

/// The tensors side by side along their last axis; `rows` of each.
Tensor side_by_side(const std::vector<const Tensor*>& parts, DType type, i64 rows, Dims dims) {
  Tensor packed(type, std::move(dims));
  const std::span<std::byte> out = packed.mutable_raw();
  size_t at = 0;
  for (i64 row = 0; row < rows; ++row)
    for (const Tensor* part : parts) {
      const size_t bytes = size_t(part->byte_size() / rows);
      std::copy_n(part->raw().begin() + i64(size_t(row) * bytes), bytes, out.begin() + i64(at));
      at += bytes;
    }
  return packed;
}

bool saves_nodes(const std::vector<Product>& products) {
  const i64 adds = std::count_if(products.begin(), products.end(),
                                 [](const Product& p) { return p.add.valid(); });
  const i64 after = 2 + (adds > 0 ? 1 : 0);  // product, sum, split
  return products.size() >= 2 && std::ssize(products) + adds > after;
}

ValueId packed_product(Graph& g, ValueId x, const std::vector<Product>& products,
                       const std::vector<i64>& sizes) {
  const DType type = g.dtype(x);
  std::vector<const Tensor*> weights, biases;
  std::vector<Tensor> zeros;
  zeros.reserve(products.size());
  i64 total = 0;
  for (size_t i = 0; i < products.size(); ++i) {
    weights.push_back(g.constant(products[i].weight));
    if (!products[i].bias.valid()) zeros.emplace_back(type, Dims{sizes[i]});
    biases.push_back(products[i].bias.valid() ? g.constant(products[i].bias) : &zeros.back());
    total += sizes[i];
  }
  const i64 rows = weights[0]->dim(0);
  const ValueId w = g.add_constant(side_by_side(weights, type, rows, {rows, total}));
  const std::string name = g.node(products[0].matmul).name;
  ValueId y = g.node(g.add_node(Op::MatMul, {x, w}, {}, {}, name)).outputs[0];
  if (zeros.size() == products.size()) return y;
  const ValueId b = g.add_constant(side_by_side(biases, type, 1, {total}));
  const NodeId first_add = std::find_if(products.begin(), products.end(), [](const Product& p) {
                             return p.add.valid();
                           })->add;
  return g.node(g.add_node(Op::Add, {y, b}, {}, {}, g.node(first_add).name)).outputs[0];
}

bool pack(Graph& g, ValueId x, const std::vector<Product>& products) {
  std::vector<NodeId> matched;
  std::vector<i64> sizes;
  for (const Product& p : products) {
    matched.push_back(p.matmul);
    if (p.add.valid()) matched.push_back(p.add);
    sizes.push_back(g.constant(p.weight)->dim(1));
  }
  Rewrite rewrite(g, "pack_matmuls", matched);
  const ValueId y = packed_product(g, x, products, sizes);
  const ValueId split_sizes = g.add_constant(Tensor::of<i64>({std::ssize(sizes)}, sizes));
  const i64 axis = g.shape(y) ? std::ssize(*g.shape(y)) - 1 : -1;
  const NodeId split = g.add_node(Op::Split, {y, split_sizes}, {{"axis", axis}},
                                  std::vector<std::string>(sizes.size()));
  for (size_t i = 0; i < products.size(); ++i)
    passes::replace_and_erase(g, products[i].result, g.node(split).outputs[i]);
  return rewrite.commit();
}

}  // namespace

PassStats pack_matmuls(Graph& graph, const PassOptions& options) {
  PassStats stats;
  if (options.profile == Profile::ort || options.profile == Profile::fhe) return stats;
  for (NodeId id : graph.nodes_of(Op::MatMul)) {
    if (!graph.alive(id)) continue;
    const ValueId x = graph.node(id).inputs[0];
    std::vector<Product> products = products_of(graph, x);
    if (products.empty() || products[0].matmul != id) continue;
    if (!saves_nodes(products)) continue;
    stats.changed += pack(graph, x, products);
  }
  return stats;
}

}  // namespace sinter
