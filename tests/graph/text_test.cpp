// SPDX-License-Identifier: Apache-2.0
// The text form: what is printed parses back to the same graph, for every attribute kind, element
// type and awkward name; mistakes are reported with their line.
#include "graph/text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "graph/verify.h"

namespace sinter {
namespace {

std::string message_of(std::string_view text) {
  try {
    parse_graph(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    return e.what();
  }
  return "no error";
}

void expect_same(const Graph& a, const Graph& b) {
  ASSERT_EQ(a.constants().size(), b.constants().size());
  for (ValueId v : a.constants()) {
    const auto other = b.find_value(a.value(v).name);
    ASSERT_TRUE(other) << a.value(v).name;
    EXPECT_TRUE(identical(*a.constant(v), *b.constant(*other))) << a.value(v).name;
  }
  EXPECT_EQ(to_text(a), to_text(b));
}

TEST(Text, the_example_of_the_header_parses) {
  const Graph g = parse_graph(R"(
    x = input f32[batch,1,8,8]
    W = const f32[2,1,1,1] {0.5, 1}     # a comment
    c = Conv(x, W, _) pads=[1,1,1,1] auto_pad="NOTSET" @"node name"
    a, b = Split(c) axis=1
    output logits = a
    output b
  )");
  verify(g);
  EXPECT_EQ(g.node_count(), 2);
  EXPECT_EQ(g.outputs()[0].name, "logits");
  EXPECT_EQ(to_text(*g.shape(*g.find_value("c"))), "[batch,2,10,10]");
  EXPECT_EQ(g.node(g.nodes()[0]).name, "node name");
  EXPECT_FALSE(g.node(g.nodes()[0]).inputs[2].valid());
  expect_same(g, parse_graph(to_text(g)));
}

TEST(Text, every_element_type_reads_back_to_the_same_bits) {
  Rng rng(7);
  Graph g;
  for (DType type :
       {DType::f32, DType::u8, DType::i8, DType::u16, DType::i16, DType::i32, DType::i64,
        DType::boolean, DType::f16, DType::f64, DType::u32, DType::u64, DType::bf16}) {
    Tensor t(type, {3, 37});
    for (std::byte& b : t.mutable_raw())
      b = std::byte(type == DType::boolean ? rng.below(2) : rng.below(256));
    g.add_constant(std::move(t), "c_" + std::string(name(type)));
  }
  Tensor texts(DType::string, {4});
  texts.mutable_strings() = {"", "a \"quoted\" \\ text", std::string("zero\0byte\n", 10), "# {é}"};
  g.add_constant(std::move(texts), "texts");
  g.add_constant(Tensor(DType::f32, {0, 3}), "nothing");
  g.add_constant(Tensor::scalar(1.f), "scalar");
  expect_same(g, parse_graph(to_text(g)));
}

TEST(Text, floats_that_are_not_numbers_keep_their_bits) {
  const float payload = std::bit_cast<float>(0x7FC00123u),
              negative = std::bit_cast<float>(0xFFC00000u);
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {NAN,    payload,         negative, inf,   -inf,      -0.f,
                                     1e-45f, 1.17549435e-38f, 0.1f,     3e38f, 16777216.f};
  Graph g;
  g.add_constant(Tensor::of<float>({std::ssize(values)}, std::span<const float>(values)), "c");
  const Graph again = parse_graph(to_text(g));
  const auto read = again.constant(again.constants()[0])->data<float>();
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(std::bit_cast<u32>(values[i]), std::bit_cast<u32>(read[i])) << i;
}

TEST(Text, awkward_names_are_quoted_and_come_back) {
  Graph g;
  const std::vector<std::string> names = {
      "_",   "input", "output", "const",  "random",   "fill",     "12", "a b",
      "a,b", "x = y", "%",      "\"",     "\\x41",    "é",        "#c", "a-b",
      "\n",  "(x)",   "::ns.1", "/a/b:0", "positive", "tab\there"};
  ValueId last;
  for (const std::string& n : names) last = g.add_input(n, DType::f32, Shape{2});
  const ValueId y = g.node(g.add_node(Op::Relu, {last}, {}, {"out put"}, "no\"de\n")).outputs[0];
  g.add_output("=", y);
  g.add_output("out put", y);
  const Graph again = parse_graph(to_text(g));
  expect_same(g, again);
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(again.value(again.inputs()[i]).name, names[i]);
  EXPECT_EQ(again.outputs()[0].name, "=");
}

TEST(Text, every_attribute_kind_reads_back) {
  const Graph g = parse_graph(R"(
    x = input f32[2,3,8,8]
    shape = const i64[2] {2, 3}
    f = LeakyRelu(x) alpha=1
    p = Pad(f, const i64[8] {0,0,0,0,0,0,1,1}) mode="edge"
    t = ConstantOfShape(shape) value=i64[1] {-7}
    s = ConstantOfShape(const i64[0] {})
    q = MaxPool(p) kernel_shape=[3,3] strides=[2,2] ceil_mode=1
    empty = Transpose(s) perm=[]
    output q
    output t
  )");
  verify(g);
  const std::string text = to_text(g);
  EXPECT_NE(text.find("alpha=1.0"), std::string::npos) << text;
  EXPECT_NE(text.find("value=i64[1] {-7}"), std::string::npos) << text;
  expect_same(g, parse_graph(text));
}

TEST(Text, shapes_may_be_unknown_symbolic_or_of_unknown_rank) {
  const Graph g = parse_graph(
      "a = input f32\nb = input i64[]\nc = input [batch,?,\"two words\",3]\noutput a\n");
  EXPECT_FALSE(g.shape(g.inputs()[0]));
  EXPECT_EQ(g.shape(g.inputs()[1])->size(), 0u);
  EXPECT_EQ(g.dtype(g.inputs()[2]), DType::f32);
  EXPECT_FALSE((*g.shape(g.inputs()[2]))[1].is_known());
  EXPECT_TRUE(same((*g.shape(g.inputs()[2]))[2], Dim::symbol("two words")));
  expect_same(g, parse_graph(to_text(g)));
}

TEST(Text, constants_in_place_depend_on_the_seed_alone) {
  const char* text =
      "x = input [4]\na = Add(x, random [4])\nb = Mul(a, positive f32[4])\n"
      "c = Add(b, fill f32[1] 0x1p-2)\noutput c\n";
  expect_same(parse_graph(text, 5), parse_graph(text, 5));
  EXPECT_NE(to_text(parse_graph(text, 5)), to_text(parse_graph(text, 6)));
  const Graph g = parse_graph(text, 5);
  for (float v : g.constant(g.constants()[1])->data<float>()) EXPECT_TRUE(v >= 0.5f && v < 1.5f);
  EXPECT_EQ(g.constant(g.constants()[2])->data<float>()[0], 0.25f);
}

TEST(Text, mistakes_name_their_line_and_what_was_expected) {
  EXPECT_EQ(message_of("\n\nx = input f33[1]"), "line 3: expected an element type, found \"f33\"");
  EXPECT_NE(message_of("x = input [2]\ny = Relu(z)").find("line 2: expected a value defined above"),
            std::string::npos);
  EXPECT_NE(message_of("y = Frobnicate()").find("expected an operator"), std::string::npos);
  EXPECT_NE(message_of("c = const f32[2] {1}").find("expected 2 elements, found 1"),
            std::string::npos);
  EXPECT_NE(message_of("c = const f32[1] {1, 2}").find("found more"), std::string::npos);
  EXPECT_NE(message_of("c = const f32[1] {1x}").find("expected a number"), std::string::npos);
  EXPECT_NE(message_of("c = const i8[1] {300}").find("in range"), std::string::npos);
  EXPECT_NE(message_of("c = const bool[1] {2}").find("0 or 1"), std::string::npos);
  EXPECT_NE(message_of("c = const f32[-1] {}").find("expected a dimension"), std::string::npos);
  EXPECT_NE(message_of("x = input [2]\nx = input [2]").find("line 2: "), std::string::npos);
  EXPECT_NE(message_of("x = input [2]\ny = Relu(x) beta=1").find("unknown attribute beta"),
            std::string::npos);
  EXPECT_NE(message_of("x = input [2,3]\ny = MatMul(x, x)").find("line 2: "), std::string::npos);
  EXPECT_NE(message_of("x = input [2").find("line 1: "), std::string::npos);
  EXPECT_NE(message_of("x = input [2] y").find("end of line"), std::string::npos);
  EXPECT_NE(message_of("c = const string[1] {\"a").find("closing quote"), std::string::npos);
}

TEST(Text, truncated_and_damaged_text_is_an_error_or_another_graph_never_a_crash) {
  const std::string good = to_text(parse_graph(
      "x = input f32[batch,3]\ny = Softmax(x) axis=-1 @\"n\"\n"
      "z = ConstantOfShape(const i64[1] {3}) value=f32[1] {0.5}\no = Add(y, z)\noutput o\n"));
  const u64 seed = 11;
  Rng rng(seed);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text = good.substr(0, size_t(rng.below(std::ssize(good) + 1)));
    for (i64 k = rng.below(3); k > 0 && !text.empty(); --k)
      text[size_t(rng.below(std::ssize(text)))] = char(rng.below(128));
    try {
      to_text(parse_graph(text));
    } catch (const Error&) {
    }
  }
}

TEST(Text, long_constants_can_be_cut) {
  const Graph g = parse_graph("c = const i64[5] {1, 2, 3, 4, 5}\noutput c\n");
  PrintOptions options;
  options.max_elements = 2;
  EXPECT_EQ(to_text(g, options), "c = const i64[5] {1, 2, ...}\noutput c\n");
}

TEST(Text, histogram_is_sorted_by_count_then_name) {
  const Graph g =
      parse_graph("x = input [2]\na = Relu(x)\nb = Neg(a)\nc = Abs(b)\nd = Relu(c)\noutput d\n");
  const auto h = op_histogram(g);
  ASSERT_EQ(h.size(), 3u);
  EXPECT_EQ(h[0], (std::pair<std::string, i64>("Relu", 2)));
  EXPECT_EQ(h[1].first, "Abs");
}

TEST(Text, container_inputs_and_opaque_nodes_survive_printing_and_parsing) {
  const std::string text =
      "s = input sequence(f32[2,n])\n"
      "o = input optional(sequence(i64))\n"
      "e = input optional()\n"
      "y = Opaque(s, o, e) domain=\"com.example\" op_type=\"Thing\" proto=\"\\x00\\x7f\"\n"
      "z = Relu(y)\n"
      "output z\n";
  const Graph g = parse_graph(text);
  verify(g);
  EXPECT_EQ(to_text(g), to_text(parse_graph(to_text(g))));
  EXPECT_EQ(g.dtype(g.outputs()[0].value), DType::unknown);
  EXPECT_EQ(name(g.value(g.inputs()[1]).type.element->dtype), "sequence");
  EXPECT_FALSE(is_pure(g, g.node(g.nodes()[0])));
}

TEST(Tensor, containers_clone_and_compare_item_by_item) {
  std::vector<Tensor> items;
  items.push_back(Tensor::of<float>({2}, {1, 2}));
  items.push_back(Tensor::of<float>({1}, {3}));
  const Tensor a = Tensor::sequence(std::move(items));
  Tensor b = a.clone();
  EXPECT_EQ(a.dims(), Dims{2});
  EXPECT_TRUE(identical(a, b));
  b.mutable_items()[1].mutable_data<float>()[0] = 4;
  EXPECT_FALSE(identical(a, b));
}

}  // namespace
}  // namespace sinter
