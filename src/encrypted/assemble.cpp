// SPDX-License-Identifier: Apache-2.0
// A linear stage becomes: per term a drop (when the operand stands higher) and a linear map; the
// terms added up, folded down to the period of the next where they differ; one rescale; the folds
// that are left; the bias. A product becomes: drops, shifts, square or multiply, rescale, post.
//
// The period B of a linear result is chosen by cost among the powers of two from the footprint of
// its tensor to the largest period of its operands: a larger one saves folds, a smaller one saves
// diagonals.
#include "encrypted/assemble.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "encrypted/check.h"

namespace sinter::encrypted {
namespace {

class Assembler {
 public:
  Assembler(const StageGraph& graph, const std::vector<Layout>& layouts, const LevelPlan& plan,
            const MapCosts& costs, EncryptedProgram& program)
      : g_(graph), layouts_(layouts), plan_(plan), costs_(costs), p_(program) {}

  void run(std::span<const double> ranges) {
    value_.assign(g_.stages.size(), -1);
    for (size_t k = 0; k < g_.stages.size(); ++k) {
      const Stage& s = g_.stages[k];
      layer_ = i32(std::ssize(p_.layers));
      const std::string kind = s.kind == StageKind::input    ? "Input"
                               : s.kind == StageKind::linear ? s.op
                               : s.is_square()               ? "Square"
                                                             : "Product";
      p_.layers.push_back({s.label(), kind, ranges[k]});
      switch (s.kind) {
        case StageKind::input:
          emit_input(i32(k));
          break;
        case StageKind::linear:
          emit_linear(i32(k));
          break;
        case StageKind::product:
          emit_product(i32(k));
          break;
      }
    }
  }

 private:
  const Instruction& at(i32 v) const { return p_.instructions[size_t(v)]; }
  const Layout& layout(i32 stage) const { return layouts_[size_t(stage)]; }

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
    SINTER_ASSERT(p_.instructions.empty());
    const Stage& s = g_.stages[size_t(k)];
    p_.input_elements.assign(size_t(layout(k).footprint), -1);
    for (size_t e = 0; e < s.source.size(); ++e)
      p_.input_elements[size_t(layout(k).slot[e])] = i32(s.source[e]);
    Instruction i;
    i.op = Opcode::input;
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

  i64 choose_period(i32 k) const {
    const Stage& s = g_.stages[size_t(k)];
    i64 largest = layout(k).footprint, best = largest;
    for (const Term& t : s.terms) largest = std::max(largest, at(value_[size_t(t.value)]).period);
    double best_cost = -1;
    for (i64 period = layout(k).footprint; period <= largest; period *= 2) {
      double cost = 0;
      for (const Term& t : s.terms)
        cost += count_map(*t.matrix, layout(t.value), at(value_[size_t(t.value)]).period, layout(k),
                          period, p_.slots(), costs_)
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
      p_.maps.push_back(
          build_map(*t.matrix, layout(t.value), i.period, layout(k), period, p_.slots(), costs_));
      i.period = std::max(i.period, period);
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
    sum = emit_folds(emit_rescale(sum), period);
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

  const StageGraph& g_;
  const std::vector<Layout>& layouts_;
  const LevelPlan& plan_;
  const MapCosts& costs_;
  EncryptedProgram& p_;
  std::vector<i32> value_;
  std::map<std::pair<i32, int>, i32> dropped_;
  i32 layer_ = -1;
};

}  // namespace

EncryptedProgram assemble(const StageGraph& graph, const std::vector<Layout>& layouts,
                          const LevelPlan& plan, const ckks::CkksParams& params,
                          std::span<const double> ranges, const MapCosts& costs) {
  EncryptedProgram program(params);
  program.input_name = graph.input_name;
  program.output_name = graph.output_name;
  program.input_dims = graph.input_dims;
  program.output_dims = graph.output_dims;
  Assembler(graph, layouts, plan, costs, program).run(ranges);
  program.output_slots = layouts[size_t(graph.output)].slot;
  program.keys = needed_keys(program);
  return program;
}

}  // namespace sinter::encrypted
