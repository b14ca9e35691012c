// SPDX-License-Identifier: Apache-2.0
// models/pcnn-fashion on all 10,000 test images in float32: the model as exported and the model
// after the pass pipeline put every image into the same class, but for one in 10,000.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/timer.h"
#include "onnx/import.h"
#include "passes/pipeline.h"
#include "runtime/executor.h"
#include "tests/support/fashion_mnist.h"

namespace sinter {
namespace {

using namespace testing_support;

constexpr i64 kBatch = 100;
constexpr i64 kClasses = 10;

struct Scores {
  std::vector<float> logits;  ///< [images, classes]
  double accuracy = 0, seconds = 0;

  i64 best(i64 image) const {
    return best_class(std::span(logits).subspan(size_t(image * kClasses), size_t(kClasses)));
  }
};

Scores run_all(const Graph& graph, const FashionMnist& set) {
  InputShapes shapes;
  shapes.shapes[graph.value(graph.inputs()[0]).name] = {kBatch, 1, 32, 32};
  const auto program = Program::compile(graph.clone(), shapes);
  ThreadPool pool(2);
  Executor executor(program, pool);
  Scores scores;
  for (i64 first = 0; first < set.count; first += kBatch) {
    std::vector<Tensor> inputs;
    inputs.push_back(padded_images(set, first, kBatch));
    const Timer timer;
    const std::vector<Tensor> outputs = executor.run(inputs);
    scores.seconds += timer.wall_s();
    const std::span<const float> logits = outputs[0].data<float>();
    scores.logits.insert(scores.logits.end(), logits.begin(), logits.end());
  }
  i64 right = 0;
  for (i64 n = 0; n < set.count; ++n) right += scores.best(n) == set.labels[size_t(n)];
  scores.accuracy = double(right) / double(set.count);
  return scores;
}

TEST(PcnnFashion, fused_and_unfused_agree_on_every_test_image) {
  const std::filesystem::path model =
      std::filesystem::path(SINTER_SOURCE_DIR) / "models/pcnn-fashion/model.onnx";
  if (!std::filesystem::exists(kFashionMnistFolder))
    GTEST_SKIP() << kFashionMnistFolder << " is not installed (dataset-fashion-mnist)";
  const FashionMnist set = read_fashion_mnist("t10k");
  ASSERT_EQ(set.count % kBatch, 0);
  const Graph unfused = import_onnx(model);
  Graph fused = unfused.clone();
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  optimize(fused, options);
  EXPECT_EQ(fused.nodes_of(Op::BatchNormalization).size(), 0u);

  const Scores before = run_all(unfused, set), after = run_all(fused, set);
  i64 different = 0;
  double largest = 0, largest_difference = 0;
  for (i64 n = 0; n < set.count; ++n) different += before.best(n) != after.best(n);
  for (size_t i = 0; i < before.logits.size(); ++i) {
    largest = std::max(largest, std::fabs(double(before.logits[i])));
    largest_difference =
        std::max(largest_difference, std::fabs(double(before.logits[i]) - double(after.logits[i])));
  }
  std::printf("unfused  accuracy %.2f %%  %.2f s  %zu nodes\n", 100 * before.accuracy,
              before.seconds, unfused.nodes().size());
  std::printf("fused    accuracy %.2f %%  %.2f s  %zu nodes\n", 100 * after.accuracy, after.seconds,
              fused.nodes().size());
  std::printf("%lld images in another class; logits differ by at most %.1e of %.1f\n",
              static_cast<long long>(different), largest_difference, largest);
  EXPECT_GE(before.accuracy, 0.88);
  EXPECT_GE(after.accuracy, 0.88);
  EXPECT_LE(different, set.count / 10000);
  EXPECT_LE(largest_difference, 1e-3 * largest);
}

}  // namespace
}  // namespace sinter
