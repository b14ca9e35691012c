// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/fold.h"

namespace sinter::passes {
namespace {

/// One reader of the affine node and the constants it will take.
struct Edit {
  NodeId linear;  ///< the Conv, ConvTranspose, Gemm or MatMul
  NodeId bridge;  ///< the Flatten or Reshape between, if any
  std::vector<double> weight, bias;
  Dims bias_dims;
  bool sets_bias = false;
  std::string refusal;  ///< not empty: it cannot
};

bool any_nonzero(const std::vector<double>& v) {
  return std::any_of(v.begin(), v.end(), [](double x) { return x != 0; });
}

bool pads_nothing(const Node& conv) {
  const std::string auto_pad = conv.attributes.text("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return true;
  const std::vector<i64> pads = conv.attributes.integers("pads");
  return auto_pad == "NOTSET" &&
         std::all_of(pads.begin(), pads.end(), [](i64 p) { return p == 0; });
}

void fold_conv(const Graph& g, const Node& conv, const std::vector<double>& scale,
               const std::vector<double>& shift, Edit& edit) {
  const Tensor& weight = *g.constant(conv.inputs[1]);
  const bool shifts = any_nonzero(shift);
  if (shifts && !pads_nothing(conv)) {
    edit.refusal = "the Conv that reads it pads, and the shift is not zero";
    return;
  }
  const i64 filters = weight.dim(0), per_group = weight.dim(1);
  const i64 group = conv.attributes.integer("group", 1);
  const i64 taps = weight.size() / std::max<i64>(1, filters * per_group);
  edit.bias.assign(size_t(filters), 0);
  if (conv.inputs.size() > 2 && conv.inputs[2].valid())
    edit.bias = doubles(*g.constant(conv.inputs[2]));
  for (i64 o = 0; o < filters; ++o)
    for (i64 c = 0; c < per_group; ++c) {
      const size_t channel = size_t(o / (filters / group) * per_group + c);
      for (i64 k = 0; k < taps; ++k) {
        double& w = edit.weight[size_t((o * per_group + c) * taps + k)];
        edit.bias[size_t(o)] += w * shift[channel];
        w *= scale[channel];
      }
    }
  edit.sets_bias = shifts;
  edit.bias_dims = {filters};
}

void fold_conv_transpose(const Graph& g, const Node& conv, const std::vector<double>& scale,
                         const std::vector<double>& shift, Edit& edit) {
  if (any_nonzero(shift)) {
    edit.refusal = "the ConvTranspose that reads it would have to spread the shift";
    return;
  }
  const i64 inputs = g.constant(conv.inputs[1])->dim(0);
  const i64 row_size = std::ssize(edit.weight) / std::max<i64>(1, inputs);
  for (i64 i = 0; i < std::ssize(edit.weight); ++i)
    edit.weight[size_t(i)] *= scale[size_t(i / row_size)];
}

void fold_matrix(const Graph& g, const Node& linear, const std::vector<double>& scale,
                 const std::vector<double>& shift, Edit& edit) {
  const Tensor& weight = *g.constant(linear.inputs[1]);
  if (weight.rank() != 2 || linear.attributes.integer("transA", 0) != 0) {
    edit.refusal = "the product that reads it does not sum over axis 1 of a matrix";
    return;
  }
  const bool transposed = linear.attributes.integer("transB", 0) != 0;
  const i64 columns = weight.dim(1), n_count = transposed ? weight.dim(0) : columns;
  const double alpha = linear.attributes.real("alpha", 1), beta = linear.attributes.real("beta", 1);
  std::vector<double> added(size_t(n_count), 0);
  for (i64 i = 0; i < weight.size(); ++i) {
    const i64 row = i / columns, column = i % columns;
    const i64 k = transposed ? column : row, n = transposed ? row : column;
    added[size_t(n)] += alpha * edit.weight[size_t(i)] * shift[size_t(k)];
    edit.weight[size_t(i)] *= scale[size_t(k)];
  }
  edit.sets_bias = any_nonzero(shift);
  if (!edit.sets_bias) return;
  const Tensor* c = linear.inputs.size() > 2 ? g.constant(linear.inputs[2]) : nullptr;
  const i64 rows = c != nullptr && c->rank() == 2 ? c->dim(0) : 1;
  const i64 c_columns = c == nullptr || c->rank() == 0 ? 1 : c->dim(c->rank() - 1);
  edit.bias_dims = rows > 1 ? Dims{rows, n_count} : Dims{n_count};
  for (i64 m = 0; m < rows; ++m)
    for (i64 n = 0; n < n_count; ++n) {
      const double old =
          c == nullptr ? 0 : beta * c->as_double(m * c_columns + (c_columns == 1 ? 0 : n));
      edit.bias.push_back(old + added[size_t(n)]);
    }
}

/// Each channel's entry once per position behind it: [C] -> [C*positions].
std::vector<double> repeated(const std::vector<double>& v, i64 positions) {
  std::vector<double> out;
  out.reserve(v.size() * size_t(positions));
  for (double x : v) out.insert(out.end(), size_t(positions), x);
  return out;
}

/// Positions per channel when `bridge` turns [N,C,...] into [N, C*positions]; 0 when it does not.
i64 flattened_positions(const Graph& g, const Node& bridge) {
  if (bridge.op != Op::Flatten && bridge.op != Op::Reshape) return 0;
  const std::optional<Shape>&in = g.shape(bridge.inputs[0]), &out = g.shape(bridge.outputs[0]);
  if (!channels(in) || !out || out->size() != 2) return 0;
  if (bridge.op == Op::Flatten) {
    const i64 axis = bridge.attributes.integer("axis", 1);
    if (normalized(axis, std::ssize(*in)) != 1) return 0;
  } else if (!same((*in)[0], (*out)[0])) {
    return 0;
  }
  i64 positions = 1;
  for (size_t d = 2; d < in->size(); ++d) {
    const std::optional<i64> dim = (*in)[d].value();
    if (!dim) return 0;
    positions *= *dim;
  }
  return (*out)[1].is(*channels(in) * positions) ? positions : 0;
}

Edit plan(const Graph& g, NodeId reader, ValueId y, const Affine& f) {
  Edit edit;
  const Node* linear = &g.node(reader);
  ValueId operand = y;
  std::vector<double> scale = f.scale, shift = f.shift;
  edit.linear = reader;
  if (const i64 positions = flattened_positions(g, *linear); positions > 0) {
    edit.bridge = reader;
    operand = linear->outputs[0];
    edit.refusal = why_not_one_reader(g, operand);
    if (!edit.refusal.empty()) return edit;
    edit.linear = g.value(operand).readers[0];
    linear = &g.node(edit.linear);
    scale = repeated(scale, positions);
    shift = repeated(shift, positions);
    if (linear->op != Op::Gemm && linear->op != Op::MatMul) {
      edit.refusal = "its reader " + g.describe(edit.linear) + " is not linear";
      return edit;
    }
  }
  const bool is_conv = linear->op == Op::Conv || linear->op == Op::ConvTranspose;
  const bool is_matrix = linear->op == Op::Gemm || linear->op == Op::MatMul;
  const std::optional<Shape>& shape = g.shape(operand);
  if (!is_conv && !is_matrix)
    edit.refusal = "its reader " + g.describe(edit.linear) + " is not linear";
  else if (linear->inputs[0] != operand ||
           std::count(linear->inputs.begin(), linear->inputs.end(), operand) != 1)
    edit.refusal = "it is not the first operand of " + g.describe(edit.linear);
  else if (g.constant(linear->inputs[1]) == nullptr)
    edit.refusal = "the weight of " + g.describe(edit.linear) + " is not a constant";
  else if (linear->inputs.size() > 2 && linear->inputs[2].valid() &&
           g.constant(linear->inputs[2]) == nullptr)
    edit.refusal = "the bias of " + g.describe(edit.linear) + " is not a constant";
  else if (!may_copy(g, linear->inputs[1]))
    edit.refusal = "the shared weight of " + g.describe(edit.linear) + " would be copied";
  else if (is_matrix && (!shape || shape->size() != 2))
    edit.refusal = "the product that reads it does not sum over axis 1 of a matrix";
  if (!edit.refusal.empty()) return edit;

  edit.weight = doubles(*g.constant(linear->inputs[1]));
  if (linear->op == Op::Conv)
    fold_conv(g, *linear, scale, shift, edit);
  else if (is_conv)
    fold_conv_transpose(g, *linear, scale, shift, edit);
  else
    fold_matrix(g, *linear, scale, shift, edit);
  const DType type = g.dtype(y);
  if (edit.refusal.empty() && (!all_finite(type, edit.weight) || !all_finite(type, edit.bias)))
    edit.refusal = "a folded constant is not finite";
  if (edit.refusal.empty() &&
      (is_subnormal(type, edit.weight) || has_subnormal_scale(type, f.scale)))
    edit.refusal = "a folded constant would be subnormal";
  return edit;
}

void apply(Graph& g, const Edit& edit, ValueId y, ValueId x) {
  const Node linear = g.node(edit.linear);
  const DType type = g.dtype(y);
  ValueId operand = x;
  if (edit.bridge.valid()) {
    g.set_input(edit.bridge, 0, x);
    operand = linear.inputs[0];
  }
  std::vector<ValueId> inputs = linear.inputs;
  inputs[0] = operand;
  inputs[1] = g.add_constant(rounded(type, g.constant(linear.inputs[1])->dims(), edit.weight));
  if (edit.sets_bias) {
    inputs.resize(3);
    inputs[2] = g.add_constant(rounded(type, edit.bias_dims, edit.bias));
  }
  if (linear.op == Op::MatMul && edit.sets_bias) {
    const NodeId gemm = g.add_node(Op::Gemm, std::move(inputs), {}, {}, linear.name);
    g.replace_uses(linear.outputs[0], g.node(gemm).outputs[0]);
    g.erase_node(edit.linear);
    return;
  }
  g.set_inputs(edit.linear, std::move(inputs));
  if (edit.sets_bias && linear.op == Op::Gemm) g.erase_attribute(edit.linear, "beta");
  g.infer(edit.linear);
}

}  // namespace

std::string fold_forward(Graph& graph, NodeId node, const Affine& f) {
  const ValueId y = graph.node(node).outputs[0];
  if (graph.is_output(y)) return "its result is a graph output";
  const std::vector<NodeId> readers = graph.value(y).readers;
  if (readers.empty()) return "nothing reads it";
  std::vector<Edit> edits;
  for (NodeId reader : readers) {
    edits.push_back(plan(graph, reader, y, f));
    if (!edits.back().refusal.empty()) return edits.back().refusal;
  }
  for (const Edit& edit : edits) apply(graph, edit, y, f.x);
  erase_if_dead(graph, node);
  return "";
}

}  // namespace sinter::passes
