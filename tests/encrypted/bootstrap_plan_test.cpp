// SPDX-License-Identifier: Apache-2.0
// Placement of bootstraps against trying every set of values, on random series-parallel and other
// graphs; the plan without bootstraps; what is said when nothing fits.
#include "encrypted/bootstrap_plan.h"

#include <cmath>

#include "encrypted/levels.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

std::shared_ptr<const SparseMatrix> one() {
  static const auto matrix = std::make_shared<const SparseMatrix>(identity(1));
  return matrix;
}

/// Stages over single values; what they compute does not matter here.
struct Sketch {
  StageGraph graph;

  Sketch() { add({}, StageKind::input); }
  i32 add(std::vector<i32> operands, StageKind kind = StageKind::linear) {
    Stage s;
    s.kind = kind;
    s.name = "s" + std::to_string(graph.stages.size());
    s.op = "Conv";
    if (kind == StageKind::input) s.source = {0};
    if (kind == StageKind::product) s.x = operands.front(), s.y = operands.back();
    if (kind == StageKind::linear)
      for (i32 v : operands) s.terms.push_back({v, one()});
    graph.stages.push_back(std::move(s));
    return graph.output = i32(std::ssize(graph.stages) - 1);
  }
  i32 chain(i32 from, i64 length) {
    for (i64 i = 0; i < length; ++i) from = add({from});
    return from;
  }
};

/// A random series-parallel graph behind `from`.
i32 random_region(Sketch& s, Rng& rng, i32 from, i64 depth) {
  const i64 pieces = 1 + rng.below(2);
  for (i64 i = 0; i < pieces; ++i) {
    if (depth == 0 || rng.below(3) == 0) {
      from = s.add({from});
      continue;
    }
    const i32 left = random_region(s, rng, from, depth - 1);
    const i32 right = rng.below(3) == 0 ? from : random_region(s, rng, from, depth - 1);
    from = left == right ? s.add({left}) : s.add({left, right});
  }
  return from;
}

struct RandomCosts {
  std::vector<double> stage, bootstrap;
  double slope = 0;

  RandomCosts(Rng& rng, size_t count) : slope(rng.uniform(0, 0.2)) {
    for (size_t k = 0; k < count; ++k) {
      stage.push_back(rng.uniform(0, 1));
      bootstrap.push_back(rng.uniform(2, 12));
    }
  }
  PlacementCosts costs() const {
    return {[this](i32 k, int level) { return stage[size_t(k)] * (1 + level); },
            [this](i32 k, int level) { return bootstrap[size_t(k)] * (1 + slope * level); }};
  }
};

/// The cost of one set of bootstrapped values, negative when a level is too high; levels from the
/// definition.
double cost_of_set(const StageGraph& g, const PlacementCosts& costs, int max_level, u64 set) {
  std::vector<int> wanted(g.stages.size(), 0);
  double cost = 0;
  for (i32 k = i32(std::ssize(g.stages)) - 1; k >= 0; --k) {
    int level = wanted[size_t(k)];
    const bool is_input = g.stages[size_t(k)].kind == StageKind::input;
    if (level > max_level) return -1;
    if (set >> k & 1) {
      cost += costs.bootstrap(k, level);
      level = 0;
    }
    const int in = is_input ? level : level + 1;
    if (in > max_level) return -1;
    cost += costs.stage(k, in);
    for (i32 v : operands(g.stages[size_t(k)])) wanted[size_t(v)] = std::max(wanted[size_t(v)], in);
  }
  return cost;
}

double best_of_all_sets(const StageGraph& g, const PlacementCosts& costs, int max_level) {
  double best = -1;
  const i64 count = std::ssize(g.stages);
  for (u64 set = 0; set < u64(1) << count; ++set) {
    if ((set & 1) != 0 || (set >> g.output & 1) != 0) continue;
    const double cost = cost_of_set(g, costs, max_level, set);
    if (cost >= 0 && (best < 0 || cost < best)) best = cost;
  }
  return best;
}

void expect_sound(const StageGraph& g, const Placement& p, int max_level) {
  EXPECT_LE(p.highest(), max_level);
  EXPECT_EQ(p.level[size_t(g.output)], 0);
  for (size_t k = 0; k < g.stages.size(); ++k)
    for (i32 v : operands(g.stages[k])) {
      const int found = std::max(p.level[size_t(v)], p.restart[size_t(v)]);
      EXPECT_GE(found, p.level[k] + 1) << v << " read by " << k;
    }
}

