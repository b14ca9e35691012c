// SPDX-License-Identifier: Apache-2.0
// What reports say of a program's levels is what its instructions do, and the errors predicted by
// layer are those that the noise makes.
#include "encrypted/flow.h"

#include <algorithm>

#include "encrypted/precision.h"
#include "encrypted/serialize.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

struct Sample {
  Graph graph;
  std::vector<Tensor> images;
  std::shared_ptr<const EncryptedProgram> program;
};

/// Two blocks: one identity shortcut and one projection.
const Sample& sample() {
  static const Sample made = [] {
    NetBuilder b(910, {1, 1, 8, 8});
    const ValueId v = b.block(b.block(b.conv(b.at, 2, 3, 1, 1), 2, 1), 4, 2);
    Sample s{b.finish(b.gemm(b.flatten(b.quadratic(v)), 3)), {}, nullptr};
    s.images = inputs_for(s.graph, 910);
    s.program = compile(s.graph, s.images, test_options(11)).program;
    return s;
  }();
  return made;
}

TEST(Flow, both_arms_of_every_join_stand_at_one_level_and_scale) {
  const Flow flow = flow_of(*sample().program);
  ASSERT_GE(flow.joins.size(), 2u);
  for (const FlowJoin& join : flow.joins) {
    EXPECT_EQ(join.level_a, join.level_b);
    EXPECT_NEAR(join.scale_a / join.scale_b, 1, 1e-9);
    EXPECT_FALSE(join.layers_a.empty());
    EXPECT_FALSE(join.layers_b.empty());
  }
  // The shortcut of a block comes from further back than the main path does.
  const bool is_shortcut = std::any_of(flow.joins.begin(), flow.joins.end(), [](const FlowJoin& j) {
    return j.layers_a.front() != j.layers_b.front();
  });
  EXPECT_TRUE(is_shortcut);
}

TEST(Flow, the_main_path_runs_from_input_to_output_without_a_gap) {
  const EncryptedProgram& program = *sample().program;
  const Flow flow = flow_of(program);
  EXPECT_EQ(flow.main_path.front(), program.instructions.front().layer);
  EXPECT_EQ(flow.main_path.back(), program.instructions.back().layer);
  i64 main = 0, shortcuts = 0;
  for (const FlowEdge& edge : flow.edges) {
    EXPECT_LT(edge.from, edge.to);
    EXPECT_LE(edge.level_to, edge.level_from);
    if (edge.is_main) {
      EXPECT_EQ(edge.level_to, edge.level_from) << edge.from << " to " << edge.to;
    }
    ++(edge.is_main ? main : shortcuts);
  }
  EXPECT_EQ(main + 1, std::ssize(flow.main_path));
  EXPECT_GE(shortcuts, 2);
}

TEST(Flow, ends_for_layers_in_any_order) {
  EncryptedProgram program = *sample().program;
  for (u64 seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    for (Instruction& i : program.instructions) i.layer = i32(rng.below(program.layers.size()));
    EXPECT_FALSE(flow_of(program).main_path.empty());
  }
}

TEST(Flow, a_layer_reads_as_many_keys_as_it_rotates) {
  const EncryptedProgram& program = *sample().program;
  const i64 limb = program.params.n() * i64(sizeof(u64));
  const i64 special = std::ssize(program.params.p());
  for (i64 k = 0; k < std::ssize(program.instructions); ++k) {
    const Instruction& i = program.instructions[size_t(k)];
    const i64 all = i.level + 1 + special, digits = (i.level + special) / special;
    i64 keys = i.op == Opcode::fold || i.op == Opcode::square || i.op == Opcode::multiply;
    if (i.op == Opcode::linear)
      keys = std::ssize(program.maps[size_t(i.table)].plan(program.slots()).rotations);
    EXPECT_EQ(key_bytes_read(program, k), keys * 2 * digits * all * limb) << name(i.op);
  }
}

TEST(Precision, the_error_of_every_layer_is_predicted_and_kept) {
  const EncryptedProgram& program = *sample().program;
  ThreadPool pool(1);
  const PredictedErrors errors = predict_errors(program, sample().images, pool);
  ASSERT_EQ(errors.layers.size(), program.layers.size());
  for (size_t l = 0; l < errors.layers.size(); ++l) {
    EXPECT_GT(errors.layers[l], 0);
    EXPECT_GE(program.layers[l].error, errors.layers[l] * (1 - 1e-9));  // two digits, rounded up
    EXPECT_LE(program.layers[l].error, errors.layers[l] * 1.11);
  }
  // A mean is below the largest element's, and not by much in a layer of like elements.
  EXPECT_LE(errors.layers.back(), errors.output * 1.5);
  const auto loaded = load_program(save_program(program), "copy");
  EXPECT_EQ(loaded->layers, program.layers);
}

}  // namespace
}  // namespace sinter::encrypted::testing
