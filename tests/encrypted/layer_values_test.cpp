// SPDX-License-Identifier: Apache-2.0
// Every layer of a program holds what the unfused float64 network has there.
#include "encrypted/layer_values.h"

#include <cmath>

#include "encrypted/fit.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

/// The last value of every layer of the simulated program.
std::vector<std::vector<double>> simulated_layers(const EncryptedProgram& program,
                                                  const Tensor& image) {
  std::vector<std::vector<double>> layers(program.layers.size());
  SimulateOptions options;
  options.observe = [&](i64 k, std::span<const double> slots) {
    layers[size_t(program.instructions[size_t(k)].layer)].assign(slots.begin(), slots.end());
  };
  simulate(program, pack_input(program, image), options);
  return layers;
}

void expect_layers_known(const Graph& g, i64 log_n, u64 seed, i64 unknown = 0) {
  const std::vector<Tensor> images = inputs_for(g, seed, 2);
  const Compiled compiled = compile(g, images, test_options(log_n));
  for (const Tensor& image : images) {
    const auto layers = simulated_layers(*compiled.program, image);
    const std::vector<LayerValues> all = compiled.reference->expected(image);
    EXPECT_EQ(std::ssize(all) + unknown, std::ssize(layers));
    for (const LayerValues& v : all) {
      double largest = 0, difference = 0;
      for (size_t i = 0; i < v.slot.size(); ++i) {
        const double found = layers[size_t(v.layer)][size_t(v.slot[i])];
        largest = std::max(largest, std::abs(v.expected[i]));
        difference = std::max(difference, std::abs(found - v.expected[i]));
      }
      EXPECT_LE(difference, 2e-6 * largest)
          << compiled.program->layers[size_t(v.layer)].name << " and \"" << v.value << '"';
    }
  }
}

TEST(LayerValues, of_residual_blocks_are_those_of_the_network) {
  NetBuilder b(470, {1, 1, 8, 8});
  ValueId v = b.block(b.block(b.conv(b.at, 2, 3, 1, 1), 2, 1), 4, 2);
  expect_layers_known(b.finish(b.gemm(b.flatten(b.quadratic(v)), 3)), 11, 470);
}

TEST(LayerValues, of_packed_branches_are_those_of_the_network) {
  expect_layers_known(patch_net(471, 16, 2, 3), 12, 471);
}

TEST(LayerValues, of_fused_activations_are_those_of_the_network) {
  expect_layers_known(herpn_net(472), 11, 472);
}

TEST(LayerValues, of_a_normalisation_are_those_of_the_network) {
  // The network has no value for the squares before they are summed up, nor for (y + b/2a)^2.
  expect_layers_known(normalising_net(473, 0.05f), 11, 473, 2);
  expect_layers_known(normalising_net(474, -0.05f, 6), 11, 474, 1);
}

TEST(LayerValues, a_wrong_stage_is_named) {
  const Graph g = patch_net(475, 16, 2, 3);
  const Graph network = bind_and_fuse(g, false), fused = bind_and_fuse(g, true);
  StageGraph stages = fit(fused, 2048, true).stages;
  const Tensor image = inputs_for(g, 475, 1)[0].clone();
  const auto data = image.data<float>();
  const auto found = evaluate_stages(stages, std::vector<double>(data.begin(), data.end()));
  auto wrong = found;
  wrong[3][5] *= 1.001;
  const auto prove = [&](const auto& values) {
    StageGraph copy = stages;
    return prove_layers(copy, values, network, fused, image);
  };
  for (const LayerDifference& d : prove(found)) EXPECT_LE(d.difference, 2e-6) << d.value;
  try {
    prove(wrong);
    FAIL() << "a wrong value was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal);
    EXPECT_NE(std::string(e.what()).find(stages.stages[3].label()), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace sinter::encrypted::testing
