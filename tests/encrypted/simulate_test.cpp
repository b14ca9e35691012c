// SPDX-License-Identifier: Apache-2.0
// The whole compiler on doubles: a simulated program computes what the graph computes.
#include "encrypted/simulate.h"

#include <cmath>

#include "encrypted/fit.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

/// Against the fused graph: fusion rounds constants to float32, which is not this floor's business.
void expect_same(const Graph& model, u64 seed, i64 log_n) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const Graph g = bind_and_fuse(model, true);
  const std::vector<Tensor> inputs = inputs_for(g, seed);
  const Compiled compiled = compile(g, inputs, test_options(log_n));
  for (const Tensor& input : inputs) EXPECT_LE(simulated_error(g, *compiled.program, input), 1e-9);
}

TEST(Simulate, a_convolution_computes_the_convolution) {
  u64 seed = test_seed(11);
  for (i64 size : {5, 8, 9})
    for (i64 stride : {1, 2, 3})
      for (i64 group : {1, 2})
        for (i64 pad : {0, 1}) {
          NetBuilder b(++seed, {1, 4, size, size});
          const ValueId y = b.conv(b.at, 6, 3, stride, pad, group, size > 8 ? 2 : 1);
          expect_same(b.finish(y), seed, size > 8 ? 11 : 10);
        }
}

TEST(Simulate, strided_blocks_with_shortcuts_compute_the_graph) {
  for (u64 seed : {21u, 22u, 23u}) {
    NetBuilder b(seed, {1, 2, 8, 8});
    ValueId v = b.conv(b.at, 4, 3, 1, 1);
    v = b.block(v, 4, 1);
    v = b.block(v, 8, 2);
    v = b.gemm(b.flatten(b.average_pool(b.quadratic(v), 2, 2)), 5);
    expect_same(b.finish(v), seed, 11);
  }
}

TEST(Simulate, packed_patches_compute_the_graph_in_eleven_levels) {
  const Graph g = patch_net(31, 16, 4, 10);
  const std::vector<Tensor> inputs = inputs_for(g, 31);
  const Compiled compiled = compile(g, inputs, test_options(12));
  EXPECT_EQ(compiled.explanation.depth, 11);
  EXPECT_EQ(compiled.explanation.patches_merged, 4);
  EXPECT_LE(simulated_error(g, *compiled.program, inputs[0]), 1e-9);
  EXPECT_LE(simulated_error(g, *compiled.program, inputs[1]), 1e-9);
}

TEST(Simulate, slices_that_cannot_share_a_ciphertext_are_taken_encrypted) {
  NetBuilder b(35, {1, 1, 12, 12});
  const ValueId one = b.conv(b.slice(b.at, 0, 0, 8), 2, 3, 1, 1);
  const ValueId two = b.quadratic(b.conv(b.slice(b.at, 2, 3, 6), 3, 3, 1, 0));
  const ValueId y =
      b.graph.add(Op::Add, {b.gemm(b.flatten(b.quadratic(one)), 4), b.gemm(b.flatten(two), 4)});
  expect_same(b.finish(y), 35, 11);
}

TEST(Simulate, random_chains_of_every_operator_compute_the_graph) {
  const u64 first = test_seed(100);
  for (u64 seed = first; seed < first + 25; ++seed) {
    NetBuilder b(seed, {1, 3, 7, 6});
    ValueId v = b.conv(b.at, 4, 3, 1, 1);
    for (int step = 0; step < 5; ++step) {
      const Dims d = b.dims(v);
      switch (b.rng.below(9)) {
        case 0:
          v = b.quadratic(v);
          break;
        case 1:
          v = b.conv(v, 4, 3, 1 + b.rng.below(2), 1, 1 + b.rng.below(2));
          break;
        case 2:
          v = b.graph.add(Op::Add, {v, b.conv(v, d[1], 1, 1, 0)});
          break;
        case 3:
          if (d[2] >= 2 && d[3] >= 2) v = b.average_pool(v, 2, 1 + b.rng.below(2));
          break;
        case 4:
          v = b.graph.add(Op::Transpose, {v}, {{"perm", std::vector<i64>{0, 1, 3, 2}}});
          break;
        case 5:
          v = b.graph.add(Op::Concat, {v, b.graph.add(Op::Neg, {v})}, {{"axis", i64(1)}});
          break;
        case 6:
          v = b.graph.add(Op::Mul, {v, b.conv(v, d[1], 3, 1, 1)});
          break;
        case 7:
          v = b.graph.add(Op::Sub, {b.weight({1, d[1], 1, 1}, 0.3), v});
          break;
        default:
          v = b.graph.add(Op::Mul, {v, v});
          break;
      }
    }
    expect_same(b.finish(b.gemm(b.flatten(v), 3)), seed, 12);
  }
}

TEST(Simulate, transposed_convolutions_pads_and_means_compute_the_graph) {
  for (u64 seed : {41u, 42u}) {
    NetBuilder b(seed, {1, 2, 4, 4});
    ValueId v =
        b.graph.add(Op::ConvTranspose, {b.at, b.weight({2, 3, 3, 3}, 0.3), b.weight({3}, 0.1)},
                    {{"strides", std::vector<i64>{2, 2}}, {"pads", std::vector<i64>{1, 1, 1, 1}}});
    v = b.quadratic(v);
    const std::vector<i64> pads{0, 0, 1, 2, 0, 0, 1, 0};
    v = b.graph.add(Op::Pad, {v, b.graph.add_constant(Tensor::of<i64>({8}, pads)),
                              b.graph.add_constant(Tensor::scalar<float>(0.5f))});
    const ValueId axes = b.graph.add_constant(Tensor::of<i64>({1}, {2}));
    v = b.graph.add(Op::ReduceMean, {v, axes}, {{"keepdims", i64(0)}});
    expect_same(b.finish(v), seed, 11);
  }
}

