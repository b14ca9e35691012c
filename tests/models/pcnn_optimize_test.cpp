// SPDX-License-Identifier: Apache-2.0
// The optimizer on the PatchCNN: every BatchNormalization goes, every Hermite activation is one
// node.

#include <gtest/gtest.h>

#include <filesystem>

#include "graph/text.h"
#include "onnx/import.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"

namespace sinter {
namespace {

const std::filesystem::path kModel =
    std::filesystem::path(SINTER_SOURCE_DIR) / "models/pcnn-fashion/model.onnx";

/// The profile that makes operators of our own.
OptimizeOptions for_encryption() {
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  return options;
}

TEST(pcnn_optimize, fuses_to_the_expected_operators) {
  Graph graph = import_onnx(kModel);
  EXPECT_EQ(count_ops(graph)["BatchNormalization"], 68);
  const OptimizeReport report = optimize(graph, for_encryption());
  OpHistogram ops = report.ops_after;
  EXPECT_EQ(ops["ChannelQuadratic"], 20);
  EXPECT_EQ(ops["Gemm"], 4);
  EXPECT_EQ(ops["AveragePool"], 4);
  EXPECT_EQ(ops["Conv"], 24);  // per backbone: one, twice two, one projection
  EXPECT_EQ(ops["Add"], 4 * 2 + 3);
  EXPECT_EQ(ops["Flatten"] + ops["Reshape"], 4);
  for (const auto& [op, count] : ops) {
    const bool expected = op == "Slice" || op == "Conv" || op == "ChannelQuadratic" ||
                          op == "Add" || op == "AveragePool" || op == "Flatten" ||
                          op == "Reshape" || op == "Gemm";
    EXPECT_TRUE(expected || count == 0) << count << " " << op;
  }
  for (const PassReport& row : report.passes)
    if (row.changed > 0)
      std::printf("%-30s %4lld changes, %4lld nodes after, %6.2f ms\n", row.name.c_str(),
                  static_cast<long long>(row.changed), static_cast<long long>(row.nodes_after),
                  row.ms);
  std::printf("%lld nodes became %lld in %lld rounds, %.1f ms + %.1f ms verification\n",
              static_cast<long long>(report.nodes_before),
              static_cast<long long>(report.nodes_after), static_cast<long long>(report.rounds),
              report.ms, report.verify_ms);
  const std::string once = to_text(graph);
  EXPECT_EQ(optimize(graph, for_encryption()).rounds, 1) << "a second run changes something";
  EXPECT_EQ(once, to_text(graph));
}

TEST(pcnn_optimize, computes_the_same_up_to_the_noise_floor) {
  const Graph original = import_onnx(kModel);
  Graph optimized = original.clone();
  optimize(optimized, for_encryption());
  const EqualityReport report = compare_graphs(original, optimized, 12, 1);
  std::printf("%s", report.text().c_str());
  EXPECT_TRUE(report.accepted) << report.text();
}

TEST(pcnn_optimize, keeps_the_interface_and_the_symbolic_batch) {
  const Graph original = import_onnx(kModel);
  Graph optimized = original.clone();
  optimize(optimized, for_encryption());
  ASSERT_EQ(optimized.inputs().size(), 1u);
  EXPECT_EQ(optimized.value(optimized.inputs()[0]).name, original.value(original.inputs()[0]).name);
  ASSERT_EQ(optimized.outputs().size(), 1u);
  EXPECT_EQ(optimized.outputs()[0].name, original.outputs()[0].name);
  const Shape& in = *optimized.shape(optimized.inputs()[0]);
  const std::optional<Shape>& out = optimized.shape(optimized.outputs()[0].value);
  ASSERT_TRUE(out.has_value());
  EXPECT_TRUE(same(in[0], (*out)[0])) << to_text(*out);
}

}  // namespace
}  // namespace sinter
