// SPDX-License-Identifier: Apache-2.0
// Removes nodes whose result is one of their inputs, bit for bit.
//
//   Identity(x)  Dropout(x) in inference, mask unused  Cast(x) to its own type
//   Cast(Cast(x)) back to the type of x through a type that holds all of it
//   Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Expand that keep shape and order
//   Slice of everything   Pad by nothing   Concat of one   Split into one   Clip without bounds
//   x*1  1*x  x/1  x^1  x-0  x+0  0+x   ChannelAffine(x, 1, 0)   Where(true, x, .)
//   Relu after Relu, Sigmoid, Softmax, Exp, Abs of floats or a Clip from >= 0; Abs(Abs(x));
//   Neg(Neg(x)); Clip after a Clip with the same bounds
//
// Legality: the constant of an arithmetic unit must not enlarge x (ones [3,4] times x [4] does):
// its shape broadcasts into that of x, by symbolic equality. Shapes are "the same" when their
// canonical expressions are; a Reshape target of 0s and at most one -1 keeps even an unknown shape.
// A Slice end counts as everything when it is at least the dimension or at least 2^31 - 1. x+0 with
// a positive zero turns -0 into +0; that difference in the sign of zero is accepted. Else exact
// (E0).

#include <algorithm>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/passes.h"

namespace sinter {
namespace {

constexpr ValueId kNone;

bool same_shape(const Graph& g, ValueId a, ValueId b) {
  return g.shape(a) && g.shape(b) && same(*g.shape(a), *g.shape(b));
}

/// True when every element of constant `v` is `number`.
bool is_filled_with(const Graph& g, ValueId v, double number) {
  const Tensor* t = g.constant(v);
  if (t == nullptr || t->size() == 0 || t->dtype() == DType::string) return false;
  if (t->as_double(0) != number) return false;
  for (i64 i = 1; i < t->size(); ++i)
    if (t->as_double(i) != number) return false;
  return true;
}

/// x when `unit` is a constant full of `number` that does not enlarge x.
ValueId with_unit(const Graph& g, ValueId x, ValueId unit, double number) {
  if (!is_filled_with(g, unit, number) || !g.shape(x)) return kNone;
  return passes::broadcasts_into(to_shape(g.constant(unit)->dims()), *g.shape(x)) ? x : kNone;
}

ValueId arithmetic_unit(const Graph& g, const Node& n) {
  const ValueId a = n.inputs[0], b = n.inputs[1];
  switch (n.op) {
    case Op::Add: {
      const ValueId left = with_unit(g, a, b, 0);
      return left.valid() ? left : with_unit(g, b, a, 0);
    }
    case Op::Mul: {
      const ValueId left = with_unit(g, a, b, 1);
      return left.valid() ? left : with_unit(g, b, a, 1);
    }
    case Op::Sub:
      return with_unit(g, a, b, 0);
    case Op::Div:
    case Op::Pow:
      return with_unit(g, a, b, 1);
    default:
      return kNone;
  }
}

/// True when every value of `from` is a value of `to`.
bool holds_all_of(DType to, DType from) {
  if (from == to) return true;
  const i64 from_bits = 8 * element_size(from), to_bits = 8 * element_size(to);
  if (from == DType::boolean) return is_integer(to) || is_float(to);
  if (is_float(from) && is_float(to))
    return to == DType::f64 || (to == DType::f32 && from_bits < 32);
  if (!is_integer(from)) return false;
  const bool from_signed =
      from == DType::i8 || from == DType::i16 || from == DType::i32 || from == DType::i64;
  if (is_float(to)) {
    const i64 exact = to == DType::f64 ? 53 : to == DType::f32 ? 24 : to == DType::f16 ? 11 : 8;
    return from_bits - (from_signed ? 1 : 0) <= exact;
  }
  const bool to_signed =
      to == DType::i8 || to == DType::i16 || to == DType::i32 || to == DType::i64;
  if (from_signed) return to_signed && from_bits <= to_bits;
  return to_signed ? from_bits < to_bits : from_bits <= to_bits;
}

ValueId cast(const Graph& g, const Node& n) {
  const ValueId x = n.inputs[0];
  const DType to = g.dtype(n.outputs[0]);
  if (to == g.dtype(x)) return x;
  const Node* before = g.producer(x);
  if (before == nullptr || before->op != Op::Cast) return kNone;
  const ValueId source = before->inputs[0];
  return g.dtype(source) == to && holds_all_of(g.dtype(x), to) ? source : kNone;
}

/// True when the axes longer than 1 keep their order.
ValueId transpose(const Graph& g, const Node& n) {
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  std::vector<i64> perm = n.attributes.integers("perm");
  if (perm.empty() && (!shape || shape->size() > 1)) return kNone;
  if (std::is_sorted(perm.begin(), perm.end())) return n.inputs[0];
  if (!shape || !same_shape(g, n.inputs[0], n.outputs[0])) return kNone;
  std::erase_if(perm, [&](i64 axis) { return (*shape)[size_t(axis)].is(1); });
  return std::is_sorted(perm.begin(), perm.end()) ? n.inputs[0] : kNone;
}

/// A constant Reshape target that copies every dimension but at most one.
bool target_copies(const Graph& g, const Node& n) {
  const Tensor* target = g.constant(n.inputs[1]);
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (target == nullptr || !shape || target->size() != std::ssize(*shape)) return false;
  if (n.attributes.integer("allowzero", 0) != 0) return false;
  i64 inferred = 0;
  for (i64 i = 0; i < target->size(); ++i) {
    const i64 entry = target->as_int(i);
    if (entry == -1)
      ++inferred;
    else if (entry != 0 && !(*shape)[size_t(i)].is(entry))
      return false;
  }
  return inferred <= 1;
}

ValueId reshape(const Graph& g, const Node& n) {
  if (same_shape(g, n.inputs[0], n.outputs[0])) return n.inputs[0];
  const std::optional<Shape>&in = g.shape(n.inputs[0]), &out = g.shape(n.outputs[0]);
  if (n.op == Op::Reshape && target_copies(g, n)) return n.inputs[0];
  if (n.op != Op::Expand && in && out && in->size() == 1 && out->size() == 1) return n.inputs[0];
  return kNone;
}

ValueId slice(const Graph& g, const Node& n) {
  const auto list = [&](size_t i) -> std::optional<std::vector<i64>> {
    if (i >= n.inputs.size() || !n.inputs[i].valid()) return std::vector<i64>{};
    const Tensor* t = g.constant(n.inputs[i]);
    return t == nullptr ? std::nullopt : std::optional(t->as_ints());
  };
  const auto starts = list(1), ends = list(2), axes = list(3), steps = list(4);
  if (!axes || !steps) return kNone;
  if (std::any_of(steps->begin(), steps->end(), [](i64 s) { return s != 1; })) return kNone;
  if (same_shape(g, n.inputs[0], n.outputs[0])) return n.inputs[0];
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (!starts || !ends) return kNone;
  for (size_t i = 0; i < starts->size(); ++i) {
    if ((*starts)[i] != 0 || (*ends)[i] < 0) return kNone;
    if ((*ends)[i] >= std::numeric_limits<i32>::max()) continue;
    if (!shape) return kNone;
    const i64 rank = std::ssize(*shape);
    const i64 axis = axes->empty() ? i64(i) : passes::normalized((*axes)[i], rank);
    const std::optional<i64> dim = (*shape)[size_t(axis)].value();
    if (!dim || (*ends)[i] < *dim) return kNone;
  }
  return n.inputs[0];
}

bool same_constant_or_absent(const Graph& g, const Node& a, const Node& b, size_t i) {
  const ValueId x = i < a.inputs.size() ? a.inputs[i] : kNone;
  const ValueId y = i < b.inputs.size() ? b.inputs[i] : kNone;
  if (!x.valid() || !y.valid()) return !x.valid() && !y.valid();
  if (x == y) return true;
  return g.constant(x) && g.constant(y) && identical(*g.constant(x), *g.constant(y));
}

bool is_never_negative(const Graph& g, const Node& n) {
  switch (n.op) {
    case Op::Relu:
    case Op::Sigmoid:
    case Op::Softmax:
    case Op::Exp:
      return true;
    case Op::Abs:  // of the least integer is that integer
      return is_float(g.dtype(n.outputs[0]));
    case Op::Clip: {
      const Tensor* low = n.inputs.size() > 1 ? g.constant(n.inputs[1]) : nullptr;
      const Tensor* high = n.inputs.size() > 2 ? g.constant(n.inputs[2]) : nullptr;
      const bool has_high = n.inputs.size() > 2 && n.inputs[2].valid();
      return low != nullptr && low->as_double(0) >= 0 &&
             (!has_high || (high != nullptr && high->as_double(0) >= 0));
    }
    default:
      return false;
  }
}

/// f(f(x)) = f(x), and Neg(Neg(x)) = x.
ValueId repeated(const Graph& g, const Node& n) {
  const Node* before = g.producer(n.inputs[0]);
  if (before == nullptr || before->outputs[0] != n.inputs[0]) return kNone;
  switch (n.op) {
    case Op::Relu:
      return is_never_negative(g, *before) ? n.inputs[0] : kNone;
    case Op::Abs:
      return before->op == Op::Abs ? n.inputs[0] : kNone;
    case Op::Neg:
      return before->op == Op::Neg ? before->inputs[0] : kNone;
    case Op::Clip:
      return before->op == Op::Clip && same_constant_or_absent(g, n, *before, 1) &&
                     same_constant_or_absent(g, n, *before, 2)
                 ? n.inputs[0]
                 : kNone;
    default:
      return kNone;
  }
}

bool is_inference_dropout(const Graph& g, const Node& n) {
  if (!passes::only_first_output_used(g, n)) return false;
  if (n.inputs.size() < 3 || !n.inputs[2].valid()) return true;
  const Tensor* training = g.constant(n.inputs[2]);
  return training != nullptr && training->as_int(0) == 0;
}

bool is_zero_pad(const Graph& g, const Node& n) {
  const Tensor* pads = g.constant(n.inputs[1]);
  if (pads == nullptr) return false;
  const std::vector<i64> list = pads->as_ints();
  return std::all_of(list.begin(), list.end(), [](i64 p) { return p == 0; });
}

bool has_input(const Node& n, size_t i) { return i < n.inputs.size() && n.inputs[i].valid(); }

/// The input that the first output of `n` equals, or an invalid id.
ValueId equal_input(const Graph& g, const Node& n) {
  switch (n.op) {
    case Op::Identity:
      return n.inputs[0];
    case Op::Dropout:
      return is_inference_dropout(g, n) ? n.inputs[0] : kNone;
    case Op::Cast:
      return cast(g, n);
    case Op::Transpose:
      return transpose(g, n);
    case Op::Reshape:
    case Op::Flatten:
    case Op::Squeeze:
    case Op::Unsqueeze:
    case Op::Expand:
      return reshape(g, n);
    case Op::Slice:
      return slice(g, n);
    case Op::Pad:
      return is_zero_pad(g, n) ? n.inputs[0] : kNone;
    case Op::Concat:
      return n.inputs.size() == 1 ? n.inputs[0] : kNone;
    case Op::Split:
      return n.outputs.size() == 1 ? n.inputs[0] : kNone;
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Div:
    case Op::Pow:
      return arithmetic_unit(g, n);
    case Op::ChannelAffine:
      return is_filled_with(g, n.inputs[1], 1) && is_filled_with(g, n.inputs[2], 0) &&
                     same_shape(g, n.inputs[0], n.outputs[0])
                 ? n.inputs[0]
                 : kNone;
    case Op::Where:
      return is_filled_with(g, n.inputs[0], 1) && same_shape(g, n.inputs[1], n.outputs[0])
                 ? n.inputs[1]
                 : kNone;
    case Op::Clip:
      return !has_input(n, 1) && !has_input(n, 2) ? n.inputs[0] : repeated(g, n);
    case Op::Relu:
    case Op::Abs:
    case Op::Neg:
      return repeated(g, n);
    default:
      return kNone;
  }
}

}  // namespace

PassStats eliminate_identity_ops(Graph& graph) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    if (!graph.alive(id)) continue;
    const Node& node = graph.node(id);
    const ValueId input = equal_input(graph, node);
    if (!input.valid() || graph.use_count(node.outputs[0]) == 0) continue;
    passes::replace_and_erase(graph, node.outputs[0], input);
    ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
