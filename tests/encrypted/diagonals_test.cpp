// SPDX-License-Identifier: Apache-2.0
// Layouts and diagonals: against dense products, and against counts made by an independent program
// for the layers of a 32x32 backbone at 32,768 slots.
#include "encrypted/diagonals.h"

#include <algorithm>
#include <numeric>

#include "encrypted/lower.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

/// The map on a vector of `slots` slots, folds included, as the ciphertexts are moved.
std::vector<double> apply_map(const LinearMap& map, std::span<const double> x) {
  const i64 n = std::ssize(x);
  std::vector<double> y(size_t(n), 0.0), d(size_t(map.period()));
  for (size_t k = 0; k < map.indices.size(); ++k) {
    map.rows[k].expand(d);
    for (i64 s = 0; s < n; ++s)
      y[size_t(s)] += d[size_t(s % map.period())] * x[size_t((s + map.indices[k]) % n)];
  }
  for (i64 period = map.in_period; period > map.out_period; period /= 2) {
    std::vector<double> sum(size_t(n), 0.0);
    for (i64 s = 0; s < n; ++s) sum[size_t(s)] = y[size_t(s)] + y[size_t((s + period / 2) % n)];
    y = sum;
  }
  return y;
}

Layout random_layout(i64 elements, i64 footprint, Rng& rng) {
  Layout layout{footprint, std::vector<i32>(size_t(footprint))};
  std::iota(layout.slot.begin(), layout.slot.end(), 0);
  for (i64 i = 0; i < elements; ++i)
    std::swap(layout.slot[size_t(i)], layout.slot[size_t(i + rng.below(footprint - i))]);
  layout.slot.resize(size_t(elements));
  return layout;
}

TEST(Diagonals, every_pair_of_periods_gives_the_dense_product_in_every_copy) {
  constexpr i64 kSlots = 64;
  const u64 first = test_seed(500);
  for (i64 in_period : {8, 16, 32, 64})
    for (i64 out_period : {4, 8, 16, 64})
      for (u64 seed = first; seed < first + 3; ++seed) {
        SCOPED_TRACE(::testing::Message()
                     << in_period << " to " << out_period << ", seed " << seed);
        Rng rng(seed + u64(in_period * 100 + out_period));
        const i64 cols = 1 + rng.below(in_period), rows = 1 + rng.below(out_period);
        const Layout in = random_layout(cols, in_period, rng);
        const Layout out = random_layout(rows, out_period, rng);
        SparseBuilder builder(rows, cols);
        for (i64 k = rng.below(rows * cols + 1); k > 0; --k)
          builder.add(rng.below(rows), rng.below(cols), rng.normal());
        const SparseMatrix m = builder.build();
        std::vector<double> x(size_t(cols), 0.0), slots(kSlots), expected(size_t(rows), 0.0);
        for (double& v : x) v = rng.normal();
        for (double& v : slots) v = 1e3 * rng.normal();  // junk where no element sits
        for (i64 s = 0; s < kSlots; ++s) slots[size_t(s)] = slots[size_t(s % in_period)];
        for (i64 c = 0; c < cols; ++c)
          for (i64 s = in.slot[size_t(c)]; s < kSlots; s += in_period)
            slots[size_t(s)] = x[size_t(c)];
        apply(m, x, expected);

        const LinearMap map = build_map(m, in, in_period, out, out_period, kSlots);
        const std::vector<double> y = apply_map(map, slots);
        std::vector<double> want(size_t(out_period), 0.0);
        for (i64 r = 0; r < rows; ++r) want[size_t(out.slot[size_t(r)])] = expected[size_t(r)];
        for (i64 s = 0; s < kSlots; ++s)
          ASSERT_NEAR(y[size_t(s)], want[size_t(s % out_period)], 1e-9) << "slot " << s;
        const MapCount count = count_map(m, in, in_period, out, out_period, kSlots);
        EXPECT_EQ(count.diagonals, std::ssize(map.indices));
        EXPECT_EQ(count.hoisted, map.plan(kSlots).hoisted_count());
      }
}

struct LayerCase {
  const char* name;
  i64 in_channels, out_channels, size, stride, kernel, in_gap, diagonals;
};

