// SPDX-License-Identifier: Apache-2.0
// A linear stage becomes: per term a drop (when the operand stands higher) and a linear map; the
// terms added up, folded down to the period of the next where they differ; one rescale; the folds
// that are left; the bias. A product becomes: drops, shifts, square or multiply, rescale, post.
//
// The period B of a linear result is chosen by cost among the powers of two from the footprint of
// its tensor to the largest period of its operands: a larger one saves folds, a smaller one saves
// diagonals. A bootstrap takes the period of its value as its number of slots.
#include "encrypted/assemble.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "encrypted/bootstrap_chain.h"
#include "encrypted/check.h"
#include "encrypted/interleave.h"

namespace sinter::encrypted {
namespace {

class Assembler {
 public:
  Assembler(const StageGraph& graph, const std::vector<Layout>& layouts, const LevelPlan& plan,
            const MapCosts& costs, ThreadPool& pool, EncryptedProgram& program)
      : g_(graph),
        layouts_(layouts),
        plan_(plan),
        costs_(costs),
        pool_(pool),
        slots_(program.slots() / graph.batch),
        p_(program) {}

  void run(std::span<const double> ranges) {
    value_.assign(g_.stages.size(), -1);
    for (const bool inputs : {true, false})
      for (i32 k = 0; k < std::ssize(g_.stages); ++k)
        if ((g_.stages[size_t(k)].kind == StageKind::input) == inputs)
          emit_stage(k, ranges[size_t(k)]);
  }

 private:
  const Instruction& at(i32 v) const { return p_.instructions[size_t(v)]; }
  const Layout& layout(i32 stage) const { return layouts_[size_t(stage)]; }

  void emit_stage(i32 k, double range) {
    const Stage& s = g_.stages[size_t(k)];
    layer_ = i32(std::ssize(p_.layers));
    const std::string kind = s.kind == StageKind::input       ? "Input"
                             : s.kind == StageKind::linear    ? s.op
                             : s.kind == StageKind::bootstrap ? "Bootstrap"
                             : s.is_square()                  ? "Square"
                                                              : "Product";
    p_.layers.push_back({s.label(), kind, range});
    switch (s.kind) {
      case StageKind::input:
        return emit_input(k);
      case StageKind::linear:
        return sums_slots(s) ? emit_sum(k) : emit_linear(k);
      case StageKind::product:
        return emit_product(k);
      case StageKind::bootstrap:
        return emit_bootstrap(k);
    }
  }

  i32 emit(Instruction i) {
    i.layer = layer_;
    p_.instructions.push_back(i);
    return i32(std::ssize(p_.instructions) - 1);
  }
  /// A result like a's.
  Instruction like(Opcode op, i32 a) const {
    Instruction i;
    i.op = op;
    i.a = a;
    i.level = at(a).level;
    i.scale = at(a).scale;
    i.period = at(a).period;
    return i;
  }

  void emit_input(i32 k) {
    const Stage& s = g_.stages[size_t(k)];
    Instruction i;
    i.op = Opcode::input;
    i.table = i32(p_.input_count());
    SINTER_ASSERT(i.table == std::ssize(p_.instructions));
    std::vector<i32>& elements = p_.input_elements.emplace_back(size_t(layout(k).footprint), -1);
    for (size_t e = 0; e < s.source.size(); ++e)
      elements[size_t(layout(k).slot[e])] = i32(s.source[e]);
    i.level = plan_.level[size_t(k)];
    i.scale = p_.params.scale();
    i.period = layout(k).footprint;
    value_[size_t(k)] = emit(i);
  }

  /// The value of stage k at `level`; dropped once per level.
  i32 value_at(i32 k, int level) {
    const i32 v = value_[size_t(k)];
    if (at(v).level == level) return v;
    const auto [it, fresh] = dropped_.emplace(std::pair(v, level), -1);
    if (fresh) {
      Instruction i = like(Opcode::drop, v);
      i.level = level;
      it->second = emit(i);
    }
    return it->second;
  }

  i32 emit_vector(i32 a, i32 stage, const std::vector<double>& v) {
    if (std::all_of(v.begin(), v.end(), [](double x) { return x == 0; })) return a;
    Instruction i = like(Opcode::add_vector, a);
    i.period = std::max(i.period, layout(stage).footprint);
    std::vector<double> slots(size_t(i.period), 0.0);
    for (size_t e = 0; e < v.size(); ++e) slots[size_t(layout(stage).slot[e])] = v[e];
    i.table = i32(std::ssize(p_.vectors));
    p_.vectors.push_back(to_runs(slots));
    return emit(i);
  }

  i32 emit_rescale(i32 a) {
    Instruction i = like(Opcode::rescale, a);
    i.scale /= double(p_.params.q(i.level));
    --i.level;
    return emit(i);
  }

  i32 emit_folds(i32 a, i64 period) {
    while (at(a).period > period) {
      Instruction i = like(Opcode::fold, a);
      i.steps = i.period / 2;
      i.period = i.steps;
      a = emit(i);
    }
    return a;
  }

  /// A value of a short period (a sum) has every multiple of it too.
  i64 period_of(i32 stage) const {
    return std::max(at(value_[size_t(stage)]).period, layout(stage).footprint);
  }

