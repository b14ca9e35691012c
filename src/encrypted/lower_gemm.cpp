// SPDX-License-Identifier: Apache-2.0
// Matrix products with one constant factor, on either side.
#include "encrypted/detail/lowering.h"

namespace sinter::encrypted::detail {
namespace {

constexpr std::string_view kTwoValues =
    "both factors depend on the input; a product of two encrypted matrices has no encrypted form "
    "here, use a constant weight";

void finish(Lowering& l, NodeId id, ValueId x, SparseMatrix m, std::vector<double> bias) {
  const Node& node = l.graph().node(id);
  Stage stage = l.linear(id, dense_geometry(l.dims(node.outputs[0])));
  stage.terms.push_back({l.stage(x), share(std::move(m))});
  stage.bias = std::move(bias);
  l.bind(node.outputs[0], l.emit(std::move(stage)));
}

}  // namespace

void lower_gemm(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Tensor *a = l.constant(node.inputs[0]), *b = l.constant(node.inputs[1]);
  if (a == nullptr && b == nullptr) refuse(l, id, kTwoValues);
  const bool left = b != nullptr;  // the encrypted factor is the left one
  const double alpha = node.attributes.real("alpha", 1), beta = node.attributes.real("beta", 1);
  const bool trans_a = node.attributes.integer("transA", 0) != 0,
             trans_b = node.attributes.integer("transB", 0) != 0;
  const Dims da = l.dims(node.inputs[0]), db = l.dims(node.inputs[1]);
  const Dims y = l.dims(node.outputs[0]);
  const i64 rows = y[0], cols = y[1], inner = trans_a ? da[0] : da[1];
  const auto at_a = [&](i64 i, i64 k) { return trans_a ? k * da[1] + i : i * da[1] + k; };
  const auto at_b = [&](i64 k, i64 j) { return trans_b ? j * db[1] + k : k * db[1] + j; };
  const ValueId x = node.inputs[left ? 0 : 1];
  SparseBuilder m(rows * cols, element_count(l.dims(x)));
  for (i64 i = 0; i < rows; ++i)
    for (i64 j = 0; j < cols; ++j)
      for (i64 k = 0; k < inner; ++k) {
        if (left)
          m.add(i * cols + j, at_a(i, k), alpha * b->as_double(at_b(k, j)));
        else
          m.add(i * cols + j, at_b(k, j), alpha * a->as_double(at_a(i, k)));
      }
  std::vector<double> bias;
  if (l.has(node, 2)) {
    const Tensor* c = l.constant(node.inputs[2]);
    if (c == nullptr) refuse(l, id, "the addend C is not a constant; use Add after the Gemm");
    bias = broadcast_values(*c, y);
    for (double& v : bias) v *= beta;
  }
  finish(l, id, x, m.build(), std::move(bias));
}

void lower_matmul(Lowering& l, NodeId id) {
  const Node& node = l.graph().node(id);
  const Tensor *a = l.constant(node.inputs[0]), *b = l.constant(node.inputs[1]);
  if (a == nullptr && b == nullptr) refuse(l, id, kTwoValues);
  const bool left = b != nullptr;
  const Tensor& weight = left ? *b : *a;
  const ValueId x = node.inputs[left ? 0 : 1];
  const Dims dx = l.dims(x);
  if (weight.rank() > 2) refuse(l, id, "a constant factor of more than two dimensions; split it");
  // As [batch, rows, inner] x [inner, cols] or [rows, inner] x [batch, inner, cols]; a vector is a
  // row on the left and a column on the right.
  const i64 rank = std::ssize(dx), wrank = weight.rank();
  const i64 inner = left ? dx.back() : (rank == 1 ? dx[0] : dx[size_t(rank) - 2]);
  const i64 x_cols = left || rank == 1 ? 1 : dx.back();
  const i64 batch = element_count(dx) / (inner * x_cols);  // left: all rows are alike
  const i64 w_other = wrank == 1 ? 1 : weight.dim(left ? 1 : 0);
  const i64 outputs = batch * w_other * x_cols;
  SparseBuilder m(outputs, element_count(dx));
  for (i64 n = 0; n < batch; ++n)
    for (i64 o = 0; o < w_other; ++o)
      for (i64 c = 0; c < x_cols; ++c)
        for (i64 k = 0; k < inner; ++k) {
          if (left)
            m.add(n * w_other + o, n * inner + k, weight.as_double(k * w_other + o));
          else
            m.add((n * w_other + o) * x_cols + c, (n * inner + k) * x_cols + c,
                  weight.as_double(o * inner + k));
        }
  finish(l, id, x, m.build(), {});
}

}  // namespace sinter::encrypted::detail
