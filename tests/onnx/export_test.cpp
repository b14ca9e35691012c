// SPDX-License-Identifier: Apache-2.0
// Export and back: the same graph, the same interface, the same numbers; and files that other
// runtimes accept: every value defined once, outputs named as promised.
#include "onnx/export.h"

#include <regex>
#include <set>

#include "base/file.h"
#include "base/random.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "tests/onnx/model_builder.h"

namespace sinter {
namespace {

using namespace testing_onnx;

Graph again(const Graph& g, const ExportOptions& options = {}) {
  const auto bytes = export_onnx(g, options);
  Graph copy = import_onnx(bytes, nullptr, "exported");
  verify(copy);
  return copy;
}

/// The text without node names: export names every node.
std::string bare(const Graph& g) {
  return std::regex_replace(to_text(g), std::regex(" @\"[^\"\n]*\""), "");
}

/// What the single-assignment form of ONNX asks of a file.
void expect_sound_file(const std::vector<std::byte>& bytes) {
  const onnx::ModelProto m = onnx::parse_model(bytes, "exported");
  std::set<std::string_view> defined;
  for (const auto& v : m.graph->inputs) EXPECT_TRUE(defined.insert(v.name).second) << v.name;
  for (const auto& t : m.graph->initializers) EXPECT_TRUE(defined.insert(t.name).second) << t.name;
  for (const auto& n : m.graph->nodes) {
    for (std::string_view in : n.inputs) EXPECT_TRUE(in.empty() || defined.count(in)) << in;
    for (std::string_view out : n.outputs)
      EXPECT_TRUE(out.empty() || defined.insert(out).second) << out;
  }
  for (const auto& o : m.graph->outputs) EXPECT_TRUE(defined.count(o.name)) << o.name;
}

TEST(Export, a_graph_comes_back_with_the_same_text) {
  const Graph g = parse_graph(R"(
    x = input f32[batch,3,8,8]
    ids = input i64[n]
    scalar = input f32[]
    any = input f32
    odd = input f32[?,"two words"]
    W = random f32[4,3,3,3]
    b = const f32[4] {1, -0.0, inf, nan}
    half = const f16[2] {15360, 1}
    empty = const i64[0] {}
    words = const string[2] {"a", ""}
    flag = const bool[1] {1}
    c = Conv(x, W, b) pads=[1,1,1,1] auto_pad="NOTSET" @"conv 1"
    r = LeakyRelu(c) alpha=0.1 @"act"
    p, where = MaxPool(r) kernel_shape=[2,2]
    q = Clip(p, _, scalar)
    s = ConstantOfShape(ids) value=f64[1] {0.1}
    output logits = q
    output where
    output s
    output any
  )");
  Graph copy = again(g);
  std::string expected = bare(g);  // the value behind an output is called by the output's name
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"q = Clip", "logits = Clip"},
                                 {"output logits = q", "output logits"},
                                 {"\"two words\"", "two_words"}})  // and again in the file
    expected.replace(expected.find(from), from.size(), to);
  EXPECT_EQ(bare(copy), expected);
  EXPECT_EQ(bare(again(copy)), expected);
}

TEST(Export, is_deterministic_and_keeps_what_the_file_says_of_itself) {
  Graph g = parse_graph("x = input [2]\ny = Relu(x)\noutput y\n");
  g.info.producer_name = "somebody";
  g.info.producer_version = "2.1";
  g.info.doc = "a doc";
  g.info.graph_name = "main";
  g.info.metadata = {{"key", "value"}, {"", ""}};
  g.info.opset = 9;
  g.info.ir_version = 4;
  EXPECT_EQ(export_onnx(g), export_onnx(g));
  const Graph copy = again(g);
  EXPECT_EQ(copy.info.producer_name, "somebody");
  EXPECT_EQ(copy.info.producer_version, "2.1");
  EXPECT_EQ(copy.info.doc, "a doc");
  EXPECT_EQ(copy.info.graph_name, "main");
  EXPECT_EQ(copy.info.metadata, g.info.metadata);
  EXPECT_EQ(copy.info.opset, 9);
  EXPECT_EQ(copy.info.ir_version, 4);
}