  i64 choose_period(i32 k) const {
    const Stage& s = g_.stages[size_t(k)];
    i64 largest = layout(k).footprint, best = largest;
    for (const Term& t : s.terms) largest = std::max(largest, period_of(t.value));
    double best_cost = -1;
    for (i64 period = layout(k).footprint; period <= largest; period *= 2) {
      double cost = 0;
      for (const Term& t : s.terms)
        cost += count_map(*t.matrix, layout(t.value), period_of(t.value), layout(k), period, slots_,
                          costs_)
                    .cost;
      if (best_cost < 0 || cost < best_cost) best = period, best_cost = cost;
    }
    return best;
  }

  void emit_linear(i32 k) {
    const Stage& s = g_.stages[size_t(k)];
    const int level = plan_.level[size_t(k)];
    const i64 period = choose_period(k);
    std::vector<i32> terms;
    for (const Term& t : s.terms) {
      const i32 a = value_at(t.value, level + 1);
      Instruction i = like(Opcode::linear, a);
      i.table = i32(std::ssize(p_.maps));
      i.plain_scale = p_.params.scale() * double(p_.params.q(level + 1)) / i.scale;
      i.scale *= i.plain_scale;
      const i64 from = period_of(t.value);
      p_.maps.push_back(
          build_map(*t.matrix, layout(t.value), from, layout(k), period, slots_, costs_, pool_));
      i.period = std::max(from, period);
      terms.push_back(emit(i));
    }
    std::stable_sort(terms.begin(), terms.end(),
                     [this](i32 a, i32 b) { return at(a).period > at(b).period; });
    i32 sum = terms[0];
    for (size_t t = 1; t < terms.size(); ++t) {
      sum = emit_folds(sum, at(terms[t]).period);
      Instruction i = like(Opcode::add, sum);
      i.b = terms[t];
      sum = emit(i);
    }
    sum = emit_rescale(emit_folds(sum, period));  // one rounding, not one for each copy
    value_[size_t(k)] = emit_vector(sum, k, s.bias);
  }

  /// Marked as terms of a sum, which the folds then complete.
  void emit_sum(i32 k) {
    const Stage& s = g_.stages[size_t(k)];
    const i32 a = value_at(s.terms[0].value, plan_.level[size_t(k)]);
    i32 sum = a;
    if (at(a).period > s.geometry.members) {
      Instruction i = like(Opcode::drop, a);
      i.steps = s.geometry.members;
      sum = emit_folds(emit(i), i.steps);
    }
    value_[size_t(k)] = emit_vector(sum, k, s.bias);
  }

  void emit_product(i32 k) {
    const Stage& s = g_.stages[size_t(k)];
    const int level = plan_.level[size_t(k)];
    const i32 a = emit_vector(value_at(s.x, level + 1), s.x, s.shift_x);
    const i32 b = s.is_square() ? a : emit_vector(value_at(s.y, level + 1), s.y, s.shift_y);
    Instruction i = like(a == b ? Opcode::square : Opcode::multiply, a);
    if (a != b) i.b = b;
    i.scale *= at(b).scale;
    i.period = std::max(i.period, at(b).period);
    value_[size_t(k)] = emit_vector(emit_rescale(emit(i)), k, s.post);
  }

  void emit_bootstrap(i32 k) {
    const i32 a = value_at(g_.stages[size_t(k)].x, 0);
    const ckks::BootstrapOptions options = bootstrap_options(
        p_.params, plan_.bootstrap, at(a).period * g_.batch, plan_.level[size_t(k)]);
    const auto found = std::find(p_.bootstraps.begin(), p_.bootstraps.end(), options);
    Instruction i = like(Opcode::bootstrap, a);
    i.table = i32(found - p_.bootstraps.begin());
    if (found == p_.bootstraps.end()) p_.bootstraps.push_back(options);
    i.level = options.target_level;
    i.scale = options.output_scale;
    value_[size_t(k)] = emit(i);
  }

  const StageGraph& g_;
  const std::vector<Layout>& layouts_;
  const LevelPlan& plan_;
  const MapCosts& costs_;
  ThreadPool& pool_;
  i64 slots_;  // of one image
  EncryptedProgram& p_;
  std::vector<i32> value_;
  std::map<std::pair<i32, int>, i32> dropped_;
  i32 layer_ = -1;
};

}  // namespace

EncryptedProgram assemble(const StageGraph& graph, const std::vector<Layout>& layouts,
                          const LevelPlan& plan, const ckks::CkksParams& params,
                          std::span<const double> ranges, const UnitCosts& units, ThreadPool& pool,
                          const KeyChoice& choice, const MapCosts& costs) {
  EncryptedProgram program(params);
  program.input_name = graph.input_name;
  program.output_name = graph.output_name;
  program.input_dims = graph.input_dims;
  program.output_dims = graph.output_dims;
  Assembler(graph, layouts, plan, costs, pool, program).run(ranges);
  program.output_slots = layouts[size_t(graph.output)].slot;
  interleave(program, graph.batch);
  choose_babies(program, units, choice);
  program.keys = needed_keys(program);
  return program;
}

}  // namespace sinter::encrypted
