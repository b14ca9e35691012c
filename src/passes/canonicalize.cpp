// SPDX-License-Identifier: Apache-2.0
// One way of writing what can be written in several.
//
//   Add(2, x)                     Add(x, 2)             constant operands of commutative operators
//   Sum(a, b)                     Add(a, b)
//   Concat(...) axis=-1           Concat(...) axis=3    where the rank is known; also axes inputs
//   Transpose(x)                  Transpose(x) perm=[2,1,0]
//   Conv(...) group=1             Conv(...)             attributes at their defaults
//   Where(Not(c), a, b)           Where(c, b, a)
//   Pad(x, [1,1], v, [-1])        Pad(x, [0,1,0,1], v)  where the rank is known
//
// Nothing is computed differently (E0); later passes have fewer forms to know, and nodes that mean
// the same compare equal.
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

template <size_t N>
bool contains(const std::string_view (&names)[N], Op op) {
  return std::find(std::begin(names), std::end(names), name(op)) != std::end(names);
}

// -- operands ------------------------------------------------------------------------------------

constexpr std::string_view kCommutative[] = {"Add", "Mul", "And", "Or", "Xor", "Max", "Min", "Sum"};

bool constant_to_the_right(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  if (n.inputs.size() != 2 || !contains(kCommutative, n.op)) return false;
  if (g.constant(n.inputs[0]) == nullptr || g.constant(n.inputs[1]) != nullptr) return false;
  Rewrite rewrite(g, "constant_to_the_right", {id});
  g.set_inputs(id, {n.inputs[1], n.inputs[0]});
  return rewrite.commit();
}

bool sum_to_add(Graph& g, NodeId id) {
  const Node n = g.node(id);
  if (name(n.op) != "Sum" || n.inputs.size() != 2) return false;
  Rewrite rewrite(g, "sum_to_add", {id});
  const ValueId sum = g.node(g.add_node(Op::Add, n.inputs, {}, {}, n.name)).outputs[0];
  passes::replace_and_erase(g, n.outputs[0], sum);
  return rewrite.commit();
}

bool where_not(Graph& g, NodeId id) {
  const Node n = g.node(id);
  const Node* inverted =
      n.op == Op::Where ? passes::producer_of_kind(g, n.inputs[0], "Not") : nullptr;
  if (inverted == nullptr) return false;
  const NodeId dropped = g.value(n.inputs[0]).producer;
  Rewrite rewrite(g, "where_not", {dropped, id});
  g.set_inputs(id, {inverted->inputs[0], n.inputs[2], n.inputs[1]});
  passes::erase_if_dead(g, dropped);
  return rewrite.commit();
}

// -- axes ----------------------------------------------------------------------------------------

/// Operators whose attribute axis counts the dimensions of input 0.
constexpr std::string_view kAxisOfInput[] = {"Concat",
                                             "Split",
                                             "Gather",
                                             "GatherElements",
                                             "ScatterElements",
                                             "Softmax",
                                             "LogSoftmax",
                                             "Hardmax",
                                             "ArgMax",
                                             "ArgMin",
                                             "TopK",
                                             "Flatten",
                                             "CumSum",
                                             "LayerNormalization",
                                             "QuantizeLinear",
                                             "DequantizeLinear"};
/// Operators whose input 1 lists axes of input 0.
constexpr std::string_view kAxesInput[] = {
    "Squeeze",  "ReduceSum", "ReduceMean",   "ReduceMax",       "ReduceMin",      "ReduceProd",
    "ReduceL1", "ReduceL2",  "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"};

bool positive_axis(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  const i64 axis = n.attributes.has("axis") ? n.attributes.integer("axis", 0) : 0;
  if (axis >= 0 || !contains(kAxisOfInput, n.op) || !g.shape(n.inputs[0])) return false;
  Rewrite rewrite(g, "positive_axis", {id});
  g.set_attribute(id, "axis", axis + std::ssize(*g.shape(n.inputs[0])));
  return rewrite.commit();
}

/// The input that lists axes, and the rank that they count in; {-1, 0} when there is none.
std::pair<i64, i64> axes_input(const Graph& g, const Node& n) {
  if (!n.inputs[0].valid() || !g.shape(n.inputs[0])) return {-1, 0};
  const i64 rank = std::ssize(*g.shape(n.inputs[0]));
  if (n.op == Op::Slice) return {3, rank};
  if (contains(kAxesInput, n.op)) return {1, rank};
  if (n.op != Op::Unsqueeze || !g.shape(n.outputs[0])) return {-1, 0};
  return {1, std::ssize(*g.shape(n.outputs[0]))};
}

bool positive_axes(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  if (n.inputs.empty()) return false;
  const auto [index, rank] = axes_input(g, n);
  const Tensor* axes = index < 0 ? nullptr : g.constant(passes::input_or_none(n, size_t(index)));
  if (axes == nullptr || axes->size() > 64) return false;
  std::vector<i64> list = axes->as_ints();
  if (std::none_of(list.begin(), list.end(), [](i64 a) { return a < 0; })) return false;
  for (i64& a : list) a = passes::normalized(a, rank);
  const Tensor positive = Tensor::of<i64>({std::ssize(list)}, std::span<const i64>(list));
  Rewrite rewrite(g, "positive_axes", {id});
  g.set_input(id, index, g.add_constant(convert(positive, axes->dtype())));
  return rewrite.commit();
}

bool explicit_perm(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  if (n.op != Op::Transpose || n.attributes.has("perm") || !g.shape(n.inputs[0])) return false;
  std::vector<i64> perm;
  for (i64 a = std::ssize(*g.shape(n.inputs[0])) - 1; a >= 0; --a) perm.push_back(a);
  Rewrite rewrite(g, "explicit_perm", {id});
  g.set_attribute(id, "perm", perm);
  return rewrite.commit();
}

