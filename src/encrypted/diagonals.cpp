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

/// The entries of a matrix sorted by diagonal: those of diagonal d are [first[d], first[d + 1]).
struct Entries {
  std::vector<i64> first;
  std::vector<u32> place;
  std::vector<double> value;
};

Entries by_diagonal(const SparseMatrix& m, const Layout& in, const Layout& out,
                    const LinearMap& map) {
  const i64 modulus = std::min(map.in_period, map.out_period);
  std::vector<i64> diagonal_of(size_t(modulus), 0);
  for (size_t d = 0; d < map.indices.size(); ++d) diagonal_of[size_t(map.indices[d])] = i64(d);
  /// visit(entry, diagonal, place)
  const auto for_all = [&](const auto& visit) {
    for (i64 r = 0; r < m.rows; ++r) {
      const i64 row = out.slot[size_t(r)];
      for (i64 k = m.row_start[size_t(r)]; k < m.row_start[size_t(r) + 1]; ++k) {
        const i64 column = in.slot[size_t(m.col[size_t(k)])];
        const i64 index = (column - row) & (modulus - 1);
        const i64 place =
            map.out_period > map.in_period ? row : (column - index) & (map.in_period - 1);
        visit(size_t(k), size_t(diagonal_of[size_t(index)]), place);
      }
    }
  };
  Entries e{std::vector<i64>(map.indices.size() + 1, 0), {}, {}};
  for_all([&](size_t, size_t d, i64) { ++e.first[d + 1]; });
  for (size_t d = 1; d < e.first.size(); ++d) e.first[d] += e.first[d - 1];
  e.place.resize(size_t(m.nonzeros()));
  e.value.resize(size_t(m.nonzeros()));
  std::vector<i64> next = e.first;
  for_all([&](size_t k, size_t d, i64 place) {
    const size_t at = size_t(next[d]++);
    e.place[at] = u32(place);
    e.value[at] = m.value[k];
  });
  return e;
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
  count.babies = std::ssize(plan.babies);
  count.giant_sums = std::ssize(plan.giants);
  count.rotations = plan.rotations;
  for (i64 p = in_period; p > out_period; p /= 2) ++count.folds;
  count.cost = costs.linear.baby * double(count.hoisted) +
               costs.linear.giant * double(count.giants) +
               costs.linear.key * double(plan.rotations.size()) + costs.fold * double(count.folds) +
               costs.diagonal * double(count.diagonals) *
                   (0.5 + 0.5 * double(std::max(in_period, out_period)) / double(slots));
  return count;
}

LinearMap build_map(const SparseMatrix& m, const Layout& in, i64 in_period, const Layout& out,
                    i64 out_period, i64 slots, const MapCosts& costs, ThreadPool& pool) {
  SINTER_ASSERT(in_period >= in.footprint && out_period >= out.footprint);
  SINTER_ASSERT(m.rows == std::ssize(out.slot) && m.cols == std::ssize(in.slot));
  LinearMap map;
  map.in_period = in_period;
  map.out_period = out_period;
  map.indices = indices_of(m, in, out, std::min(in_period, out_period));
  const ckks::LinearPlan plan = ckks::plan_linear(map.indices, slots, costs.linear);
  map.baby_count = plan.baby_count;
  map.form = plan.form;
  const Entries entries = by_diagonal(m, in, out, map);
  map.rows.resize(map.indices.size());
  pool.ranges(std::ssize(map.rows), 1, [&](i64 begin, i64 end) {
    std::vector<double> dense(size_t(map.period()), 0.0);
    for (i64 d = begin; d < end; ++d) {
      const i64 first = entries.first[size_t(d)], last = entries.first[size_t(d) + 1];
      for (i64 e = first; e < last; ++e)
        dense[entries.place[size_t(e)]] += entries.value[size_t(e)];
      map.rows[size_t(d)] = to_runs(dense);
      for (i64 e = first; e < last; ++e) dense[entries.place[size_t(e)]] = 0;
    }
  });
  share_patterns(map.rows);
  return map;
}

LinearMap build_map(const SparseMatrix& m, const Layout& in, i64 in_period, const Layout& out,
                    i64 out_period, i64 slots, const MapCosts& costs) {
  ThreadPool pool;
  return build_map(m, in, in_period, out, out_period, slots, costs, pool);
}

}  // namespace sinter::encrypted
