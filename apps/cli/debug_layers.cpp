// SPDX-License-Identifier: Apache-2.0
#include "cli/debug_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ckks/encoder.h"
#include "cli/table.h"
#include "encrypted/flow.h"
#include "encrypted/precision.h"
#include "encrypted/simulate.h"

namespace sinter::cli {
namespace {

using Slots = std::vector<double>;

}  // namespace

double largest_of(std::span<const double> values) {
  double largest = 0;
  for (double v : values) largest = std::max(largest, std::abs(v));
  return largest;
}

double largest_difference(std::span<const double> a, std::span<const double> b) {
  double largest = 0;
  for (size_t e = 0; e < a.size(); ++e) {
    const double difference = std::abs(a[e] - b[e]);
    if (!std::isfinite(difference)) return INFINITY;
    largest = std::max(largest, difference);
  }
  return largest;
}

LayerComparison::LayerComparison(const encrypted::EncryptedProgram& program,
                                 const ckks::Context& context, const ckks::SecretKey& secret)
    : p_(program),
      context_(context),
      secret_(secret),
      results_(encrypted::layer_results(p_)),
      exact_(p_.layers.size()),
      errors_(p_.layers.size()) {}

Slots LayerComparison::simulate(std::span<const Slots> inputs) {
  return encrypted::simulate(p_, inputs, {0, [this](i64 k, std::span<const double> slots) {
                                            if (is_result(k))
                                              exact_[layer_of(k)] = {slots.begin(), slots.end()};
                                          }});
}

void LayerComparison::set_network(std::vector<encrypted::LayerValues> values) {
  for (encrypted::LayerValues& v : values) network_[size_t(v.layer)] = std::move(v);
}

void LayerComparison::compare(const encrypted::Measured& m) {
  if (!is_result(m.instruction)) return;
  const size_t layer = layer_of(m.instruction);
  const Slots& exact = exact_[layer];
  const Slots slots = ckks::decode(context_, ckks::decrypt(context_, secret_, *m.result));
  LayerError& e = errors_[layer];
  double squares = 0;
  for (size_t s = 0; s < exact.size(); ++s) squares += std::pow(slots[s] - exact[s], 2);
  e.largest = largest_of(exact);
  e.error = largest_difference(exact, slots);
  e.mean = std::sqrt(squares / double(exact.size()));
  compare_network(e, layer, slots);
}

void LayerComparison::compare_network(LayerError& e, size_t layer,
                                      std::span<const double> slots) const {
  const auto at = network_.find(layer);
  if (at == network_.end()) return;
  const encrypted::LayerValues& network = at->second;
  e.network_value = network.value;
  for (size_t i = 0; i < network.slot.size(); ++i)
    e.network_error =
        std::max(e.network_error, std::abs(slots[size_t(network.slot[i])] - network.expected[i]));
}

void LayerComparison::finish() {
  std::map<i32, double> least;  // bits of the worst layer that each one reads
  for (const encrypted::FlowEdge& edge : encrypted::flow_of(p_).edges) {
    if (errors_[size_t(edge.from)].is_blank()) continue;
    const double bits = errors_[size_t(edge.from)].bits();
    const auto [at, is_new] = least.try_emplace(edge.to, bits);
    at->second = std::min(at->second, bits);
  }
  for (const auto& [layer, bits] : least) {
    LayerError& e = errors_[size_t(layer)];
    if (!e.is_blank()) e.lost = bits - e.bits();
  }
}

i64 LayerComparison::first_below(double bits) const {
  const auto at = std::find_if(errors_.begin(), errors_.end(), [&](const LayerError& e) {
    return !e.is_blank() && e.bits() < bits;
  });
  return at == errors_.end() ? -1 : at - errors_.begin();
}

i64 LayerComparison::most_lost() const {
  const auto at =
      std::max_element(errors_.begin(), errors_.end(),
                       [](const LayerError& a, const LayerError& b) { return a.lost < b.lost; });
  return at == errors_.end() || at->lost <= 0 ? -1 : at - errors_.begin();
}

std::string LayerComparison::table(i64 below) const {
  Table table({"layer", "<name", "<kind", "level", "largest |value|", "largest error", "bits",
               "lost", "predicted", "from network", "<"});
  for (size_t l = 0; l < p_.layers.size(); ++l) {
    const encrypted::Layer& layer = p_.layers[l];
    const LayerError& e = errors_[l];
    const int level = results_[l] < 0 ? 0 : p_.instructions[size_t(results_[l])].level;
    table.add({std::to_string(l), layer.name, layer.op, std::to_string(level),
               fmt::format("{:.4g}", e.largest), fmt::format("{:.2e}", e.error),
               fmt::format("{:.1f}", e.bits()), e.lost >= 0.05 ? fmt::format("{:.1f}", e.lost) : "",
               layer.error > 0
                   ? fmt::format("{:.1f}", ckks::precision_estimate({layer.range, layer.error}))
                   : "",
               e.network_error < 0 ? "" : fmt::format("{:.2e}", e.network_error),
               i64(l) == below ? "<- first below --bits" : ""});
  }
  return table.text();
}

void LayerComparison::add_to(nlohmann::ordered_json& report) const {
  for (size_t l = 0; l < errors_.size(); ++l) {
    const LayerError& e = errors_[l];
    nlohmann::ordered_json& layer = report["layers"][l];
    layer["measured_largest"] = e.largest;
    layer["measured_error"] = e.error;
    layer["measured_bits"] = e.bits();
    layer["lost_bits"] = e.lost;
    if (e.network_error < 0) continue;
    layer["network_value"] = e.network_value;
    layer["network_error"] = e.network_error;
  }
}

}  // namespace sinter::cli