TEST(Export, opset_is_the_lowest_that_expresses_every_node) {
  Graph g = parse_graph("x = input [2]\ny = Relu(x)\noutput y\n");
  g.info.opset = 6;
  EXPECT_EQ(again(g).info.opset, 7);
  g.add_output("z", g.add(Op::Expand, {g.inputs()[0], g.add_constant(ints({2}))}));
  EXPECT_EQ(again(g).info.opset, 8);
  const ValueId x = g.inputs()[0], target = g.add_input("t", DType::i64, Shape{1});
  g.add_output("w", g.add(Op::Reshape, {x, target}, {{"allowzero", i64(1)}}));
  EXPECT_EQ(again(g).info.opset, 14);
  g.info.opset = 17;
  EXPECT_EQ(again(g).info.opset, 17);
}

TEST(Export, outputs_that_are_inputs_constants_or_shared_get_an_identity) {
  const Graph g = parse_graph(
      "x = input [2]\nc = const f32[2] {1, 2}\ny = Relu(x)\n"
      "output first = y\noutput second = y\noutput y\noutput x\noutput copy = x\noutput k = c\n");
  const auto bytes = export_onnx(g);
  expect_sound_file(bytes);
  const Graph copy = again(g);
  std::vector<std::string> names;
  for (const GraphOutput& o : copy.outputs()) names.push_back(o.name);
  EXPECT_EQ(names, (std::vector<std::string>{"first", "second", "y", "x", "copy", "k"}));
  EXPECT_EQ(copy.nodes_of(Op::Identity).size(), 4u);  // second, y, copy, k; x is passed through
  std::vector<Tensor> in;
  in.push_back(floats({2}, {-1, 3}));
  const auto a = evaluate(g, in), b = evaluate(copy, in);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(identical(a[i], b[i])) << names[i];
}

TEST(Export, names_that_meet_an_output_name_are_changed_and_the_interface_never) {
  const Graph g = parse_graph(
      "x = input [2]\nlogits = Relu(x)\ny = Neg(logits)\ny_ = Abs(y)\n"
      "output logits = y\noutput y = y_\n");
  const auto bytes = export_onnx(g);
  expect_sound_file(bytes);
  std::vector<Tensor> in;
  in.push_back(floats({2}, {-1, 3}));
  const auto a = evaluate(g, in), b = evaluate(again(g), in);
  EXPECT_TRUE(identical(a[0], b[0]) && identical(a[1], b[1]));
  const Graph clash = parse_graph("x = input [2]\ny = Relu(x)\noutput x = y\n");
  expect_error([&] { export_onnx(clash); }, ErrorKind::bad_argument, {"output \"x\""});
}

TEST(Export, own_operators_are_functions_or_plain_nodes_with_the_same_numbers) {
  const Graph g = parse_graph(R"(
    x = input f32[batch,3,2,2]
    q = ChannelQuadratic(x, random f32[3,1,1], random f32[3,1,1], random f32[3,1,1]) @"herpn"
    q/ax = Relu(q)
    y = ChannelAffine(q/ax, positive f32[3,1,1], random f32[3,1,1])
    w = ChannelAffine(y, positive f32[3,1,1], random f32[3,1,1])
    z = Add(w, q)
    output z
  )");
  Rng rng(3);
  std::vector<Tensor> in;
  in.emplace_back(DType::f32, Dims{2, 3, 2, 2});
  for (float& v : in[0].mutable_data<float>()) v = float(rng.normal());
  const Tensor truth = std::move(evaluate(g, in)[0]);

  const auto calls = export_onnx(g);
  expect_sound_file(calls);
  EXPECT_EQ(bare(again(g)), bare(g));
  const onnx::ModelProto m = onnx::parse_model(calls, "calls");
  EXPECT_EQ(m.functions.size(), 2u);
  EXPECT_GE(m.ir_version, 8);
  EXPECT_EQ(m.opsets.size(), 2u);

  ExportOptions plain;
  plain.expand_functions = true;
  const auto expanded = export_onnx(g, plain);
  expect_sound_file(expanded);
  const Graph nodes = again(g, plain);
  EXPECT_EQ(nodes.node_count(), 4 + 2 + 2 + 2);
  EXPECT_TRUE(identical(evaluate(nodes, in)[0], truth));

  // The bodies themselves: under another domain the importer inlines instead of recognising them.
  std::string text(reinterpret_cast<const char*>(calls.data()), calls.size());
  for (size_t at = text.find("sinter"); at != text.npos; at = text.find("sinter", at + 1))
    text.replace(at, 6, "tinter");
  const auto raw = std::as_bytes(std::span(text.data(), text.size()));
  const Graph inlined = import_onnx(raw, nullptr, "inlined");
  EXPECT_EQ(inlined.node_count(), 4 + 2 + 2 + 2);
  EXPECT_TRUE(identical(evaluate(inlined, in)[0], truth));
}

