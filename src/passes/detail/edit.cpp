// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/edit.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sinter::passes {

i64 erase_if_dead(Graph& graph, NodeId start) {
  std::vector<NodeId> candidates = {start};
  i64 erased = 0;
  while (!candidates.empty()) {
    const NodeId id = candidates.back();
    candidates.pop_back();
    if (!graph.alive(id)) continue;
    const std::vector<ValueId> outputs = graph.node(id).outputs, inputs = graph.node(id).inputs;
    if (std::any_of(outputs.begin(), outputs.end(),
                    [&](ValueId v) { return graph.use_count(v) > 0; }))
      continue;
    graph.erase_node(id);
    ++erased;
    for (ValueId v : inputs)
      if (v.valid() && graph.value(v).producer.valid())
        candidates.push_back(graph.value(v).producer);
  }
  return erased;
}

void replace_and_erase(Graph& graph, ValueId from, ValueId to) {
  const NodeId producer = graph.value(from).producer;
  graph.replace_uses(from, to);
  if (producer.valid()) erase_if_dead(graph, producer);
}

bool has_one_reader(const Graph& graph, ValueId value) {
  return graph.use_count(value) == 1 && graph.value(value).readers.size() == 1;
}

std::string why_not_one_reader(const Graph& graph, ValueId value) {
  if (has_one_reader(graph, value)) return "";
  const Value& v = graph.value(value);
  const std::string what =
      v.producer.valid() ? "the result of " + graph.describe(v.producer) : "\"" + v.name + "\"";
  if (graph.is_output(value)) return what + " is a graph output";
  return what + " has " + std::to_string(v.readers.size()) + " readers";
}

bool only_first_output_used(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin() + 1, node.outputs.end(),
                     [&](ValueId v) { return graph.use_count(v) == 0; });
}

bool is_foldable(DType type) { return type == DType::f32 || type == DType::f64; }

std::vector<double> doubles(const Tensor& tensor) {
  std::vector<double> values(size_t(tensor.size()));
  if (tensor.dtype() == DType::f32) {
    const std::span<const float> from = tensor.data<float>();
    std::copy(from.begin(), from.end(), values.begin());
  } else {
    for (i64 i = 0; i < tensor.size(); ++i) values[size_t(i)] = tensor.as_double(i);
  }
  return values;
}

Tensor rounded(DType type, Dims dims, std::span<const double> values) {
  Tensor t(type, std::move(dims));
  SINTER_ASSERT(t.size() == std::ssize(values) && is_foldable(type));
  if (type == DType::f32) {
    std::transform(values.begin(), values.end(), t.mutable_data<float>().begin(),
                   [](double v) { return float(v); });
  } else {
    std::copy(values.begin(), values.end(), t.mutable_data<double>().begin());
  }
  return t;
}

bool all_finite(DType type, std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double v) {
    return type == DType::f32 ? std::isfinite(float(v)) : std::isfinite(v);
  });
}

namespace {

double least_normal(DType type) {
  return type == DType::f32 ? double(std::numeric_limits<float>::min())
                            : std::numeric_limits<double>::min();
}

}  // namespace

bool is_subnormal(DType type, std::span<const double> values) {
  double largest = 0;
  for (double v : values) largest = std::max(largest, std::abs(v));
  return largest > 0 && largest < least_normal(type);
}

bool has_subnormal_scale(DType type, std::span<const double> scale) {
  return std::any_of(scale.begin(), scale.end(),
                     [&](double s) { return s != 0 && std::abs(s) < least_normal(type); });
}

bool may_copy(const Graph& graph, ValueId constant) {
  return graph.use_count(constant) == 1 || graph.constant(constant)->byte_size() <= (1 << 20);
}

bool broadcasts_into(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  const size_t shift = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i)
    if (!from[i].is(1) && !same(from[i], to[i + shift])) return false;
  return true;
}

}  // namespace sinter::passes
