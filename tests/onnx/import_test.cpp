// SPDX-License-Identifier: Apache-2.0
// What import_onnx makes of sound models, and how it says what is wrong with the others.
#include "onnx/import.h"

#include "base/file.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace sinter {
namespace {

using namespace testing_onnx;

Model relu_model() {
  Model m;
  m.inputs = {value("x", {"batch", "3"})};
  m.outputs = {value("y", {"batch", "3"})};
  m.nodes = {node("Relu", {"x"}, {"y"}, {}, "act")};
  return m;
}

/// The model's only node passes through, and running it says why.
void expect_opaque(const Model& m, const Texts& parts) {
  const Graph g = m.import();
  verify(g);
  ASSERT_EQ(g.nodes_of(Op::Opaque).size(), 1u);
  const Graph again = import_onnx(export_onnx(g), nullptr, "again");
  EXPECT_EQ(to_text(again), to_text(g));
  const std::string reason = g.node(g.nodes_of(Op::Opaque)[0]).attributes.text("reason", "");
  for (const std::string& part : parts) EXPECT_NE(reason.find(part), std::string::npos) << reason;
}

TEST(Import, keeps_names_order_types_and_symbols_of_the_interface) {
  Model m;
  m.inputs = {value("b", {"n", "", "4"}), value("unused", {}, DType::i64),
              value("a", {"n", "1", "4"})};
  m.outputs = {value("t", {}), value("s", {})};
  m.nodes = {node("Add", {"b", "a"}, {"s"}), node("Tanh", {"s"}, {"t"})};
  const Graph g = m.import();
  verify(g);
  EXPECT_EQ(to_text(g),
            "b = input f32[n,?,4]\nunused = input i64[]\na = input f32[n,1,4]\n"
            "s = Add(b, a)\nt = Tanh(s)\noutput t\noutput s\n");
}

TEST(Import, sorts_nodes_that_come_in_any_order) {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("c", {})};
  m.nodes = {node("Neg", {"b"}, {"c"}), node("Exp", {"a"}, {"b"}), node("Relu", {"x"}, {"a"})};
  EXPECT_EQ(to_text(m.import()),
            "x = input f32[2]\na = Relu(x)\nb = Exp(a)\nc = Neg(b)\noutput c\n");
}

Model defaulted_model(i64 ir) {
  Model m;
  m.ir_version = ir;
  m.inputs = {value("x", {"2"}), value("w", {"2"})};
  m.outputs = {value("y", {"2"})};
  m.constant("w", floats({2}, {1, 2}));
  m.nodes = {node("Mul", {"x", "w"}, {"y"})};
  return m;
}

TEST(Import, an_initializer_among_the_inputs_is_a_default_since_ir_version_4) {
  EXPECT_EQ(defaulted_model(3).import().inputs().size(), 1u);
  const auto bytes = defaulted_model(8).bytes();
  const Graph g = import_onnx(bytes, nullptr, "defaulted");
  ASSERT_EQ(g.inputs().size(), 2u);
  EXPECT_EQ(g.constant(g.inputs()[1]), nullptr);
  EXPECT_EQ(values_of(*g.value(g.inputs()[1]).default_value), (std::vector<double>{1, 2}));
  std::map<std::string, Tensor> given;
  given["x"] = floats({2}, {3, 4});
  EXPECT_EQ(values_of(evaluate(g, with_defaults(g, std::move(given)))[0]),
            (std::vector<double>{3, 8}));
  expect_error([&] { with_defaults(g, {}); }, ErrorKind::bad_argument, {"input \"x\""});
  const Graph again = import_onnx(export_onnx(g), nullptr, "again");
  EXPECT_NE(again.value(again.inputs()[1]).default_value, nullptr);
  const Graph fixed = import_onnx(bytes, nullptr, "fixed", {}, {.keep_overridable = false});
  EXPECT_EQ(fixed.inputs().size(), 1u);
  EXPECT_NE(fixed.constant(*fixed.find_value("w")), nullptr);
  EXPECT_EQ(fixed.info.defaulted_inputs, std::vector<std::string>{"w"});
}

