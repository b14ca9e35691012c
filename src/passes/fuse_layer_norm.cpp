// SPDX-License-Identifier: Apache-2.0
// Recognizes normalization over the last dimensions.
//
//   before   m = ReduceMean(x); d = x - m; v = ReduceMean(d*d); y = d / Sqrt(v + e) * gamma + beta
//   after    y = LayerNormalization(x, gamma, beta)   axis, epsilon = e       from opset 17 on
//
//   before   y = x / Sqrt(ReduceMean(x*x) + e) * gamma
//   after    y = RMSNormalization(x, gamma)                                   from opset 23 on
//
// Spellings: d computed once or twice; d*d or Pow(d, 2), ReduceSumSquare(d) / n; division by the
// root, times its reciprocal, Pow(., -0.5); gamma before or after the division, or multiplied with
// the reciprocal first (then beta - m*that, too); beta absent; float16 input cast to float32 before
// and back before gamma.
//
// Legality (K, S, U1, T): both means over the same axes, which are the last ones, keepdims = 1;
// rank and normalized dimensions known; gamma and beta have exactly the normalized dimensions, as
// constants also more ones in front or one element; nothing outside reads m, d, v, ...; not
// float64, for which LayerNormalization would compute in float32. Without gamma a constant of ones
// is added. The variance is the same sum by another kernel (E2).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/refuse.h"

