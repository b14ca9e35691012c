// SPDX-License-Identifier: Apache-2.0
// The Hermite activation, written at random, always ends as one ChannelQuadratic with the
// coefficients of the closed formula.

#include <gtest/gtest.h>

#include "graph/text.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"
#include "tests/passes/random_graph.h"

namespace sinter {
namespace {

/// The profile that makes operators of our own.
OptimizeOptions for_encryption() {
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  return options;
}

using testing_graphs::Builder;
using testing_graphs::Hermite;
using testing_graphs::random_hermite;

void expect_coefficients(const Graph& g, const Hermite& h, i64 channels) {
  const std::vector<NodeId> found = g.nodes_of(Op::ChannelQuadratic);
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(g.node_count(), 1) << to_text(g, {4});
  const Node& n = g.node(found[0]);
  EXPECT_EQ(g.value(n.inputs[0]).name, "x");
  for (i64 c = 0; c < channels; ++c) {
    const auto w = h.coefficients(size_t(c));
    for (size_t i = 0; i < 3; ++i)
      EXPECT_NEAR(g.constant(n.inputs[1 + i])->as_double(c), w[i], 1e-6 * (1 + std::abs(w[i])))
          << "channel " << c << ", coefficient " << i;
  }
}

TEST(fuse_herpn, finds_it_in_any_order_with_static_and_symbolic_batch) {
  for (u64 seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Graph g;
    const i64 channels = 1 + rng.below(7), spatial = rng.below(3);
    Shape shape = {rng.below(2) == 0 ? Dim::symbol("batch") : Dim(1 + rng.below(3)), channels};
    for (i64 d = 0; d < spatial; ++d)
      shape.push_back(rng.below(3) == 0 ? Dim::symbol("s" + std::to_string(d))
                                        : Dim(1 + rng.below(5)));
    const ValueId x = g.add_input("x", DType::f32, shape);
    Builder builder(g, rng);
    builder.constant_nodes = rng.below(2) == 0;
    Hermite h = random_hermite(rng, channels);
    h.has_gamma = rng.below(3) > 0;
    h.has_beta = rng.below(3) > 0;
    g.add_output("y", builder.hermite(x, h));
    const Graph original = g.clone();
    optimize(g, for_encryption());
    expect_coefficients(g, h, channels);
    const EqualityReport equality = compare_graphs(original, g, 12, seed);
    EXPECT_TRUE(equality.accepted) << equality.text() << to_text(original, {8});
    EXPECT_EQ(optimize(g, for_encryption()).rounds, 1);
    if (HasFailure()) return;
  }
}

TEST(fuse_herpn, finds_it_alone_when_constants_are_initializers) {
  Rng rng(5);
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{Dim::symbol("batch"), 4, 3, 3});
  Builder builder(g, rng);
  builder.constant_nodes = false;
  const Hermite h = random_hermite(rng, 4);
  g.add_output("y", builder.hermite(x, h));
  EXPECT_EQ(run_pass(g, *find_pass("fuse_herpn"), true, for_encryption().rules).changed, 1);
  EXPECT_EQ(run_pass(g, *find_pass("eliminate_dead_nodes")).changed, 0);
  expect_coefficients(g, h, 4);
}

TEST(fuse_herpn, takes_in_the_normalization_before_and_the_residual_around_it) {
  Rng rng(6);
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{2, 4, 3, 3});
  Builder builder(g, rng);
  const ValueId b = builder.batch_normalization(x);
  const ValueId y = g.add(Op::Add, {builder.hermite(b, random_hermite(rng, 4)), b});
  g.add_output("y", y);
  const Graph original = g.clone();
  optimize(g, for_encryption());
  EXPECT_EQ(count_ops(g), (OpHistogram{{"ChannelQuadratic", 1}}));
  EXPECT_TRUE(compare_graphs(original, g, 12, 1).accepted);
}

TEST(fuse_herpn, stops_at_a_value_that_others_read) {
  Rng rng(7);
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{2, 4, 3, 3});
  Builder builder(g, rng);
  const ValueId b = builder.batch_normalization(x);
  g.add_output("y", builder.hermite(b, random_hermite(rng, 4)));
  g.add_output("z", g.add(Op::Relu, {b}));
  optimize(g, for_encryption());
  EXPECT_EQ(count_ops(g),
            (OpHistogram{{"ChannelQuadratic", 1}, {"ChannelAffine", 1}, {"Relu", 1}}));
}

TEST(fuse_herpn, leaves_a_constant_alone_that_may_enlarge_the_input) {
  Rng rng(8);
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{Dim::symbol("a"), 3});
  const ValueId other = g.add_input("other", DType::f32, Shape{Dim::symbol("b"), 3});
  const ValueId ones = g.add(Op::ConstantOfShape, {g.add(Op::Shape, {other})});
  const ValueId square = g.add(Op::Mul, {x, x});
  g.add_output("y", g.add(Op::Add, {square, ones}));
  optimize(g, for_encryption());
  EXPECT_TRUE(g.nodes_of(Op::ChannelQuadratic).empty());
}

TEST(fuse_herpn, works_in_float64_and_float16) {
  for (DType type : {DType::f64, DType::f16}) {
    Graph g;
    const ValueId x = g.add_input("x", type, Shape{2, 3});
    const ValueId c = g.add_constant(convert(Tensor::of<float>({3}, {1, 2, 3}), type));
    g.add_output("y", g.add(Op::Add, {g.add(Op::Mul, {x, x}), c}));
    EXPECT_EQ(run_pass(g, *find_pass("fuse_herpn"), true, for_encryption().rules).changed, 1);
  }
}

TEST(fuse_herpn, makes_no_operators_of_our_own_in_the_standard_profile) {
  Rng rng(9);
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{2, 4, 3, 3});
  Builder builder(g, rng);
  g.add_output("y", builder.hermite(builder.batch_normalization(x), random_hermite(rng, 4)));
  const Graph original = g.clone();
  optimize(g);
  for (NodeId id : g.nodes()) EXPECT_GT(info(g.node(id).op).opset, 0) << g.describe(id);
  EXPECT_TRUE(compare_graphs(original, g, 12, 1).accepted);
}

}  // namespace
}  // namespace sinter