TEST(Import, absent_optional_inputs_stay_absent_and_trailing_ones_are_dropped) {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"}), value("z", {"2"})};
  m.constant("high", Tensor::scalar(1.f));
  m.nodes = {node("Clip", {"x", "", "high"}, {"y"}), node("Clip", {"x", "", ""}, {"z"})};
  const Graph g = m.import();
  EXPECT_EQ(g.node(g.nodes()[0]).inputs.size(), 3u);
  EXPECT_FALSE(g.node(g.nodes()[0]).inputs[1].valid());
  EXPECT_EQ(g.node(g.nodes()[1]).inputs.size(), 1u);
}

TEST(Import, how_many_outputs_a_split_has_is_kept_when_the_last_is_not_read) {
  Model m;
  m.inputs = {value("x", {"4"})};
  m.outputs = {value("a", {"2"})};
  m.nodes = {node("Split", {"x"}, {"a", ""})};
  const Graph g = m.import();
  EXPECT_EQ(g.node(g.nodes()[0]).outputs.size(), 2u);
  EXPECT_EQ(to_text(*g.shape(g.outputs()[0].value)), "[2]");
}

TEST(ImportErrors, sizes_that_no_address_reaches_name_the_value) {
  Model m = relu_model();
  m.inputs = {value("x", {"1099511627776", "1099511627776"})};
  expect_error([&] { m.import(); }, ErrorKind::unsupported, {"input \"x\"", "too large"});
  m = relu_model();
  m.constant("s", Tensor::of<i64>({2}, {i64(1) << 40, i64(1) << 40}));
  m.nodes = {node("ConstantOfShape", {"s"}, {"y"}, {}, "fill")};
  expect_opaque(m, {"ConstantOfShape \"fill\"", "too large"});
}

TEST(Import, values_that_the_importer_adds_never_meet_names_of_the_file) {
  // The names that the upgrade of the Squeeze would like, and those that Graph makes up.
  Model m;
  m.version = 9;
  m.inputs = {value("x", {"1", "2"})};
  m.outputs = {value("v_0", {}), value("c_0", {}), value("y_axes", {})};
  m.nodes = {node("Squeeze", {"x"}, {"y"}, {attr("axes", std::vector<i64>{0})}),
             node("Dropout", {"y"}, {"d"}),
             node("MaxPool", {"x3"}, {"p", ""}, {attr("kernel_shape", std::vector<i64>{1})}),
             node("Unsqueeze", {"x"}, {"x3"}, {attr("axes", std::vector<i64>{0})}),
             node("Relu", {"y"}, {"v_0"}),
             node("Relu", {"d"}, {"c_0"}),
             node("Relu", {"p"}, {"y_axes"})};
  const Graph g = m.import();
  verify(g);
  EXPECT_TRUE(g.find_value("y_axes_2"));
}

TEST(Import, constant_nodes_become_constants_whatever_attribute_carries_them) {
  Model m;
  m.outputs = {value("a", {}), value("b", {}), value("c", {}), value("d", {})};
  m.nodes = {node("Constant", {}, {"a"}, {attr("value_int", i64(7))}),
             node("Constant", {}, {"b"}, {attr("value_float", 0.5f)}),
             node("Constant", {}, {"c"}, {attr("value_ints", std::vector<i64>{1, 2})}),
             node("Constant", {}, {"d"}, {attr("value", floats({1, 2}, {3, 4}))})};
  EXPECT_EQ(to_text(m.import()),
            "a = const i64[] {7}\nb = const f32[] {0.5}\nc = const i64[2] {1, 2}\n"
            "d = const f32[1,2] {3.0, 4.0}\noutput a\noutput b\noutput c\noutput d\n");
}

