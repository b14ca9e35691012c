// SPDX-License-Identifier: Apache-2.0
#include "encrypted/graph_levels.h"

#include <algorithm>

namespace sinter::encrypted {
namespace {

/// What is known of a value that depends on the input.
struct Height {
  int levels = 0;
  bool by_client = false;  ///< elements of the input, which the client selects
};

class Counter {
 public:
  explicit Counter(const Graph& graph)
      : g_(graph), height_(size_t(graph.value_bound())), constant_(height_.size(), false) {}

  std::optional<int> run() {
    if (g_.inputs().size() != 1 || g_.outputs().size() != 1) return std::nullopt;
    for (ValueId v : g_.constants()) constant_[size_t(v.index)] = true;
    at(g_.inputs()[0]).by_client = true;
    for (NodeId id : g_.topological_order()) {
      const Node& node = g_.node(id);
      const bool fixed = node.op == Op::Shape ||
                         std::all_of(node.inputs.begin(), node.inputs.end(),
                                     [&](ValueId v) { return !v.valid() || is_constant(v); });
      if (fixed) {
        for (ValueId v : node.outputs) constant_[size_t(v.index)] = true;
        continue;
      }
      const std::optional<Height> h = result(node);
      if (!h) return std::nullopt;
      for (ValueId v : node.outputs) at(v) = *h;
    }
    return at(g_.outputs()[0].value).levels;
  }

 private:
  Height& at(ValueId v) { return height_[size_t(v.index)]; }
  bool is_constant(ValueId v) const { return constant_[size_t(v.index)]; }

  std::optional<Dims> dims(ValueId v) const {
    const auto& shape = g_.shape(v);
    return shape ? static_dims(*shape) : std::nullopt;
  }
  std::optional<i64> size(ValueId v) const {
    const auto d = dims(v);
    return d ? std::optional(element_count(*d)) : std::nullopt;
  }

  /// The elements of a constant, also behind nodes that a later pass will fold away; nullptr where
  /// they are not as given.
  const Tensor* elements(ValueId v) const {
    const Tensor* t = g_.constant(v);
    while (t == nullptr && is_constant(v)) {
      const Node* node = g_.producer(v);
      const bool keeps = node != nullptr && (node->op == Op::Identity || node->op == Op::Reshape ||
                                             node->op == Op::Flatten || node->op == Op::Squeeze ||
                                             node->op == Op::Unsqueeze || node->op == Op::Expand);
      if (!keeps) break;
      v = node->inputs[0];
      t = g_.constant(v);
    }
    return t;
  }

  /// Constants that turn at most signs.
  bool is_sign(ValueId v) const {
    const Tensor* t = elements(v);
    if (t == nullptr) return false;
    for (i64 i = 0; i < t->size(); ++i)
      if (std::abs(t->as_double(i)) != 1) return false;
    return true;
  }

  int highest(const Node& node) {
    int levels = 0;
    for (ValueId v : node.inputs)
      if (v.valid() && !is_constant(v)) levels = std::max(levels, at(v).levels);
    return levels;
  }

  std::optional<Height> result(const Node& node) {
    const int levels = highest(node);
    switch (node.op) {
      case Op::Conv:
      case Op::ConvTranspose:
      case Op::Gemm:
      case Op::MatMul:
      case Op::AveragePool:
      case Op::GlobalAveragePool:
      case Op::ReduceMean:
      case Op::ReduceSum:
      case Op::BatchNormalization:
      case Op::Pow:
        return Height{levels + 1};
      case Op::ReduceSumSquare:
        return Height{levels + 2};
      case Op::ChannelAffine:
        return Height{levels + (is_sign(node.inputs[1]) ? 0 : 1)};
      case Op::ChannelQuadratic:
        return Height{levels + (is_sign(node.inputs[1]) ? 1 : 2)};
      case Op::Add:
      case Op::Sub:
        return sum(node, levels);
      case Op::Mul:
      case Op::Div:
        return times(node, levels);
      case Op::Neg:
        return Height{levels};
      case Op::Identity:
      case Op::Dropout:
      case Op::Cast:
      case Op::Reshape:
      case Op::Flatten:
      case Op::Squeeze:
      case Op::Unsqueeze:
        return at(node.inputs[0]);
      case Op::Slice:
      case Op::Split:
      case Op::Pad:
      case Op::Gather:
      case Op::Expand:
      case Op::Transpose:
      case Op::Concat:
      case Op::Where:
        return move(node, levels);
      default:
        return std::nullopt;
    }
  }

  std::optional<Height> sum(const Node& node, int levels) {
    const auto out = size(node.outputs[0]);
    bool is_free = node.inputs[0] != node.inputs[1];
    for (ValueId v : node.inputs) {
      if (is_constant(v)) continue;
      const auto in = size(v);
      if (!in || !out) return std::nullopt;
      is_free = is_free && *in == *out;
    }
    return Height{levels + (is_free ? 0 : 1)};
  }

  std::optional<Height> times(const Node& node, int levels) {
    const auto out = size(node.outputs[0]);
    if (!out) return std::nullopt;
    const bool left = is_constant(node.inputs[0]), right = is_constant(node.inputs[1]);
    if (left || right) {
      if (left && node.op == Op::Div) return std::nullopt;
      const bool same = size(node.inputs[left ? 1 : 0]) == out;
      return Height{levels + (same && is_sign(node.inputs[left ? 0 : 1]) ? 0 : 1)};
    }
    if (node.op == Op::Div) return std::nullopt;
    for (ValueId v : node.inputs)  // what is smaller is copied to all elements by a matrix first
      levels = std::max(levels, at(v).levels + (size(v) == out ? 0 : 1));
    return Height{levels + 1};
  }

  /// Operators that move elements: by the client where they only select from the input.
  std::optional<Height> move(const Node& node, int levels) {
    if (node.op == Op::Concat || node.op == Op::Where) return Height{levels + 1};
    const auto in = dims(node.inputs[0]), out = dims(node.outputs[0]);
    if (!in || !out) return std::nullopt;
    const bool adds = node.op == Op::Pad && node.inputs.size() > 2 && node.inputs[2].valid() &&
                      !is_zero(node.inputs[2]);
    const bool stays =
        node.op == Op::Transpose ? keeps_order(node, *in) : *in == *out && node.op != Op::Gather;
    if (stays) return at(node.inputs[0]);
    const bool by_client = at(node.inputs[0]).by_client && !adds;
    return Height{by_client ? levels : levels + 1, by_client};
  }

  bool is_zero(ValueId v) const {
    const Tensor* t = elements(v);
    for (i64 i = 0; t != nullptr && i < t->size(); ++i)
      if (t->as_double(i) != 0) return false;
    return t != nullptr;
  }

  /// A transposition that moves axes of one element only.
  static bool keeps_order(const Node& node, const Dims& in) {
    std::vector<i64> axes = node.attributes.integers("perm");
    for (i64 a = std::ssize(in) - 1; axes.size() < in.size() && a >= 0; --a) axes.push_back(a);
    std::erase_if(axes, [&](i64 a) { return in[size_t(a)] == 1; });
    return std::is_sorted(axes.begin(), axes.end());
  }

  const Graph& g_;
  std::vector<Height> height_;
  std::vector<bool> constant_;
};

}  // namespace

std::optional<int> graph_levels(const Graph& graph) { return Counter(graph).run(); }

}  // namespace sinter::encrypted
