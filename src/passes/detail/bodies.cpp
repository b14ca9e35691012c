// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/bodies.h"

namespace sinter::passes {
namespace {

constexpr i64 kSmall = 64 * 1024;  // bytes: a constant that may be there twice

/// A constant goes into a body when it is small or would be there only: nobody else reads it.
bool may_copy(const Graph& graph, ValueId constant, size_t bodies_reading) {
  return graph.constant(constant)->byte_size() <= kSmall ||
         (graph.use_count(constant) == 1 && bodies_reading == 1);
}

bool refine(Graph& body, ValueId input, const ValueType& outer) {
  const ValueType& inner = body.value(input).type;
  if (is_container(outer.dtype) || outer.dtype == DType::unknown || !outer.shape) return false;
  if (same_type({inner.dtype, inner.shape, {}}, {outer.dtype, outer.shape, {}})) return false;
  body.set_input_type(input, outer.dtype, outer.shape);
  return true;
}

}  // namespace

bool tidy_captures(Graph& graph, NodeId id) {
  const i64 captures = capture_count(graph.node(id));
  auto owned = bodies(graph.node(id));
  if (captures == 0 || owned.empty() || graph.node(id).op == Op::Opaque) return false;
  std::vector<Graph> changed;
  for (const auto& [key, body] : owned) changed.push_back(body->clone());
  std::vector<bool> touched(owned.size(), false);
  std::vector<ValueId> inputs = graph.node(id).inputs;
  i64 left = captures;
  for (i64 c = captures; c-- > 0;) {
    const size_t outer_at = inputs.size() - size_t(left) + size_t(c);
    const ValueId outer = inputs[outer_at];
    const auto inner_of = [&](const Graph& body) {
      return body.inputs()[body.inputs().size() - size_t(left) + size_t(c)];
    };
    size_t readers = 0;
    for (const Graph& body : changed) readers += body.use_count(inner_of(body)) > 0 ? 1 : 0;
    if (readers > 0 && graph.constant(outer) != nullptr && may_copy(graph, outer, readers)) {
      for (size_t b = 0; b < changed.size(); ++b)
        if (const ValueId inner = inner_of(changed[b]); changed[b].use_count(inner) > 0) {
          changed[b].replace_uses(inner, changed[b].add_constant(graph.value(outer).constant));
          touched[b] = true;
        }
      readers = 0;
    }
    if (readers > 0) {
      for (size_t b = 0; b < changed.size(); ++b)
        if (refine(changed[b], inner_of(changed[b]), graph.value(outer).type)) touched[b] = true;
      continue;
    }
    for (size_t b = 0; b < changed.size(); ++b) {
      changed[b].erase_input(inner_of(changed[b]));
      touched[b] = true;
    }
    inputs.erase(inputs.begin() + std::ptrdiff_t(outer_at));
    --left;
  }
  bool any = false;
  for (size_t b = 0; b < changed.size(); ++b) {
    if (!touched[b]) continue;
    changed[b].infer_all();
    graph.set_attribute(id, owned[b].first, std::make_shared<const Graph>(std::move(changed[b])));
    any = true;
  }
  if (left < captures) {
    graph.set_inputs(id, std::move(inputs));
    graph.set_attribute(id, "captures", left);
  }
  return any;
}

}  // namespace sinter::passes
