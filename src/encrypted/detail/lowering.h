// SPDX-License-Identifier: Apache-2.0
// What the lowering of one operator works with: the node's inputs as stages or constants, and ways
// to add stages for its outputs.
#pragma once
#include <map>

#include "encrypted/stage.h"
#include "graph/graph.h"

namespace sinter::encrypted::detail {

/// thread: owned by one.
class Lowering {
 public:
  Lowering(const Graph& graph, StageGraph& out) : graph_(graph), out_(out) {}

  const Graph& graph() const { return graph_; }
  /// `Conv "layer1/conv"`.
  std::string describe(NodeId node) const { return graph_.describe(node); }

  /// The tensor when the value does not depend on the network's input, else nullptr.
  const Tensor* constant(ValueId value) const;
  bool has(const Node& node, i64 i) const {
    return i < std::ssize(node.inputs) && node.inputs[size_t(i)].valid();
  }
  Dims dims(ValueId value) const;

  /// The stage that holds a value of the graph.
  i32 stage(ValueId value) const { return stage_of_.at(value); }
  const Geometry& geometry(ValueId value) const {
    return out_.stages[size_t(stage(value))].geometry;
  }

  i32 add_input(ValueId value);
  void set_constant(ValueId value, Tensor tensor);
  /// A linear stage without terms yet, for output `i` of `node`.
  Stage linear(NodeId node, const Geometry& geometry) const;
  Stage product(NodeId node, const Geometry& geometry, i32 x, i32 y) const;
  i32 emit(Stage stage);
  void bind(ValueId value, i32 stage);
  void note(std::string text) { out_.notes.push_back(std::move(text)); }

 private:
  const Graph& graph_;
  StageGraph& out_;
  std::map<ValueId, i32> stage_of_;
  std::map<ValueId, Tensor> constants_;
};

/// Shifts in front of a square up to here cost less precision than the noise does
/// (lower_elementwise.cpp).
inline constexpr double kMaxShift = 0x1p18;

using Lower = void (*)(Lowering&, NodeId);

void lower_conv(Lowering&, NodeId);
void lower_conv_transpose(Lowering&, NodeId);
void lower_gemm(Lowering&, NodeId);
void lower_matmul(Lowering&, NodeId);
void lower_average_pool(Lowering&, NodeId);
void lower_global_average_pool(Lowering&, NodeId);
void lower_reduce(Lowering&, NodeId);
void lower_channel_affine(Lowering&, NodeId);  ///< BatchNormalization, ChannelAffine
void lower_channel_quadratic(Lowering&, NodeId);
void lower_add(Lowering&, NodeId);       ///< Add, Sub
void lower_multiply(Lowering&, NodeId);  ///< Mul, Div
void lower_power(Lowering&, NodeId);
void lower_negate(Lowering&, NodeId);
void lower_move(Lowering&, NodeId);  ///< everything that only moves elements

/// [1,C,H,W], [1,C,L] as an image of gap 1; anything else as a vector of channels.
Geometry dense_geometry(const Dims& dims);
/// The geometry of an image that a window of these strides makes from one of geometry `in`.
Geometry strided_geometry(const Geometry& in, const Dims& out, i64 stride_y, i64 stride_x);
/// source[i] = the element of a tensor `from` that lands in element i of `to` by broadcasting.
std::vector<i64> broadcast_source(const Dims& from, const Dims& to);
/// The constant's elements broadcast to `to`.
std::vector<double> broadcast_values(const Tensor& tensor, const Dims& to);
std::shared_ptr<const SparseMatrix> share(SparseMatrix m);
/// throws Error(unsupported) unless the first dimension is 1
void require_one_image(const Lowering& l, NodeId node, const Dims& input);
/// throws Error(unsupported) "<node>: <why>"
[[noreturn]] void refuse(const Lowering& l, NodeId node, std::string_view why);

}  // namespace sinter::encrypted::detail
