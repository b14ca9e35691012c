// SPDX-License-Identifier: Apache-2.0
// Merging and packing keep the function and save the levels and ciphertexts they should.
#include "encrypted/merge.h"

#include <cmath>

#include "encrypted/fit.h"
#include "encrypted/graph_levels.h"
#include "encrypted/join_inputs.h"
#include "encrypted/layout.h"
#include "encrypted/levels.h"
#include "encrypted/lower.h"
#include "encrypted/pack_branches.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

std::vector<double> output_of(const StageGraph& graph, std::span<const double> input) {
  return evaluate_stages(graph, input)[size_t(graph.output)];
}

std::vector<double> random_input(const StageGraph& graph, u64 seed) {
  Rng rng(seed);
  std::vector<double> x(size_t(element_count(graph.input_dims)));
  for (double& v : x) v = rng.normal() * 0.5;
  return x;
}

void expect_same(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  double largest = 1e-30;
  for (double v : expected) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], 1e-10 * largest) << "element " << i;
}

/// Lowers, merges and packs; checks that each step keeps the function.
StageGraph merged(const Graph& g, i64 slots, u64 seed, i64* members = nullptr) {
  StageGraph graph = lower(g);
  const std::vector<double> x = random_input(graph, seed), expected = output_of(graph, x);
  merge(graph, {true, slots});
  expect_same(output_of(graph, x), expected);
  const i64 packed = pack_branches(graph, slots);
  if (members != nullptr) *members = packed;
  expect_same(output_of(graph, x), expected);
  return graph;
}

i64 count(const StageGraph& graph, StageKind kind) {
  return std::count_if(graph.stages.begin(), graph.stages.end(),
                       [kind](const Stage& s) { return s.kind == kind; });
}

TEST(Merge, a_convolution_a_pool_and_a_gemm_become_one_matrix) {
  NetBuilder b(401, {1, 2, 8, 8});
  const Graph g = b.finish(b.gemm(b.flatten(b.average_pool(b.conv(b.at, 3, 3, 1, 1), 4, 4)), 5));
  const StageGraph graph = merged(g, 1024, 401);
  EXPECT_EQ(std::ssize(graph.stages), 2);
  EXPECT_EQ(plan_levels(graph).depth, 1);
  EXPECT_EQ(graph.stages[1].op, "Conv");
  EXPECT_EQ(graph.stages[1].merged, 3);
}

TEST(Merge, a_wide_product_of_two_narrow_matrices_is_left_apart) {
  NetBuilder b(402, {1, 512});
  const Graph g = b.finish(b.gemm(b.gemm(b.at, 4), 512));
  EXPECT_EQ(plan_levels(merged(g, 1024, 402)).depth, 2);
}

TEST(Merge, a_shared_linear_value_is_computed_once) {
  NetBuilder b(403, {1, 2, 6, 6});
  const ValueId shared = b.conv(b.at, 3, 3, 1, 1);
  const ValueId y =
      b.graph.add(Op::Add, {b.conv(b.quadratic(shared), 3, 3, 1, 1), b.conv(shared, 3, 3, 1, 1)});
  const StageGraph graph = merged(b.finish(y), 1024, 403);
  EXPECT_EQ(count(graph, StageKind::linear), 2);
  EXPECT_EQ(plan_levels(graph).depth, 3);
}

TEST(Merge, an_activation_costs_one_level_and_its_coefficients_reach_the_shortcut) {
  NetBuilder b(404, {1, 2, 8, 8});
  const Graph g = b.finish(b.conv(b.block(b.conv(b.at, 4, 3, 1, 1), 4, 1), 2, 1, 1, 0));
  const StageGraph graph = merged(g, 1024, 404);
  EXPECT_EQ(plan_levels(graph).depth, 5);  // stem, square, conv, square, conv + shortcut + 1x1
  for (const Stage& s : graph.stages) {
    if (s.kind != StageKind::product) continue;
    EXPECT_TRUE(s.is_square());
    EXPECT_TRUE(s.shift_x.empty());  // folded into the bias of the convolution before
  }
}

TEST(Merge, an_affine_between_two_squares_costs_no_level) {
  NetBuilder b(405, {1, 3, 4, 4});
  ValueId v = b.conv(b.at, 3, 3, 1, 1);
  v = b.graph.add(Op::Mul, {v, v});
  v = b.graph.add(Op::ChannelAffine, {v, b.weight({3, 1, 1}, 1), b.weight({3, 1, 1}, 1)});
  v = b.graph.add(Op::Mul, {v, v});
  const StageGraph graph = merged(b.finish(b.gemm(b.flatten(v), 2)), 1024, 405);
  EXPECT_EQ(plan_levels(graph).depth, 4);
}