TEST(Export, symbols_are_kept_and_expressions_of_them_left_unknown) {
  const Graph g = parse_graph(
      "x = input f32[batch,?,4]\ny = Concat(x, x) axis=0\nz = Relu(x)\noutput y\noutput z\n");
  const auto bytes = export_onnx(g);
  const onnx::ModelProto m = onnx::parse_model(bytes, "m");
  const auto& y = *m.graph->outputs[0].type.shape;
  EXPECT_TRUE(!y[0].value && y[0].param.empty());
  EXPECT_EQ(y[2].value, 4);
  EXPECT_EQ((*m.graph->outputs[1].type.shape)[0].param, "batch");
  EXPECT_TRUE((*m.graph->inputs[0].type.shape)[1].param.empty());
}

TEST(Export, unread_outputs_of_a_split_keep_their_names) {
  const Graph g = parse_graph(
      "x = input f32[N,6]\na, b, c = Split(x, const i64[3] {1, 2, 3}) axis=1\noutput b\n");
  const auto bytes = export_onnx(g);
  expect_sound_file(bytes);
  const onnx::ModelProto model = onnx::parse_model(bytes, "m");
  for (std::string_view out : model.graph->nodes[0].outputs) EXPECT_NE(out, "");
  const Graph copy = again(g);
  EXPECT_EQ(copy.node(copy.nodes()[0]).outputs.size(), 3u);
}

TEST(Export, declared_dimensions_of_outputs_stand_where_inference_has_none) {
  Model m;
  m.inputs = {value("x", {"N", "4", "1"}), value("t", {"2"}, DType::i64)};
  m.outputs = {value("y", {"4"}), value("z", {"rows", "4"}), value("w", {"7", "4", "1"})};
  m.nodes = {node("Squeeze", {"x"}, {"y"}), node("Reshape", {"x", "t"}, {"z"}),
             node("Relu", {"x"}, {"w"})};
  const auto bytes = export_onnx(m.import());
  const onnx::ModelProto model = onnx::parse_model(bytes, "m");
  const auto& outputs = model.graph->outputs;
  ASSERT_TRUE(outputs[0].type.shape && outputs[1].type.shape && outputs[2].type.shape);
  ASSERT_EQ(outputs[0].type.shape->size(), 1u);
  EXPECT_EQ((*outputs[0].type.shape)[0].value, 4);
  EXPECT_EQ((*outputs[1].type.shape)[0].param, "rows");
  EXPECT_EQ((*outputs[1].type.shape)[1].value, 4);
  EXPECT_EQ((*outputs[2].type.shape)[0].param,
            "N");  // what is inferred goes before what is declared
}

TEST(Export, large_constants_go_to_a_file_beside_the_model_and_come_back_as_views) {
  TempFolder folder;
  const Graph g = parse_graph(
      "x = input [700]\na = Add(x, random [700])\nb = Mul(a, positive [700])\n"
      "c = Add(b, fill [1] 2)\noutput c\n");
  ExportOptions options;
  options.external_threshold = 1000;
  export_onnx(g, folder / "m.onnx", options);
  EXPECT_EQ(std::filesystem::file_size(folder / "m.onnx.data"), 4096u + 2800);
  EXPECT_LT(std::filesystem::file_size(folder / "m.onnx"), 1000u);
  const Graph copy = import_onnx(folder / "m.onnx");
  EXPECT_EQ(bare(copy), bare(g));
  int views = 0;
  for (ValueId v : copy.constants()) views += copy.constant(v)->is_view();
  EXPECT_GE(views, 2);
  // Over itself, from its own mapping: the old file lives until the last view goes.
  export_onnx(copy, folder / "m.onnx", options);
  EXPECT_EQ(bare(import_onnx(folder / "m.onnx")), bare(g));
  export_onnx(copy, folder / "inline.onnx");
  EXPECT_FALSE(std::filesystem::exists(folder / "inline.onnx.data"));
  EXPECT_EQ(bare(import_onnx(folder / "inline.onnx")), bare(g));
}

