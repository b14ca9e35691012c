// SPDX-License-Identifier: Apache-2.0
// Random graphs per rule, for a bounded time. SINTER_FUZZ_SECONDS (5), SINTER_FUZZ_SEED (1),
// SINTER_FUZZ_COUNT (no bound) and SINTER_FUZZ_SNIPPET (all) choose.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/timer.h"
#include "graph/text.h"
#include "tests/fuzzing/check.h"
#include "tests/fuzzing/rule_graphs.h"
#include "tests/fuzzing/variants.h"

namespace sinter::fuzzing {
namespace {

double setting(const char* name, double absent) {
  const char* text = std::getenv(name);
  return text == nullptr ? absent : std::atof(text);
}
std::string only() {
  const char* text = std::getenv("SINTER_FUZZ_SNIPPET");
  return text == nullptr ? "" : text;
}

constexpr Profile kProfiles[] = {Profile::standard, Profile::modern, Profile::ort, Profile::int8,
                                 Profile::fhe};

Check how_to_check(u64 seed) {
  return {kProfiles[seed % 5], seed / 5 % 8 == 0, seed / 5 % 16 == 1, seed};
}

void report(const Graph& graph, const Check& how, const std::string& wrong) {
  const std::string first = wrong.substr(0, wrong.find('\n'));
  const std::string kind = wrong.substr(0, 12);
  const Graph small = shrink(
      graph, [&](const Graph& g) { return check(g, how).wrong.substr(0, kind.size()) == kind; });
  ADD_FAILURE() << "seed " << how.seed << ", profile " << int(how.profile) << ", opset "
                << graph.info.opset << ": " << first << "\nsmallest:\n"
                << to_text(small, {40}) << check(small, how).wrong;
}

TEST(RandomRuleGraphs, keep_their_meaning_and_reach_a_fixed_point) {
  const double seconds = setting("SINTER_FUZZ_SECONDS", 5);
  const i64 count = i64(setting("SINTER_FUZZ_COUNT", 1e18));
  const u64 first = u64(setting("SINTER_FUZZ_SEED", 1));
  const i64 most_failures = i64(setting("SINTER_FUZZ_FAILURES", 5));
  const Timer timer;
  i64 graphs = 0, compared = 0, before = 0, after = 0, failures = 0;
  for (u64 seed = first; graphs < count && failures < most_failures && timer.wall_s() < seconds;
       ++seed, ++graphs) {
    const Graph graph = random_rule_graph(seed, only());
    if (std::getenv("SINTER_FUZZ_TRACE") != nullptr)  // for a run that does not come back
      std::fprintf(stderr, "seed %llu\n%s\n", (unsigned long long)seed, to_text(graph).c_str());
    const Check how = how_to_check(seed);
    const Verdict verdict = check(graph, how);
    compared += verdict.run == Run::compared;
    before += verdict.nodes_before;
    after += verdict.nodes_after;
    if (verdict.wrong.empty()) continue;
    ++failures;
    report(graph, how, verdict.wrong);
  }
  std::printf("%lld graphs from seed %llu, %lld compared, %.0f a minute, %lld nodes became %lld\n",
              (long long)graphs, (unsigned long long)first, (long long)compared,
              60 * double(graphs) / timer.wall_s(), (long long)before, (long long)after);
  EXPECT_GT(compared * 10, graphs * 8) << "too many graphs do not run";
}

struct Variant {
  std::string name;
  Graph graph;
  bool same_count;  ///< it should be optimized exactly as far
};

/// What cannot be written in a file (an operator that no opset of a variant has) is left out.
std::vector<Variant> variants_of(const Graph& graph, u64 seed) {
  Rng rng(seed);
  std::vector<Variant> variants;
  variants.push_back({"rewritten", rewritten(graph, rng), true});
  variants.push_back({"in an If", inside_if(graph, rng.below(2) == 0), false});
  for (const i64 opset : {graph.info.opset, 7 + rng.below(15)}) try {
      variants.push_back({"at opset " + std::to_string(opset), through_file(graph, opset),
                          opset == graph.info.opset});
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::unsupported)
        ADD_FAILURE() << "seed " << seed << " at opset " << opset << ": " << e.what() << "\n"
                      << to_text(graph, {40});
    }
  return variants;
}

TEST(RandomRuleGraphs, written_another_way_compute_the_same) {
  const double seconds = setting("SINTER_FUZZ_SECONDS", 20) / 2;
  const u64 first = u64(setting("SINTER_FUZZ_SEED", 1)) + 1'000'000;
  const Timer timer;
  i64 variants = 0, same = 0, countable = 0, failures = 0;
  for (u64 seed = first; timer.wall_s() < seconds && failures < 5; ++seed) {
    const Graph graph = random_rule_graph(seed, only());
    if (!check(graph, {}).wrong.empty()) continue;  // the other test's matter
    Graph best = graph.clone();
    optimize(best);
    for (Variant& v : variants_of(graph, seed)) {
      bool compared = false;
      OptimizeOptions options;
      options.check_rewrites = false;
      std::string wrong = difference_of(graph, v.graph, seed, compared);
      if (wrong.empty()) {
        optimize(v.graph, options);
        wrong = difference_of(graph, v.graph, seed, compared);
      }
      ++variants;
      if (v.same_count) {
        ++countable;
        const bool equal = deep_node_count(v.graph) == deep_node_count(best);
        same += equal;
        if (!equal && std::getenv("SINTER_FUZZ_TRACE") != nullptr)
          std::fprintf(stderr, "seed %llu %s: %lld nodes, not %lld\n", (unsigned long long)seed,
                       v.name.c_str(), (long long)deep_node_count(v.graph),
                       (long long)deep_node_count(best));
      }
      if (wrong.empty()) continue;
      ++failures;
      ADD_FAILURE() << "seed " << seed << " " << v.name << ": " << wrong << "\n"
                    << to_text(graph, {40}) << "became\n"
                    << to_text(v.graph, {40});
    }
  }
  std::printf("%lld variants from seed %llu, %.2f %% of %lld with the same number of nodes\n",
              (long long)variants, (unsigned long long)first,
              100 * double(same) / double(std::max<i64>(countable, 1)), (long long)countable);
  EXPECT_GE(double(same), 0.98 * double(countable));
}

}  // namespace
}  // namespace sinter::fuzzing
