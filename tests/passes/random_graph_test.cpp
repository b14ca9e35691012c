// SPDX-License-Identifier: Apache-2.0
// Differential test of the whole pipeline on random networks.

#include <gtest/gtest.h>

#include <cstdlib>

#include "graph/text.h"
#include "graph/verify.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"
#include "tests/passes/random_graph.h"

namespace sinter {
namespace {

u64 first_seed() {
  const char* text = std::getenv("SINTER_TEST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

Graph random_network(u64 seed) {
  Rng rng(seed);
  Graph graph;
  testing_graphs::RandomNetwork(graph, rng).build(2 + rng.below(9));
  return graph;
}

TEST(pipeline_on_random_networks, computes_the_same_and_is_idempotent) {
  i64 before = 0, after = 0;
  for (u64 seed = first_seed(); seed < first_seed() + 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph original = random_network(seed);
    Graph optimized = original.clone();
    OptimizeOptions options;
    options.rules.profile = seed % 2 == 0 ? Profile::standard : Profile::fhe;
    const OptimizeReport report = optimize(optimized, options);
    ASSERT_NO_THROW(verify(optimized));
    EXPECT_LE(report.nodes_after, report.nodes_before);
    before += report.nodes_before;
    after += report.nodes_after;
    const EqualityReport equality = compare_graphs(original, optimized, 12, seed);
    ASSERT_TRUE(equality.accepted) << equality.text() << to_text(original, {8}) << "became\n"
                                   << to_text(optimized, {8});
    if (options.rules.profile == Profile::fhe) {
      EXPECT_EQ(report.ops_after.count("BatchNormalization"), 0u);
    }
    const std::string once = to_text(optimized);
    const OptimizeReport again = optimize(optimized, options);
    EXPECT_EQ(again.rounds, 1);
    EXPECT_EQ(once, to_text(optimized));
  }
  std::printf("300 networks from seed %llu: %lld nodes became %lld\n",
              static_cast<unsigned long long>(first_seed()), static_cast<long long>(before),
              static_cast<long long>(after));
}

TEST(pipeline_on_random_networks, every_single_pass_computes_the_same) {
  for (u64 seed = first_seed() + 1000; seed < first_seed() + 1040; ++seed)
    for (const PassInfo& pass : all_passes()) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", pass " + std::string(pass.name));
      const Graph original = random_network(seed);
      Graph optimized = original.clone();
      OptimizeOptions options;
      options.only = {"fold_constants", std::string(pass.name)};
      options.rules.profile = seed % 2 == 0 ? Profile::standard : Profile::fhe;
      optimize(optimized, options);
      const EqualityReport equality = compare_graphs(original, optimized, 12, seed);
      ASSERT_TRUE(equality.accepted) << equality.text() << to_text(original, {8}) << "became\n"
                                     << to_text(optimized, {8});
    }
}

TEST(pipeline_on_random_networks, gives_the_same_text_every_time) {
  for (u64 seed = 1; seed < 20; ++seed) {
    Graph a = random_network(seed), b = random_network(seed);
    optimize(a);
    optimize(b);
    EXPECT_EQ(to_text(a), to_text(b)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sinter