void compare_with_all_sets(const StageGraph& g, Rng& rng, u64 seed) {
  const RandomCosts random(rng, g.stages.size());
  for (int max_level : {2, 3, 5}) {
    const Placement p = place_bootstraps(g, random.costs(), {.max_level = max_level});
    const double best = best_of_all_sets(g, random.costs(), max_level);
    ASSERT_EQ(p.is_feasible, best >= 0) << "seed " << seed;
    if (!p.is_feasible) continue;
    EXPECT_TRUE(p.is_optimal);
    EXPECT_NEAR(p.cost, best, 1e-9) << "seed " << seed << ", " << g.stages.size() << " stages";
    expect_sound(g, p, max_level);
  }
}

TEST(PlaceBootstraps, finds_the_cheapest_set_on_series_parallel_graphs) {
  const u64 first = test_seed(1000);
  for (u64 seed = first; seed < first + 60; ++seed) {
    Rng rng(seed);
    Sketch s;
    random_region(s, rng, 0, 2);
    if (s.graph.stages.size() > 13) continue;
    compare_with_all_sets(s.graph, rng, seed);
  }
}

TEST(PlaceBootstraps, finds_the_cheapest_set_on_any_graph) {
  const u64 first = test_seed(2000);
  for (u64 seed = first; seed < first + 40; ++seed) {
    Rng rng(seed);
    Sketch s;
    std::vector<i32> unread = {0};
    for (i32 k = 1; k < 10; ++k) {
      std::vector<i32> from = {i32(rng.below(u64(k)))};
      if (const i32 other = i32(rng.below(u64(k))); other != from[0]) from.push_back(other);
      s.add(from, rng.below(4) == 0 ? StageKind::product : StageKind::linear);
    }
    drop_dead(s.graph);
    compare_with_all_sets(s.graph, rng, seed);
  }
}

TEST(PlaceBootstraps, a_frontier_too_wide_for_all_states_still_gives_a_sound_plan) {
  Rng rng(3000);
  Sketch s;
  std::vector<i32> ends;
  for (i64 branch = 0; branch < 6; ++branch) ends.push_back(s.chain(0, 3 + branch));
  s.chain(s.add(ends), 6);
  const RandomCosts random(rng, s.graph.stages.size());
  const Placement exact = place_bootstraps(s.graph, random.costs(), {.max_level = 6});
  PlacementOptions few{.max_level = 6};
  few.max_states = 4;
  const Placement p = place_bootstraps(s.graph, random.costs(), few);
  ASSERT_TRUE(p.is_feasible && exact.is_feasible);
  EXPECT_TRUE(exact.is_optimal);
  EXPECT_FALSE(p.is_optimal);
  EXPECT_GE(p.cost, exact.cost);
  expect_sound(s.graph, p, 6);
}

TEST(PlaceBootstraps, takes_a_shortcut_and_its_block_in_one_bootstrap_at_the_join) {
  // Blocks of four with a shortcut: inside a block two values would be bootstrapped, at the join
  // one. Seven levels do not reach both ends.
  Sketch s;
  i32 v = s.chain(0, 1);
  std::vector<i32> joins;
  for (i64 block = 0; block < 3; ++block) joins.push_back(v = s.add({s.chain(v, 3), v}));
  s.chain(v, 1);
  const PlacementCosts costs{[](i32, int level) { return 0.01 * level; },
                             [](i32, int) { return 10.0; }};
  const Placement p = place_bootstraps(s.graph, costs, {.max_level = 9});
  ASSERT_TRUE(p.is_feasible);
  EXPECT_EQ(p.bootstraps(), 1);
  int found = 0;
  for (i32 join : joins) found += p.restart[size_t(join)] > 0;
  EXPECT_EQ(found, 1) << "the bootstrap is not at a join";
}

/// One patch of CryptoFaceNet with its normalisation, by the diagonals of its layers.
struct FacePatch : Sketch {
  std::vector<double> diagonals = {0};

