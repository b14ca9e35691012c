// SPDX-License-Identifier: Apache-2.0
#include "cli/network_values.h"

#include <algorithm>
#include <cmath>

#include "encrypted/client.h"
#include "encrypted/fit.h"
#include "encrypted/layout.h"
#include "encrypted/precision.h"
#include "encrypted/simulate.h"

namespace sinter::cli {
namespace {

/// The result of every layer, on doubles.
std::vector<std::vector<double>> simulated_layers(const encrypted::EncryptedProgram& program,
                                                  const Tensor& image) {
  const std::vector<i32> results = encrypted::layer_results(program);
  std::vector<std::vector<double>> layers(results.size());
  const auto keep = [&](i64 k, std::span<const double> slots) {
    const size_t layer = size_t(program.instructions[size_t(k)].layer);
    if (results[layer] == k) layers[layer].assign(slots.begin(), slots.end());
  };
  encrypted::simulate(program, encrypted::pack_input(program, image), {0, keep});
  return layers;
}

/// The program holds the values of each channel at a size of its own, a power of two apart
/// (encrypted/hold.h), which its largest element shows. Origins follow.
void follow_sizes(encrypted::StageGraph& stages, const std::vector<encrypted::Layout>& layouts,
                  const encrypted::EncryptedProgram& program, const Tensor& image) {
  std::vector<double> input;
  for (i64 i = 0; i < image.size(); ++i) input.push_back(image.as_double(i));
  const auto values = encrypted::evaluate_stages(stages, input);
  const auto layers = simulated_layers(program, image);
  const std::vector<i64> rows = encrypted::layers_of(stages, program);
  for (size_t k = 0; k < values.size(); ++k) {
    const std::vector<double>&v = values[k], &slots = layers[size_t(rows[k])];
    encrypted::Stage& stage = stages.stages[k];
    const size_t pixels = size_t(stage.geometry.height * stage.geometry.width);
    std::vector<double> factor(v.size(), 1.0);
    for (size_t c = 0; c < v.size(); c += pixels) {
      size_t top = c;
      for (size_t i = c; i < c + pixels; ++i)
        if (std::abs(v[i]) > std::abs(v[top])) top = i;
      const double held = slots[size_t(layouts[k].slot[top] * program.batch)];
      if (v[top] == 0 || held == 0) continue;
      const double power = std::exp2(std::round(std::log2(std::abs(held / v[top]))));
      std::fill_n(factor.begin() + i64(c), pixels, power);
    }
    stage.origin = encrypted::scaled(std::move(stage.origin), factor);
  }
}

/// The stages that the program was assembled from, if this packing makes them.
/// throws  Error when it does not
std::vector<encrypted::LayerValues> values_with(const encrypted::PackingOptions& packing,
                                                const Graph& network, const Graph& fused,
                                                const encrypted::EncryptedProgram& program,
                                                const Tensor& image) {
  encrypted::StageGraph stages = encrypted::fit(fused, program.slots(), true, packing).stages;
  encrypted::layers_of(stages, program);
  encrypted::measure(stages, network, fused, std::span(&image, 1), {});
  const auto layouts = encrypted::lay_out(stages, program.slots());
  follow_sizes(stages, layouts, program, image);
  return encrypted::LayerReference(network, stages, layouts, program).expected(image);
}

/// A bootstrap's value is that of the layer that it refreshes.
void add_bootstraps(const encrypted::EncryptedProgram& program,
                    std::vector<encrypted::LayerValues>& values) {
  for (const encrypted::Instruction& i : program.instructions) {
    if (i.op != encrypted::Opcode::bootstrap) continue;
    const i64 from = program.instructions[size_t(i.a)].layer;
    const auto at =
        std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.layer == from; });
    if (from == i.layer || at == values.end()) continue;
    encrypted::LayerValues same = *at;
    same.layer = i.layer;
    values.push_back(std::move(same));
  }
}

}  // namespace

std::vector<encrypted::LayerValues> network_values(const Graph& model,
                                                   const encrypted::EncryptedProgram& program,
                                                   const Tensor& image) {
  const Graph network = encrypted::bind_and_fuse(model, false);
  const Graph fused = encrypted::bind_and_fuse(model, true);
  for (const bool joins : {true, false})
    for (const i64 batch : {program.batch, i64(0)}) try {  // 0: as many as fit, as `auto` chose
        auto values = values_with({joins, batch}, network, fused, program, image);
        add_bootstraps(program, values);
        return values;
      } catch (const Error&) {  // packed otherwise: the next one
      }
  return {};
}

}  // namespace sinter::cli