TEST(Import, aligned_raw_data_is_a_view_into_the_file_and_keeps_it_alive) {
  TempFolder folder;
  Model m = relu_model();
  std::vector<float> big(4096);
  for (size_t i = 0; i < big.size(); ++i) big[i] = float(i);
  // One of four name lengths in a row puts the raw bytes on a multiple of four.
  int views = 0;
  for (int pad = 0; pad < 4; ++pad) {
    m.initializers.clear();
    m.constant("w" + std::string(size_t(pad), 'w'), floats({4096}, big));
    const auto path = folder / "m.onnx";
    write_file(path, m.bytes());
    std::optional<Graph> g = import_onnx(path);
    const TensorPtr t = g->value(g->constants()[0]).constant;
    g.reset();
    views += t->is_view();
    EXPECT_EQ(t->data<float>()[4095], 4095.f);
  }
  EXPECT_EQ(views, 1);
}

TEST(Import, without_an_owner_everything_is_copied) {
  Model m = relu_model();
  for (int pad = 0; pad < 4; ++pad)
    m.constant("w" + std::string(size_t(pad), 'w'), floats({3}, {1, 2, 3}));
  auto bytes = m.bytes();
  const Graph g = import_onnx(bytes, nullptr, "bytes");
  std::fill(bytes.begin(), bytes.end(), std::byte(0xEE));
  for (ValueId v : g.constants())
    EXPECT_EQ(values_of(*g.constant(v)), (std::vector<double>{1, 2, 3}));
}

// -- errors --------------------------------------------------------------------------------------

TEST(ImportErrors, missing_empty_and_garbage_files) {
  TempFolder folder;
  expect_error([&] { import_onnx(folder / "no.onnx"); }, ErrorKind::io, {"no.onnx"});
  expect_error([&] { import_onnx(folder.path()); }, ErrorKind::io, {"not a regular file"});
  write_file(folder / "empty.onnx", {});
  expect_error([&] { import_onnx(folder / "empty.onnx"); }, ErrorKind::bad_input,
               {"empty.onnx", "not an ONNX model"});
  const std::string garbage = "this is no model at all";
  write_file(folder / "g.onnx", std::as_bytes(std::span(garbage.data(), garbage.size())));
  expect_error([&] { import_onnx(folder / "g.onnx"); }, ErrorKind::bad_input,
               {"g.onnx", "truncated or not an ONNX model"});
  const auto bytes = relu_model().bytes();
  write_file(folder / "t.onnx", std::span(bytes).first(bytes.size() - 5));
  expect_error([&] { import_onnx(folder / "t.onnx"); }, ErrorKind::bad_input,
               {"t.onnx", "truncated or not an ONNX model"});
}

TEST(Import, unknown_operators_domains_and_newer_opsets_pass_through) {
  Model m = relu_model();
  m.nodes = {node("Frobnicate", {"x"}, {"y"}, {attr("speed", i64(3))}, "layer1")};
  expect_opaque(m, {"operator Frobnicate", "opset 17"});
  m.opsets = {opset("com.example", 5)};
  m.nodes = {node("Relu", {"x"}, {"y"}, {}, "act", "com.example")};
  expect_opaque(m, {"domain com.example"});
  const Graph kept = m.import();
  EXPECT_EQ(kept.info.domains, (std::vector<std::pair<std::string, i64>>{{"com.example", 5}}));
  m = relu_model();
  m.nodes[0] = node("Relu", {"x"}, {"y"}, {}, "act");
  m.version = kNewestOpset + 1;
  expect_opaque(m, {"newer than"});
  m.version = 17;
  m.nodes = {
      node("ChannelAffine", {"x", "x", "x"}, {"y"}, {}, "own")};  // of domain "" there is none
  expect_opaque(m, {"ChannelAffine"});
  m.version = 0;
  m.nodes = {node("Relu", {"x"}, {"y"}, {}, "act")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"act", "opset_import"});
}

