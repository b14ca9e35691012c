// SPDX-License-Identifier: Apache-2.0
// The prescale of bootstraps in their neighbours, on random graphs; their chains against the
// presets and the security table.
#include "encrypted/insert_bootstraps.h"

#include <cmath>

#include "encrypted/bootstrap_chain.h"
#include "encrypted/levels.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

std::shared_ptr<const SparseMatrix> random_matrix(Rng& rng, i64 n) {
  SparseBuilder builder(n, n);
  for (i64 r = 0; r < n; ++r)
    for (i64 k = 0; k < 2; ++k) builder.add(r, rng.below(u64(n)), rng.normal());
  return std::make_shared<const SparseMatrix>(builder.build());
}

/// A random graph of linear stages and products over four values.
StageGraph random_stages(Rng& rng, i64 count) {
  constexpr i64 kSize = 4;
  const auto vector = [&] {
    std::vector<double> v;
    for (i64 i = 0; i < kSize; ++i) v.push_back(rng.normal());
    return v;
  };
  StageGraph g;
  for (i64 k = 0; k < count; ++k) {
    Stage s;
    s.name = "s" + std::to_string(k);
    s.geometry.channels = kSize;
    const i32 a = k == 0 ? 0 : i32(k - 1), b = k == 0 ? 0 : i32(rng.below(u64(k)));
    if (k == 0) {
      s.kind = StageKind::input;
      s.source = {0, 1, 2, 3};
    } else if (k + 1 < count && rng.below(2) == 0) {
      s.kind = StageKind::product;
      s.x = a;
      s.y = rng.below(2) == 0 ? a : b;
      s.shift_x = s.shift_y = vector();
      if (s.x != s.y && rng.below(2) == 0) s.shift_y.clear();
      if (rng.below(2) == 0) s.post = vector();
    } else {
      s.terms = {{a, random_matrix(rng, kSize)}};
      if (b != a) s.terms.push_back({b, random_matrix(rng, kSize)});
      s.bias = vector();
    }
    g.stages.push_back(std::move(s));
  }
  g.output = i32(count - 1);
  drop_dead(g);
  return g;
}

TEST(InsertBootstraps, keeps_the_function_and_holds_bootstrapped_values_below_one) {
  const u64 first = test_seed(4000);
  i64 behind_products = 0, inserted_in_all = 0;
  for (u64 seed = first; seed < first + 200; ++seed) {
    Rng rng(seed);
    StageGraph before = random_stages(rng, 7);
    for (Stage& s : before.stages) s.origin = {{s.name, {}, {}, {}}};
    const std::vector<double> input = {0.3, -0.4, 0.5, 0.2};
    const auto values = evaluate_stages(before, input);
    std::vector<double> ranges;
    for (const auto& v : values) {
      double largest = 0;
      for (double x : v) largest = std::max(largest, std::abs(x));
      ranges.push_back(largest);
    }
    const std::vector<bool> can = can_be_scaled(before);
    Placement placement;
    placement.level.assign(before.stages.size(), 0);
    placement.restart.assign(before.stages.size(), -1);
    for (size_t k = 0; k < before.stages.size(); ++k)
      if (can[k] && rng.below(2) == 0) placement.restart[k] = 3;
    StageGraph after = before;
    const Inserted inserted = insert_bootstraps(after, placement, ranges, 1.5);
    EXPECT_EQ(after.stages.size(), before.stages.size() + size_t(placement.bootstraps()));
    const auto held = evaluate_stages(after, input);
    for (size_t i = 0; i < 4; ++i) {
      const double wanted = values[size_t(before.output)][i];
      EXPECT_NEAR(held[size_t(after.output)][i], wanted, 1e-9 * (1 + std::abs(wanted))) << seed;
    }
    for (size_t k = 0; k < after.stages.size(); ++k) {
      for (double v : held[k]) EXPECT_LE(std::abs(v), inserted.ranges[k] * (1 + 1e-9));
      ASSERT_EQ(after.stages[k].origin.size(), 1u);
      const auto& value = values[size_t(inserted.origin[k])];
      const std::vector<double> named = after.stages[k].origin[0].expected(value, 4);
      for (size_t i = 0; i < 4; ++i)
        EXPECT_NEAR(held[k][i], named[i], 1e-9 * (1 + std::abs(named[i]))) << "seed " << seed;
      if (after.stages[k].kind != StageKind::bootstrap) continue;
      EXPECT_LE(inserted.ranges[k] * 1.5, 1) << "seed " << seed;
      ++inserted_in_all;
      behind_products += after.stages[size_t(after.stages[k].x)].kind == StageKind::product;
    }
  }
  EXPECT_GT(inserted_in_all, 100);
  EXPECT_GT(behind_products, 20);
}

