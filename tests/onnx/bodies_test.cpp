// SPDX-License-Identifier: Apache-2.0
// Bodies of control-flow nodes: captures in, outer names out.
#include <set>

#include "graph/text.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace sinter {
namespace {

using namespace testing_onnx;

/// y = cond ? (x + w) * k : (deep ? -h : h), where h = Relu(x) and w, k are initializers outside.
Model branches() {
  Model m;
  m.inputs = {value("cond", {}, DType::boolean), value("deep", {}, DType::boolean),
              value("x", {"2"})};
  m.outputs = {value("y", {"2"})};
  m.constant("w", floats({2}, {1, 2})).constant("k", floats({1}, {10}));
  const std::string then_branch =
      graph_attr("then_branch", {node("Mul", {"s", "k"}, {"out"}), node("Add", {"x", "w"}, {"s"})},
                 {}, {value("out", {"2"})});  // not sorted
  const std::string inner =
      node("If", {"deep"}, {"s"},
           {graph_attr("then_branch", {node("Neg", {"h"}, {"out2"})}, {}, {value("out2", {"2"})}),
            graph_attr("else_branch", {}, {}, {value("h", {"2"})})},
           "inner");
  const std::string else_branch = graph_attr("else_branch", {inner}, {}, {value("s", {"2"})});
  m.nodes = {node("If", {"cond"}, {"y"}, {then_branch, else_branch}, "outer"),
             node("Relu", {"x"}, {"h"})};
  return m;
}

std::vector<double> run(const Graph& g, bool cond, bool deep) {
  std::vector<Tensor> in;
  in.push_back(Tensor::scalar(cond));
  in.push_back(Tensor::scalar(deep));
  in.push_back(floats({2}, {-3, 4}));
  return values_of(evaluate(g, in)[0]);
}

void expect_branches(const Graph& g) {
  EXPECT_EQ(run(g, true, false), (std::vector<double>{-20, 60}));
  EXPECT_EQ(run(g, false, false), (std::vector<double>{0, 4}));
  EXPECT_EQ(run(g, false, true), (std::vector<double>{0, -4}));
}

TEST(Bodies, are_closed_and_come_back_with_outer_names) {
  const Graph g = branches().import();
  verify(g);
  const Node& outer = g.node(g.nodes_of(*find_op("If"))[0]);
  EXPECT_EQ(capture_count(outer), 3);  // x, deep, h; constants are copied
  EXPECT_EQ(outer.inputs.size(), 4u);
  for (const auto& [key, body] : bodies(outer)) EXPECT_EQ(body->inputs().size(), 3u) << key;
  expect_branches(g);
  const auto bytes = export_onnx(g);
  const onnx::ModelProto file = onnx::parse_model(bytes, "exported");
  for (const auto& n : file.graph->nodes)
    for (const auto& a : n.attributes)
      for (const auto& body : a.graphs) {
        EXPECT_TRUE(body->inputs.empty()) << a.name;
        EXPECT_TRUE(body->initializers.empty()) << a.name;  // read by the names outside
      }
  EXPECT_EQ(file.graph->initializers.size(), 2u);
  const Graph again = import_onnx(bytes, nullptr, "again");
  verify(again);
  expect_branches(again);
  EXPECT_EQ(export_onnx(import_onnx(export_onnx(again), nullptr, "twice")), export_onnx(again));
}

TEST(Bodies, constants_that_only_bodies_read_are_written_once) {
  Model m = branches();
  const std::string big = onnx::to_proto(floats({2}, {1, 2}), "w");
  m.nodes[1] = node("Relu", {"x"}, {"h"});
  Graph g = m.import();
  for (ValueId v : g.constants())
    if (g.use_count(v) == 0) g.erase_constant(v);  // what clean-up does after import
  EXPECT_TRUE(g.constants().empty());
  expect_branches(import_onnx(export_onnx(g), nullptr, "again"));
}

TEST(Bodies, a_name_of_the_body_hides_the_one_outside) {
  Model m;
  m.inputs = {value("cond", {}, DType::boolean), value("x", {"2"})};
  m.outputs = {value("y", {"2"}), value("t", {"2"})};
  m.nodes = {node("Neg", {"x"}, {"t"}),
             node("If", {"cond"}, {"y"},
                  {graph_attr("then_branch", {node("Exp", {"x"}, {"t"})}, {}, {value("t", {"2"})}),
                   graph_attr("else_branch", {}, {}, {value("t", {"2"})})})};
  const Graph g = m.import();
  const auto once = [&](const Graph& graph, bool cond) {
    std::vector<Tensor> in;
    in.push_back(Tensor::scalar(cond));
    in.push_back(floats({2}, {0, 0}));
    return values_of(evaluate(graph, in)[0]);
  };
  const Graph again = import_onnx(export_onnx(g), nullptr, "again");
  for (const Graph* graph : {&g, &again}) {
    EXPECT_EQ(once(*graph, true), (std::vector<double>{1, 1}));
    EXPECT_EQ(once(*graph, false), (std::vector<double>{0, 0}));
  }
}

TEST(Bodies, a_loop_keeps_its_state_and_captures) {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"}), value("all", {"3", "2"})};
  m.constant("trips", Tensor::scalar(i64(3))).constant("go", Tensor::scalar(true));
  const std::string body = graph_attr(
      "body", {node("Add", {"state", "x"}, {"next"}), node("Identity", {"next"}, {"scan"})},
      {value("i", {}, DType::i64), value("c", {}, DType::boolean), value("state", {"2"})},
      {value("c", {}, DType::boolean), value("next", {"2"}), value("scan", {"2"})});
  m.nodes = {node("Loop", {"trips", "go", "x"}, {"y", "all"}, {body})};
  const Graph g = m.import();
  const Graph again = import_onnx(export_onnx(g), nullptr, "again");
  for (const Graph* graph : {&g, &again}) {
    std::vector<Tensor> in;
    in.push_back(floats({2}, {1, -1}));
    const auto out = evaluate(*graph, in);
    EXPECT_EQ(values_of(out[0]), (std::vector<double>{4, -4}));
    EXPECT_EQ(values_of(out[1]), (std::vector<double>{2, -2, 3, -3, 4, -4}));
  }
}

TEST(Bodies, raw_subgraphs_follow_the_names_of_what_they_capture) {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"})};
  m.opsets = {opset("com.example", 1)};
  m.constant("w", floats({2}, {1, 2}));
  const std::string body =
      graph_attr("body", {node("Add", {"h", "w"}, {"a"}), node("Mul", {"a", "h"}, {"b"})}, {},
                 {value("b", {"2"})});
  m.nodes = {node("Relu", {"x"}, {"h"}),
             node("Custom", {"x"}, {"y"}, {body, attr("k", i64(7))}, "", "com.example")};
  Graph g = m.import();
  verify(g);
  const auto subgraph_of = [](const std::vector<std::byte>& bytes) {
    const onnx::ModelProto file = onnx::parse_model(bytes, "exported");
    std::vector<std::string> read;
    for (const auto& n : file.graph->nodes)
      for (std::string_view name : n.captures) read.emplace_back(name);
    return read;
  };
  EXPECT_EQ(subgraph_of(export_onnx(g)), (std::vector<std::string>{"h", "w"}));
  const Node& custom = g.node(g.nodes_of(Op::Opaque)[0]);
  g.add_output("hidden", custom.inputs[1]);  // h is called so in the file from now on
  EXPECT_EQ(subgraph_of(export_onnx(g)), (std::vector<std::string>{"hidden", "w"}));
}

}  // namespace
}  // namespace sinter