  i32 layer(std::vector<i32> operands, double count, StageKind kind = StageKind::linear) {
    diagonals.push_back(count);
    return add(std::move(operands), kind);
  }
  i32 square(i32 v) { return layer({v}, 0, StageKind::product); }
  i32 block(i32 v, double conv1, double conv2, double shortcut) {
    const i32 h = square(v);
    return layer({square(layer({h}, conv1)), h}, conv2 + shortcut);
  }
  FacePatch() {
    i32 v = layer({0}, 144);
    v = block(v, 144, 144, 0);
    v = block(v, 128, 392, 32);
    v = block(v, 392, 392, 0);
    v = block(v, 324, 900, 100);
    v = block(v, 900, 900, 0);
    v = layer({layer({square(v)}, 121)}, 256);
    for (int step = 0; step < 3; ++step) v = layer({v}, 0);  // x^2, y^2, a y^2
  }
};

TEST(PlaceBootstraps, gives_the_known_plans_of_a_face_patch) {
  // Costs of another compiler for the same network: 0.001 diagonals * level for a layer,
  // 3.41 exp(0.18 L) + 4.81 for a bootstrap, which ends at L and spends one more level for its
  // prescale: here that level is the last stage of the network, which costs nothing.
  struct Known {
    int levels, bootstraps;
    double cost;
  };
  const FacePatch patch;
  for (const Known& known : {Known{9, 3, 0},
                             {10, 2, 84.8},
                             {11, 2, 90.8},
                             {12, 2, 99.2},
                             {15, 1, 101.4},
                             {18, 1, 131.6}}) {
    const double price = 3.41 * std::exp(0.18 * known.levels) + 4.81;
    const PlacementCosts costs{
        [&](i32 k, int level) { return 0.001 * patch.diagonals[size_t(k)] * (level + 1); },
        [&](i32, int) { return price; }};
    const Placement p = place_bootstraps(patch.graph, costs, {.max_level = known.levels - 1});
    ASSERT_TRUE(p.is_feasible);
    EXPECT_EQ(p.bootstraps(), known.bootstraps) << known.levels;
    if (known.cost > 0) {
      EXPECT_NEAR(p.cost, known.cost, 1.0) << known.levels;
    }
  }
}

TEST(PlaceBootstraps, without_bootstraps_levels_are_longest_paths) {
  for (u64 seed = 40; seed < 50; ++seed) {
    Rng rng(seed);
    Sketch s;
    random_region(s, rng, 0, 3);
    for (Stage& stage : s.graph.stages)  // sums over slots cost no level
      stage.is_sum = stage.terms.size() == 1 && rng.below(4) == 0;
    const LevelPlan longest = plan_levels(s.graph);
    if (longest.depth == 0) continue;
    const PlacementCosts costs{[](i32, int) { return 1.0; }, {}};
    PlacementOptions options{.max_level = longest.depth, .may_bootstrap = false};
    const Placement p = place_bootstraps(s.graph, costs, options);
    ASSERT_TRUE(p.is_feasible);
    EXPECT_EQ(p.level, longest.level);
    EXPECT_EQ(p.bootstraps(), 0);
    --options.max_level;
    const Placement failed = place_bootstraps(s.graph, costs, options);
    EXPECT_FALSE(failed.is_feasible);
    EXPECT_EQ(failed.levels_short, 1);
    EXPECT_GE(failed.first_without_level, 0);
    EXPECT_NE(failed.reason.find("1 short, first at Conv"), std::string::npos) << failed.reason;
  }
}

TEST(PlaceBootstraps, says_how_many_levels_are_short_where_bootstraps_are_not_allowed) {
  Sketch s;
  s.chain(0, 9);
  PlacementOptions options{.max_level = 3};
  options.allowed.assign(s.graph.stages.size(), false);
  options.allowed[5] = true;
  const PlacementCosts costs{[](i32, int) { return 1.0; }, [](i32, int) { return 5.0; }};
  const Placement p = place_bootstraps(s.graph, costs, options);
  EXPECT_FALSE(p.is_feasible);
  EXPECT_EQ(p.levels_short, 2) << p.reason;
  options.max_level = 5;
  EXPECT_EQ(place_bootstraps(s.graph, costs, options).bootstraps(), 1);
}

}  // namespace
}  // namespace sinter::encrypted::testing