TEST(Merge, activations_one_after_another_keep_the_function) {
  for (u64 seed : {406u, 407u, 408u}) {
    NetBuilder b(seed, {1, 3, 4, 4});
    ValueId v = b.quadratic(b.quadratic(b.conv(b.at, 3, 3, 1, 1)));
    v = b.graph.add(Op::Mul, {v, b.quadratic(b.conv(b.at, 3, 1, 1, 0))});
    merged(b.finish(b.gemm(b.flatten(v), 2)), 1024, seed);
  }
}

TEST(Merge, slices_of_the_input_are_left_to_the_client) {
  const StageGraph graph = merged(patch_net(410, 16, 2, 3), 2048, 410);
  EXPECT_EQ(count(graph, StageKind::input), 1);
  const Stage& input = graph.stages[0];
  EXPECT_EQ(input.geometry.members, 4);
  EXPECT_EQ(input.source[1], 1);
  EXPECT_EQ(input.source[64], 8);        // second patch
  EXPECT_EQ(input.source[128], 8 * 16);  // third patch
  EXPECT_EQ(plan_levels(graph).depth, 11);
}

TEST(PackBranches, branches_of_one_structure_share_everything) {
  for (i64 branches : {2, 3, 5}) {
    NetBuilder b(u64(420 + branches), {1, 2, 6, 6});
    ValueId sum;
    for (i64 k = 0; k < branches; ++k) {
      const ValueId v = b.gemm(b.flatten(b.quadratic(b.conv(b.at, 3, 3, 1, 1))), 4);
      sum = sum.valid() ? b.graph.add(Op::Add, {sum, v}) : v;
    }
    i64 members = 0;
    const StageGraph graph = merged(b.finish(sum), 2048, u64(420 + branches), &members);
    EXPECT_EQ(members, branches);
    EXPECT_EQ(std::ssize(graph.stages), 4);
  }
}

TEST(PackBranches, branches_that_outgrow_a_ciphertext_are_cut_into_groups_of_any_size) {
  for (i64 branches : {3, 5, 7}) {
    NetBuilder b(u64(425 + branches), {1, 2, 8, 8});
    ValueId sum;
    for (i64 k = 0; k < branches; ++k) {
      const ValueId v = b.block(b.conv(b.at, 4, 3, 1, 1), 6, 2);
      const ValueId y = b.gemm(b.flatten(b.quadratic(v)), 4);
      sum = sum.valid() ? b.graph.add(Op::Add, {sum, y}) : y;
    }
    i64 members = 0;  // 256 slots a branch, 128 behind the stride
    const StageGraph graph = merged(b.finish(sum), 512, u64(425 + branches), &members);
    EXPECT_EQ(members, std::min<i64>(branches, 4));
    for (const Stage& s : graph.stages) EXPECT_LE(footprint(s.geometry, true), 512) << s.name;
  }
}

TEST(PackBranches, sums_over_planes_side_by_side_are_those_of_each_branch) {
  NetBuilder b(41, {1, 1, 4, 8});
  ValueId sum;
  for (i64 branch = 0; branch < 2; ++branch) {
    const ValueId x = b.conv(b.slice(b.at, 0, 4 * branch, 4), 2, 3, 1, 1);
    const ValueId axes = b.graph.add_constant(Tensor::of<i64>({3}, std::vector<i64>{1, 2, 3}));
    const ValueId y =
        b.quadratic(b.graph.add(Op::ReduceSumSquare, {x, axes}, {{"keepdims", i64(1)}}));
    sum = sum.valid() ? b.graph.add(Op::Add, {sum, y}) : y;
  }
  const Graph g = b.finish(b.gemm(b.flatten(sum), 3));
  const auto inputs = inputs_for(g, 41);
  const Compiled compiled = compile(g, inputs, test_options(10));
  EXPECT_EQ(compiled.explanation.patches_merged, 2);
  EXPECT_LT(simulated_error(g, *compiled.program, inputs[1]), 1e-6);
}

TEST(PackBranches, branches_of_other_structure_stay_apart) {
  NetBuilder b(430, {1, 2, 6, 6});
  const ValueId one = b.gemm(b.flatten(b.quadratic(b.conv(b.at, 3, 3, 1, 1))), 4);
  const ValueId two =
      b.gemm(b.flatten(b.quadratic(b.conv(b.quadratic(b.conv(b.at, 3, 3, 1, 1)), 3, 3, 1, 1))), 4);
  i64 members = 0;
  merged(b.finish(b.graph.add(Op::Add, {one, two})), 2048, 430, &members);
  EXPECT_EQ(members, 1);
}

