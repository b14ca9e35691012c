// SPDX-License-Identifier: Apache-2.0
#include "encrypted/stage.h"

#include <algorithm>
#include <bit>

namespace sinter::encrypted {

std::string Stage::label() const {
  std::string text = name;
  if (merged > 0) text += " +" + std::to_string(merged);
  if (geometry.members > 1) text += " x" + std::to_string(geometry.members);
  return text;
}

bool sums_slots(const Stage& stage) {
  const Geometry& g = stage.geometry;
  return stage.is_sum && (g.members == 1 || (std::has_single_bit(u64(g.members)) &&
                                             g.plane_height * g.plane_width == 1));
}

std::vector<i32> operands(const Stage& stage) {
  std::vector<i32> all;
  for (const Term& term : stage.terms) all.push_back(term.value);
  for (i32 v : {stage.x, stage.y})
    if (v >= 0) all.push_back(v);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<std::vector<i32>> readers_of(const StageGraph& graph) {
  std::vector<std::vector<i32>> readers(graph.stages.size());
  for (size_t k = 0; k < graph.stages.size(); ++k)
    for (i32 v : operands(graph.stages[k])) readers[size_t(v)].push_back(i32(k));
  return readers;
}

void inherit_origin(StageGraph& graph, i32 v) {
  const Stage& line = graph.stages[size_t(v)];
  if (line.kind != StageKind::linear || line.terms.size() != 1 || line.origin.empty()) return;
  const SparseMatrix& m = *line.terms[0].matrix;
  Stage& before = graph.stages[size_t(line.terms[0].value)];
  if (!before.origin.empty() || !is_diagonal(m) || m.nonzeros() != m.rows) return;
  before.origin = before_affine(line.origin, m.value, line.bias);
}

void drop_dead(StageGraph& graph) {
  std::vector<bool> needed(graph.stages.size(), false);
  needed[size_t(graph.output)] = true;
  for (i64 k = std::ssize(graph.stages) - 1; k >= 0; --k)
    if (needed[size_t(k)])
      for (i32 v : operands(graph.stages[size_t(k)])) needed[size_t(v)] = true;
  std::vector<i32> number(graph.stages.size(), -1);
  std::vector<Stage> kept;
  for (size_t k = 0; k < graph.stages.size(); ++k) {
    if (!needed[k]) continue;
    number[k] = i32(kept.size());
    Stage stage = std::move(graph.stages[k]);
    for (Term& term : stage.terms) term.value = number[size_t(term.value)];
    for (i32* v : {&stage.x, &stage.y})
      if (*v >= 0) *v = number[size_t(*v)];
    kept.push_back(std::move(stage));
  }
  graph.stages = std::move(kept);
  graph.output = number[size_t(graph.output)];
}

void insert_behind(StageGraph& graph, i32 k, Stage behind) {
  const auto moved = [k](i32 v) { return v >= k ? v + 1 : v; };
  for (size_t i = size_t(k) + 1; i < graph.stages.size(); ++i) {
    Stage& s = graph.stages[i];
    for (Term& term : s.terms) term.value = moved(term.value);
    s.x = moved(s.x), s.y = moved(s.y);  // -1 stays
  }
  graph.output = moved(graph.output);
  graph.stages.insert(graph.stages.begin() + k + 1, std::move(behind));
}

void verify(const StageGraph& graph) {
  const auto fits = [](const std::vector<double>& v, i64 size) {
    return v.empty() || std::ssize(v) == size;
  };
  SINTER_ASSERT(graph.output >= 0 && graph.output < std::ssize(graph.stages));
  for (i64 k = 0; k < std::ssize(graph.stages); ++k) {
    const Stage& stage = graph.stages[size_t(k)];
    for (i32 v : operands(stage)) SINTER_ASSERT(v >= 0 && v < k);
    switch (stage.kind) {
      case StageKind::input:
        SINTER_ASSERT(std::ssize(stage.source) == stage.size());
        break;
      case StageKind::linear:
        SINTER_ASSERT(operands(stage).size() == stage.terms.size() &&
                      fits(stage.bias, stage.size()));
        for (const Term& term : stage.terms)
          SINTER_ASSERT(term.matrix->rows == stage.size() &&
                        term.matrix->cols == graph.stages[size_t(term.value)].size());
        break;
      case StageKind::product:
        SINTER_ASSERT(graph.stages[size_t(stage.x)].size() == stage.size() &&
                      graph.stages[size_t(stage.y)].size() == stage.size());
        SINTER_ASSERT(fits(stage.shift_x, stage.size()) && fits(stage.shift_y, stage.size()) &&
                      fits(stage.post, stage.size()));
        break;
      case StageKind::bootstrap:
        SINTER_ASSERT(stage.x >= 0 && stage.y < 0 && stage.terms.empty() &&
                      graph.stages[size_t(stage.x)].size() == stage.size());
        break;
    }
  }
}

std::vector<double> evaluate_stage(const StageGraph& graph, i32 k, std::span<const double> input,
                                   const std::function<const std::vector<double>&(i32)>& value_of) {
  const auto at = [](const std::vector<double>& v, size_t i) { return v.empty() ? 0.0 : v[i]; };
  const Stage& stage = graph.stages[size_t(k)];
  if (stage.kind == StageKind::bootstrap) return value_of(stage.x);
  std::vector<double> v(size_t(stage.size()), 0.0);
  if (stage.kind == StageKind::input) {
    for (size_t i = 0; i < v.size(); ++i)
      if (stage.source[i] >= 0) v[i] = input[size_t(stage.source[i])];
  } else if (stage.kind == StageKind::linear) {
    for (const Term& term : stage.terms) apply(*term.matrix, value_of(term.value), v);
    for (size_t i = 0; i < v.size(); ++i) v[i] += at(stage.bias, i);
  } else {
    const std::vector<double>&x = value_of(stage.x), &y = value_of(stage.y);
    for (size_t i = 0; i < v.size(); ++i)
      v[i] = (x[i] + at(stage.shift_x, i)) * (y[i] + at(stage.shift_y, i)) + at(stage.post, i);
  }
  return v;
}

std::vector<std::vector<double>> evaluate_stages(const StageGraph& graph,
                                                 std::span<const double> input,
                                                 const StageObserver& observe) {
  std::vector<std::vector<double>> values(graph.stages.size());
  const auto value_of = [&](i32 k) -> const std::vector<double>& { return values[size_t(k)]; };
  for (i32 k = 0; k < i32(std::ssize(values)); ++k) {
    values[size_t(k)] = evaluate_stage(graph, k, input, value_of);
    if (observe) observe(k, values[size_t(k)]);
  }
  return values;
}

}  // namespace sinter::encrypted
