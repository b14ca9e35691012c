// SPDX-License-Identifier: Apache-2.0
#include "encrypted/stage_ops.h"

#include <algorithm>

namespace sinter::encrypted {
namespace {

bool is_zero(const std::vector<double>& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return x == 0; });
}

}  // namespace

StageOps::StageOps(const StageGraph& graph, const std::vector<Layout>& layouts, i64 slots,
                   const MapCosts& costs)
    : slots_(slots / graph.batch), batch_(graph.batch), stages_(graph.stages.size()) {
  for (i32 k = 0; k < i32(std::ssize(graph.stages)); ++k) {
    const Stage& s = graph.stages[size_t(k)];
    Counted& counted = stages_[size_t(k)];
    counted.period = layouts[size_t(k)].footprint;
    if (sums_slots(s)) {
      i64 now = image_period(s.terms[0].value);
      add_folds(counted.ops, now, s.geometry.members, true);
      if (!is_zero(s.bias))
        counted.ops.push_back({Opcode::add_vector, true, {}, counted.period, {}});
      continue;
    }
    if (s.kind == StageKind::linear) {
      count_linear(s, k, layouts, costs);
      continue;
    }
    for (i32 v : operands(s)) counted.period = std::max(counted.period, image_period(v));
    if (s.kind != StageKind::product) continue;
    if (!is_zero(s.shift_x))
      counted.ops.push_back({Opcode::add_vector, false, {}, image_period(s.x), {}});
    if (!s.is_square() && !is_zero(s.shift_y))
      counted.ops.push_back({Opcode::add_vector, false, {}, image_period(s.y), {}});
    counted.ops.push_back({Opcode::multiply, false, {}, 0, {}});
    counted.ops.push_back({Opcode::rescale, false, {}, 0, {}});
    if (!is_zero(s.post)) counted.ops.push_back({Opcode::add_vector, true, {}, counted.period, {}});
  }
}

void StageOps::count_linear(const Stage& s, i32 k, const std::vector<Layout>& layouts,
                            const MapCosts& costs) {
  struct Counts {
    MapCount count;
    i64 period;
  };
  Counted& counted = stages_[size_t(k)];
  const Layout& out = layouts[size_t(k)];
  i64 largest = out.footprint;
  for (const Term& t : s.terms) largest = std::max(largest, image_period(t.value));
  std::vector<Counts> best;
  double best_cost = -1;
  for (i64 to = out.footprint; to <= largest; to *= 2) {
    std::vector<Counts> maps;
    double cost = 0;
    for (const Term& t : s.terms) {
      const i64 from = image_period(t.value);
      maps.push_back({count_map(*t.matrix, layouts[size_t(t.value)], from, out, to, slots_, costs),
                      std::max(from, to)});
      cost += maps.back().count.cost;
    }
    if (best_cost >= 0 && cost >= best_cost) continue;
    best_cost = cost;
    best = std::move(maps);
    counted.period = to;
  }
  for (const Counts& map : best) {
    const MapCount& c = map.count;
    counted.ops.push_back(
        {Opcode::linear,
         false,
         {c.diagonals, c.babies, c.hoisted, c.giant_sums, c.giants, map.period * batch_},
         0,
         c.rotations});
    program_bytes_ += c.diagonals * map.period * batch_;
  }
  std::stable_sort(best.begin(), best.end(),
                   [](const Counts& a, const Counts& b) { return a.period > b.period; });
  i64 now = best[0].period;
  for (size_t t = 1; t < best.size(); ++t) add_folds(counted.ops, now, best[t].period, false);
  add_folds(counted.ops, now, counted.period, false);
  counted.ops.push_back({Opcode::rescale, false, {}, 0, {}});
  if (!is_zero(s.bias)) counted.ops.push_back({Opcode::add_vector, true, {}, counted.period, {}});
}

void StageOps::add_folds(std::vector<StageOp>& ops, i64& period, i64 to, bool is_below) const {
  for (; period > to; period /= 2) ops.push_back({Opcode::fold, is_below, {}, 0, {period / 2}});
}

double StageOps::seconds(i32 stage, int level, const KeySwitching& ring, const UnitCosts& units,
                         int threads) const {
  double sum = 0;
  for (const StageOp& op : ops(stage))
    sum += cost_at(ring, op.op, op.is_below ? level - 1 : level, op.map, op.period * batch_, units)
               .seconds_on(threads, units);
  return sum;
}

i64 StageOps::plaintext_bytes(i32 stage, int level, const KeySwitching& ring) const {
  i64 sum = 0;
  for (const StageOp& op : ops(stage))
    if (op.op == Opcode::linear) sum += encoded_bytes(ring, level, op.map);
  return sum;
}

i64 StageOps::work_bytes(i32 stage, int level, const KeySwitching& ring) const {
  i64 largest = 0;
  for (const StageOp& op : ops(stage))
    if (op.op == Opcode::linear) largest = std::max(largest, linear_memory(ring, level, op.map));
  return largest;
}

void StageOps::add_keys(i32 stage, int level, ckks::KeyManifest& keys) const {
  for (const StageOp& op : ops(stage)) {
    const int at = op.is_below ? level - 1 : level;
    for (i64 steps : op.rotations) keys.add_rotation(steps * batch_, at, slots_ * batch_);
    if (op.op == Opcode::multiply)
      keys.relinearisation_level = std::max(keys.relinearisation_level, at);
  }
}

}  // namespace sinter::encrypted
