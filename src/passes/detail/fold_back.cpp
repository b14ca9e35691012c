// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/fold.h"

namespace sinter::passes {
namespace {

/// New constants for a linear node, still in double.
struct Parameters {
  std::vector<double> weight, bias;
  Dims weight_dims, bias_dims;
};

bool any_nonzero(const std::vector<double>& v) {
  return std::any_of(v.begin(), v.end(), [](double x) { return x != 0; });
}

ValueId bias_of(const Node& n) { return n.inputs.size() > 2 ? n.inputs[2] : ValueId{}; }

Parameters fold_conv(const Graph& g, const Node& conv, const Affine& f) {
  const Tensor& weight = *g.constant(conv.inputs[1]);
  Parameters p{doubles(weight), f.shift, weight.dims(), {std::ssize(f.shift)}};
  const bool transposed = conv.op == Op::ConvTranspose;
  const i64 per_group = weight.dim(1), group = conv.attributes.integer("group", 1);
  const i64 rows = transposed ? weight.dim(0) * per_group : weight.dim(0);  // one scale each
  const i64 row_size = rows == 0 ? 0 : weight.size() / rows;
  for (i64 row = 0; row < rows; ++row) {
    i64 channel = row;
    if (transposed) {
      const i64 input = row / per_group, column = row % per_group;
      channel = input / (weight.dim(0) / group) * per_group + column;
    }
    for (i64 i = 0; i < row_size; ++i)
      p.weight[size_t(row * row_size + i)] *= f.scale[size_t(channel)];
  }
  if (const Tensor* bias = g.constant(bias_of(conv)))
    for (size_t o = 0; o < p.bias.size(); ++o) p.bias[o] += f.scale[o] * bias->as_double(i64(o));
  return p;
}

/// Columns of op(B) scaled; C' over [N], or [M,N] when C varies with the row.
Parameters fold_gemm(const Graph& g, const Node& gemm, const Affine& f) {
  const Tensor& weight = *g.constant(gemm.inputs[1]);
  const bool transposed = gemm.attributes.integer("transB", 0) != 0;
  const i64 n_count = std::ssize(f.scale), columns = weight.dim(1);
  Parameters p{doubles(weight), f.shift, weight.dims(), {n_count}};
  for (i64 i = 0; i < weight.size(); ++i)
    p.weight[size_t(i)] *= f.scale[size_t(transposed ? i / columns : i % columns)];
  const double beta = gemm.attributes.real("beta", 1);
  const Tensor* c = g.constant(bias_of(gemm));
  if (c == nullptr) return p;
  const i64 rows = c->rank() == 2 ? c->dim(0) : 1;
  const i64 c_columns = c->rank() == 0 ? 1 : c->dim(c->rank() - 1);
  if (rows > 1) p.bias_dims = {rows, n_count};
  p.bias.resize(size_t(rows * n_count));
  for (i64 m = 0; m < rows; ++m)
    for (i64 n = 0; n < n_count; ++n) {
      const double old = beta * c->as_double(m * c_columns + (c_columns == 1 ? 0 : n));
      p.bias[size_t(m * n_count + n)] = f.scale[size_t(n)] * old + f.shift[size_t(n)];
    }
  return p;
}

/// Why the linear node cannot take the map, or empty.
std::string refusal(const Graph& g, const Node& linear, const Affine& f) {
  if (std::string why = why_not_one_reader(g, f.x); !why.empty()) return why;
  const Tensor* weight = g.constant(linear.inputs[1]);
  if (weight == nullptr) return "the weight is not a constant";
  const ValueId bias = bias_of(linear);
  if (bias.valid() && g.constant(bias) == nullptr) return "the bias is not a constant";
  if (!may_copy(g, linear.inputs[1])) return "the shared weight would be copied";
  const bool is_matrix = linear.op == Op::Gemm || linear.op == Op::MatMul;
  const std::optional<Shape>& x = g.shape(f.x);
  if (is_matrix && (!x || x->size() != 2 || weight->rank() != 2))
    return "the product is not of rank 2";
  if (linear.op == Op::MatMul &&
      (!g.shape(linear.inputs[0]) || g.shape(linear.inputs[0])->size() != 2))
    return "the product is not of rank 2";
  return "";
}

}  // namespace

std::optional<std::string> fold_back(Graph& graph, NodeId node, const Affine& f,
                                     std::span<const Op> producers) {
  const NodeId linear_id = graph.value(f.x).producer;
  if (!linear_id.valid()) return std::nullopt;
  const Node linear = graph.node(linear_id);
  if (std::find(producers.begin(), producers.end(), linear.op) == producers.end())
    return std::nullopt;
  if (std::string why = refusal(graph, linear, f); !why.empty()) return why;

  const bool is_matrix = linear.op == Op::Gemm || linear.op == Op::MatMul;
  const Parameters p = is_matrix ? fold_gemm(graph, linear, f) : fold_conv(graph, linear, f);
  const DType type = graph.dtype(f.x);
  if (!all_finite(type, p.weight) || !all_finite(type, p.bias))
    return "a folded constant is not finite";
  if (is_subnormal(type, p.weight) || has_subnormal_scale(type, f.scale))
    return "a folded constant would be subnormal";

  std::vector<ValueId> inputs = {linear.inputs[0],
                                 graph.add_constant(rounded(type, p.weight_dims, p.weight))};
  const bool has_bias = bias_of(linear).valid() || any_nonzero(p.bias);
  if (has_bias) inputs.push_back(graph.add_constant(rounded(type, p.bias_dims, p.bias)));
  const ValueId y = graph.node(node).outputs[0];
  if (linear.op == Op::MatMul && has_bias) {
    const NodeId gemm = graph.add_node(Op::Gemm, std::move(inputs), {}, {}, linear.name);
    replace_and_erase(graph, y, graph.node(gemm).outputs[0]);
    return "";
  }
  graph.set_inputs(linear_id, std::move(inputs));
  if (linear.op == Op::Gemm) graph.erase_attribute(linear_id, "beta");
  graph.infer(linear_id);
  replace_and_erase(graph, y, linear.outputs[0]);
  return "";
}

}  // namespace sinter::passes
