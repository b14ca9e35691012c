// SPDX-License-Identifier: Apache-2.0
// The graph's own promises: use lists and names after every edit, order, the interface apart from
// the values. Random edits are checked against verify().
#include "graph/graph.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/random.h"
#include "graph/text.h"
#include "graph/verify.h"

namespace sinter {
namespace {

ErrorKind kind_of(const std::function<void()>& action, std::string* message = nullptr) {
  try {
    action();
  } catch (const Error& e) {
    if (message) *message = e.what();
    return e.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::internal;
}

TEST(Graph, names_are_unique_and_fresh_ones_never_meet_given_ones) {
  Graph g;
  g.add_input("v_0", DType::f32, Shape{2});
  const ValueId y = g.add(Op::Relu, {g.inputs()[0]});
  EXPECT_NE(g.value(y).name, "v_0");
  EXPECT_EQ(kind_of([&] { g.add_input("v_0", DType::f32, Shape{2}); }), ErrorKind::bad_input);
  verify(g);
}

TEST(Graph, a_node_that_does_not_fit_leaves_nothing_behind) {
  Graph g = parse_graph("x = input [2,3]\noutput x\n");
  const std::string before = to_text(g);
  std::string message;
  const ValueId x = g.inputs()[0];
  EXPECT_EQ(kind_of(
                [&] {
                  g.add_node(Op::MatMul, {x, x}, {}, {"y"}, "product");
                },
                &message),
            ErrorKind::bad_input);
  EXPECT_NE(message.find("MatMul \"product\""), std::string::npos) << message;
  EXPECT_EQ(to_text(g), before);
  EXPECT_FALSE(g.find_value("y"));
  EXPECT_EQ(g.use_count(x), 1);
  verify(g);
  g.add_node(Op::Relu, {x}, {}, {"y"});  // the name is free again
}

TEST(Graph, signatures_are_checked) {
  Graph g = parse_graph("x = input [2,3]\n");
  const ValueId x = g.inputs()[0];
  EXPECT_EQ(kind_of([&] { g.add(Op::Add, {x}); }), ErrorKind::bad_input);
  EXPECT_EQ(kind_of([&] { g.add(Op::Add, {x, ValueId{}}); }), ErrorKind::bad_input);
  EXPECT_EQ(kind_of([&] { g.add(Op::Relu, {x}, {{"alpha", 1.f}}); }), ErrorKind::bad_input);
  EXPECT_EQ(kind_of([&] { g.add(Op::LeakyRelu, {x}, {{"alpha", i64(1)}}); }), ErrorKind::bad_input);
  EXPECT_EQ(kind_of([&] { g.add_node(Op::Relu, {x}, {}, {"a", "b"}); }), ErrorKind::bad_input);
}

TEST(Graph, an_output_is_a_name_and_a_value_apart) {
  Graph g = parse_graph("x = input [2]\ny = Relu(x)\nz = Neg(y)\noutput logits = z\noutput y\n");
  const ValueId y = *g.find_value("y"), z = *g.find_value("z");
  EXPECT_EQ(g.use_count(y), 2);
  g.replace_uses(z, y);
  EXPECT_EQ(g.outputs()[0].name, "logits");
  EXPECT_EQ(g.outputs()[0].value, y);
  EXPECT_EQ(g.use_count(y), 3);
  EXPECT_EQ(kind_of([&] { g.add_output("logits", y); }), ErrorKind::bad_input);
  verify(g);
}

TEST(Graph, replacing_uses_counts_each_use) {
  Graph g = parse_graph("x = input [2]\nw = input [2]\ny = Mul(x, x)\noutput y\n");
  const ValueId x = g.inputs()[0], w = g.inputs()[1];
  g.replace_uses(x, w);
  EXPECT_EQ(g.use_count(x), 0);
  EXPECT_EQ(g.use_count(w), 2);
  EXPECT_EQ(to_text(g), "x = input f32[2]\nw = input f32[2]\ny = Mul(w, w)\noutput y\n");
  verify(g);
}

TEST(Graph, topological_order_is_producers_first_and_lowest_id_first) {
  Graph g = parse_graph("x = input [2]\na = Relu(x)\nb = Neg(x)\nc = Add(a, b)\noutput c\n");
  const ValueId a = *g.find_value("a");
  const ValueId late = g.add(Op::Abs, {g.inputs()[0]}, {}, "late");
  g.set_input(g.value(a).producer, 0, late);  // now `a` depends on the newest node
  std::vector<std::string> order;
  for (NodeId n : g.topological_order()) order.push_back(g.value(g.node(n).outputs[0]).name);
  EXPECT_EQ(order, (std::vector<std::string>{"b", "late", "a", "c"}));
  verify(g);
}

TEST(Graph, erasing_what_is_in_use_is_refused) {
  Graph g = parse_graph("x = input [2]\na = Relu(x)\noutput a\n");
  EXPECT_EQ(kind_of([&] { g.erase_node(g.nodes()[0]); }), ErrorKind::internal);
  verify(g);
}

TEST(Graph, side_tables_answer_for_ids_never_written) {
  NodeMap<int> facts(-1);
  facts[NodeId{5}] = 3;
  const NodeMap<int>& read = facts;
  EXPECT_EQ(read[NodeId{5}], 3);
  EXPECT_EQ(read[NodeId{2}], -1);
  EXPECT_EQ(read[NodeId{500}], -1);
}

TEST(Graph, random_edits_keep_every_promise) {
  for (u64 seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    Graph g;
    std::vector<ValueId> values = {g.add_input("x", DType::f32, Shape{Dim::symbol("n"), 3})};
    values.push_back(g.add_constant(Tensor(DType::f32, {3})));
    const auto any = [&] { return values[size_t(rng.below(std::ssize(values)))]; };
    for (int step = 0; step < 40; ++step) {
      switch (rng.below(4)) {
        case 0:
          values.push_back(g.add(Op::Add, {any(), any()}));
          break;
        case 1:
          values.push_back(g.add(Op::Relu, {any()}));
          break;
        case 2: {  // an earlier value of the same shape takes the place of a later one
          const size_t i = size_t(rng.below(std::ssize(values))), j = size_t(rng.below(i + 1));
          if (same(*g.shape(values[i]), *g.shape(values[j]))) g.replace_uses(values[i], values[j]);
          break;
        }
        default:
          for (size_t i = values.size(); i-- > 2;)
            if (g.use_count(values[i]) == 0) {
              g.erase_node(g.value(values[i]).producer);
              values.erase(values.begin() + i64(i));
              break;
            }
      }
      ASSERT_NO_THROW(verify(g)) << to_text(g);
    }
    g.add_output("out", values.back());
    EXPECT_EQ(to_text(parse_graph(to_text(g))), to_text(g));
    EXPECT_EQ(to_text(g.clone()), to_text(g));
  }
}

}  // namespace
}  // namespace sinter
