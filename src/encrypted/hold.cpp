// SPDX-License-Identifier: Apache-2.0
#include "encrypted/hold.h"

#include <algorithm>
#include <cmath>

namespace sinter::encrypted {
namespace {

/// Values that are the output or reach it through products alone.
std::vector<bool> reaches_output(const StageGraph& graph) {
  std::vector<bool> reaches(graph.stages.size(), false);
  reaches[size_t(graph.output)] = true;
  for (i64 k = std::ssize(graph.stages) - 1; k >= 0; --k)
    if (reaches[size_t(k)] &&
        (graph.stages[size_t(k)].kind == StageKind::product || sums_slots(graph.stages[size_t(k)])))
      for (i32 v : operands(graph.stages[size_t(k)])) reaches[size_t(v)] = true;
  return reaches;
}

bool is_zero(const std::vector<int>& e) {
  return std::all_of(e.begin(), e.end(), [](int x) { return x == 0; });
}

SparseMatrix held(SparseMatrix m, const std::vector<int>& rows, const std::vector<int>& cols) {
  for (i64 r = 0; r < m.rows; ++r)
    for (i64 i = m.row_start[size_t(r)]; i < m.row_start[size_t(r) + 1]; ++i)
      m.value[size_t(i)] =
          std::ldexp(m.value[size_t(i)], cols[size_t(m.col[size_t(i)])] - rows[size_t(r)]);
  return m;
}

void divide(std::vector<double>& v, const std::vector<int>& e) {
  for (size_t i = 0; i < v.size(); ++i) v[i] = std::ldexp(v[i], -e[i]);
}

}  // namespace

std::vector<bool> can_be_scaled(const StageGraph& graph) {
  const std::vector<bool> reaches = reaches_output(graph);
  std::vector<bool> can(graph.stages.size(), false);
  for (size_t k = 0; k < can.size(); ++k) {
    const Stage& s = graph.stages[k];
    if (s.kind == StageKind::linear)
      can[k] = sums_slots(s) ? bool(can[size_t(s.terms[0].value)]) : !reaches[k];
    if (s.kind == StageKind::product) can[k] = can[size_t(s.x)] || can[size_t(s.y)];
  }
  return can;
}

void hold(StageGraph& graph, const Exponents& e) {
  for (size_t k = 0; k < graph.stages.size(); ++k) {
    Stage& s = graph.stages[k];
    const std::vector<int>& own = e[k];
    if (!sums_slots(s))
      for (Term& term : s.terms)
        if (const std::vector<int>& of = e[size_t(term.value)]; !is_zero(of) || !is_zero(own))
          term.matrix = std::make_shared<const SparseMatrix>(held(*term.matrix, own, of));
    if (s.kind == StageKind::product) {
      divide(s.shift_x, e[size_t(s.x)]);
      divide(s.shift_y, e[size_t(s.y)]);
    }
    if (is_zero(own)) continue;
    divide(s.bias, own);
    divide(s.post, own);
    std::vector<double> factor(own.size(), 1.0);
    divide(factor, own);
    s.origin = scaled(std::move(s.origin), factor);
  }
}

}  // namespace sinter::encrypted