TEST(InsertBootstraps, costs_no_level_behind_a_linear_stage_a_product_or_an_addition) {
  for (i64 behind : {1, 2, 3}) {
    Rng rng(u64(4300 + behind));
    StageGraph g;
    for (i64 k = 0; k < 5; ++k) {
      Stage s;
      s.name = "s" + std::to_string(k);
      s.geometry.channels = 4;
      if (k == 0) s.kind = StageKind::input, s.source = {0, 1, 2, 3};
      if (k == 2) s.kind = StageKind::product, s.x = s.y = 1;
      if (k == 1 || k == 3 || k == 4) s.terms = {{i32(k - 1), random_matrix(rng, 4)}};
      if (k == 3 && behind == 3) s.terms.push_back({1, random_matrix(rng, 4)});
      g.stages.push_back(std::move(s));
    }
    g.output = 4;
    PlacementOptions options{.max_level = 3};
    options.allowed.assign(5, false);
    options.allowed[size_t(behind)] = true;
    const PlacementCosts costs{[](i32, int) { return 1.0; }, [](i32, int) { return 1.0; }};
    const Placement p = place_bootstraps(g, costs, options);
    ASSERT_TRUE(p.is_feasible) << p.reason;
    const std::vector<double> ranges(5, 100);
    insert_bootstraps(g, p, ranges, 1);
    const LevelPlan levels = plan_levels(g);
    EXPECT_EQ(levels.depth, std::max(behind, 4 - behind));
  }
}

TEST(BootstrapChain, is_the_preset_with_other_levels) {
  SchemeOptions scheme;
  scheme.log_n = 16;
  scheme.log_p.assign(6, 48);
  scheme.secret = ckks::SecretKind::sparse;
  for (const char* name : {"fast", "precise"}) {
    const BootstrapChain chain = bootstrap_chain(9, scheme, name);
    EXPECT_EQ(chain.params.log_q, ckks::bootstrap_preset(name).params.log_q);
    EXPECT_EQ(chain.options, ckks::bootstrap_preset(name).options);
    EXPECT_EQ(chain.reason, "");
    EXPECT_NEAR(chain.log2_qp, chain.options.arcsine_degree == 0 ? 1389 : 1542, 0.5);
  }
}

TEST(BootstrapChain, says_by_how_many_bits_it_is_too_long) {
  SchemeOptions scheme;
  scheme.log_n = 16;
  scheme.log_p.assign(6, 48);
  const BootstrapChain fits = bootstrap_chain(14, scheme, "precise");
  EXPECT_EQ(fits.reason, "");
  const BootstrapChain chain = bootstrap_chain(16, scheme, "precise");
  EXPECT_NE(chain.reason.find("75.0 bits above the 1747.0"), std::string::npos) << chain.reason;
  scheme.secret = ckks::SecretKind::sparse;
  EXPECT_NE(bootstrap_chain(14, scheme, "fast").reason.find("above the 1550.0"), std::string::npos);
  scheme.log_scale = 42;
  EXPECT_NE(bootstrap_chain(9, scheme, "fast").reason.find("needs log_q0 - log_scale"),
            std::string::npos);
  EXPECT_EQ(bootstrap_chain(8, scheme, "precise").reason, "");
  scheme.log_p = {45, 45};
  EXPECT_NE(bootstrap_chain(8, scheme, "precise").reason.find("special primes"), std::string::npos);
  EXPECT_THROW(bootstrap_chain(9, scheme, "exact"), Error);
  EXPECT_THROW(bootstrap_chain(0, scheme, "fast"), Error);
}

TEST(BootstrapChain, an_options_entry_is_filled_in_and_few_slots_take_three_factors) {
  SchemeOptions scheme;
  scheme.log_n = 14;
  scheme.log_p.assign(6, 48);
  scheme.security = ckks::Security::none_for_tests;
  const BootstrapChain chain = bootstrap_chain(7, scheme, "fast");
  const ckks::CkksParams params = ckks::CkksParams::check(chain.params);
  const ckks::BootstrapOptions all = bootstrap_options(params, chain.options, 1 << 13, 7);
  EXPECT_EQ(all.to_slots_levels, 4);
  EXPECT_EQ(all.raise_level, params.max_level());
  const ckks::BootstrapOptions few = bootstrap_options(params, chain.options, 4, 5);
  EXPECT_EQ(few.slots, 16);
  EXPECT_EQ(few.target_level, 5);
  EXPECT_EQ(few.to_slots_levels, 3);
  EXPECT_EQ(few.raise_level, params.max_level() - 1);
  EXPECT_EQ(few.output_scale, params.scale());
  EXPECT_THROW(bootstrap_options(params, chain.options, 4, 8), Error);
}

}  // namespace
}  // namespace sinter::encrypted::testing