TEST(ImportErrors, broken_graphs_name_the_node) {
  Model m = relu_model();
  m.nodes = {node("Relu", {"nowhere"}, {"y"}, {}, "act")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"Relu \"act\"", "\"nowhere\""});
  m.nodes = {node("Add", {"x", "b"}, {"a"}, {}, "one"), node("Relu", {"a"}, {"b"}, {}, "two"),
             node("Relu", {"a"}, {"y"})};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"cycle"});
  m.nodes = {node("Relu", {"x"}, {"y"}), node("Neg", {"x"}, {"y"}, {}, "again")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"Neg \"again\"", "defined twice"});
  m.nodes = {node("Relu", {"x"}, {"x"}, {}, "self")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"\"self\"", "defined twice"});
  m.nodes = {node("Relu", {"x"}, {"z"})};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"output \"y\"", "not defined"});
  m.nodes = {node("Relu", {}, {"y"}, {}, "none")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"Relu \"none\""});
  m.nodes = {node("Relu", {"x"}, {}, {}, "none")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"Relu"});
  m.inputs = {value("x", {"2", "3"})};
  m.nodes = {node("MatMul", {"x", "x"}, {"y"}, {}, "product")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"MatMul \"product\""});
}

TEST(Import, attributes_that_nobody_knows_pass_through_byte_by_byte) {
  Model m = relu_model();
  m.nodes = {node("LeakyRelu", {"x"}, {"y"}, {attr("alpha", i64(1))}, "act")};
  expect_opaque(m, {"alpha"});
  m.nodes = {node("Relu", {"x"}, {"y"}, {attr("slope", 1.f)}, "act")};
  expect_opaque(m, {"slope"});
  const std::string slope = attr("slope", 1.f);
  EXPECT_NE(m.import().node(NodeId{0}).attributes.text("proto", "").find(slope), std::string::npos);
  m.nodes = {node("Relu", {"x"}, {"y"}, {subgraph("body")}, "branch")};
  expect_opaque(m, {"body"});
}

TEST(ImportErrors, inputs_and_initializers_that_are_not_sound) {
  Model m = relu_model();
  m.inputs.push_back(value("x", {"2"}));
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"input \"x\"", "twice"});
  m.inputs = {value("x", {"-2"})};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"input \"x\"", "negative dimension -2"});
  m = relu_model();
  m.constant("w", floats({2}, {1, 2})).constant("w", floats({2}, {1, 2}));
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"initializer \"w\"", "twice"});
}

/// A TensorProto with the given raw fields.
std::string tensor(const std::string& name, DType type, const std::vector<i64>& dims,
                   const std::function<void(pbf_writer&)>& rest) {
  std::string out;
  pbf_writer w(out);
  w.add_packed_int64(1, dims.begin(), dims.end());
  w.add_int32(2, int(type));
  w.add_string(8, name);
  rest(w);
  return out;
}

TEST(ImportErrors, tensors_that_claim_more_than_the_file_holds) {
  Model m = relu_model();
  const auto with = [&](const std::string& t) {
    m.initializers = {t};
    m.import();
  };
  const auto raw = [](pbf_writer& w) { w.add_bytes(9, "12345678"); };
  const auto nothing = [](pbf_writer&) {};
  expect_error([&] { with(tensor("w", DType::f32, {3}, raw)); }, ErrorKind::bad_input,
               {"tensor \"w\"", "expected 12 bytes", "found 8"});
  expect_error([&] { with(tensor("w", DType::f32, {i64(1) << 40}, nothing)); },
               ErrorKind::bad_input, {"tensor \"w\"", "found 0"});
  expect_error(
      [&] {
        with(tensor("w", DType::f64, {i64(1) << 40, i64(1) << 40}, raw));
      },
      ErrorKind::bad_input, {});
  expect_error([&] { with(tensor("w", DType::i64, {i64(1) << 60}, raw)); }, ErrorKind::bad_input,
               {});
  expect_error([&] { with(tensor("w", DType::f32, {-2}, raw)); }, ErrorKind::bad_input,
               {"negative dimension"});
  EXPECT_NO_THROW(with(tensor("w", DType(14), {1}, raw)));  // complex: passes through
  expect_error([&] { with(tensor("w", DType::none, {1}, raw)); }, ErrorKind::unsupported, {});
  expect_error([&] { with(tensor("w", DType::string, {i64(1) << 40}, nothing)); },
               ErrorKind::bad_input, {"found 0"});
  expect_error(
      [&] { with(tensor("w", DType::f32, {1}, [](pbf_writer& w) { w.add_int64(9, 5); })); },
      ErrorKind::bad_input, {"field 9"});
}

