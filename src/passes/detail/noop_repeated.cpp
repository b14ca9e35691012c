// SPDX-License-Identifier: Apache-2.0
// Doing a thing twice, or undoing it.
//
//   f(f(x)) = f(x)   Abs, Ceil, Floor, Round, Sign, Clip with the same bounds
//   g(g(x)) = x      Neg, Not, BitwiseNot
//   Relu(x) = x      for x that cannot be negative
//
// Reshape is not in the list: a 0 in its target means another size the second time.
#include "passes/detail/facts.h"
#include "passes/detail/noop.h"

namespace sinter::passes {
namespace {

constexpr ValueId kNone;

ValueId idempotent(const Graph& g, const Node& n, const PassOptions&) {
  return producer_of_kind(g, n.inputs[0], name(n.op)) != nullptr ? n.inputs[0] : kNone;
}

ValueId involution(const Graph& g, const Node& n, const PassOptions&) {
  const Node* before = producer_of_kind(g, n.inputs[0], name(n.op));
  return before != nullptr ? before->inputs[0] : kNone;
}

ValueId relu(const Graph& g, const Node& n, const PassOptions&) {
  return is_never_negative(g, n.inputs[0]) ? n.inputs[0] : kNone;
}

bool same_bound(const Graph& g, const Node& a, const Node& b, size_t i) {
  const ValueId x = input_or_none(a, i), y = input_or_none(b, i);
  if (!x.valid() || !y.valid()) return !x.valid() && !y.valid();
  return x == y || (g.constant(x) && g.constant(y) && identical(*g.constant(x), *g.constant(y)));
}

ValueId clip(const Graph& g, const Node& n, const PassOptions&) {
  const Node* before = producer_of_kind(g, n.inputs[0], "Clip");
  return before != nullptr && same_bound(g, n, *before, 1) && same_bound(g, n, *before, 2)
             ? n.inputs[0]
             : kNone;
}

constexpr NoOpRule kRules[] = {
    {"Abs", idempotent},        {"Ceil", idempotent}, {"Floor", idempotent}, {"Round", idempotent},
    {"Sign", idempotent},       {"Clip", clip},       {"Neg", involution},   {"Not", involution},
    {"BitwiseNot", involution}, {"Relu", relu}};

}  // namespace

std::span<const NoOpRule> repeated_noops() { return kRules; }

}  // namespace sinter::passes
