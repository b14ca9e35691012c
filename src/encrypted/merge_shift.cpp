// SPDX-License-Identifier: Apache-2.0
#include "encrypted/detail/merge_shift.h"

#include <algorithm>
#include <cmath>

namespace sinter::encrypted::detail {
namespace {

constexpr double kSmallPost = 16;  ///< a constant this small may stay inside a square's result

/// The value v becomes v + s; every reader takes s back.
void shift_value(StageGraph& graph, i32 v, const std::vector<double>& s) {
  Stage& maker = graph.stages[size_t(v)];
  std::vector<double>& constant = maker.kind == StageKind::linear ? maker.bias : maker.post;
  constant.resize(s.size(), 0.0);
  for (size_t i = 0; i < s.size(); ++i) constant[i] += s[i];
  maker.origin = shifted(std::move(maker.origin), s);
  const auto take_back = [&](std::vector<double>& shift) {
    shift.resize(s.size(), 0.0);
    bool zero = true;
    for (size_t i = 0; i < s.size(); ++i) zero = (shift[i] -= s[i]) == 0 && zero;
    if (zero) shift.clear();
  };
  for (Stage& reader : graph.stages) {
    for (const Term& term : reader.terms)
      if (term.value == v) add_bias(reader, *term.matrix, s, -1);
    if (reader.kind != StageKind::product) continue;
    if (reader.x == v) take_back(reader.shift_x);
    if (reader.y == v) take_back(reader.shift_y);
  }
}

/// A value that no other product reads: taking the shift back costs nothing in linear readers.
bool may_shift(const StageGraph& graph, i32 v, i32 product) {
  if (v == graph.output || graph.stages[size_t(v)].kind == StageKind::input) return false;
  const auto readers = readers_of(graph);
  return std::none_of(readers[size_t(v)].begin(), readers[size_t(v)].end(), [&](i32 r) {
    return r != product && graph.stages[size_t(r)].kind == StageKind::product;
  });
}

}  // namespace

void add_bias(Stage& stage, const SparseMatrix& m, std::span<const double> v, double sign) {
  if (v.empty()) return;
  std::vector<double> moved(size_t(stage.size()), 0.0);
  apply(m, v, moved);
  stage.bias.resize(size_t(stage.size()), 0.0);
  for (size_t i = 0; i < moved.size(); ++i) stage.bias[i] += sign * moved[i];
}

void fold_shifts(StageGraph& graph) {
  for (size_t k = 0; k < graph.stages.size(); ++k) {
    if (graph.stages[k].kind != StageKind::product) continue;
    for (int side = 0; side < 2; ++side) {
      const Stage& p = graph.stages[k];
      const std::vector<double> s = side == 0 ? p.shift_x : p.shift_y;
      const i32 v = side == 0 ? p.x : p.y;
      if (s.empty() || (side == 1 && p.x == p.y) || !may_shift(graph, v, i32(k))) continue;
      shift_value(graph, v, s);
    }
  }
}

void fold_posts(StageGraph& graph) {
  const auto readers = readers_of(graph);
  for (size_t k = 0; k < graph.stages.size(); ++k) {
    Stage& p = graph.stages[k];
    if (p.kind != StageKind::product || p.post.empty() || i32(k) == graph.output) continue;
    const bool small = std::all_of(p.post.begin(), p.post.end(),
                                   [](double v) { return std::abs(v) <= kSmallPost; });
    const bool linear = std::all_of(readers[k].begin(), readers[k].end(), [&](i32 r) {
      return graph.stages[size_t(r)].kind == StageKind::linear;
    });
    if (!small || !linear) continue;
    std::vector<double> minus = p.post;
    for (double& v : minus) v = -v;
    shift_value(graph, i32(k), minus);
    graph.stages[k].post.clear();
  }
}

}  // namespace sinter::encrypted::detail
