// SPDX-License-Identifier: Apache-2.0
// The operator table: what every operator is called, how many inputs it takes, which attributes it
// knows, how it infers types and shapes, and what it computes. graph/ops is the meaning of
// operators: constant folding, tests, the encrypted simulator and the runtime's fallback share it.
//
// Beside ONNX's operators there are two of domain "sinter", products of fusion. Their parameters
// are tensors [C,1,...,1] of rank(x) - 1, so that plain broadcasting lines them up with axis 1:
//   ChannelQuadratic(x, a, b, c)  y = (a*x + b)*x + c       a fused HerPN activation
//   ChannelAffine(x, s, t)        y = s*x + t               a BatchNormalization in inference
// And there is Opaque, a node of an operator that sinter does not know: it keeps its name, domain
// and attributes (op_type, domain, and proto: the attributes as the file has them) and cannot be
// run; `reason` says why. `version` is the ONNX operator set it was written for (0 = does not
// matter), `names` how its raw subgraphs call the captures, `absent` which outputs it leaves out.
//
// Bodies of control-flow operators are closed: what they capture of the graph around them are
// trailing inputs of the node and of the body, and the attribute `captures` says how many.
//   If(cond, captures...)             both branches take the captures
//   Loop(M, cond, state..., captures...)   body (iteration, cond, state..., captures...)
//   Scan(state..., scanned..., captures...)   body the same
#pragma once
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "graph/attributes.h"
#include "graph/dim.h"
#include "graph/tensor.h"

namespace sinter {

enum class Op : int {
#define SINTER_OP(op, code, ...) op = code,
#include "graph/ops/table.inc"
#undef SINTER_OP
};

/// What inference knows of one value. `dims` is the symbolic content of a small integer tensor
/// (rank 0 or 1, at most 64 elements), so that Shape -> Gather -> Concat -> Reshape stays exact.
struct ValueType {
  DType dtype = DType::none;
  std::optional<Shape> shape;
  std::optional<std::vector<Dim>> dims;
  /// What a sequence or optional holds; nullptr when that is not known.
  std::shared_ptr<const ValueType> element = nullptr;
};
/// Same element type, and shape, content and element either both unknown or the same.
bool same_type(const ValueType& a, const ValueType& b);

/// Type and shape inference of one node. An infer function reads inputs and writes outputs; what it
/// cannot know it leaves empty; what is contradictory it reports with fail().
class InferContext {
 public:
  InferContext(std::string_view node, const Attributes& attributes,
               std::span<const ValueType> inputs, std::span<const Tensor* const> constants,
               std::span<ValueType> outputs)
      : node_(node),
        attributes_(attributes),
        inputs_(inputs),
        constants_(constants),
        outputs_(outputs) {}

  std::string_view node() const { return node_; }  ///< for messages
  i64 input_count() const { return std::ssize(inputs_); }
  i64 output_count() const { return std::ssize(outputs_); }
  /// False for a trailing or "" input.
  bool has(i64 i) const { return i < input_count() && inputs_[size_t(i)].dtype != DType::none; }
  const ValueType& input(i64 i) const { return inputs_[size_t(i)]; }
  /// nullptr when unknown rank.
  const Shape* shape(i64 i) const { return has(i) && input(i).shape ? &*input(i).shape : nullptr; }
  /// The tensor when input i is a constant, else nullptr.
  const Tensor* constant(i64 i) const { return has(i) ? constants_[size_t(i)] : nullptr; }
  /// Integer content as expressions: from the constant or from `dims`; nullopt when neither.
  std::optional<std::vector<Dim>> int_values(i64 i) const;
  ValueType& output(i64 i) { return outputs_[size_t(i)]; }
  const Attributes& attributes() const { return attributes_; }

  /// throws  Error(bad_input) "<node>: <parts>"
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    require(ok, ErrorKind::bad_input, node_, ": ", parts...);
  }

 private:
  std::string_view node_;
  const Attributes& attributes_;
  std::span<const ValueType> inputs_;
  std::span<const Tensor* const> constants_;
  std::span<ValueType> outputs_;
};

/// One evaluation. Absent optional inputs are nullptr.
struct EvalContext {
  std::string_view node;  ///< for messages
  const Attributes& attributes;
  std::span<const Tensor* const> inputs;
  i64 outputs;  ///< how many the node has
  // What a body inherits of the evaluation around it.
  bool widened = false;      ///< float32 is float64
  i64* body_runs = nullptr;  ///< how often bodies may still run, over the whole evaluation

  bool has(i64 i) const { return i < std::ssize(inputs) && inputs[size_t(i)] != nullptr; }
  const Tensor& in(i64 i) const { return *inputs[size_t(i)]; }
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    require(ok, ErrorKind::bad_input, node, ": ", parts...);
  }
};

struct OpInfo {
  Op op;
  std::string_view name;
  int min_inputs, max_inputs;  ///< max -1 = any
  int min_outputs, max_outputs;
  int opset;                    ///< 0 = domain "sinter"
  std::string_view attributes;  ///< "alpha:f axis:i"
  void (*infer)(InferContext&);
  std::vector<Tensor> (*evaluate)(const EvalContext&);
};

std::span<const OpInfo> all_ops();
const OpInfo& info(Op op);
inline std::string_view name(Op op) { return info(op).name; }
/// The operator set that has the operator: "" (ONNX's own), "sinter" for codes from 1000, or
/// "ai.onnx.preview.training" for codes from 900.
std::string_view domain_of(Op op);
/// The operator of that name in any of these domains; names do not repeat.
std::optional<Op> find_op(std::string_view name);
std::optional<Op> find_op(int code);
/// 'i', 'f', ..., 'g'; 0 when the operator has no such attribute.
char attribute_kind(const OpInfo& op, std::string_view attribute);

}  // namespace sinter
