// SPDX-License-Identifier: Apache-2.0
#include "encrypted/layer_values.h"

#include <algorithm>
#include <cmath>

#include "graph/evaluate.h"

namespace sinter::encrypted {
namespace {

/// Stages do what the fused graph does, in another order of additions.
constexpr double kMerged = 1e-8;
/// Values of fused and unfused graph nearer than this are one. Fusing rounds every constant that it
/// makes to float32 (6e-8), and a layer passes on what those before it were off by.
constexpr double kSame = 1e-3;

/// The graph with these values as outputs.
Graph with_outputs(const Graph& network, const std::vector<ValueId>& values) {
  Graph graph = network.clone();
  for (ValueId v : values) graph.add_output("layer " + graph.value(v).name, v);
  return graph;
}

/// Values that origins name.
std::vector<ValueId> named_values(const Graph& graph, const StageGraph& stages) {
  std::vector<ValueId> values;
  for (const Stage& s : stages.stages)
    for (const Origin& o : s.origin)
      if (const auto v = graph.find_value(o.value)) values.push_back(*v);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// Float values that nodes make, and the input.
std::vector<ValueId> computed_values(const Graph& graph) {
  std::vector<ValueId> values;
  for (ValueId v : graph.values())
    if (graph.constant(v) == nullptr && is_float(graph.dtype(v))) values.push_back(v);
  return values;
}

using Values = std::map<std::string, std::vector<double>>;

/// Every output, by the name of its value.
Values evaluate_outputs(const Graph& graph, const Tensor& image) {
  std::vector<Tensor> input;
  input.push_back(image.clone());
  const std::vector<Tensor> results = evaluate(graph, input, Precision::widened);
  Values values;
  for (size_t k = 0; k < results.size(); ++k) {
    std::vector<double>& v = values[graph.value(graph.outputs()[k].value).name];
    if (!v.empty()) continue;
    for (i64 e = 0; e < results[k].size(); ++e) v.push_back(results[k].as_double(e));
  }
  return values;
}

double largest_of(const std::vector<double>& v) {
  double largest = 0;
  for (double e : v) largest = std::max(largest, std::abs(e));
  return largest;
}

/// Largest difference relative to the largest |b|; infinity as soon as it exceeds `limit`.
double distance(const std::vector<double>& a, const std::vector<double>& b, double limit) {
  const double unit = std::max(largest_of(b), 1e-300);
  double largest = 0;
  for (size_t e = 0; e < a.size(); ++e) {
    const double d = std::abs(a[e] - b[e]) / unit;
    if (!(d <= limit)) return INFINITY;
    largest = std::max(largest, d);
  }
  return largest;
}

/// The network's name for each value of the fused graph: its own where they agree, else that of the
/// value which agrees best; empty where none does.
std::map<std::string, std::string> counterparts(const Values& fused, const Values& network) {
  std::map<std::string, std::string> names;
  for (const auto& value : fused) {
    const std::string& name = value.first;
    const std::vector<double>& v = value.second;  // lambdas cannot capture a binding
    std::string& best = names[name];
    double least = kSame;
    const auto try_one = [&](const std::string& other, const std::vector<double>& w) {
      const double d = v.size() == w.size() ? distance(v, w, least) : INFINITY;
      if (d < least) least = d, best = other;
    };
    if (const auto own = network.find(name); own != network.end()) try_one(name, own->second);
    if (!best.empty()) continue;
    for (const auto& [other, w] : network) try_one(other, w);
  }
  return names;
}

const std::string& name_of(const Origins& origins) {
  static const std::string kNone;
  for (const Origin& o : origins)
    if (!o.value.empty()) return o.value;
  return kNone;
}

/// A stage against the values that its origin names.
LayerDifference difference_of(const Origins& origin, const std::vector<double>& found,
                              const Values& values) {
  LayerDifference d{name_of(origin), 0};
  double largest = 0;
  for (size_t m = 0; m < origin.size(); ++m) {
    const auto value = values.find(origin[m].value);
    if (value == values.end()) continue;
    const size_t size = found.size() / origin.size();
    const std::vector<double> expected = origin[m].expected(value->second, i64(size));
    largest = std::max(largest, largest_of(expected));
    for (size_t e = 0; e < size; ++e)
      d.difference = std::max(d.difference, std::abs(expected[e] - found[m * size + e]));
  }
  if (largest > 0) d.difference /= largest;
  return d;
}

}  // namespace

std::vector<i64> layers_of(const StageGraph& stages, const EncryptedProgram& program) {
  std::vector<i64> rows(stages.stages.size(), -1);
  i64 row = 0;
  for (const bool inputs : {true, false})
    for (size_t k = 0; k < rows.size(); ++k) {
      const Stage& s = stages.stages[k];
      if ((s.kind == StageKind::input) != inputs) continue;
      while (row < std::ssize(program.layers) && program.layers[size_t(row)].name != s.label())
        ++row;
      SINTER_ASSERT(row < std::ssize(program.layers));
      rows[k] = row++;
    }
  return rows;
}

LayerReference::LayerReference(const Graph& network, const StageGraph& stages,
                               const std::vector<Layout>& layouts, const EncryptedProgram& program)
    : network_(with_outputs(network, named_values(network, stages))) {
  const std::vector<i64> rows = layers_of(stages, program);
  for (size_t k = 0; k < rows.size(); ++k)
    layers_.push_back({rows[k], stages.stages[k].origin, layouts[k].slot});
  for (Layer& layer : layers_)
    for (i32& slot : layer.slot) slot *= i32(program.batch);  // images lie interleaved
  std::sort(layers_.begin(), layers_.end(),
            [](const Layer& a, const Layer& b) { return a.layer < b.layer; });
}

std::vector<LayerValues> LayerReference::expected(const Tensor& image) const {
  const Values values = evaluate_outputs(network_, image);
  std::vector<LayerValues> all;
  for (const Layer& layer : layers_) {
    LayerValues v{layer.layer, name_of(layer.origin), {}, {}};
    const i64 members = std::ssize(layer.origin);
    for (i64 m = 0; m < members; ++m) {
      const i64 size = std::ssize(layer.slot) / members;
      const auto value = values.find(layer.origin[size_t(m)].value);
      if (value == values.end()) continue;
      const std::vector<double> part = layer.origin[size_t(m)].expected(value->second, size);
      v.expected.insert(v.expected.end(), part.begin(), part.end());
      v.slot.insert(v.slot.end(), layer.slot.begin() + m * size,
                    layer.slot.begin() + (m + 1) * size);
    }
    if (!v.slot.empty()) all.push_back(std::move(v));
  }
  return all;
}

std::vector<LayerDifference> prove_layers(StageGraph& stages,
                                          const std::vector<std::vector<double>>& found,
                                          const Graph& network, const Graph& fused,
                                          const Tensor& image) {
  const Values of_fused = evaluate_outputs(with_outputs(fused, named_values(fused, stages)), image);
  for (size_t k = 0; k < found.size(); ++k) {
    const Stage& s = stages.stages[k];
    const LayerDifference d = difference_of(s.origin, found[k], of_fused);
    require(d.difference <= kMerged, ErrorKind::internal, "compile: ", s.op, " \"", s.label(),
            "\" is off from the fused graph's value \"", d.value, "\" by ", d.difference,
            " of its largest element");
  }
  const Values of_network =
      evaluate_outputs(with_outputs(network, computed_values(network)), image);
  const std::map<std::string, std::string> names = counterparts(of_fused, of_network);
  std::string lost;  // the first layer that the network does not have
  for (Stage& s : stages.stages)
    for (Origin& o : s.origin) {
      if (o.value.empty()) continue;
      o.value = names.at(o.value);
      if (o.value.empty() && lost.empty()) lost = s.label();
    }
  const std::vector<double>& result = of_network.at(network.value(network.outputs()[0].value).name);
  require(distance(found[size_t(stages.output)], result, kSame) <= kSame, ErrorKind::internal,
          "compile: the fused network's result is not the network's; first different layer: \"",
          lost, "\"");
  std::vector<LayerDifference> all;
  for (size_t k = 0; k < found.size(); ++k)
    all.push_back(difference_of(stages.stages[k].origin, found[k], of_network));
  return all;
}

}  // namespace sinter::encrypted
