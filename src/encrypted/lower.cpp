// SPDX-License-Identifier: Apache-2.0
#include "encrypted/lower.h"

#include <algorithm>

#include "encrypted/detail/lowering.h"
#include "graph/evaluate.h"

namespace sinter::encrypted {
namespace detail {

const Tensor* Lowering::constant(ValueId value) const {
  if (!value.valid()) return nullptr;
  if (const Tensor* stored = graph_.constant(value)) return stored;
  const auto it = constants_.find(value);
  return it == constants_.end() ? nullptr : &it->second;
}

Dims Lowering::dims(ValueId value) const {
  const auto& shape = graph_.shape(value);
  const auto known = shape ? static_dims(*shape) : std::nullopt;
  require(known.has_value(), ErrorKind::unsupported, "encrypted compilation: value \"",
          graph_.value(value).name, "\" has no static shape",
          shape ? " (found " + to_text(*shape) + ")" : std::string());
  return *known;
}

i32 Lowering::add_input(ValueId value) {
  Stage stage;
  stage.kind = StageKind::input;
  stage.name = graph_.value(value).name;
  stage.op = "Input";
  stage.geometry = dense_geometry(dims(value));
  for (i64 i = 0; i < stage.geometry.size(); ++i) stage.source.push_back(i);
  const i32 number = emit(std::move(stage));
  bind(value, number);
  return number;
}

void Lowering::bind(ValueId value, i32 stage) {
  stage_of_[value] = stage;
  Origins& origin = out_.stages[size_t(stage)].origin;
  if (origin.empty()) origin = {{graph_.value(value).name, {}, {}, {}}};
}

void Lowering::set_constant(ValueId value, Tensor tensor) {
  constants_.insert_or_assign(value, std::move(tensor));
}

Stage Lowering::linear(NodeId node, const Geometry& geometry) const {
  Stage stage;
  stage.kind = StageKind::linear;
  const Node& n = graph_.node(node);
  stage.name = n.name.empty() ? graph_.value(n.outputs[0]).name : n.name;
  stage.op = name(n.op);
  stage.geometry = geometry;
  return stage;
}

Stage Lowering::product(NodeId node, const Geometry& geometry, i32 x, i32 y) const {
  Stage stage = linear(node, geometry);
  stage.kind = StageKind::product;
  stage.x = x;
  stage.y = y;
  return stage;
}

i32 Lowering::emit(Stage stage) {
  out_.stages.push_back(std::move(stage));
  return i32(std::ssize(out_.stages) - 1);
}

Geometry dense_geometry(const Dims& dims) {
  const i64 rank = std::ssize(dims);
  Geometry g;
  if (rank == 4 && dims[0] == 1) {
    g.channels = dims[1], g.height = dims[2], g.width = dims[3];
  } else if (rank == 3 && dims[0] == 1) {
    g.channels = dims[1], g.width = dims[2];
  } else {
    g.channels = element_count(dims);
  }
  g.plane_height = g.height, g.plane_width = g.width;
  return g;
}

Geometry strided_geometry(const Geometry& in, const Dims& out, i64 stride_y, i64 stride_x) {
  Geometry g = dense_geometry(out);
  if (g.height == 1 && in.height == 1 && stride_x == 1) stride_y = 1;
  if (stride_y != stride_x || std::ssize(out) != 4) return g;
  g.gap = in.gap * stride_x;
  g.plane_height = std::max(in.plane_height, g.height * g.gap);
  g.plane_width = std::max(in.plane_width, g.width * g.gap);
  return g;
}

std::vector<i64> broadcast_source(const Dims& from, const Dims& to) {
  const i64 rank = std::ssize(to), lead = rank - std::ssize(from);
  std::vector<i64> step(size_t(rank), 0), source;
  i64 stride = 1;
  for (i64 a = std::ssize(from) - 1; a >= 0; --a) {
    step[size_t(a + lead)] = from[size_t(a)] == 1 ? 0 : stride;
    stride *= from[size_t(a)];
  }
  Dims at(size_t(rank), 0);
  const i64 count = element_count(to);
  source.reserve(size_t(count));
  for (i64 i = 0, offset = 0; i < count; ++i) {
    source.push_back(offset);
    for (i64 a = rank - 1; a >= 0; --a) {
      offset += step[size_t(a)];
      if (++at[size_t(a)] < to[size_t(a)]) break;
      offset -= step[size_t(a)] * at[size_t(a)];
      at[size_t(a)] = 0;
    }
  }
  return source;
}

std::vector<double> broadcast_values(const Tensor& tensor, const Dims& to) {
  std::vector<double> values;
  for (i64 s : broadcast_source(tensor.dims(), to)) values.push_back(tensor.as_double(s));
  return values;
}

std::shared_ptr<const SparseMatrix> share(SparseMatrix m) {
  return std::make_shared<const SparseMatrix>(std::move(m));
}

void require_one_image(const Lowering& l, NodeId node, const Dims& input) {
  if (!input.empty() && input[0] != 1)
    refuse(l, node,
           "a batch of " + std::to_string(input[0]) +
               " inside the network; take the parts apart with Slice or Split");
}

void refuse(const Lowering& l, NodeId node, std::string_view why) {
  fail(ErrorKind::unsupported, "encrypted compilation: ", l.describe(node), ": ", why);
}

}  // namespace detail

namespace {

struct Row {
  Op op;
  detail::Lower lower;
};

constexpr Row kRows[] = {
    {Op::Conv, detail::lower_conv},
    {Op::ConvTranspose, detail::lower_conv_transpose},
    {Op::Gemm, detail::lower_gemm},
    {Op::MatMul, detail::lower_matmul},
    {Op::AveragePool, detail::lower_average_pool},
    {Op::GlobalAveragePool, detail::lower_global_average_pool},
    {Op::ReduceMean, detail::lower_reduce},
    {Op::ReduceSum, detail::lower_reduce},
    {Op::ReduceSumSquare, detail::lower_reduce},
    {Op::BatchNormalization, detail::lower_channel_affine},
    {Op::ChannelAffine, detail::lower_channel_affine},
    {Op::ChannelQuadratic, detail::lower_channel_quadratic},
    {Op::Add, detail::lower_add},
    {Op::Sub, detail::lower_add},
    {Op::Mul, detail::lower_multiply},
    {Op::Div, detail::lower_multiply},
    {Op::Pow, detail::lower_power},
    {Op::Neg, detail::lower_negate},
    {Op::Identity, detail::lower_move},
    {Op::Dropout, detail::lower_move},
    {Op::Cast, detail::lower_move},
    {Op::Slice, detail::lower_move},
    {Op::Reshape, detail::lower_move},
    {Op::Flatten, detail::lower_move},
    {Op::Transpose, detail::lower_move},
    {Op::Squeeze, detail::lower_move},
    {Op::Unsqueeze, detail::lower_move},
    {Op::Concat, detail::lower_move},
    {Op::Pad, detail::lower_move},
    {Op::Split, detail::lower_move},
    {Op::Gather, detail::lower_move},
    {Op::Expand, detail::lower_move},
    {Op::Where, detail::lower_move},
};

std::string_view advice(Op op) {
  switch (op) {
    case Op::Relu:
    case Op::LeakyRelu:
    case Op::Clip:
    case Op::Abs:
      return "replace it by a HerPN activation (three BatchNormalizations, a quadratic after "
             "fusion) and train again";
    case Op::Sigmoid:
    case Op::Tanh:
    case Op::Exp:
    case Op::Log:
    case Op::Sqrt:
      return "replace it by a quadratic activation (HerPN) and train again; at the end of the "
             "network cut it and let the client apply it to the decrypted result";
    case Op::MaxPool:
      return "use AveragePool instead and train again";
    case Op::Softmax:
      return "cut it from the model and let the client apply it to the decrypted logits; the "
             "class is the same without it";
    case Op::Equal:
      return "comparisons have no encrypted form; leave them to the client";
    default:
      return "it has no encrypted form; only additions, products and linear maps have one";
  }
}

/// Evaluates a node whose inputs are all constants, or that asks for a static shape only.
bool fold(detail::Lowering& l, NodeId id) {
  const Graph& g = l.graph();
  const Node& node = g.node(id);
  if (node.op == Op::Shape) {
    const ValueType& type = g.value(node.outputs[0]).type;
    std::vector<i64> content;
    if (!type.dims) return false;
    for (const Dim& d : *type.dims) {
      if (!d.value()) return false;
      content.push_back(*d.value());
    }
    l.set_constant(node.outputs[0], Tensor::of<i64>({std::ssize(content)}, content));
    return true;
  }
  std::vector<const Tensor*> inputs;
  for (ValueId v : node.inputs) {
    inputs.push_back(v.valid() ? l.constant(v) : nullptr);
    if (v.valid() && inputs.back() == nullptr) return false;
  }
  std::vector<Tensor> results =
      evaluate_op(node.op, node.attributes, inputs, std::ssize(node.outputs), g.describe(id));
  for (size_t i = 0; i < results.size(); ++i)
    l.set_constant(node.outputs[i], std::move(results[i]));
  return true;
}

}  // namespace

StageGraph lower(const Graph& graph) {
  require(graph.inputs().size() == 1, ErrorKind::unsupported,
          "encrypted compilation: expected a model with one input, found ", graph.inputs().size());
  require(graph.outputs().size() == 1, ErrorKind::unsupported,
          "encrypted compilation: expected a model with one output, found ",
          graph.outputs().size());
  const ValueId input = graph.inputs()[0];
  require(is_float(graph.dtype(input)), ErrorKind::unsupported,
          "encrypted compilation: expected a floating-point input, found ",
          name(graph.dtype(input)), " for \"", graph.value(input).name, "\"");
  StageGraph out;
  detail::Lowering l(graph, out);
  out.input_name = graph.value(input).name;
  out.input_dims = l.dims(input);
  l.add_input(input);
  for (NodeId id : graph.topological_order()) {
    if (fold(l, id)) continue;
    const Op op = graph.node(id).op;
    const Row* row =
        std::find_if(std::begin(kRows), std::end(kRows), [op](const Row& r) { return r.op == op; });
    if (row == std::end(kRows))
      detail::refuse(l, id,
                     std::string(name(op)) + " cannot be encrypted: " + std::string(advice(op)));
    row->lower(l, id);
  }
  const GraphOutput& result = graph.outputs()[0];
  require(l.constant(result.value) == nullptr, ErrorKind::unsupported,
          "encrypted compilation: output \"", result.name, "\" does not depend on the input");
  out.output_name = result.name;
  out.output_dims = l.dims(result.value);
  out.output = l.stage(result.value);
  drop_dead(out);
  verify(out);
  return out;
}

}  // namespace sinter::encrypted
