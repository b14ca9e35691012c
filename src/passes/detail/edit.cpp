// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/edit.h"

#include <algorithm>
#include <bit>
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

bool is_foldable(DType type) { return is_float(type); }

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

namespace {

/// The float between zero and v nearest to v, made odd when it is not v: rounding it to a type of
/// at most 22 bits of precision then rounds v itself.
float to_odd(double v) {
  float f = float(v);
  if (double(f) == v || !std::isfinite(f)) return f;
  if (std::abs(double(f)) > std::abs(v)) f = std::nextafter(f, 0.0f);
  return std::bit_cast<float>(std::bit_cast<u32>(f) | 1u);
}

double as_stored(DType type, double v) {
  switch (type) {
    case DType::f32:
      return float(v);
    case DType::f16:
      return to_float(to_half(to_odd(v)));
    case DType::bf16:
      return to_float(to_bfloat(to_odd(v)));
    default:
      return v;
  }
}

double least_normal(DType type) {
  switch (type) {
    case DType::f64:
      return std::numeric_limits<double>::min();
    case DType::f16:
      return 0x1p-14;
    default:
      return double(std::numeric_limits<float>::min());
  }
}

}  // namespace

Tensor rounded(DType type, Dims dims, std::span<const double> values) {
  Tensor t(type, std::move(dims));
  SINTER_ASSERT(t.size() == std::ssize(values) && is_foldable(type));
  if (type == DType::f64) std::copy(values.begin(), values.end(), t.mutable_data<double>().begin());
  if (type == DType::f32)
    std::transform(values.begin(), values.end(), t.mutable_data<float>().begin(),
                   [](double v) { return float(v); });
  if (type == DType::f16)
    std::transform(values.begin(), values.end(), t.mutable_data<Half>().begin(),
                   [](double v) { return to_half(to_odd(v)); });
  if (type == DType::bf16)
    std::transform(values.begin(), values.end(), t.mutable_data<BFloat>().begin(),
                   [](double v) { return to_bfloat(to_odd(v)); });
  return t;
}

bool all_finite(DType type, std::span<const double> values) {
  return std::all_of(values.begin(), values.end(),
                     [&](double v) { return std::isfinite(as_stored(type, v)); });
}

bool is_subnormal(DType type, std::span<const double> values) {
  double largest = 0;
  for (double v : values) largest = std::max(largest, std::abs(v));
  return largest > 0 && largest < least_normal(type);
}

bool has_subnormal_scale(DType type, std::span<const double> scale) {
  return std::any_of(scale.begin(), scale.end(),
                     [&](double s) { return s != 0 && std::abs(s) < least_normal(type); });
}

std::string rounding_refusal(DType type, std::span<const double> values,
                             std::span<const double> old) {
  if (!all_finite(type, values)) return "a folded constant is not finite";
  if (is_subnormal(type, values)) return "a folded constant would be subnormal";
  if (type != DType::f16 && type != DType::bf16) return "";
  const auto is_tiny = [&](double v) { return v != 0 && std::abs(v) < least_normal(type); };
  const bool was_tiny = std::any_of(old.begin(), old.end(), is_tiny);
  for (size_t i = 0; i < values.size(); ++i)
    if (is_tiny(values[i]) && !(old.size() == values.size() ? is_tiny(old[i]) : was_tiny))
      return "a folded constant would be subnormal";
  return "";
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
