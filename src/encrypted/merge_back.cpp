// SPDX-License-Identifier: Apache-2.0
#include "encrypted/detail/merge_back.h"

#include <algorithm>
#include <cmath>

#include "encrypted/detail/lowering.h"

namespace sinter::encrypted::detail {
namespace {

using Readers = std::vector<std::vector<i32>>;

bool only_reader(const StageGraph& graph, const Readers& readers, i32 v, i32 reader) {
  return v != graph.output && readers[size_t(v)].size() == 1 && readers[size_t(v)][0] == reader;
}

/// The square that the diagonal stage `v` scales, when its factor can go back; else -1.
i32 square_behind(const StageGraph& graph, const Readers& readers, i32 v) {
  const Stage& line = graph.stages[size_t(v)];
  if (line.kind != StageKind::linear || line.terms.size() != 1) return -1;
  const SparseMatrix& m = *line.terms[0].matrix;
  if (!is_diagonal(m) || m.nonzeros() != m.rows ||
      std::any_of(m.value.begin(), m.value.end(), [](double d) { return d <= 0; }))
    return -1;
  const i32 u = line.terms[0].value;
  const Stage& square = graph.stages[size_t(u)];
  const bool fits = square.is_square() && only_reader(graph, readers, u, v) &&
                    graph.stages[size_t(square.x)].kind == StageKind::linear &&
                    only_reader(graph, readers, square.x, u);
  return fits ? u : -1;
}

SparseMatrix scale_rows(SparseMatrix m, std::span<const double> factor) {
  for (i64 r = 0; r < m.rows; ++r)
    for (i64 i = m.row_start[size_t(r)]; i < m.row_start[size_t(r) + 1]; ++i)
      m.value[size_t(i)] *= factor[size_t(r)];
  return m;
}

void multiply(std::vector<double>& v, std::span<const double> factor) {
  for (size_t i = 0; i < v.size(); ++i) v[i] *= factor[i];
}

void move_back(StageGraph& graph, i32 v, i32 u) {
  const Stage& line = graph.stages[size_t(v)];
  Stage& square = graph.stages[size_t(u)];
  Stage& maker = graph.stages[size_t(square.x)];
  const std::vector<double>& d = line.terms[0].matrix->value;
  std::vector<double> root;
  for (double factor : d) root.push_back(std::sqrt(factor));
  for (Term& term : maker.terms) term.matrix = share(scale_rows(*term.matrix, root));
  multiply(maker.bias, root);
  maker.origin = scaled(std::move(maker.origin), root);
  multiply(square.shift_x, root);
  multiply(square.shift_y, root);
  multiply(square.post, d);
  square.post.resize(d.size(), 0.0);
  for (size_t i = 0; i < line.bias.size(); ++i) square.post[i] += line.bias[i];
  square.merged += line.merged + 1;
  square.origin = line.origin;
  for (Stage& s : graph.stages) {
    for (Term& term : s.terms)
      if (term.value == v) term.value = u;
    if (s.kind == StageKind::product && s.x == v) s.x = u;
    if (s.kind == StageKind::product && s.y == v) s.y = u;
  }
  if (graph.output == v) graph.output = u;
}

}  // namespace

std::vector<std::string> absorb_backwards(StageGraph& graph) {
  const Readers readers = readers_of(graph);
  for (i32 v = 0; v < std::ssize(graph.stages); ++v) {
    const bool stuck =
        v == graph.output ||
        std::any_of(readers[size_t(v)].begin(), readers[size_t(v)].end(),
                    [&](i32 r) { return graph.stages[size_t(r)].kind == StageKind::product; });
    const i32 u = stuck ? square_behind(graph, readers, v) : -1;
    if (u < 0) continue;
    std::vector<std::string> names = {graph.stages[size_t(v)].name, graph.stages[size_t(u)].name};
    move_back(graph, v, u);
    return names;
  }
  return {};
}

std::vector<std::string> spread_before_square(StageGraph& graph) {
  const Readers readers = readers_of(graph);
  for (i32 v = 0; v < std::ssize(graph.stages); ++v) {
    const Stage spread = graph.stages[size_t(v)];
    if (spread.kind != StageKind::linear || spread.terms.size() != 1 || spread.size() == 1)
      continue;
    const i32 u = spread.terms[0].value;
    Stage square = graph.stages[size_t(u)];
    const SparseMatrix& m = *spread.terms[0].matrix;
    if (square.size() != 1 || !square.is_square() || m.nonzeros() != m.rows ||
        !only_reader(graph, readers, u, v) ||
        graph.stages[size_t(square.x)].kind != StageKind::linear ||
        !only_reader(graph, readers, square.x, u))
      continue;
    Stage copy = spread;  // takes the square's place, the square takes v's
    const std::vector<i64> first(size_t(spread.size()), 0);
    copy.bias.clear();
    copy.origin = selected(graph.stages[size_t(square.x)].origin, first);
    square.origin = selected(square.origin, first);
    copy.terms[0].value = square.x;
    copy.terms[0].matrix = share(selection(first, 1));
    square.geometry = spread.geometry;
    square.x = square.y = u;
    for (auto* constants : {&square.shift_x, &square.shift_y, &square.post})
      if (!constants->empty()) constants->assign(size_t(spread.size()), constants->front());
    Stage behind = spread;
    behind.merged = 0;
    behind.terms[0] = {v, share(diagonal(m.value))};
    graph.stages[size_t(u)] = std::move(copy);
    graph.stages[size_t(v)] = std::move(square);
    insert_behind(graph, v, std::move(behind));
    return {spread.name, graph.stages[size_t(v)].name};
  }
  return {};
}

}  // namespace sinter::encrypted::detail
