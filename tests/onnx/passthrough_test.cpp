// SPDX-License-Identifier: Apache-2.0
// What sinter does not know comes out as it went in: types, tensors, attributes, functions, names.
#include <set>

#include "graph/text.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace sinter {
namespace {

using namespace testing_onnx;

onnx::ModelProto reparse(const std::vector<std::byte>& bytes) {
  return onnx::parse_model(bytes, "exported");
}

constexpr int kFloat8 = 17;

/// A TensorProto of an element type that DType has not.
std::string float8_tensor(const std::string& name) {
  std::string out;
  pbf_writer w(out);
  w.add_int64(1, 3);
  w.add_int32(2, kFloat8);
  w.add_string(8, name);
  w.add_bytes(9, "\x38\x40\x48");
  return out;
}

TEST(PassThrough, values_and_tensors_of_unknown_types) {
  Model m;
  m.version = 19;
  m.ir_version = 9;
  m.inputs = {value("q", {"3"}, DType(kFloat8)), value("x", {"3"})};
  m.outputs = {value("r", {"3"}, DType(kFloat8)), value("y", {"3"})};
  m.initializers = {float8_tensor("w")};
  m.nodes = {node("Cast", {"x"}, {"c"}, {attr("to", i64(kFloat8))}),
             node("Concat", {"q", "c", "w"}, {"all"}, {attr("axis", i64(0))}),
             node("Identity", {"all"}, {"r"}), node("Relu", {"x"}, {"y"})};
  const Graph g = m.import();
  verify(g);
  EXPECT_EQ(g.dtype(g.inputs()[0]), DType::unknown);
  const auto bytes = export_onnx(g);
  const onnx::ModelProto file = reparse(bytes);
  EXPECT_EQ(file.graph->inputs[0].type.elem_type, kFloat8);
  EXPECT_EQ(file.graph->outputs[0].type.elem_type, kFloat8);
  ASSERT_EQ(file.graph->initializers.size(), 1u);
  EXPECT_EQ(file.graph->initializers[0].name, "w");
  EXPECT_EQ(file.graph->initializers[0].data_type, kFloat8);
  EXPECT_EQ(file.graph->initializers[0].raw_data->size(), 3u);
  EXPECT_EQ(file.graph->nodes.size(), 4u);
  const auto twice = export_onnx(import_onnx(bytes, nullptr, "again"));
  EXPECT_EQ(export_onnx(import_onnx(twice, nullptr, "twice")), twice);
}

TEST(PassThrough, containers_in_the_interface) {
  const auto typed = [](const std::string& name, int field, const std::string& inner) {
    std::string type, out;
    pbf_writer t(type);
    std::string element;
    pbf_writer(element).add_message(1, inner);
    t.add_message(u32(field), element);
    pbf_writer w(out);
    w.add_string(1, name);
    w.add_message(2, type);
    return out;
  };
  const std::string tensor_type = [] {
    std::string tensor, type;
    pbf_writer(tensor).add_int32(1, 1);
    pbf_writer(type).add_message(1, tensor);
    return type;
  }();
  const std::string sequence_type = [&] {
    std::string element, type;
    pbf_writer(element).add_message(1, tensor_type);
    pbf_writer(type).add_message(4, element);
    return type;
  }();
  Model m;
  m.inputs = {typed("s", 4, tensor_type), typed("o", 9, sequence_type)};
  m.outputs = {typed("t", 4, tensor_type), typed("p", 9, sequence_type)};
  m.nodes = {node("Identity", {"s"}, {"t"}), node("Identity", {"o"}, {"p"})};
  const Graph g = m.import();
  verify(g);
  EXPECT_EQ(g.dtype(g.inputs()[0]), DType::sequence);
  EXPECT_EQ(g.dtype(g.inputs()[1]), DType::optional);
  EXPECT_EQ(g.value(g.inputs()[1]).type.element->dtype, DType::sequence);
  const auto bytes = export_onnx(g);
  const onnx::ModelProto file = reparse(bytes);
  EXPECT_EQ(int(file.graph->outputs[0].type.kind), int(onnx::TypeProto::Kind::sequence));
  ASSERT_TRUE(file.graph->outputs[1].type.element && file.graph->outputs[1].type.element->element);
  EXPECT_EQ(file.graph->outputs[1].type.element->element->elem_type, 1);
}

TEST(PassThrough, sparse_initializers_become_dense) {
  std::string values = onnx::to_proto(floats({2}, {5, 7}), "w"),
              linear = onnx::to_proto(ints({1, 5}), ""), sparse, out;
  {
    pbf_writer w(sparse);
    w.add_message(1, values);
    w.add_message(2, linear);
    w.add_int64(3, 2);
    w.add_int64(3, 3);
  }
  const auto model = [&](const std::string& s) {
    std::string graph, bytes;
    pbf_writer g(graph);
    g.add_message(1, node("Relu", {"w"}, {"y"}));
    g.add_string(2, "g");
    g.add_message(12, value("y", {"2", "3"}));
    g.add_message(15, s);
    pbf_writer w(bytes);
    w.add_int64(1, 8);
    w.add_message(7, graph);
    w.add_message(8, opset("", 13));
    return import_onnx(std::as_bytes(std::span(bytes.data(), bytes.size())), nullptr, "sparse");
  };
  const Graph g = model(sparse);
  EXPECT_EQ(values_of(*g.constant(*g.find_value("w"))), (std::vector<double>{0, 5, 0, 0, 0, 7}));
  std::string outside = sparse;
  pbf_writer(outside).add_message(2, onnx::to_proto(ints({1, 6}), ""));  // the last one counts
  expect_error([&] { model(outside); }, ErrorKind::bad_input, {"\"w\"", "outside"});
}

TEST(PassThrough, names_are_kept_and_made_unique_where_they_are_not) {
  Model m;
  m.inputs = {value("x", {"floor((H + 1)/2)", "x 3", "ok"})};
  m.outputs = {value("y", {"floor((H + 1)/2)", "x 3", "ok"})};
  m.nodes = {node("Relu", {"x"}, {"a"}, {}, "same"), node("Neg", {"a"}, {"b"}, {}, "same"),
             node("Relu", {"b"}, {"c"}), node("Exp", {"c"}, {"y"}, {}, "Relu_0")};
  const Graph g = m.import();
  const auto written = export_onnx(g);
  const onnx::ModelProto file = reparse(written);
  std::set<std::string> names;
  for (const auto& n : file.graph->nodes) EXPECT_TRUE(names.emplace(n.name).second) << n.name;
  EXPECT_TRUE(names.count("same") && names.count("Relu_0"));
  const auto& dims = *file.graph->inputs[0].type.shape;
  EXPECT_EQ(dims[0].param, "floor((H + 1)/2)");
  EXPECT_EQ(dims[1].param, "x 3");
  EXPECT_EQ(dims[2].param, "ok");
  EXPECT_EQ((*file.graph->outputs[0].type.shape)[0].param, "floor((H + 1)/2)");
}

Model calling_model() {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"})};
  m.opsets = {opset("my", 1), opset("com.example", 3)};
  std::string custom =
      node("Custom", {"a"}, {"t"}, {reference("speed", "v", 2)}, "", "com.example");
  std::string f =
      function("my", "F", {"a"}, {"b"}, {custom, node("Neg", {"t"}, {"b"})}, {attr("v", i64(5))});
  pbf_writer(f).add_message(9, opset("com.example", 3));
  m.functions = {f};
  m.nodes = {node("F", {"x"}, {"y"}, {attr("v", i64(9))}, "call", "my")};
  return m;
}

TEST(PassThrough, functions_with_unknown_operators_are_inlined_with_their_attributes) {
  const Graph g = calling_model().import();
  verify(g);
  EXPECT_EQ(g.node_count(), 2);
  const auto written = export_onnx(g);
  const onnx::ModelProto file = reparse(written);
  ASSERT_EQ(file.graph->nodes.size(), 2u);
  EXPECT_EQ(file.graph->nodes[0].domain, "com.example");
  ASSERT_EQ(file.graph->nodes[0].attributes.size(), 1u);
  EXPECT_EQ(file.graph->nodes[0].attributes[0].name, "speed");
  EXPECT_EQ(file.graph->nodes[0].attributes[0].i, 9);
  EXPECT_TRUE(file.graph->nodes[0].attributes[0].reference.empty());
}

TEST(PassThrough, functions_are_kept_when_asked_for) {
  const auto bytes = calling_model().bytes();
  for (const ImportOptions& options :
       {ImportOptions{.inline_functions = false}, ImportOptions{.keep_domains = {"my"}}}) {
    const Graph g = import_onnx(bytes, nullptr, "kept", {}, options);
    EXPECT_EQ(g.nodes_of(Op::Opaque).size(), 1u);
    const auto written = export_onnx(g);
    const onnx::ModelProto file = reparse(written);
    ASSERT_EQ(file.functions.size(), 1u);
    EXPECT_EQ(file.functions[0].nodes.size(), 2u);
    EXPECT_EQ(file.graph->nodes[0].op_type, "F");
  }
}

TEST(PassThrough, unknown_default_domain_operators_keep_the_operator_set) {
  Model m;
  m.version = 11;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"})};
  m.nodes = {node("Frobnicate", {"x"}, {"a"}), node("Relu", {"a"}, {"y"})};
  Graph g = m.import();
  EXPECT_EQ(export_opset(g), 11);
  g.add_output("z", g.add(*find_op("HardSwish"), {g.inputs()[0]}));
  expect_error([&] { export_onnx(g); }, ErrorKind::unsupported, {"opset 11", "Frobnicate"});
}

TEST(PassThrough, what_the_model_says_of_itself) {
  std::string bytes;
  {
    std::string graph;
    pbf_writer g(graph);
    g.add_message(1, node("Relu", {"x"}, {"y"}));
    g.add_string(2, "g");
    g.add_string(10, "about the graph");
    g.add_message(11, value("x", {"2"}));
    g.add_message(12, value("y", {"2"}));
    pbf_writer w(bytes);
    w.add_int64(1, 8);
    w.add_string(4, "org.example");
    w.add_int64(5, 42);
    w.add_message(7, graph);
    w.add_message(8, opset("", 13));
  }
  const Graph g =
      import_onnx(std::as_bytes(std::span(bytes.data(), bytes.size())), nullptr, "self");
  const auto exported = export_onnx(g);
  const onnx::ModelProto file = reparse(exported);
  EXPECT_EQ(file.domain, "org.example");
  EXPECT_EQ(file.model_version, 42);
  EXPECT_EQ(file.graph->doc, "about the graph");
}

}  // namespace
}  // namespace sinter
