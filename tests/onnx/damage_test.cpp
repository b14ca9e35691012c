// SPDX-License-Identifier: Apache-2.0
// Damaged files: truncated anywhere, any bytes changed. The importer returns a sound graph or
// throws an Error that is not `internal`; it never crashes and never takes memory that the file
// does not justify.
#include "base/file.h"
#include "base/random.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace sinter {
namespace {

using namespace testing_onnx;

void try_import(std::span<const std::byte> bytes) {
  try {
    const Graph g = import_onnx(bytes, nullptr, "damaged");
    verify(g);
    PrintOptions options;
    options.max_elements = 16;
    to_text(g, options);
    import_onnx(export_onnx(g), nullptr, "exported");
  } catch (const Error& e) {
    EXPECT_NE(int(e.kind()), int(ErrorKind::internal)) << e.what();
  }
}

std::vector<std::vector<std::byte>> examples() {
  const Graph g = parse_graph(R"(
    x = input f32[batch,3,8,8]
    c = Conv(x, random [4,3,3,3], random [4]) pads=[1,1,1,1] auto_pad="NOTSET" @"conv 1"
    q = ChannelQuadratic(c, random [4,1,1], random [4,1,1], random [4,1,1])
    p = AveragePool(q) kernel_shape=[2,2] strides=[2,2]
    s = Shape(p) start=0 end=1
    t = Concat(s, const i64[1] {-1}) axis=0
    r = Reshape(p, t)
    y = Gemm(r, random [64,10], random [10]) transB=0 alpha=1.0
    z = Softmax(y) axis=1
    output z
  )");
  std::vector<std::vector<std::byte>> all = {export_onnx(g)};
  Model m;  // old forms and functions
  m.version = 7;
  m.inputs = {value("x", {"1", "2", "4"})};
  m.outputs = {value("y", {})};
  m.opsets = {opset("my", 1)};
  m.functions = {
      function("my", "F", {"a"}, {"b"},
               {node("Pad", {"a"}, {"c"}, {attr("pads", std::vector<i64>{0, 0, 1, 0, 0, 1})}),
                node("Softmax", {"c"}, {"b"}, {reference("axis", "axis", 2)})},
               {attr("axis", i64(1))}, 7)};
  m.nodes = {node("F", {"x"}, {"f"}, {attr("axis", i64(2))}, "call", "my"),
             node("Squeeze", {"f"}, {"s"}, {attr("axes", std::vector<i64>{0})}),
             node("Slice", {"s"}, {"y"},
                  {attr("starts", std::vector<i64>{0}), attr("ends", std::vector<i64>{1})})};
  all.push_back(m.bytes());
  Model b;  // bodies, nested, and nodes that pass through
  b.inputs = {value("c", {}, DType::boolean), value("x", {"2"}), value("w", {"2"})};
  b.outputs = {value("y", {"2"}), value("z", {"2"})};
  b.opsets = {opset("other", 2)};
  b.constant("w", floats({2}, {1, 2}));
  const std::string inner =
      node("If", {"c"}, {"i"},
           {graph_attr("then_branch", {node("Neg", {"h"}, {"n"})}, {}, {value("n", {"2"})}),
            graph_attr("else_branch", {}, {}, {value("w", {"2"})})});
  b.nodes = {node("Relu", {"x"}, {"h"}),
             node("If", {"c"}, {"y"},
                  {graph_attr("then_branch", {inner}, {}, {value("i", {"2"})}),
                   graph_attr("else_branch", {node("Add", {"x", "k"}, {"s"})}, {},
                              {value("s", {"2"})}, {onnx::to_proto(floats({1}, {3}), "k")})}),
             node("Custom", {"h", ""}, {"", "z"},
                  {graph_attr("body", {node("Add", {"h", "w"}, {"a"})}, {}, {value("a", {"2"})})},
                  "", "other")};
  all.push_back(b.bytes());
  return all;
}

TEST(Damage, every_truncation_is_survived) {
  for (const auto& bytes : examples())
    for (size_t n = 0; n < bytes.size(); ++n) try_import(std::span(bytes).first(n));
}

TEST(Damage, every_single_byte_may_be_anything) {
  const u64 seed = 17;
  Rng rng(seed);
  for (const auto& bytes : examples())
    for (size_t at = 0; at < bytes.size(); ++at)
      for (const int v : {0x00, 0xFF, 0x80, int(bytes[at]) ^ 1, int(rng.below(256))}) {
        auto copy = bytes;
        copy[at] = std::byte(v);
        try_import(copy);
      }
}

TEST(Damage, random_changes_insertions_and_deletions_are_survived) {
  const u64 seed = 23;
  Rng rng(seed);
  const auto all = examples();
  for (int trial = 0; trial < 20000; ++trial) {
    auto bytes = all[size_t(rng.below(std::ssize(all)))];
    for (i64 k = 1 + rng.below(6); k > 0; --k) {
      const i64 at = rng.below(std::ssize(bytes));
      switch (rng.below(3)) {
        case 0:
          bytes[size_t(at)] = std::byte(rng.below(256));
          break;
        case 1:
          bytes.insert(bytes.begin() + at, std::byte(rng.below(256)));
          break;
        default:
          bytes.erase(bytes.begin() + at,
                      bytes.begin() + std::min(at + 1 + rng.below(8), std::ssize(bytes) - 1));
      }
      if (bytes.empty()) break;
    }
    try_import(bytes);
  }
}

}  // namespace
}  // namespace sinter