class BackboneLayer : public ::testing::TestWithParam<LayerCase> {};
INSTANTIATE_TEST_SUITE_P(, BackboneLayer,
                         ::testing::Values(LayerCase{"stem", 3, 16, 32, 1, 3, 1, 144},
                                           LayerCase{"block1", 16, 16, 32, 1, 3, 1, 144},
                                           LayerCase{"block2_strided", 16, 32, 32, 2, 3, 1, 128},
                                           LayerCase{"block2", 32, 32, 16, 1, 3, 2, 392},
                                           LayerCase{"block2_shortcut", 16, 32, 32, 2, 1, 1, 32},
                                           LayerCase{"block4_strided", 32, 64, 16, 2, 3, 2, 324},
                                           LayerCase{"block4", 64, 64, 8, 1, 3, 4, 900},
                                           LayerCase{"block4_shortcut", 32, 64, 16, 2, 1, 2, 100}),
                         [](const auto& layer) { return std::string(layer.param.name); });

TEST_P(BackboneLayer, has_the_diagonals_of_the_hybrid_method) {
  const LayerCase& c = GetParam();
  NetBuilder b(1, {1, c.in_channels, c.size, c.size});
  const Graph g = b.finish(b.conv(b.at, c.out_channels, c.kernel, c.stride, c.kernel / 2));
  StageGraph stages = lower(g);
  Geometry in = stages.stages[0].geometry, out = stages.stages[1].geometry;
  in.gap = c.in_gap;
  in.plane_height = in.plane_width = c.size * c.in_gap;
  out.gap = c.in_gap * c.stride;
  out.plane_height = out.plane_width = in.plane_height;
  const i64 slots = 32768;
  const Layout from = layout_of(in, true), to = layout_of(out, true);
  const MapCount count =
      count_map(*stages.stages[1].terms[0].matrix, from, slots, to, to.footprint, slots);
  EXPECT_EQ(count.diagonals, c.diagonals);
}

TEST(Layout, places_are_distinct_and_inside_the_footprint) {
  Rng rng(test_seed(600));
  for (int round = 0; round < 200; ++round) {
    Geometry g;
    g.members = 1 + rng.below(4);
    g.channels = 1 + rng.below(9);
    g.height = 1 + rng.below(5);
    g.width = 1 + rng.below(5);
    g.gap = 1 + rng.below(3);
    g.plane_height = g.height * g.gap + rng.below(3);
    g.plane_width = g.width * g.gap + rng.below(3);
    for (bool padded : {false, true}) {
      Layout layout = layout_of(g, padded);
      ASSERT_EQ(std::ssize(layout.slot), g.size());
      std::sort(layout.slot.begin(), layout.slot.end());
      ASSERT_GE(layout.slot.front(), 0);
      ASSERT_LT(layout.slot.back(), layout.footprint);
      ASSERT_TRUE(std::adjacent_find(layout.slot.begin(), layout.slot.end()) == layout.slot.end());
      ASSERT_EQ(layout.footprint, footprint(g, padded));
    }
  }
}

TEST(Layout, a_strided_channel_goes_into_the_gaps) {
  Geometry g;
  g.channels = 5, g.height = g.width = 4, g.gap = 2, g.plane_height = g.plane_width = 8;
  const Layout layout = layout_of(g, true);
  EXPECT_EQ(layout.footprint, 128);
  const auto slot = [&](i64 c, i64 y, i64 x) { return layout.slot[size_t((c * 4 + y) * 4 + x)]; };
  EXPECT_EQ(slot(0, 0, 0), 0);
  EXPECT_EQ(slot(1, 0, 0), 1);
  EXPECT_EQ(slot(2, 0, 0), 8);
  EXPECT_EQ(slot(3, 1, 2), 64 * 0 + (1 * 2 + 1) * 8 + 2 * 2 + 1);
  EXPECT_EQ(slot(4, 0, 0), 64);
}

TEST(Sparse, products_and_sums_agree_with_dense_ones) {
  Rng rng(test_seed(610));
  for (int round = 0; round < 30; ++round) {
    const i64 n = 1 + rng.below(7), k = 1 + rng.below(7), m = 1 + rng.below(7);
    const auto random = [&](i64 rows, i64 cols) {
      SparseBuilder b(rows, cols);
      for (i64 e = rng.below(rows * cols + 1); e > 0; --e)
        b.add(rng.below(rows), rng.below(cols), double(1 + rng.below(9)));
      return b.build();
    };
    const SparseMatrix a = random(n, k), b = random(k, m), c = random(n, m);
    std::vector<double> x(size_t(m), 0.0), bx(size_t(k), 0.0), expected(size_t(n), 0.0);
    std::vector<double> found(size_t(n), 0.0);
    for (double& v : x) v = double(rng.below(9));
    apply(b, x, bx);
    apply(a, bx, expected);
    apply(c, x, expected);
    apply(add(multiply(a, b), c), x, found);
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace sinter::encrypted::testing
