// SPDX-License-Identifier: Apache-2.0
#include "passes/pipeline.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "passes/check_equal.h"

namespace sinter {
namespace {

constexpr std::string_view kPair = R"(
  x = input [1,3,8,8]
  c = Conv(x, random [4,3,3,3], random [4])
  y = BatchNormalization(c, random [4], random [4], random [4], positive [4])
  output y
)";
constexpr std::string_view kNoBatchNorm = R"(
  x = input [1,3,8,8]
  y = Conv(x, random [4,3,3,3], random [4])
  output y
)";
constexpr std::string_view kDouble = R"(
  x = input [1,3,8,8]
  c = Conv(x, random [4,3,3,3])
  b = BatchNormalization(c, random [4], random [4], random [4], positive [4])
  d = Conv(b, random [5,4,3,3], random [5])
  y = BatchNormalization(d, random [5], random [5], random [5], positive [5])
  output y
)";

i64 nodes_after(std::string_view text) {
  const Graph original = parse_graph(text);
  Graph g = original.clone();
  const OptimizeReport report = optimize(g);
  EXPECT_TRUE(compare_graphs(original, g, 12, 1).accepted);
  EXPECT_EQ(report.nodes_before, original.node_count());
  EXPECT_EQ(report.nodes_after, g.node_count());
  return g.node_count();
}

TEST(pipeline, folds_the_three_small_networks_to_one_one_and_two_nodes) {
  EXPECT_EQ(nodes_after(kPair), 1);
  EXPECT_EQ(nodes_after(kNoBatchNorm), 1);
  EXPECT_EQ(nodes_after(kDouble), 2);
}

TEST(pipeline, says_which_pass_removed_what) {
  Graph g = parse_graph(kDouble);
  const OptimizeReport report = optimize(g);
  EXPECT_EQ(report.rounds, 2);
  EXPECT_EQ(report.ops_before, (OpHistogram{{"BatchNormalization", 2}, {"Conv", 2}}));
  EXPECT_EQ(report.ops_after, (OpHistogram{{"Conv", 2}}));
  ASSERT_EQ(report.passes.size(), all_passes().size());
  i64 removed = 0;
  for (const PassReport& row : report.passes) {
    for (const auto& [op, count] : row.removed) removed += count;
    if (row.name == "fuse_conv_batchnorm") {
      EXPECT_EQ(row.changed, 2);
      EXPECT_EQ(row.removed, (OpHistogram{{"BatchNormalization", 2}}));
      EXPECT_EQ(row.exactness, Exactness::e1);
    }
  }
  EXPECT_EQ(removed, report.nodes_before - report.nodes_after);
}

TEST(pipeline, runs_only_what_is_asked_for) {
  Graph g = parse_graph(kPair);
  OptimizeOptions options;
  options.skip = {"fuse_conv_batchnorm"};
  optimize(g, options);
  EXPECT_EQ(count_ops(g), (OpHistogram{{"Conv", 1}}));  // by way of ChannelAffine
  Graph h = parse_graph(kPair);
  options = {};
  options.only = {"eliminate_dead_nodes"};
  const OptimizeReport report = optimize(h, options);
  EXPECT_EQ(report.passes.size(), 1u);
  EXPECT_EQ(h.node_count(), 2);
}

TEST(pipeline, refuses_unknown_names_and_lists_the_known_ones) {
  Graph g = parse_graph(kPair);
  OptimizeOptions options;
  options.skip = {"fuse_herpn", "fuse_everything"};
  options.only = {"magic"};
  try {
    optimize(g, options);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_argument);
    const std::string text = e.what();
    EXPECT_NE(text.find("fuse_everything, magic"), std::string::npos) << text;
    EXPECT_NE(text.find("fuse_conv_batchnorm"), std::string::npos) << text;
  }
}

TEST(pipeline, stops_and_says_so_when_rounds_run_out) {
  Graph g = parse_graph(kPair);
  OptimizeOptions options;
  options.max_rounds = 1;
  EXPECT_FALSE(optimize(g, options).converged);
  EXPECT_TRUE(optimize(g).converged);
}

TEST(pipeline, names_the_pass_that_breaks_a_graph) {
  Graph g = parse_graph(kPair);
  const PassInfo broken = {"break_it",
                           [](Graph& graph, const PassOptions&) {
                             const NodeId conv = graph.nodes_of(Op::Conv)[0];
                             graph.set_attribute(conv, "group", i64(7));
                             return PassStats{1, {}};
                           },
                           "", Exactness::e0};
  try {
    run_pass(g, broken);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal);
    EXPECT_NE(std::string(e.what()).find("break_it"), std::string::npos);
  }
}

