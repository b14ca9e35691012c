// SPDX-License-Identifier: Apache-2.0
// The adversarial set (tests/adversarial): small models made by ONNX's own package, each with one
// legality condition that holds or is violated. Each is imported, optimized with every rewrite
// checked, exported, imported again and compared with the original by the noise-floor rule; the
// optimized files stay in build/adversarial/optimized for the comparison with ONNX Runtime.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "graph/verify.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"

namespace sinter {
namespace {

namespace fs = std::filesystem;
const fs::path kFolder = "build/adversarial";

struct Case {
  std::string name, condition;
  bool holds, is_random;
  i64 optimum;  // -1: none is known
};

std::vector<Case> make_cases() {
  const std::string command =
      "/usr/bin/python3 tests/adversarial/make.py tests/adversarial/cases.txt " + kFolder.string();
  std::vector<Case> cases;
  if (std::system(command.c_str()) != 0) {
    ADD_FAILURE() << "failed: " << command;
    return cases;
  }
  std::ifstream file(kFolder / "cases.json");
  for (const auto& c : nlohmann::json::parse(file))
    cases.push_back({c["name"], c["condition"], c["kind"] == "ok", c["random"],
                     c["optimum"].is_null() ? -1 : c["optimum"].get<i64>()});
  return cases;
}

i64 count_random(const Graph& g) {
  i64 count = 0;
  for (NodeId n : g.nodes()) count += !is_pure(g, g.node(n));
  return count;
}

/// "" or what is wrong with the optimized graph.
std::string compare(const Graph& original, const Graph& optimized, const Case& c) {
  if (c.is_random)
    return count_random(original) == count_random(optimized) ? "" : "random draws were merged";
  for (NodeId n : original.nodes())
    if (original.node(n).op == Op::Opaque)
      return original.node_count() == optimized.node_count() ? ""
                                                             : "an unknown operator was touched";
  const EqualityReport report = compare_graphs(original, optimized, 12, 1);
  return report.accepted ? "" : report.text();
}

struct Outcome {
  std::string wrong;  // empty: right
  i64 nodes = 0;
};

Outcome run(const Case& c) {
  try {
    const Graph original = import_onnx(kFolder / (c.name + ".onnx"));
    Graph graph = original.clone();
    OptimizeOptions options;
    options.rules.max_opset = original.info.opset;
    optimize(graph, options);
    verify(graph);
    const fs::path file = kFolder / "optimized" / (c.name + ".onnx");
    export_onnx(graph, file);
    const Graph again = import_onnx(file);
    return {compare(original, again, c), deep_node_count(graph)};
  } catch (const std::exception& e) {
    return {e.what(), 0};
  }
}

TEST(AdversarialSet, every_model_stays_right_and_nearly_all_reach_the_known_optimum) {
  if (std::system("/usr/bin/python3 -c 'import onnx' 2> /dev/null") != 0)
    GTEST_SKIP() << "python3-onnx is not installed";
  const std::vector<Case> cases = make_cases();
  fs::create_directories(kFolder / "optimized");
  i64 wrong = 0, known = 0, reached = 0;
  for (const Case& c : cases) {
    const Outcome outcome = run(c);
    if (!outcome.wrong.empty()) {
      ++wrong;
      ADD_FAILURE() << c.name << " (" << c.condition << "): " << outcome.wrong;
      continue;
    }
    if (c.optimum < 0) continue;
    ++known;
    if (outcome.nodes <= c.optimum)
      ++reached;
    else
      std::printf("%s (%s): %lld nodes, optimum %lld\n", c.name.c_str(), c.condition.c_str(),
                  (long long)outcome.nodes, (long long)c.optimum);
  }
  std::printf("%zu models, %lld wrong, optimum reached by %lld of %lld (%.1f %%)\n", cases.size(),
              (long long)wrong, (long long)reached, (long long)known,
              100.0 * double(reached) / double(known));
  EXPECT_GE(reached * 100, known * 97);
}

}  // namespace
}  // namespace sinter