/// Pads of the named axes become pads of all.
bool pads_of_all_axes(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  if (n.op != Op::Pad || !passes::input_or_none(n, 3).valid() || !g.shape(n.inputs[0]))
    return false;
  const Tensor *pads = g.constant(n.inputs[1]), *axes = g.constant(n.inputs[3]);
  if (pads == nullptr || axes == nullptr || pads->size() != 2 * axes->size()) return false;
  const i64 rank = std::ssize(*g.shape(n.inputs[0])), count = axes->size();
  const std::vector<i64> named = axes->as_ints(), amounts = pads->as_ints();
  std::vector<i64> all(size_t(2 * rank), 0);
  for (i64 i = 0; i < count; ++i) {
    const size_t axis = size_t(passes::normalized(named[size_t(i)], rank));
    all[axis] = amounts[size_t(i)];
    all[axis + size_t(rank)] = amounts[size_t(i + count)];
  }
  std::vector<ValueId> inputs(n.inputs.begin(), n.inputs.begin() + 3);
  inputs[1] = g.add_constant(Tensor::of<i64>({2 * rank}, std::span<const i64>(all)));
  if (!inputs[2].valid()) inputs.pop_back();
  Rewrite rewrite(g, "pads_of_all_axes", {id});
  g.set_inputs(id, inputs);
  return rewrite.commit();
}

// -- defaults ------------------------------------------------------------------------------------

/// What an attribute is when it is absent. Lists are at their default when every entry is `number`.
struct Default {
  std::string_view op, attribute;
  double number;
  std::string_view text = "";
};
constexpr Default kDefaults[] = {{"Conv", "auto_pad", 0, "NOTSET"},
                                 {"Conv", "dilations", 1},
                                 {"Conv", "group", 1},
                                 {"Conv", "pads", 0},
                                 {"Conv", "strides", 1},
                                 {"ConvTranspose", "auto_pad", 0, "NOTSET"},
                                 {"ConvTranspose", "dilations", 1},
                                 {"ConvTranspose", "group", 1},
                                 {"ConvTranspose", "pads", 0},
                                 {"ConvTranspose", "strides", 1},
                                 {"ConvTranspose", "output_padding", 0},
                                 {"MaxPool", "auto_pad", 0, "NOTSET"},
                                 {"MaxPool", "ceil_mode", 0},
                                 {"MaxPool", "dilations", 1},
                                 {"MaxPool", "pads", 0},
                                 {"MaxPool", "storage_order", 0},
                                 {"MaxPool", "strides", 1},
                                 {"AveragePool", "auto_pad", 0, "NOTSET"},
                                 {"AveragePool", "ceil_mode", 0},
                                 {"AveragePool", "count_include_pad", 0},
                                 {"AveragePool", "dilations", 1},
                                 {"AveragePool", "pads", 0},
                                 {"AveragePool", "strides", 1},
                                 {"Gemm", "alpha", 1},
                                 {"Gemm", "beta", 1},
                                 {"Gemm", "transA", 0},
                                 {"Gemm", "transB", 0},
                                 {"Reshape", "allowzero", 0},
                                 {"Split", "axis", 0},
                                 {"Gather", "axis", 0},
                                 {"GatherElements", "axis", 0},
                                 {"Shape", "start", 0},
                                 {"Flatten", "axis", 1},
                                 {"ReduceSum", "keepdims", 1},
                                 {"ReduceMean", "keepdims", 1},
                                 {"ReduceMax", "keepdims", 1},
                                 {"ReduceMin", "keepdims", 1},
                                 {"ReduceProd", "keepdims", 1},
                                 {"ReduceL2", "keepdims", 1},
                                 {"ReduceSum", "noop_with_empty_axes", 0},
                                 {"ReduceMean", "noop_with_empty_axes", 0},
                                 {"Pad", "mode", 0, "constant"},
                                 {"BatchNormalization", "training_mode", 0}};

bool is_default(const AttributeValue& value, const Default& d) {
  if (const auto* i = std::get_if<i64>(&value)) return double(*i) == d.number;
  if (const auto* f = std::get_if<float>(&value)) return double(*f) == d.number;
  if (const auto* s = std::get_if<std::string>(&value)) return *s == d.text;
  if (const auto* list = std::get_if<std::vector<i64>>(&value))
    return std::all_of(list->begin(), list->end(), [&](i64 i) { return double(i) == d.number; });
  return false;
}

bool drop_defaults(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  std::vector<std::string_view> dropped;
  if (!n.attributes.empty())
    for (const Default& d : kDefaults) {
      if (name(n.op) != d.op || !n.attributes.has(d.attribute)) continue;
      const auto at = std::find_if(n.attributes.begin(), n.attributes.end(),
                                   [&](const auto& entry) { return entry.first == d.attribute; });
      if (is_default(at->second, d)) dropped.push_back(d.attribute);
    }
  if (dropped.empty()) return false;
  Rewrite rewrite(g, "drop_defaults", {id});
  for (const std::string_view attribute : dropped) g.erase_attribute(id, attribute);
  return rewrite.commit();
}

/// Each looks at one node and says whether it rewrote it.
constexpr bool (*kRules[])(Graph&, NodeId) = {
    constant_to_the_right, positive_axis, positive_axes, explicit_perm,
    drop_defaults,         where_not,     sum_to_add,    pads_of_all_axes};

}  // namespace

PassStats canonicalize(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    for (const auto rule : kRules) {
      if (!graph.alive(id) || graph.node(id).op == Op::Opaque) break;
      stats.changed += i64(rule(graph, id));
    }
  }
  return stats;
}

}  // namespace sinter
