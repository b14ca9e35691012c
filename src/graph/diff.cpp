// SPDX-License-Identifier: Apache-2.0
#include "graph/diff.h"

namespace sinter {
namespace {

/// Nodes by description; of equal ones the first counts as the same, the others come and go.
std::map<std::string, NodeId> by_description(const Graph& g) {
  std::map<std::string, NodeId> nodes;
  for (NodeId n : g.nodes()) {
    std::string key = g.describe(n);
    while (!nodes.emplace(key, n).second) key += "'";
  }
  return nodes;
}

/// Where an operand comes from: the producer, or the name of an input; constants by content.
std::string source(const Graph& g, ValueId v) {
  if (!v.valid()) return "_";
  if (const Tensor* t = g.constant(v))
    return std::string(name(t->dtype())) + to_text(t->dims()) + " constant";
  const NodeId producer = g.value(v).producer;
  return producer.valid() ? g.describe(producer) : g.value(v).name;
}

std::string change(const Graph& a, const Node& before, const Graph& b, const Node& after) {
  std::string text;
  if (!(before.attributes == after.attributes)) text += " attributes";
  if (before.inputs.size() != after.inputs.size()) return text + " number of inputs";
  for (size_t i = 0; i < before.inputs.size(); ++i) {
    const Tensor* x = a.constant(before.inputs[i]);
    const Tensor* y = b.constant(after.inputs[i]);
    const std::string from = source(a, before.inputs[i]), to = source(b, after.inputs[i]);
    if (from != to)
      text += " input " + std::to_string(i) + ": " + from + " -> " + to + ";";
    else if (x != nullptr && y != nullptr && !identical(*x, *y))
      text += " input " + std::to_string(i) + ": other values;";
  }
  return text;
}

}  // namespace

GraphDiff difference(const Graph& before, const Graph& after) {
  GraphDiff diff;
  const auto old_nodes = by_description(before), new_nodes = by_description(after);
  for (const auto& [key, id] : old_nodes) {
    const auto same = new_nodes.find(key);
    if (same == new_nodes.end()) {
      diff.removed.push_back(key);
      continue;
    }
    const std::string how = change(before, before.node(id), after, after.node(same->second));
    if (!how.empty()) diff.changed.push_back(key + ":" + how);
  }
  for (const auto& [key, id] : new_nodes)
    if (old_nodes.find(key) == old_nodes.end()) diff.added.push_back(key);
  return diff;
}

}  // namespace sinter