TEST(Import, typed_fields_packed_or_not_and_any_bool_byte) {
  Model m = relu_model();
  m.initializers = {
      tensor("f", DType::f32, {2},
             [](pbf_writer& w) { w.add_float(4, 1.5f), w.add_float(4, -2.f); }),
      tensor("i8", DType::i8, {2}, [](pbf_writer& w) { w.add_int32(5, -3), w.add_int32(5, 7); }),
      tensor("h", DType::f16, {1}, [](pbf_writer& w) { w.add_int32(5, 0x3C00); }),
      tensor("u", DType::u32, {1}, [](pbf_writer& w) { w.add_uint64(11, 4000000000u); }),
      tensor("b", DType::boolean, {3}, [](pbf_writer& w) { w.add_bytes(9, "\x02\x00\xFF", 3); }),
      tensor("d", DType::f64, {1}, [](pbf_writer& w) { w.add_double(10, 0.1); }),
      tensor("s", DType::string, {1}, [](pbf_writer& w) { w.add_bytes(6, "text"); })};
  const Graph g = m.import();
  EXPECT_EQ(to_text(g),
            "x = input f32[batch,3]\nf = const f32[2] {1.5, -2.0}\ni8 = const i8[2] {-3, 7}\n"
            "h = const f16[1] {15360}\nu = const u32[1] {4000000000}\nb = const bool[3] {1, 0, 1}\n"
            "d = const f64[1] {0.1}\ns = const string[1] {\"text\"}\ny = Relu(x) @\"act\"\n"
            "output y\n");
}

// -- external data -------------------------------------------------------------------------------

std::string external_tensor(i64 count, const std::string& location, const std::string& offset,
                            const std::string& length) {
  return tensor("w", DType::f32, {count}, [&](pbf_writer& w) {
    for (const auto& [key, text] :
         {std::pair("location", location), {"offset", offset}, {"length", length}}) {
      if (text.empty()) continue;
      pbf_writer e(w, 13);
      e.add_string(1, key);
      e.add_string(2, text);
    }
    w.add_enum(14, 1);
  });
}

TEST(ExternalData, is_a_view_into_the_other_file) {
  TempFolder folder;
  std::vector<float> data = {0, 1, 2, 3, 4, 5};
  write_file(folder / "w.bin", std::as_bytes(std::span(data)));
  Model m = relu_model();
  m.initializers = {external_tensor(3, "w.bin", "8", "12")};
  write_file(folder / "m.onnx", m.bytes());
  const Graph g = import_onnx(folder / "m.onnx");
  const Tensor& t = *g.constant(g.constants()[0]);
  EXPECT_TRUE(t.is_view());
  EXPECT_EQ(values_of(t), (std::vector<double>{2, 3, 4}));
}

