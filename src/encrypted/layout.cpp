// SPDX-License-Identifier: Apache-2.0
#include "encrypted/layout.h"

#include <algorithm>
#include <bit>

namespace sinter::encrypted {
namespace {

struct Strides {
  i64 plane, members, blocks;
};

Strides strides_of(const Geometry& g, bool padded) {
  const i64 plane = g.plane_height * g.plane_width;
  const i64 per_block = g.gap * g.gap, blocks = (g.channels + per_block - 1) / per_block;
  if (!padded) return {plane, g.members, blocks};
  return {power_of_two_at_least(plane), power_of_two_at_least(g.members), blocks};
}

/// Products need their operands in the same slots: stages joined by products share the geometry of
/// the first of them.
void unify_products(StageGraph& graph) {
  std::vector<i32> group(graph.stages.size());
  for (size_t k = 0; k < group.size(); ++k) group[k] = i32(k);
  const auto first_of = [&](i32 k) {
    while (group[size_t(k)] != k) k = group[size_t(k)];
    return k;
  };
  const auto join = [&](i32 a, i32 b) {
    const i32 first = first_of(a), second = first_of(b);
    group[size_t(std::max(first, second))] = std::min(first, second);
  };
  for (size_t k = 0; k < group.size(); ++k) {
    const Stage& s = graph.stages[k];
    if (s.kind != StageKind::product) continue;
    join(s.x, s.y);
    join(s.x, i32(k));
  }
  for (size_t k = 0; k < group.size(); ++k)
    graph.stages[k].geometry = graph.stages[size_t(first_of(i32(k)))].geometry;
}

}  // namespace

i64 power_of_two_at_least(i64 n) { return i64(std::bit_ceil(u64(std::max<i64>(1, n)))); }

i64 footprint(const Geometry& g, bool padded) {
  const Strides s = strides_of(g, padded);
  return power_of_two_at_least(s.blocks * s.members * s.plane);
}

Layout layout_of(const Geometry& g, bool padded) {
  const Strides s = strides_of(g, padded);
  Layout layout;
  layout.footprint = footprint(g, padded);
  layout.slot.reserve(size_t(g.size()));
  const i64 per_block = g.gap * g.gap;
  for (i64 member = 0; member < g.members; ++member)
    for (i64 c = 0; c < g.channels; ++c) {
      const i64 u = c / per_block, ry = c % per_block / g.gap, rx = c % g.gap;
      const i64 base = (u * s.members + member) * s.plane + ry * g.plane_width + rx;
      for (i64 y = 0; y < g.height; ++y)
        for (i64 x = 0; x < g.width; ++x)
          layout.slot.push_back(i32(base + y * g.gap * g.plane_width + x * g.gap));
    }
  return layout;
}

std::vector<Layout> lay_out(StageGraph& graph, i64 slots) {
  unify_products(graph);
  const i64 share = slots / graph.batch;
  const auto all_fit = [&](bool padded) {
    return std::all_of(graph.stages.begin(), graph.stages.end(),
                       [&](const Stage& s) { return footprint(s.geometry, padded) <= share; });
  };
  const bool padded = all_fit(true);
  std::vector<Layout> layouts;
  for (const Stage& s : graph.stages) {
    const i64 need = footprint(s.geometry, padded);
    require(need <= share, ErrorKind::unsupported, "encrypted compilation: ", s.op, " \"", s.name,
            "\": its result of ", s.size(), " values needs ", need, " slots, a ciphertext has ",
            slots, graph.batch > 1 ? " for " + std::to_string(graph.batch) + " images" : "",
            "; log_n = ", std::countr_zero(u64(need * graph.batch)) + 1,
            " would hold it, or make the ", graph.batch > 1 ? "batch" : "layer", " smaller");
    layouts.push_back(layout_of(s.geometry, padded));
  }
  return layouts;
}

}  // namespace sinter::encrypted