TEST(PackBranches, branches_multiplied_with_each_other_stay_apart) {
  NetBuilder b(431, {1, 2, 6, 6});
  const ValueId one = b.quadratic(b.conv(b.at, 3, 3, 1, 1));
  const ValueId two = b.quadratic(b.conv(b.at, 3, 3, 1, 1));
  i64 members = 0;
  merged(b.finish(b.gemm(b.flatten(b.graph.add(Op::Mul, {one, two})), 3)), 2048, 431, &members);
  EXPECT_EQ(members, 1);
}

// 256 slots a branch at first, 128 behind the stride: two ciphertexts, then one.
TEST(PackBranches, as_many_as_fit_are_packed) {
  i64 members = 0;
  StageGraph graph = merged(patch_net(432, 16, 4, 3), 512, 432, &members);
  EXPECT_EQ(members, 4);
  EXPECT_EQ(count(graph, StageKind::input), 1);
  i64 pairs = 0, fours = 0;
  for (const Stage& s : graph.stages) {
    EXPECT_LE(footprint(s.geometry, true), 512) << s.name;
    pairs += s.kind == StageKind::product && s.geometry.members == 2;
    fours += s.kind == StageKind::product && s.geometry.members == 4;
  }
  EXPECT_EQ(pairs, 2 * 3);
  EXPECT_EQ(fours, 2);
}

TEST(JoinInputs, parts_that_branches_of_other_structure_read_come_in_one_ciphertext) {
  NetBuilder b(433, {1, 2, 8, 16});
  const auto branch = [&](ValueId v) { return b.quadratic(b.conv(v, 3, 3, 1, 1)); };
  const ValueId one = branch(b.slice(b.at, 0, 0, 8)), two = branch(branch(b.slice(b.at, 0, 8, 8)));
  const ValueId sum = b.graph.add(Op::Add, {b.gemm(b.flatten(one), 4), b.gemm(b.flatten(two), 4)});
  StageGraph graph = merged(b.finish(sum), 512, 433);
  const std::vector<double> x = random_input(graph, 433), expected = output_of(graph, x);
  EXPECT_EQ(count(graph, StageKind::input), 2);
  EXPECT_FALSE(join_inputs(graph, 128));
  EXPECT_EQ(count(graph, StageKind::input), 2);
  EXPECT_TRUE(join_inputs(graph, 256));
  EXPECT_EQ(count(graph, StageKind::input), 1);
  EXPECT_EQ(graph.stages[0].geometry.members, 2);
  expect_same(output_of(graph, x), expected);
}

TEST(Merge, a_normalisation_by_a_quadratic_takes_three_levels) {
  for (float a : {0.05f, -0.05f, 3.0f}) {
    const StageGraph graph = merged(normalising_net(450, a), 1024, 450);
    EXPECT_EQ(plan_levels(graph).depth, 3 + 3) << a;
    EXPECT_EQ(graph.stages[size_t(graph.output)].kind, StageKind::product);
  }
}

TEST(Merge, a_normalisation_inside_the_network_takes_three_levels) {
  NetBuilder b(451, {1, 2, 4, 4});
  const ValueId x = b.gemm(b.flatten(b.quadratic(b.conv(b.at, 3, 3, 1, 1))), 8);
  const Graph g = b.finish(b.gemm(normalised(b, x, 0.05f), 5));
  EXPECT_EQ(plan_levels(merged(g, 1024, 451)).depth, 3 + 3 + 1);
}

TEST(Merge, a_sum_of_squares_costs_no_level) {
  NetBuilder b(453, {1, 2, 4, 4});
  const ValueId x = b.gemm(b.flatten(b.quadratic(b.conv(b.at, 3, 3, 1, 1))), 6);
  const ValueId sum = sum_of_squares(b, x);
  const ValueId share = b.graph.add(Op::Mul, {sum, b.graph.add_constant(filled({1}, 0.3f))});
  const StageGraph graph = merged(b.finish(share), 1024, 453);
  EXPECT_EQ(plan_levels(graph).depth, 3 + 1);
  EXPECT_TRUE(sums_slots(graph.stages[size_t(graph.output)]));
}

// Six elements in eight slots: the copies of the sum in the other two would leave with the result.
TEST(Merge, a_sum_that_would_fill_the_output_with_copies_stays_a_matrix) {
  NetBuilder b(454, {1, 2, 4, 4});
  const ValueId x = b.gemm(b.flatten(b.quadratic(b.conv(b.at, 3, 3, 1, 1))), 6);
  const ValueId one = b.graph.add_constant(filled({1, 6}, 1));
  const ValueId all = b.graph.add(Op::Mul, {sum_of_squares(b, x), one});
  const StageGraph graph = merged(b.finish(all), 1024, 454);
  for (const Stage& s : graph.stages) EXPECT_FALSE(s.is_sum);
}