TEST(ExternalData, may_not_leave_the_folder_or_the_file) {
  TempFolder outer;
  std::filesystem::create_directories(outer / "models/sub");
  const std::vector<float> data(6, 1.f);
  write_file(outer / "secret.bin", std::as_bytes(std::span(data)));
  write_file(outer / "models/w.bin", std::as_bytes(std::span(data)));
  write_file(outer / "models/sub/w.bin", std::as_bytes(std::span(data)));
  std::filesystem::create_directories(outer / "models2");
  write_file(outer / "models2/w.bin", std::as_bytes(std::span(data)));
  std::filesystem::create_symlink(outer / "secret.bin", outer / "models/link.bin");
  std::filesystem::create_symlink(outer.path(), outer / "models/up");
  std::filesystem::create_symlink("w.bin", outer / "models/inner.bin");
  const auto load = [&](const std::string& location, const std::string& offset = "",
                        const std::string& length = "24") {
    Model m = relu_model();
    m.initializers = {external_tensor(6, location, offset, length)};
    write_file(outer / "models/m.onnx", m.bytes());
    import_onnx(outer / "models/m.onnx");
  };
  EXPECT_NO_THROW(load("w.bin"));
  EXPECT_NO_THROW(load("w.bin", "0", ""));
  EXPECT_NO_THROW(load("sub/w.bin"));
  EXPECT_NO_THROW(load("sub/../w.bin"));
  EXPECT_NO_THROW(load("inner.bin"));
  for (const std::string& bad :
       {std::string("../secret.bin"), std::string("sub/../../secret.bin"),
        (outer / "secret.bin").string(), (outer / "models/w.bin").string(), std::string("link.bin"),
        std::string("up/secret.bin"), std::string("../models2/w.bin"), std::string("..")})
    expect_error([&] { load(bad); }, ErrorKind::bad_input, {"tensor \"w\"", "outside"});
  expect_error([&] { load(""); }, ErrorKind::bad_input, {"tensor \"w\""});
  expect_error([&] { load(std::string("w.bin\0x", 7)); }, ErrorKind::bad_input, {"zero byte"});
  expect_error([&] { load("no.bin"); }, ErrorKind::io, {"no.bin"});
  expect_error([&] { load("sub"); }, ErrorKind::io, {"regular file"});
  expect_error([&] { load("."); }, ErrorKind::io, {"regular file"});
  expect_error([&] { load("w.bin", "4"); }, ErrorKind::bad_input, {"expected 24 bytes"});
  expect_error([&] { load("w.bin", "9223372036854775807"); }, ErrorKind::bad_input, {});
  expect_error([&] { load("w.bin", "99999999999999999999"); }, ErrorKind::bad_input, {"number"});
  expect_error([&] { load("w.bin", "-4"); }, ErrorKind::bad_input, {"number"});
  expect_error([&] { load("w.bin", "0", "20"); }, ErrorKind::bad_input, {"the tensor says 20"});
  expect_error([&] { load("w.bin", "0x0"); }, ErrorKind::bad_input, {"number"});
  Model m = relu_model();
  m.initializers = {external_tensor(6, "w.bin", "", "24")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"external data"});
}

// -- functions -----------------------------------------------------------------------------------

TEST(Functions, are_inlined_with_attributes_defaults_and_names_of_their_own) {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"}), value("z", {"2"})};
  m.opsets = {opset("my", 1)};
  m.functions = {function("my", "Twice", {"a"}, {"b"},
                          {node("LeakyRelu", {"a"}, {"t"}, {reference("alpha", "slope", 1)}),
                           node("Add", {"t", "t"}, {"b"})},
                          {attr("slope", 0.25f)}),
                 function("my", "Outer", {"a"}, {"b"},
                          {node("Twice", {"a"}, {"c"}, {reference("slope", "s", 1)}, "", "my"),
                           node("Neg", {"c"}, {"b"})})};
  m.nodes = {node("Twice", {"x"}, {"y"}, {}, "", "my"),
             node("Outer", {"x"}, {"z"}, {attr("s", 0.5f)}, "", "my")};
  const Graph g = m.import();
  verify(g);
  EXPECT_EQ(g.node_count(), 5);
  const std::vector<Tensor> in = [] {
    std::vector<Tensor> v;
    v.push_back(floats({2}, {-4, 3}));
    return v;
  }();
  const auto out = evaluate(g, in);
  EXPECT_EQ(values_of(out[0]), (std::vector<double>{-2, 6}));
  EXPECT_EQ(values_of(out[1]), (std::vector<double>{4, -6}));
}

