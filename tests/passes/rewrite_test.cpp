// SPDX-License-Identifier: Apache-2.0
// Rewrites are judged: right ones stand, wrong ones are found on small instances and undone.
#include "passes/rewrite.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"

namespace sinter {
namespace {

/// x * c becomes x + c: wrong unless the numbers happen to fit.
PassStats multiply_to_add(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Mul)) {
    Rewrite rewrite(graph, "multiply_to_add", {id});
    const Node node = graph.node(id);
    graph.replace_uses(node.outputs[0], graph.add(Op::Add, node.inputs));
    graph.erase_node(id);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

/// Relu of Relu loses the inner one: right.
PassStats merge_relus(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Relu)) {
    const Node* inner = graph.producer(graph.node(id).inputs[0]);
    if (inner == nullptr || inner->op != Op::Relu) continue;
    Rewrite rewrite(graph, "merge_relus", {id, graph.value(inner->outputs[0]).producer});
    graph.set_input(id, 0, inner->inputs[0]);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

/// Reads the bias [C] of a Conv as if it lay on the last axis.
PassStats bias_on_last_axis(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Conv)) {
    const Node node = graph.node(id);
    if (node.inputs.size() < 3) continue;
    Rewrite rewrite(graph, "bias_on_last_axis", {id});
    rewrite.may_add_nodes(1);
    const ValueId conv = graph.add(Op::Conv, {node.inputs[0], node.inputs[1]}, node.attributes);
    graph.replace_uses(node.outputs[0], graph.add(Op::Add, {conv, node.inputs[2]}));
    graph.erase_node(id);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

/// Two random draws become one.
PassStats merge_draws(Graph& graph, const PassOptions&) {
  PassStats stats;
  const std::vector<NodeId> draws = graph.nodes_of(Op::RandomNormalLike);
  if (draws.size() < 2) return stats;
  Rewrite rewrite(graph, "merge_draws", draws);
  graph.replace_uses(graph.node(draws[1]).outputs[0], graph.node(draws[0]).outputs[0]);
  graph.erase_node(draws[1]);
  if (rewrite.commit()) ++stats.changed;
  return stats;
}

PassStats make_cycle(Graph& graph, const PassOptions&) {
  const std::vector<NodeId> relus = graph.nodes_of(Op::Relu);
  Rewrite rewrite(graph, "make_cycle", relus);
  graph.set_input(relus[0], 0, graph.node(relus[1]).outputs[0]);
  return {rewrite.commit() ? 1 : 0, {}};
}

PassStats add_a_node(Graph& graph, const PassOptions&) {
  Rewrite rewrite(graph, "add_a_node", {});
  graph.set_input(graph.nodes_of(Op::Relu)[0], 0, graph.add(Op::Identity, {graph.inputs()[0]}));
  return {rewrite.commit() ? 1 : 0, {}};
}

PassStats throw_in_the_middle(Graph& graph, const PassOptions&) {
  Rewrite rewrite(graph, "throws", {});
  graph.set_input(graph.nodes_of(Op::Relu)[0], 0, graph.add(Op::Relu, {graph.inputs()[0]}));
  fail(ErrorKind::bad_input, "not understood");
}

/// Edits without a Rewrite: the whole pass is one.
PassStats loose_wrong_edit(Graph& graph, const PassOptions&) {
  for (NodeId id : graph.nodes_of(Op::Mul)) {
    graph.replace_uses(graph.node(id).outputs[0], graph.node(id).inputs[0]);
    graph.erase_node(id);
  }
  return {1, {}};
}

OptimizeReport run(Graph& graph, PassStats (*pass)(Graph&, const PassOptions&)) {
  const PassInfo table[] = {{"under_test", pass, "", Exactness::e0}};
  OptimizeOptions options;
  options.passes = table;
  options.verify_each = true;
  return optimize(graph, options);
}

void expect_refused(std::string_view text, PassStats (*pass)(Graph&, const PassOptions&),
                    const std::string& reason = "") {
  Graph graph = parse_graph(text);
  const std::string before = to_text(graph);
  const OptimizeReport report = run(graph, pass);
  EXPECT_EQ(to_text(graph), before);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_NE(report.failures[0].reason.find(reason), std::string::npos) << report.failures[0].reason;
  EXPECT_TRUE(report.rewrites.empty());
  EXPECT_TRUE(report.converged);
}

TEST(rewrite, a_right_one_stands_and_is_compared) {
  Graph graph = parse_graph("x = input [n,3]\na = Relu(x)\nb = Relu(a)\noutput a\noutput b\n");
  const OptimizeReport report = run(graph, merge_relus);
  EXPECT_TRUE(report.failures.empty());
  ASSERT_EQ(report.rewrites.size(), 1u);
  EXPECT_EQ(report.rewrites[0].checked, Checked::equal) << report.rewrites[0].reason;
  EXPECT_EQ(report.rewrites[0].rule, "merge_relus");
  EXPECT_EQ(report.rewrites[0].where, "Relu \"b\"");
}

TEST(rewrite, one_of_known_structure_is_not_evaluated_again) {
  Graph graph = parse_graph(R"(
    x = input [n,3]
    a = Relu(x)
    b = Relu(a)
    c = Sigmoid(b)
    d = Relu(c)
    e = Relu(d)
    output e
  )");
  const OptimizeReport report = run(graph, merge_relus);
  ASSERT_EQ(report.rewrites.size(), 2u);
  EXPECT_EQ(report.rewrites[1].checked, Checked::known);
}

TEST(rewrite, a_wrong_one_is_undone_and_reported_with_both_sides) {
  constexpr std::string_view kText = "x = input [n,3]\ny = Mul(x, const [3] {2,3,4})\noutput y\n";
  expect_refused(kText, multiply_to_add, "was");
  Graph graph = parse_graph(kText);
  const OptimizeReport report = run(graph, multiply_to_add);
  EXPECT_NE(report.failures[0].before.find("Mul"), std::string::npos) << report.failures[0].before;
  EXPECT_NE(report.failures[0].after.find("Add"), std::string::npos) << report.failures[0].after;
  EXPECT_GT(report.failures[0].difference, report.failures[0].tolerance);
}

TEST(rewrite, a_wrong_axis_shows_although_the_sizes_fit) {
  expect_refused(R"(
    x = input [batch,3,4,4]
    y = Conv(x, random [4,3,1,1], random [4])
    output y
  )",
                 bias_on_last_axis);
}

TEST(rewrite, random_draws_stay_apart) {
  expect_refused(R"(
    x = input [4]
    a = RandomNormalLike(x)
    b = RandomNormalLike(x)
    y = Sub(a, b)
    output y
  )",
                 merge_draws);
}