TEST(pipeline, keeps_the_interface) {
  Graph g = parse_graph(R"(
    unused = input [2]
    x = input [batch,3]
    a = Identity(x)
    b = Identity(a)
    output first = a
    output second = b
    output third = x
  )");
  optimize(g);
  EXPECT_EQ(g.node_count(), 0);
  ASSERT_EQ(g.inputs().size(), 2u);
  EXPECT_EQ(g.value(g.inputs()[0]).name, "unused");
  ASSERT_EQ(g.outputs().size(), 3u);
  EXPECT_EQ(g.outputs()[0].name, "first");
  EXPECT_EQ(g.outputs()[2].name, "third");
}

TEST(pipeline, folds_float16_once_rounded) {
  Graph g = parse_graph(R"(
    x = input f16[1,3,4,4]
    c = Conv(x, random f16[4,3,1,1])
    y = BatchNormalization(c, random f16[4], random f16[4], random f16[4], positive f16[4])
    output y
  )");
  const Graph original = g.clone();
  optimize(g);
  EXPECT_EQ(count_ops(g), (OpHistogram{{"Conv", 1}}));
  EXPECT_TRUE(compare_graphs(original, g, 12, 1).accepted);
}

// -- check_equal -----------------------------------------------------------------------------

TEST(compare_graphs, accepts_a_graph_and_itself) {
  const Graph g = parse_graph(kDouble);
  const EqualityReport report = compare_graphs(g, g, 4, 3);
  EXPECT_TRUE(report.accepted) << report.text();
  EXPECT_EQ(report.outputs[0].e0, report.outputs[0].e1);
  EXPECT_GT(report.outputs[0].e0, 0);
}

TEST(compare_graphs, refuses_a_wrong_broadcast_a_wrong_shape_and_a_wrong_type) {
  const Graph original = parse_graph(R"(
    x = input [batch,3,3]
    y = Mul(x, const [3,1] {1.0, 1.001, 1.0})
    output y
  )");
  const Graph wrong = parse_graph(R"(
    x = input [batch,3,3]
    y = Mul(x, const [3] {1.0, 1.001, 1.0})
    output y
  )");
  const Graph larger = parse_graph(R"(
    x = input [batch,3,3]
    y = Mul(x, fill [1,1,1,1] 1)
    output y
  )");
  const Graph typed = parse_graph(R"(
    x = input [batch,3,3]
    y = Cast(x) to=11
    output y
  )");
  EXPECT_FALSE(compare_graphs(original, wrong, 4, 1).accepted);
  EXPECT_NE(compare_graphs(original, larger, 4, 1).outputs[0].reason.find("shape"),
            std::string::npos);
  EXPECT_NE(compare_graphs(original, typed, 4, 1).outputs[0].reason.find("type"),
            std::string::npos);
}

TEST(compare_graphs, refuses_a_constant_that_is_off_by_a_few_units) {
  const Graph original = parse_graph("x = input [64]\ny = Mul(x, fill [] 1.5)\noutput y\n");
  const Graph off = parse_graph("x = input [64]\ny = Mul(x, fill [] 1.50001)\noutput y\n");
  const EqualityReport report = compare_graphs(original, off, 8, 1);
  EXPECT_FALSE(report.accepted) << report.text();
}

TEST(compare_graphs, refuses_not_a_number_where_there_was_a_number) {
  const Graph original = parse_graph("x = input [64]\ny = Abs(x)\noutput y\n");
  const Graph bad = parse_graph("x = input [64]\na = Sqrt(x)\ny = Mul(a, a)\noutput y\n");
  const EqualityReport report = compare_graphs(original, bad, 4, 1);
  EXPECT_FALSE(report.accepted);
  EXPECT_NE(report.outputs[0].reason.find("nan"), std::string::npos) << report.text();
}

TEST(compare_graphs, shrinks_inputs_that_overflow_float32) {
  // x^32 of inputs near 100 is 1e64: only float64 holds it.
  std::string text = "x = input [16]\nv0 = Identity(x)\n";
  for (int i = 0; i < 5; ++i)
    text += "v" + std::to_string(i + 1) + " = Mul(v" + std::to_string(i) + ", v" +
            std::to_string(i) + ")\n";
  text += "output v5\n";
  const Graph g = parse_graph(text);
  const EqualityReport report = compare_graphs(g, g, 4, 1);
  EXPECT_TRUE(report.accepted) << report.text();
}

