// SPDX-License-Identifier: Apache-2.0
// Values held at sizes of their own: the same function bit for bit, and less noise in it.
#include "encrypted/balance.h"

#include <cmath>

#include "encrypted/fit.h"
#include "encrypted/hold.h"
#include "encrypted/levels.h"
#include "encrypted/stage_noise.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

/// Activations whose leading coefficients lie six decades apart.
Graph uneven_net(u64 seed) {
  NetBuilder b(seed, {1, 2, 4, 4});
  const auto channels = [&](std::vector<float> v) {
    return b.graph.add_constant(Tensor::of<float>({4, 1, 1}, v));
  };
  const auto activation = [&](ValueId x) {
    return b.graph.add(Op::ChannelQuadratic,
                       {x, channels({0.2f, 0.01f, -3e-4f, 5e-6f}), channels({0.5f, 1.f, 0.7f, 1.f}),
                        channels({0.1f, -0.3f, 4.f, 0.f})});
  };
  const ValueId v = activation(b.conv(b.at, 4, 3, 1, 1));
  return b.finish(b.gemm(b.flatten(activation(b.conv(v, 4, 3, 1, 1))), 3));
}

struct Measured {
  StageGraph stages;
  StageMeasures measures;
  std::vector<Tensor> images;
  std::vector<std::vector<double>> inputs;
};

Measured measured(const Graph& g, i64 slots, u64 seed) {
  const Graph network = bind_and_fuse(g, false), fused = bind_and_fuse(g, true);
  Measured m{fit(fused, slots, true).stages, {}, inputs_for(g, seed, 3), {}};
  lay_out(m.stages, slots);
  m.measures = measure(m.stages, network, fused, m.images, {});
  for (const Tensor& image : m.images) {
    const auto data = image.data<float>();
    m.inputs.emplace_back(data.begin(), data.end());
  }
  return m;
}

double error_of(StageGraph graph, const std::vector<double>& input, i64 log_n) {
  const i64 slots = i64(1) << (log_n - 1);
  const std::vector<Layout> layouts = lay_out(graph, slots);
  const StageOps ops(graph, layouts, slots);
  const SchemeOptions scheme = test_options(log_n).scheme;
  return leveled_error(graph, ops, input, evaluate_stages(graph, input),
                       parameters_for(scheme, graph, plan_levels(graph)))
      .largest;
}

TEST(Balance, leaves_every_value_as_it_was_but_for_a_power_of_two) {
  for (const Graph& g : {uneven_net(480), normalising_net(481, 0.05f), patch_net(482, 16, 2, 3)}) {
    Measured m = measured(g, 2048, 480);
    const StageGraph before = m.stages;
    balance(m.stages, m.measures.channels, m.inputs, {1365, -100});
    for (const auto& input : m.inputs) {
      const auto values = evaluate_stages(before, input), held = evaluate_stages(m.stages, input);
      EXPECT_EQ(values[size_t(before.output)], held[size_t(before.output)]);
      for (size_t k = 0; k < held.size(); ++k) {
        const size_t pixels = held[k].size() / m.measures.channels[k].size();
        for (size_t i = 0; i < held[k].size(); ++i) {
          int exponent = 0;
          if (held[k][i] != 0) {
            EXPECT_EQ(std::abs(std::frexp(values[k][i] / held[k][i], &exponent)), 0.5);
          }
          EXPECT_LE(std::abs(held[k][i]), m.measures.channels[k][i / pixels]);
        }
      }
    }
  }
}

TEST(Balance, uneven_channels_keep_their_bits) {
  Measured m = measured(uneven_net(483), 1024, 483);
  const double before = error_of(m.stages, m.inputs[0], 11);
  const double bits = balance(m.stages, m.measures.channels, m.inputs, {1365, 0.5});
  const double gained = std::log2(before / error_of(m.stages, m.inputs[0], 11));
  EXPECT_GT(gained, 4);
  EXPECT_GT(bits, 4);
}

TEST(Balance, a_small_gain_changes_nothing) {
  Measured m = measured(herpn_net(484), 1024, 484);
  const StageGraph before = m.stages;
  EXPECT_EQ(balance(m.stages, m.measures.channels, m.inputs, {1365, 100}), 0);
  for (size_t k = 0; k < before.stages.size(); ++k)
    for (size_t t = 0; t < before.stages[k].terms.size(); ++t)
      EXPECT_EQ(m.stages.stages[k].terms[t].matrix, before.stages[k].terms[t].matrix);
}

TEST(Balance, layers_are_still_those_of_the_network) {
  const Graph g = uneven_net(485);
  const std::vector<Tensor> images = inputs_for(g, 485, 2);
  const Compiled compiled = compile(g, images, test_options(11));
  std::vector<std::vector<double>> layers(compiled.program->layers.size());
  simulate(*compiled.program, pack_input(*compiled.program, images[1]),
           {0, [&](i64 k, std::span<const double> slots) {
              layers[size_t(compiled.program->instructions[size_t(k)].layer)].assign(slots.begin(),
                                                                                     slots.end());
            }});
  const std::vector<LayerValues> all = compiled.reference->expected(images[1]);
  EXPECT_EQ(all.size(), layers.size());
  for (const LayerValues& v : all) {
    double largest = 0, difference = 0;
    for (size_t i = 0; i < v.slot.size(); ++i) {
      largest = std::max(largest, std::abs(v.expected[i]));
      difference = std::max(difference,
                            std::abs(layers[size_t(v.layer)][size_t(v.slot[i])] - v.expected[i]));
    }
    EXPECT_LE(difference, 2e-6 * largest) << v.value;
  }
}

}  // namespace
}  // namespace sinter::encrypted::testing