TEST(Simulate, matrix_products_on_either_side_compute_the_graph) {
  NetBuilder b(51, {1, 5, 6});
  ValueId v = b.graph.add(Op::MatMul, {b.at, b.weight({6, 4}, 0.4)});
  v = b.graph.add(Op::Mul, {v, v});
  v = b.graph.add(Op::MatMul, {b.weight({3, 5}, 0.4), v});
  expect_same(b.finish(v), 51, 10);
}

TEST(Simulate, activations_with_a_vanishing_square_take_two_levels_and_say_so) {
  NetBuilder b(61, {1, 2, 4, 4});
  ValueId v = b.conv(b.at, 2, 3, 1, 1);
  v = b.graph.add(Op::ChannelQuadratic,
                  {v, b.graph.add_constant(Tensor::of<float>({2, 1, 1}, {0.2f, 1e-9f})),
                   b.graph.add_constant(Tensor::of<float>({2, 1, 1}, {0.5f, 0.5f})),
                   b.graph.add_constant(Tensor::of<float>({2, 1, 1}, {0.1f, 0.1f}))});
  const Graph g = b.finish(b.conv(v, 2, 3, 1, 1));
  const std::vector<Tensor> inputs = inputs_for(g, 61);
  const Compiled compiled = compile(g, inputs, test_options(11));
  EXPECT_EQ(compiled.explanation.depth, 4);
  ASSERT_EQ(compiled.explanation.notes.size(), 1u);
  EXPECT_NE(compiled.explanation.notes[0].find("two levels"), std::string::npos);
  EXPECT_LE(simulated_error(g, *compiled.program, inputs[0]), 1e-9);
}

TEST(Simulate, junk_in_unused_slots_of_the_input_reaches_no_result) {
  const Graph g = patch_net(71, 16, 3, 7);
  const std::vector<Tensor> inputs = inputs_for(g, 71, 1);
  const Compiled compiled = compile(g, inputs, test_options(13));
  NetBuilder b(72, {1, 3, 5, 5});
  const Graph small = b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 3, 3, 1, 1))), 4));
  const std::vector<Tensor> small_inputs = inputs_for(small, 72, 1);
  const Compiled odd = compile(small, small_inputs, test_options(11));
  for (const auto& [c, input] : {std::pair(&compiled, &inputs[0]), {&odd, &small_inputs[0]}}) {
    const EncryptedProgram& p = *c->program;
    std::vector<std::vector<double>> slots = pack_input(p, *input);
    const std::vector<double> clean = simulate(p, slots);
    Rng rng(7);
    for (size_t k = 0; k < slots.size(); ++k)
      for (size_t s = 0; s < slots[k].size(); ++s)
        if (p.input_elements[k][s % p.input_elements[k].size()] < 0)
          slots[k][s] = 1e3 * rng.normal();
    const std::vector<double> dirty = simulate(p, slots);
    for (i32 s : p.output_slots) ASSERT_EQ(clean[size_t(s)], dirty[size_t(s)]) << "slot " << s;
  }
}

TEST(Simulate, no_slot_of_the_output_holds_anything_but_results) {
  const Graph g = patch_net(81, 16, 2, 10);
  const std::vector<Tensor> inputs = inputs_for(g, 81, 1);
  const Compiled compiled = compile(g, inputs, test_options(12));
  const EncryptedProgram& p = *compiled.program;
  const std::vector<double> out = simulate(p, pack_input(p, inputs[0]));
  const i64 period = p.instructions.back().period;
  std::vector<bool> is_result(size_t(period), false);
  for (i32 s : p.output_slots) is_result[size_t(s)] = true;
  for (i64 s = 0; s < p.slots(); ++s) {
    if (is_result[size_t(s % period)])
      ASSERT_NEAR(out[size_t(s)], out[size_t(s % period)], 1e-9) << "slot " << s;
    else
      ASSERT_EQ(out[size_t(s)], 0) << "slot " << s;
  }
}

TEST(Simulate, noise_stays_far_below_the_result) {
  const Graph g = patch_net(91, 16, 4, 10);
  const std::vector<Tensor> inputs = inputs_for(g, 91, 1);
  const Compiled compiled = compile(g, inputs, test_options(12));
  const EncryptedProgram& p = *compiled.program;
  const auto slots = pack_input(p, inputs[0]);
  SimulateOptions noisy;
  noisy.noise_seed = 5;
  const std::vector<double> clean = simulate(p, slots), found = simulate(p, slots, noisy);
  double error = 0, largest = 0;
  for (i32 s : p.output_slots) {
    error = std::max(error, std::abs(clean[size_t(s)] - found[size_t(s)]));
    largest = std::max(largest, std::abs(clean[size_t(s)]));
  }
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 1e-5 * std::max(1.0, largest));
}

}  // namespace
}  // namespace sinter::encrypted::testing