TEST(rewrite, broken_structure_is_undone) {
  constexpr std::string_view kText = R"(
    x = input [3]
    a = Relu(x)
    b = Relu(a)
    output b
  )";
  expect_refused(kText, make_cycle, "cycle");
  expect_refused(kText, add_a_node, "1 nodes more");
  expect_refused(kText, throw_in_the_middle, "not understood");
}

TEST(rewrite, edits_without_one_are_judged_as_a_whole) {
  expect_refused("x = input [n,3]\ny = Mul(x, const [] {2})\noutput y\n", loose_wrong_edit);
}

TEST(rewrite, without_a_log_everything_stands) {
  Graph graph = parse_graph("x = input [3]\ny = Mul(x, x)\noutput y\n");
  EXPECT_EQ(multiply_to_add(graph, {}).changed, 1);
  EXPECT_EQ(graph.nodes_of(Op::Add).size(), 1u);
}

TEST(rewrite, bodies_are_optimized_and_lose_captures) {
  Graph outer = parse_graph("c = input bool[]\nx = input [3]\noutput x\n");
  const auto branch = [](std::string_view text) {
    return std::make_shared<const Graph>(parse_graph(text));
  };
  const ValueId cond = outer.inputs()[0], x = outer.inputs()[1];
  const ValueId two = outer.add_constant(Tensor::of<float>({1}, {2.f}));
  const ValueId y =
      outer.add(Op::If, {cond, x, two},
                {{"then_branch", branch("x = input [3]\nk = input [1]\na = Relu(x)\nb = Relu(a)\n"
                                        "r = Mul(b, k)\noutput r\n")},
                 {"else_branch", branch("x = input [3]\nk = input [1]\nr = Add(x, k)\noutput r\n")},
                 {"captures", i64(2)}});
  outer.add_output("y", y);
  const Graph original = outer.clone();
  const OptimizeReport report = run(outer, merge_relus);
  EXPECT_TRUE(report.failures.empty());
  EXPECT_EQ(report.nodes_before, 5);
  const NodeId id = outer.nodes_of(Op::If)[0];
  EXPECT_EQ(capture_count(outer.node(id)), 1);  // the constant is in the bodies now
  EXPECT_EQ(outer.node(id).inputs.size(), 2u);
  const GraphPtr then = outer.node(id).attributes.graph("then_branch");
  EXPECT_EQ(then->inputs().size(), 1u);
  EXPECT_EQ(then->constants().size(), 1u);
  ASSERT_EQ(report.rewrites.size(), 1u);
  const EqualityReport equality = compare_graphs(original, outer, 12, 1);
  EXPECT_TRUE(equality.accepted) << equality.text();
}

TEST(rewrite, the_first_n_can_be_replayed) {
  const Graph original = parse_graph(R"(
    x = input [n,3]
    a = Relu(x)
    b = Relu(a)
    c = Sigmoid(b)
    d = Relu(c)
    e = Relu(d)
    output e
  )");
  const PassInfo table[] = {{"merge_relus", merge_relus, "", Exactness::e0}};
  for (i64 limit = 0; limit <= 2; ++limit) {
    Graph graph = original.clone();
    OptimizeOptions options;
    options.passes = table;
    options.limit = limit;
    EXPECT_EQ(i64(optimize(graph, options).rewrites.size()), limit);
  }
}

}  // namespace
}  // namespace sinter