TEST(Functions, that_stand_for_an_operator_become_it_and_impostors_are_inlined) {
  Model m;
  m.inputs = {value("x", {"1", "2"})};
  m.outputs = {value("y", {"1", "2"})};
  m.opsets = {opset("sinter", 1)};
  m.constant("s", floats({2}, {2, 3})).constant("t", floats({2}, {1, 1}));
  m.nodes = {node("ChannelAffine", {"x", "s", "t"}, {"y"}, {}, "", "sinter")};
  const Texts inputs = {"x", "s", "t"};
  m.functions = {function("sinter", "ChannelAffine", inputs, {"y"},
                          {node("Mul", {"x", "s"}, {"u"}), node("Add", {"u", "t"}, {"y"})})};
  EXPECT_EQ(op_histogram(m.import()).front().first, "ChannelAffine");
  m.functions = {function("sinter", "ChannelAffine", inputs, {"y"},
                          {node("Sub", {"x", "s"}, {"u"}), node("Add", {"u", "t"}, {"y"})})};
  EXPECT_EQ(m.import().node_count(), 2);
  for (const Texts& body :
       {Texts{node("Mul", {"x", "t"}, {"u"}), node("Add", {"u", "s"}, {"y"})},
        Texts{node("Mul", {"x", "s"}, {"u"}), node("Add", {"t", "u"}, {"y"})},
        Texts{node("Mul", {"x", "s"}, {"u"}), node("Add", {"x", "t"}, {"y"})},
        Texts{node("Mul", {"x", "s"}, {"y"}), node("Add", {"y", "t"}, {"u"})},
        Texts{node("Mul", {"x", "s"}, {"u"}), node("Add", {"u", "u"}, {"y"})}}) {
    m.functions = {function("sinter", "ChannelAffine", inputs, {"y"}, body)};
    EXPECT_NE(op_histogram(m.import()).front().first, "ChannelAffine");
  }
  m.functions = {function("sinter", "ChannelAffine", {"s", "x", "t"}, {"y"},
                          {node("Mul", {"x", "s"}, {"u"}), node("Add", {"u", "t"}, {"y"})})};
  EXPECT_NE(op_histogram(m.import()).front().first, "ChannelAffine");
  m.functions = {function("sinter", "ChannelAffine", {"in", "k", "d"}, {"out"},
                          {node("Mul", {"in", "k"}, {"p"}), node("Add", {"p", "d"}, {"out"})})};
  EXPECT_EQ(op_histogram(m.import()).front().first, "ChannelAffine");  // names do not matter
  m.functions.clear();  // our own operator needs no body
  EXPECT_EQ(op_histogram(m.import()).front().first, "ChannelAffine");
}

TEST(Functions, recursion_and_expansion_without_end_are_refused) {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"})};
  m.nodes = {node("F0", {"x"}, {"y"}, {}, "", "my")};
  m.functions = {function("my", "F0", {"a"}, {"b"}, {node("F0", {"a"}, {"b"}, {}, "", "my")})};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"F0", "deep"});
  m.functions.clear();
  for (int i = 0; i < 25; ++i) {  // each calls the next one four times: 4^25 nodes
    const std::string next = "F" + std::to_string(i + 1);
    Texts body;
    for (const char* out : {"b", "c", "d", "e"})
      body.push_back(node(next, {"a"}, {out}, {}, "", "my"));
    m.functions.push_back(function("my", "F" + std::to_string(i), {"a"}, {"b"}, body));
  }
  m.functions.push_back(function("my", "F25", {"a"}, {"b"}, {}));
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"F25"});
  m.functions.back() = function("my", "F25", {"b"}, {"b"}, {});  // passes its input through
  expect_error([&] { m.import(); }, ErrorKind::unsupported, {"expand to more than"});
}

TEST(Functions, take_no_more_than_they_declare) {
  Model m;
  m.inputs = {value("x", {"2"})};
  m.outputs = {value("y", {"2"})};
  m.functions = {function("my", "F", {"a"}, {"b"}, {node("Relu", {"a"}, {"b"})})};
  m.nodes = {node("F", {"x", "x"}, {"y"}, {}, "call", "my")};
  expect_error([&] { m.import(); }, ErrorKind::bad_input, {"F \"call\"", "takes 1 inputs"});
}

}  // namespace
}  // namespace sinter
