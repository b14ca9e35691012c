// SPDX-License-Identifier: Apache-2.0
// The rewrite at fault is found among right ones, and a certificate counts what was done.
#include "passes/bisect.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "passes/certificate.h"
#include "passes/check_equal.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// Replaces every node of one operator by another of the same input.
PassStats exchange(Graph& graph, Op from, Op to, std::string_view rule) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(from)) {
    Rewrite rewrite(graph, rule, {id});
    const Node node = graph.node(id);
    graph.replace_uses(node.outputs[0], graph.add(to, node.inputs));
    graph.erase_node(id);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

/// Every input is behind an Abs: Relu(a) is Identity(a), Sqrt(a) is not.
PassStats drop_relus(Graph& graph, const PassOptions&) {
  return exchange(graph, Op::Relu, Op::Identity, "relu_of_positive");
}
PassStats break_sqrts(Graph& graph, const PassOptions&) {
  return exchange(graph, Op::Sqrt, Op::Identity, "sqrt_is_identity");
}

constexpr PassInfo kTable[] = {{"drop_relus", drop_relus, "", Exactness::e0},
                               {"break_sqrts", break_sqrts, "", Exactness::e1}};

/// `relus` chained Relu nodes, one Sqrt after each of the last `roots`.
Graph chain(int relus, int roots) {
  std::string text = "x = input [n,3]\nv0 = Abs(x)\n", last = "v0";
  for (int i = 1; i <= relus; ++i) {
    std::string next = "v" + std::to_string(i);
    text += next + " = Relu(" + last + ")\n";
    last = next;
    if (i <= relus - roots) continue;
    next = "s" + std::to_string(i);
    text += next + " = Sqrt(" + last + ")\n";
    last = next;
  }
  return parse_graph(text + "output y = " + last + "\n");
}

OptimizeOptions unchecked() {
  OptimizeOptions options;
  options.passes = kTable;
  options.check_rewrites = false;
  return options;
}

TEST(bisect, finds_the_first_wrong_rewrite_for_every_number_of_right_ones) {
  for (int relus = 1; relus <= 9; ++relus) {
    const Graph original = chain(relus, 1);
    const auto accepts = [&](const Graph& graph) {
      return compare_graphs(original, graph, 4, 1).accepted;
    };
    Graph graph = original.clone();
    const OptimizeReport report = optimize(graph, unchecked());
    ASSERT_EQ(std::ssize(report.rewrites), relus + 1);
    ASSERT_FALSE(accepts(graph));
    const auto found = bisect(original, unchecked(), std::ssize(report.rewrites), accepts);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->index, relus);
    EXPECT_EQ(found->record.pass, "break_sqrts");
    EXPECT_EQ(found->record.rule, "sqrt_is_identity");
    EXPECT_EQ(found->record.where, "Sqrt \"s" + std::to_string(relus) + "\"");
    EXPECT_TRUE(accepts(found->before));
    EXPECT_FALSE(accepts(found->after));
    EXPECT_EQ(count_ops(found->before).at("Sqrt"), 1);
    EXPECT_EQ(count_ops(found->after).count("Sqrt"), 0u);
  }
}

TEST(bisect, names_the_first_of_several_wrong_rewrites_in_few_steps) {
  const Graph original = chain(20, 12);
  i64 judged = 0;
  const auto accepts = [&](const Graph& graph) {
    ++judged;
    return compare_graphs(original, graph, 4, 1).accepted;
  };
  const auto found = bisect(original, unchecked(), 32, accepts);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->index, 20);
  EXPECT_LE(judged, 2 + 5);
}

TEST(bisect, finds_nothing_where_nothing_is_wrong) {
  const Graph original = chain(5, 0);
  const auto accepts = [&](const Graph& graph) {
    return compare_graphs(original, graph, 4, 1).accepted;
  };
  EXPECT_FALSE(bisect(original, unchecked(), 5, accepts).has_value());
  EXPECT_FALSE(bisect(original, unchecked(), 0, accepts).has_value());
}

TEST(bisect, blames_no_rewrite_when_the_untouched_graph_is_refused) {
  const auto found = bisect(chain(5, 1), unchecked(), 6, [](const Graph&) { return false; });
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->index, -1);
  EXPECT_EQ(found->record.rule, "");
}

TEST(certificate, counts_rewrites_by_rule_and_takes_the_weakest_class) {
  const Graph original = chain(4, 2);
  Graph graph = original.clone();
  const OptimizeReport report = optimize(graph, unchecked());
  const EqualityReport equality = compare_graphs(original, graph, 4, 1);
  const Certificate certificate = certify(report, equality);
  ASSERT_EQ(certificate.rules.size(), 2u);
  EXPECT_EQ(certificate.rules[0].rule, "relu_of_positive");
  EXPECT_EQ(certificate.rules[0].rewrites, 4);
  EXPECT_EQ(certificate.rules[0].skipped, 4);
  EXPECT_EQ(certificate.rules[1].rewrites, 2);
  EXPECT_EQ(certificate.rules[1].exactness, Exactness::e1);
  EXPECT_EQ(certificate.exactness, Exactness::e1);
  EXPECT_EQ(certificate.original.nodes, 7);
  EXPECT_EQ(certificate.rolled_back, 0);
  EXPECT_FALSE(certificate.equality.accepted);
  ASSERT_EQ(certificate.equality.outputs.size(), 1u);
}

TEST(certificate, tells_compared_known_and_undone_rewrites_apart) {
  Graph graph = chain(4, 2);
  OptimizeOptions options = unchecked();
  options.check_rewrites = true;
  const Certificate certificate = certify(optimize(graph, options), {});
  i64 rewrites = 0;
  for (const CertifiedRule& rule : certificate.rules) {
    EXPECT_EQ(rule.equal + rule.known + rule.skipped, rule.rewrites);
    rewrites += rule.rewrites;
  }
  EXPECT_GT(certificate.rolled_back, 0);
  EXPECT_EQ(certificate.equality.samples, 0);
  EXPECT_LT(rewrites, 6);
}

}  // namespace
}  // namespace sinter