namespace sinter {
namespace {

using passes::Match;

/// The last dimensions that every ReduceMean of the match normalizes over; nullopt when they
/// differ, are not the last ones, or the reduced dimensions are dropped.
std::optional<Shape> normalized_dims(const Graph& g, const Match& m, ValueId x) {
  if (!g.shape(x)) return std::nullopt;
  const Shape& shape = *g.shape(x);
  std::optional<std::vector<i64>> axes;
  for (NodeId id : m.nodes) {
    const Node& node = g.node(id);
    if (node.op != Op::ReduceMean && node.op != Op::ReduceSumSquare) continue;
    const auto own = passes::reduced_axes(g, node);
    if (!own || node.attributes.integer("keepdims", 1) != 1 || (axes && axes != own))
      return std::nullopt;
    axes = own;
  }
  if (!axes || axes->empty() || std::ssize(shape) < std::ssize(*axes)) return std::nullopt;
  const size_t first = shape.size() - axes->size();
  for (size_t i = 0; i < axes->size(); ++i)
    if ((*axes)[i] != i64(first + i)) return std::nullopt;
  Shape last(shape.begin() + i64(first), shape.end());
  const bool known =
      std::all_of(last.begin(), last.end(), [](const Dim& d) { return d.is_known(); });
  return known ? std::optional(last) : std::nullopt;
}

/// A factor or summand as a tensor of exactly `dims`: itself, or a constant made from it.
ValueId parameter(Graph& g, ValueId v, const Shape& dims, DType type) {
  if (g.dtype(v) != type || !g.shape(v)) return {};
  if (same(*g.shape(v), dims)) return v;
  const Tensor* constant = g.constant(v);
  const std::optional<Dims> numbers = static_dims(dims);
  if (constant == nullptr || !numbers || constant->rank() > 8) return {};
  const i64 count = element_count(*numbers);
  Shape tail = *g.shape(v);
  while (tail.size() > dims.size() && tail.front().is(1)) tail.erase(tail.begin());
  if (constant->size() == count && same(tail, dims))
    return g.add_constant(constant->clone().reshaped(*numbers));
  if (constant->size() != 1 || constant->rank() > std::ssize(dims) || count > 65536) return {};
  Tensor filled(type, *numbers);
  const i64 bytes = element_size(type);
  for (i64 i = 0; i < count; ++i)
    std::copy_n(constant->raw().begin(), bytes, filled.mutable_raw().begin() + i * bytes);
  return g.add_constant(std::move(filled));
}

ValueId ones(Graph& g, const Shape& dims, DType type) {
  const std::optional<Dims> numbers = static_dims(dims);
  if (!numbers || element_count(*numbers) > 65536) return {};
  Tensor filled = Tensor::of<float>({1}, {1.0f});
  const ValueId one = g.add_constant(convert(filled, type));
  const ValueId full = parameter(g, one, dims, type);
  if (full != one && g.use_count(one) == 0) g.erase_constant(one);
  return full;
}

/// The number of elements over which ReduceSumSquare was divided, when it was, is the right one.
bool divides_by_count(const Match& m, const Shape& dims) {
  if (m.numbers.find("n") == m.numbers.end()) return true;
  const std::optional<i64> count = element_count(dims).value();
  return count && double(*count) == m.number("n");
}

ValueId build(Graph& g, const Match& m, Op op) {
  const ValueId x = m.value("x");
  const DType type = g.dtype(x);
  const std::optional<Shape> dims = normalized_dims(g, m, x);
  if (!dims || !divides_by_count(m, *dims) || type == DType::f64 || !is_float(type)) return {};
  if (!(m.number("e") >= 0)) return {};
  const ValueId gamma =
      m.has("gamma") ? parameter(g, m.value("gamma"), *dims, type) : ones(g, *dims, type);
  if (!gamma.valid()) return {};
  std::vector<ValueId> inputs = {x, gamma};
  if (m.has("beta")) {
    inputs.push_back(parameter(g, m.value("beta"), *dims, type));
    if (!inputs.back().valid()) return {};
  }
  Attributes attributes = {{"axis", -std::ssize(*dims)}, {"epsilon", float(m.number("e"))}};
  return passes::add_like_root(g, m, op, inputs, attributes);
}

ValueId layer_norm(Graph& g, const Match& m) { return build(g, m, Op::LayerNormalization); }
ValueId rms_norm(Graph& g, const Match& m) { return build(g, m, Op::RMSNormalization); }

/// Only casts from float16 or bfloat16 to float32 and back; computing in float32 is the default.
ValueId layer_norm_between_casts(Graph& g, const Match& m) {
  for (NodeId cast : m.nodes_of(g, Op::Cast)) {
    const DType from = g.dtype(g.node(cast).inputs[0]), to = g.dtype(g.node(cast).outputs[0]);
    if (from != DType::f32 && to != DType::f32) return {};
  }
  return g.dtype(m.value("x")) == DType::f32 ? ValueId{} : layer_norm(g, m);
}

/// The parts of every spelling over x, the text of what is normalized: the mean m, the difference
/// d, the root r, its inverse i, and d / r as n.
std::string parts(const std::string& x, const std::string& difference) {
  return "@m=ReduceMean(" + x + ",?); @d=" + difference +
         "; @v={ReduceMean({Pow(@d,2)|Mul(@d,@d)},?)|Div(ReduceSumSquare(@d,?),$n)};"
         "@s=Add(@v,$e); @r={Sqrt(@s)|Pow(@s,0.5)};"
         "@i={Reciprocal(@r)|Div(1,@r)|Pow(@s,-0.5)}; @n={Div(@d,@r)|Mul(@d,@i)};";
}

const std::vector<passes::Refusion>& rows() {
  static const std::string plain = parts("x", "Sub(x,@m)");
  static const std::string cast = parts("Cast(x)", "Sub(Cast(x),@m)");
  static const std::string square = parts("x", "x");
  static const std::string scaled = "{Mul(@n,gamma)|Mul(@d,Mul(@i,gamma))|Div(Mul(@d,gamma),@r)}";
  static const std::vector<passes::Refusion> table = {
      {17, plain + "Add(Mul(x,Mul(@i,gamma)),Sub(beta,Mul(@m,Mul(@i,gamma))))", layer_norm},
      {17, plain + "Add(" + scaled + ",beta)", layer_norm},
      {17, cast + "Add(Mul(Cast(@n),gamma),beta)", layer_norm_between_casts},
      {17, cast + "Mul(Cast(@n),gamma)", layer_norm_between_casts},
      {17, plain + "Mul(@n,gamma)", layer_norm},
      {17, plain + "Mul(@d,Mul(@i,gamma))", layer_norm},
      {17, plain + "Div(Mul(@d,gamma),@r)", layer_norm},
      {17, plain + "Mul(@d,@i)", layer_norm},
      {17, plain + "Div(@d,@r)", layer_norm},
      {23, square + "Mul(@n,gamma)", rms_norm},
      {23, square + "Mul(x,Mul(@i,gamma))", rms_norm},
  };
  return table;
}

}  // namespace

PassStats fuse_layer_norm(Graph& graph, const PassOptions& options) {
  return passes::refuse(graph, options, "fuse_layer_norm", rows());
}

}  // namespace sinter
