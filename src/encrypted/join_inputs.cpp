// SPDX-License-Identifier: Apache-2.0
#include "encrypted/join_inputs.h"

#include "encrypted/detail/lowering.h"
#include "encrypted/layout.h"

namespace sinter::encrypted {
namespace {

/// A stage's terms that read `from` read `to`, `offset` columns further on, of `cols`.
void move_terms(Stage& stage, i32 from, i32 to, i64 offset, i64 cols) {
  SparseBuilder m(stage.size(), cols);
  bool found = false;
  for (const Term& term : stage.terms) {
    if (term.value != from && term.value != to) continue;
    found = found || term.value == from;
    add_block(m, *term.matrix, 0, term.value == from ? offset : 0);
  }
  if (!found) return;
  std::erase_if(stage.terms, [&](const Term& t) { return t.value == from || t.value == to; });
  stage.terms.push_back({to, detail::share(m.build())});
}

}  // namespace

bool join_inputs(StageGraph& graph, i64 slots) {
  std::vector<i32> inputs;
  Geometry joined;
  for (i32 k = 0; k < std::ssize(graph.stages); ++k) {
    const Stage& s = graph.stages[size_t(k)];
    if (s.kind == StageKind::product && (graph.stages[size_t(s.x)].kind == StageKind::input ||
                                         graph.stages[size_t(s.y)].kind == StageKind::input))
      return false;
    if (s.kind != StageKind::input) continue;
    Geometry alike = s.geometry;
    if (!inputs.empty()) alike.members = joined.members;
    if (!inputs.empty() && alike != joined) return false;
    joined = alike;
    if (!inputs.empty()) joined.members += s.geometry.members;
    inputs.push_back(k);
  }
  if (inputs.size() < 2 || footprint(joined, true) > slots) return inputs.size() == 1;
  Stage& first = graph.stages[size_t(inputs[0])];
  for (Stage& s : graph.stages)  // first the readers of the first one: more columns
    for (Term& term : s.terms)
      if (term.value == inputs[0]) {
        SparseBuilder m(s.size(), joined.size());
        add_block(m, *term.matrix, 0, 0);
        term.matrix = detail::share(m.build());
      }
  i64 offset = first.size();
  first.geometry = joined;
  for (size_t i = 1; i < inputs.size(); ++i) {
    const std::vector<i64>& more = graph.stages[size_t(inputs[i])].source;
    for (Stage& s : graph.stages) move_terms(s, inputs[i], inputs[0], offset, joined.size());
    const Origins& origin = graph.stages[size_t(inputs[i])].origin;
    first.source.insert(first.source.end(), more.begin(), more.end());
    first.origin.insert(first.origin.end(), origin.begin(), origin.end());
    offset += std::ssize(more);
  }
  drop_dead(graph);
  verify(graph);
  return true;
}

}  // namespace sinter::encrypted
