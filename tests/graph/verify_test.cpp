// SPDX-License-Identifier: Apache-2.0
// verify: sound graphs pass; each way in which a pass can leave a graph unsound is found.
#include "graph/verify.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace sinter {
namespace {

Graph example() {
  return parse_graph(R"(
    x = input f32[batch,4]
    w = const f32[4] {1, 2, 3, 4}
    a = Mul(x, w)
    b = Relu(a)
    c = Add(b, a)
    output c
  )");
}

std::string found(const Graph& g) {
  try {
    verify(g);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::internal) << e.what();
    return e.what();
  }
  return "";
}

TEST(Verify, a_sound_graph_passes_and_so_does_its_clone) {
  const Graph g = example();
  EXPECT_EQ(found(g), "");
  EXPECT_EQ(found(g.clone()), "");
  EXPECT_EQ(found(Graph()), "");
}

TEST(Verify, edits_through_the_interface_keep_a_graph_sound) {
  Graph g = example();
  const ValueId a = *g.find_value("a"), b = *g.find_value("b");
  const NodeId relu = g.value(b).producer;
  g.replace_uses(b, a);
  EXPECT_EQ(found(g), "");
  g.erase_node(relu);
  EXPECT_EQ(found(g), "");
  EXPECT_EQ(g.node_count(), 2);
  EXPECT_EQ(g.use_count(a), 2);  // Add reads it twice
}

TEST(Verify, stale_types_are_found) {
  Graph g = example();
  g.set_input_type(g.inputs()[0], DType::f32, Shape{7, 4});
  EXPECT_NE(found(g).find("Mul \"a\": output 0 is stored as f32[batch,4] but inferred as f32[7,4]"),
            std::string::npos)
      << found(g);
  g.infer_all();
  EXPECT_EQ(found(g), "");
}

TEST(Verify, operands_that_no_longer_fit_are_found) {
  Graph g = example();
  const NodeId mul = g.value(*g.find_value("a")).producer;
  g.set_input(mul, 1, g.add_constant(Tensor(DType::f32, {3})));
  EXPECT_NE(found(g).find("Mul \"a\""), std::string::npos) << found(g);
}

TEST(Verify, a_cycle_is_found) {
  Graph g = example();
  const NodeId relu = g.value(*g.find_value("b")).producer;
  g.set_input(relu, 0, *g.find_value("c"));
  EXPECT_NE(found(g).find("cycle"), std::string::npos) << found(g);
}

TEST(Verify, missing_inputs_and_foreign_attributes_are_found) {
  Graph g = example();
  const NodeId relu = g.value(*g.find_value("b")).producer;
  g.set_input(relu, 0, ValueId{});
  EXPECT_NE(found(g).find("input 0 is required"), std::string::npos) << found(g);
  g = example();
  g.set_inputs(relu, {*g.find_value("a"), *g.find_value("w")});
  EXPECT_NE(found(g).find("2 inputs"), std::string::npos) << found(g);
  g = example();
  g.set_attribute(relu, "alpha", 1.f);
  EXPECT_NE(found(g).find("attribute alpha"), std::string::npos) << found(g);
}

TEST(Verify, values_that_were_erased_are_found_behind_an_output) {
  Graph g = parse_graph("x = input [2]\nc = const f32[2] {1, 2}\ny = Relu(x)\noutput y\n");
  const ValueId c = *g.find_value("c");
  g.erase_constant(c);
  EXPECT_EQ(found(g), "");
  g.add_output("gone", c);
  EXPECT_NE(found(g).find("output \"gone\""), std::string::npos) << found(g);
}

}  // namespace
}  // namespace sinter
