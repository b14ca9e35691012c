// SPDX-License-Identifier: Apache-2.0
#include "encrypted/diagonals.h"

#include <algorithm>
#include <bit>
#include <map>

namespace sinter::encrypted {
namespace {

std::vector<i64> indices_of(const SparseMatrix& m, const Layout& in, const Layout& out,
                            i64 modulus) {
  std::vector<bool> used(size_t(modulus), false);
  for (i64 r = 0; r < m.rows; ++r)
    for (i64 k = m.row_start[size_t(r)]; k < m.row_start[size_t(r) + 1]; ++k) {
      const i64 distance = in.slot[size_t(m.col[size_t(k)])] - out.slot[size_t(r)];
      used[size_t(distance & (modulus - 1))] = true;
    }
  std::vector<i64> indices;
  for (i64 i = 0; i < modulus; ++i)
    if (used[size_t(i)]) indices.push_back(i);
  if (indices.empty()) indices.push_back(0);  // the zero map still has a diagonal
  return indices;
}

}  // namespace

MapCount count_map(const SparseMatrix& m, const Layout& in, i64 in_period, const Layout& out,
                   i64 out_period, i64 slots, const MapCosts& costs) {
  const std::vector<i64> indices = indices_of(m, in, out, std::min(in_period, out_period));
  const ckks::LinearPlan plan = ckks::plan_linear(indices, slots, costs.linear);
  MapCount count;
  count.diagonals = std::ssize(indices);
  count.hoisted = plan.hoisted_count();
  count.giants = plan.giant_count();
  for (i64 p = in_period; p > out_period; p /= 2) ++count.folds;
  count.cost = costs.linear.baby * double(count.hoisted) +
               costs.linear.giant * double(count.giants) +
               costs.linear.key * double(plan.rotations.size()) + costs.fold * double(count.folds) +
               costs.diagonal * double(count.diagonals) *
                   (0.5 + 0.5 * double(std::max(in_period, out_period)) / double(slots));
  return count;
}

LinearMap build_map(const SparseMatrix& m, const Layout& in, i64 in_period, const Layout& out,
                    i64 out_period, i64 slots, const MapCosts& costs) {
  SINTER_ASSERT(in_period >= in.footprint && out_period >= out.footprint);
  SINTER_ASSERT(m.rows == std::ssize(out.slot) && m.cols == std::ssize(in.slot));
  const i64 modulus = std::min(in_period, out_period), period = std::max(in_period, out_period);
  LinearMap map;
  map.in_period = in_period;
  map.out_period = out_period;
  map.indices = indices_of(m, in, out, modulus);
  map.baby_count = ckks::plan_linear(map.indices, slots, costs.linear).baby_count;
  std::vector<i64> row_of(size_t(modulus), -1);
  for (size_t d = 0; d < map.indices.size(); ++d) row_of[size_t(map.indices[d])] = i64(d);
  std::vector<std::vector<std::pair<i64, double>>> entries(map.indices.size());
  for (i64 r = 0; r < m.rows; ++r)
    for (i64 k = m.row_start[size_t(r)]; k < m.row_start[size_t(r) + 1]; ++k) {
      const i64 row = out.slot[size_t(r)], column = in.slot[size_t(m.col[size_t(k)])];
      const i64 index = (column - row) & (modulus - 1);
      const i64 place = out_period > in_period ? row : (column - index) & (in_period - 1);
      entries[size_t(row_of[size_t(index)])].push_back({place, m.value[size_t(k)]});
    }
  std::vector<double> dense(size_t(period), 0.0);
  for (const auto& diagonal : entries) {
    for (const auto& [place, value] : diagonal) dense[size_t(place)] += value;
    map.rows.push_back(to_runs(dense));
    for (const auto& [place, value] : diagonal) dense[size_t(place)] = 0;
  }
  return map;
}

SlotVector to_runs(std::span<const double> values) {
  SlotVector v{std::ssize(values), {}};
  for (size_t i = 0; i < values.size();) {
    size_t end = i + 1;
    while (end < values.size() && values[end] == values[i]) ++end;
    if (values[i] != 0) v.runs.push_back({u32(i), u32(end - i), values[i]});
    i = end;
  }
  return v;
}

}  // namespace sinter::encrypted