TEST(compare_graphs, binds_symbols_to_primes_and_once_to_one) {
  const Graph g = parse_graph("x = input [a,b,a]\ny = Relu(x)\noutput y\n");
  EXPECT_EQ(sample_inputs(g, 0, 1)[0].dims(), (Dims{2, 3, 2}));
  EXPECT_EQ(sample_inputs(g, 1, 1)[0].dims(), (Dims{3, 5, 3}));
  EXPECT_EQ(sample_inputs(g, 2, 1)[0].dims(), (Dims{1, 1, 1}));
}

TEST(compare_graphs, compares_integer_outputs_exactly) {
  const Graph a = parse_graph("x = input [n,3]\ny = Shape(x)\noutput y\n");
  const Graph b =
      parse_graph("x = input [n,3]\ns = Shape(x)\ny = Mul(s, const i64[] {1})\noutput y\n");
  const Graph c =
      parse_graph("x = input [n,3]\ns = Shape(x)\ny = Add(s, const i64[] {1})\noutput y\n");
  EXPECT_TRUE(compare_graphs(a, b, 4, 1).accepted);
  EXPECT_FALSE(compare_graphs(a, c, 4, 1).accepted);
}

TEST(compare_graphs, finds_sizes_for_inputs_that_must_agree_and_for_halving_and_doubling) {
  for (const char* text :
       {"a = input [n,3]\nb = input [m,3]\ny = Concat(a, b) axis=1\noutput y\n",
        "x = input [1,2,H,W]\np = MaxPool(x) kernel_shape=[2,2] strides=[2,2]\n"
        "u = ConvTranspose(p, random [2,2,2,2]) strides=[2,2]\ny = Concat(x, u) axis=1\n"
        "output y\n"}) {
    const Graph g = parse_graph(text);
    const EqualityReport report = compare_graphs(g, g, 12, 1);
    EXPECT_TRUE(report.accepted) << report.text();
  }
}

TEST(compare_graphs, says_that_no_sample_sizes_fit) {
  const Graph g = parse_graph("x = input [n,3]\ny = Reshape(x, const i64[2] {7, 11})\noutput y\n");
  try {
    compare_graphs(g, g, 4, 1);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(int(e.kind()), int(ErrorKind::unsupported));
    EXPECT_NE(std::string(e.what()).find("no sample sizes fit"), std::string::npos) << e.what();
  }
}

TEST(compare_graphs, compares_the_shapes_of_the_interface) {
  const Graph a = parse_graph("x = input [n,3]\ny = Relu(x)\noutput y\n");
  const Graph b = parse_graph("x = input [m,3]\ny = Relu(x)\noutput y\n");
  const Graph c = parse_graph("x = input [n,?]\ny = Relu(x)\noutput y\n");
  EXPECT_THROW(compare_graphs(a, b, 4, 1), Error);
  EXPECT_THROW(compare_graphs(a, c, 4, 1), Error);
}

TEST(compare_graphs, refuses_an_optimized_graph_that_does_not_run) {
  const Graph a = parse_graph("x = input i64[3]\ny = Abs(x)\noutput y\n");
  const Graph b = parse_graph("x = input i64[3]\ny = Div(x, const i64[] {0})\noutput y\n");
  const EqualityReport report = compare_graphs(a, b, 4, 1);
  EXPECT_FALSE(report.accepted);
  EXPECT_NE(report.text().find("does not run"), std::string::npos) << report.text();
}

TEST(compare_graphs, uses_the_callers_evaluator) {
  const Graph g = parse_graph(kPair);
  i64 calls = 0;
  compare_graphs(g, g, 4, 1, [&](const Graph& graph, std::span<const Tensor> inputs, Precision p) {
    ++calls;
    return evaluate(graph, inputs, p);
  });
  EXPECT_EQ(calls, 12);
}

TEST(compare_graphs, refuses_other_interfaces) {
  const Graph a = parse_graph("x = input [3]\ny = Relu(x)\noutput y\n");
  const Graph b = parse_graph("x = input [3]\nz = Relu(x)\noutput z\n");
  EXPECT_THROW(compare_graphs(a, b, 4, 1), Error);
  EXPECT_THROW(compare_graphs(a, a, 3, 1), Error);
}

}  // namespace
}  // namespace sinter