TEST(Merge, parallel_pools_and_the_gemm_behind_their_concat_become_one_matrix) {
  NetBuilder b(452, {1, 1, 16, 16});
  std::vector<ValueId> parts;
  for (i64 patch = 0; patch < 4; ++patch) {
    const ValueId v = b.slice(b.at, patch / 2 * 8, patch % 2 * 8, 8);
    const ValueId h = b.quadratic(b.conv(v, 8, 3, 1, 1));
    parts.push_back(b.flatten(b.average_pool(h, 4, 4)));
  }
  const ValueId all = b.graph.add(Op::Concat, parts, {{"axis", i64(1)}});
  const StageGraph graph = merged(b.finish(b.gemm(all, 32)), 4096, 452);
  EXPECT_EQ(plan_levels(graph).depth, 3);
}

/// Levels of every step, and of the whole, by the records.
void expect_records_add_up(const Graph& model, i64 slots) {
  std::vector<MergeRecord> passes;
  const Graph unfused = bind_and_fuse(model, false), fused = bind_and_fuse(model, true, &passes);
  const std::optional<int> before = graph_levels(unfused), between = graph_levels(fused);
  ASSERT_TRUE(before && between);
  EXPECT_EQ(*before, unmerged_depth(lower(unfused)));
  EXPECT_EQ(*between, unmerged_depth(lower(fused)));
  EXPECT_EQ(levels_saved(passes), *before - *between);
  const StageGraph stages = fit(fused, slots, true).stages;
  EXPECT_EQ(levels_saved(stages.merges), *between - plan_levels(stages).depth);
  i64 count = 0;
  for (const MergeRecord& rule : by_rule(stages.merges)) count += rule.count;
  EXPECT_EQ(count, std::ssize(stages.merges));
}

TEST(MergeRecords, add_up_to_the_levels_saved) {
  expect_records_add_up(patch_net(460, 16, 2, 3), 2048);
  expect_records_add_up(normalising_net(461, 0.05f), 1024);
  expect_records_add_up(normalising_net(462, -0.05f), 1024);
  for (u64 seed : {463u, 464u}) expect_records_add_up(herpn_net(seed), 1024);
}

TEST(MergeRecords, name_the_pass_and_the_layers) {
  std::vector<MergeRecord> passes;
  bind_and_fuse(herpn_net(465), true, &passes);
  const auto herpn = std::find_if(passes.begin(), passes.end(),
                                  [](const MergeRecord& m) { return m.rule == "fuse_herpn"; });
  ASSERT_NE(herpn, passes.end());
  EXPECT_EQ(herpn->count, 2);
  EXPECT_FALSE(herpn->names.empty());
  EXPECT_GT(herpn->levels_saved, 0);
}

// A sum of two squares is an addition without a matrix to be part of.
TEST(MergeRecords, an_addition_that_costs_a_level_is_told) {
  NetBuilder b(466, {1, 2, 4, 4});
  const auto square = [&](ValueId v) { return b.graph.add(Op::Mul, {v, v}); };
  const ValueId sum =
      b.graph.add(Op::Add, {square(b.conv(b.at, 2, 3, 1, 1)), square(b.conv(b.at, 2, 1, 1, 0))});
  const StageGraph stages = fit(b.finish(sum), 1024, true).stages;
  ASSERT_FALSE(stages.merges.empty());
  EXPECT_EQ(stages.merges.back().rule, "keep");
  EXPECT_EQ(stages.merges.back().levels_saved, -1);
}

TEST(Levels, every_value_stands_above_its_readers) {
  for (u64 seed : {440u, 441u}) {
    NetBuilder b(seed, {1, 1, 8, 8});
    ValueId v = b.conv(b.at, 2, 3, 1, 1);
    const ValueId early = b.quadratic(v);
    v = b.block(b.block(v, 2, 1), 2, 1);
    v = b.graph.add(Op::Add, {v, b.conv(early, 2, 1, 1, 0)});  // a shortcut over two blocks
    const StageGraph graph = merged(b.finish(b.gemm(b.flatten(v), 2)), 1024, seed);
    const LevelPlan plan = plan_levels(graph);
    EXPECT_EQ(plan.level[size_t(graph.output)], 0);
    for (size_t k = 0; k < graph.stages.size(); ++k)
      for (i32 o : operands(graph.stages[k])) EXPECT_GE(plan.level[size_t(o)], plan.level[k] + 1);
    EXPECT_EQ(plan.depth, 9);
  }
}

}  // namespace
}  // namespace sinter::encrypted::testing