TEST(Export, bytes_and_file_agree_and_failures_leave_nothing) {
  TempFolder folder;
  const Graph g = parse_graph("x = input [2]\ny = Add(x, random [2])\noutput y\n");
  export_onnx(g, folder / "m.onnx");
  const auto mapped = MappedFile::open(folder / "m.onnx");
  const auto bytes = export_onnx(g);
  EXPECT_TRUE(
      std::equal(bytes.begin(), bytes.end(), mapped->bytes().begin(), mapped->bytes().end()));
  expect_error([&] { export_onnx(g, folder / "no/such/m.onnx"); }, ErrorKind::io, {"m.onnx"});
  const Graph clash = parse_graph("x = input [2]\ny = Relu(x)\noutput x = y\n");
  expect_error([&] { export_onnx(clash, folder / "bad.onnx"); }, ErrorKind::bad_argument, {});
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path()))
    ++files;
  EXPECT_EQ(files, 1);
}

TEST(Export, random_graphs_come_back_with_the_same_text) {
  for (u64 seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    Graph g;
    std::vector<ValueId> values = {g.add_input("x", DType::f32, Shape{Dim::symbol("n"), 3}),
                                   g.add_constant(floats({3}, {1, 2, 3}), "w")};
    const auto any = [&] { return values[size_t(rng.below(std::ssize(values)))]; };
    for (int i = 0; i < 12; ++i) {
      const Op op = rng.below(2) ? Op::Add : Op::Mul;
      values.push_back(rng.below(3) ? g.add(op, {any(), any()}) : g.add(Op::Relu, {any()}));
    }
    for (int i = 0; i < 3; ++i) g.add_output("out" + std::to_string(i), any());
    expect_sound_file(export_onnx(g));
    const Graph once = again(g);
    EXPECT_EQ(to_text(again(once)), to_text(once));
    std::vector<Tensor> in;
    in.push_back(floats({2, 3}, {1, -2, 3, -4, 5, -6}));
    const auto a = evaluate(g, in), b = evaluate(once, in);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(identical(a[i], b[i]));
  }
}

TEST(TensorFile, every_type_comes_back_and_errors_name_the_file) {
  TempFolder folder;
  Rng rng(5);
  for (DType type :
       {DType::f32, DType::u8, DType::i8, DType::u16, DType::i16, DType::i32, DType::i64,
        DType::boolean, DType::f16, DType::f64, DType::u32, DType::u64, DType::bf16}) {
    Tensor t(type, {2, 0, 3});
    if (type != DType::u8) t = Tensor(type, {2, 3});
    for (std::byte& b : t.mutable_raw()) b = std::byte(rng.below(2));
    write_tensor_pb(folder / "t.pb", t, "t");
    EXPECT_TRUE(identical(read_tensor_pb(folder / "t.pb"), t)) << name(type);
    const auto file = MappedFile::open(folder / "t.pb");
    const Tensor copy = read_tensor_pb(file->bytes(), "bytes");
    EXPECT_FALSE(copy.is_view());
    EXPECT_TRUE(identical(copy, t)) << name(type);
  }
  Tensor words(DType::string, {2});
  words.mutable_strings() = {"", "zwei"};
  write_tensor_pb(folder / "s.pb", words);
  EXPECT_TRUE(identical(read_tensor_pb(folder / "s.pb"), words));
  expect_error([&] { read_tensor_pb(folder / "none.pb"); }, ErrorKind::io, {"none.pb"});
  write_file(folder / "empty.pb", {});
  expect_error([&] { read_tensor_pb(folder / "empty.pb"); }, ErrorKind::unsupported, {"empty.pb"});
  const std::string garbage = "\xFF\xFF\xFF garbage";
  write_file(folder / "g.pb", std::as_bytes(std::span(garbage.data(), garbage.size())));
  expect_error([&] { read_tensor_pb(folder / "g.pb"); }, ErrorKind::bad_input,
               {"g.pb", "truncated or not an ONNX tensor"});
}

}  // namespace
}  // namespace sinter
