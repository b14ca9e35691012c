// SPDX-License-Identifier: Apache-2.0
// Diagonals, rotations and keys of the patch network of CryptoFace at 32,768 slots, against the
// counts of an independent program that follows Orion's rules: hybrid diagonals for every layer,
// unsigned indices, baby counts that are powers of two, as many babies as giants.
#include <bit>
#include <set>

#include "encrypted/diagonals.h"
#include "encrypted/lower.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

constexpr i64 kSlots = 32768;

struct Counts {
  i64 diagonals = 0, babies = 0, giants = 0, folds = 0;
  bool operator==(const Counts&) const = default;
  Counts& operator+=(const Counts& o) {
    diagonals += o.diagonals, babies += o.babies, giants += o.giants, folds += o.folds;
    return *this;
  }
};
void PrintTo(const Counts& c, std::ostream* out) {
  *out << c.diagonals << " diagonals, " << c.babies << " babies, " << c.giants << " giants, "
       << c.folds << " folds";
}

struct MatrixAndLayouts {
  SparseMatrix matrix;
  Layout in, out;
};

/// A convolution between planes of 32 x 32 slots.
MatrixAndLayouts conv(i64 in_channels, i64 out_channels, i64 size, i64 kernel, i64 stride) {
  NetBuilder b(1, {1, in_channels, size, size});
  const Graph g = b.finish(b.conv(b.at, out_channels, kernel, stride, kernel / 2));
  StageGraph stages = lower(g);
  Geometry in = stages.stages[0].geometry, out = stages.stages[1].geometry;
  in.gap = 32 / size;
  out.gap = in.gap * stride;
  in.plane_height = in.plane_width = out.plane_height = out.plane_width = 32;
  return {*stages.stages[1].terms[0].matrix, layout_of(in, true), layout_of(out, true)};
}

/// 64 planes of 8 x 8 to 2 x 2.
MatrixAndLayouts pool() {
  NetBuilder b(1, {1, 64, 8, 8});
  const Graph g = b.finish(b.average_pool(b.at, 4, 4));
  StageGraph stages = lower(g);
  Geometry in = stages.stages[0].geometry, out = stages.stages[1].geometry;
  in.gap = 4, out.gap = 16;
  in.plane_height = in.plane_width = out.plane_height = out.plane_width = 32;
  return {*stages.stages[1].terms[0].matrix, layout_of(in, true), layout_of(out, true)};
}

/// 256 pooled values to 256 features.
MatrixAndLayouts linear() {
  Geometry in, out;
  in.channels = 64, in.height = in.width = 2, in.gap = 16, in.plane_height = in.plane_width = 32;
  out.channels = 256;
  SparseBuilder dense(256, 256);
  for (i64 r = 0; r < 256; ++r)
    for (i64 c = 0; c < 256; ++c) dense.add(r, c, 1);
  return {dense.build(), layout_of(in, true), layout_of(out, true)};
}

/// Lattigo's choice with a logarithmic ratio of 0: the last power of two before the babies
/// outnumber the giants.
ckks::LinearPlan balanced(std::span<const i64> indices) {
  for (i64 n1 = 1; n1 < kSlots; n1 *= 2) {
    const ckks::LinearPlan plan = ckks::plan_linear(indices, kSlots, n1);
    if (plan.hoisted_count() == plan.giant_count()) return plan;
    if (plan.hoisted_count() > plan.giant_count())
      return ckks::plan_linear(indices, kSlots, std::max<i64>(1, n1 / 2));
  }
  return ckks::plan_linear(indices, kSlots, 1);
}

/// Counts of one layer; adds its rotations to `keys`.
Counts count(const MatrixAndLayouts& m, std::set<i64>& keys) {
  const LinearMap map = build_map(m.matrix, m.in, kSlots, m.out, m.out.footprint, kSlots);
  const ckks::LinearPlan plan = balanced(map.indices);
  keys.insert(plan.rotations.begin(), plan.rotations.end());
  Counts c{std::ssize(map.indices), plan.hoisted_count(), plan.giant_count(), 0};
  for (i64 period = kSlots; period > map.out_period; period /= 2) {
    keys.insert(period / 2);
    ++c.folds;
  }
  return c;
}

TEST(Counts, of_the_patch_network_are_those_of_the_balanced_hybrid_method) {
  struct Row {
    const char* name;
    MatrixAndLayouts layer;
    i64 times;
    Counts expected;
  };
  std::vector<Row> rows;
  rows.push_back({"conv 3 to 16", conv(3, 16, 32, 3, 1), 1, {144, 8, 15, 1}});
  rows.push_back({"layer 1", conv(16, 16, 32, 3, 1), 2, {144, 8, 15, 1}});
  rows.push_back({"layer 2, stride 2", conv(16, 32, 32, 3, 2), 1, {128, 15, 15, 2}});
  rows.push_back({"layers 2 and 3", conv(32, 32, 16, 3, 1), 3, {392, 13, 31, 2}});
  rows.push_back({"layer 2, shortcut", conv(16, 32, 32, 1, 2), 1, {32, 3, 7, 2}});
  rows.push_back({"layer 4, stride 2", conv(32, 64, 16, 3, 2), 1, {324, 17, 19, 3}});
  rows.push_back({"layers 4 and 5", conv(64, 64, 8, 3, 1), 3, {900, 29, 31, 3}});
  rows.push_back({"layer 4, shortcut", conv(32, 64, 16, 1, 2), 1, {100, 9, 11, 3}});
  rows.push_back({"pool", pool(), 1, {121, 6, 18, 5}});
  rows.push_back({"linear", linear(), 1, {256, 15, 15, 7}});
  std::set<i64> keys;
  Counts sum;
  for (const Row& row : rows) {
    const Counts c = count(row.layer, keys);
    EXPECT_EQ(c, row.expected) << row.name;
    for (i64 k = 0; k < row.times; ++k) sum += c;
  }
  EXPECT_EQ(sum, (Counts{5269, 215, 316, 40}));
  EXPECT_EQ(sum.babies + sum.giants + sum.folds, 571);
  EXPECT_EQ(keys.size(), 126u);
}

}  // namespace
}  // namespace sinter::encrypted::testing
