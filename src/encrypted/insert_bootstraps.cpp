// SPDX-License-Identifier: Apache-2.0
#include "encrypted/insert_bootstraps.h"

#include <algorithm>
#include <cmath>

#include "encrypted/hold.h"

namespace sinter::encrypted {
namespace {

constexpr int kSmallestExponent = -24;  ///< of B: smaller values gain nothing from more

/// Exponents e of all values.
class ExponentsWanted {
 public:
  ExponentsWanted(const StageGraph& graph, const std::vector<bool>& scalable)
      : g_(graph), scalable_(scalable), wanted_(graph.stages.size()), e_(graph.stages.size(), 0) {}

  /// v wants e_v >= exponent.
  void want(i32 v, int exponent) {
    Wanted& w = wanted_[size_t(v)];
    if (!w.is_set || w.exponent < exponent) w = {true, exponent};
  }

  const std::vector<int>& solve() {
    for (i64 k = std::ssize(g_.stages) - 1; k >= 0; --k) hand_down(i32(k));
    for (size_t k = 0; k < e_.size(); ++k) {
      const Stage& s = g_.stages[k];
      if (s.kind == StageKind::product) e_[k] = e_[size_t(s.x)] + e_[size_t(s.y)];
      if (s.kind == StageKind::linear && wanted_[k].is_set) e_[k] = wanted_[k].exponent;
      if (sums_slots(s)) e_[k] = e_[size_t(s.terms[0].value)];
    }
    SINTER_ASSERT(e_[size_t(g_.output)] == 0);
    return e_;
  }

 private:
  struct Wanted {
    bool is_set = false;
    int exponent = 0;
  };

  /// A product hands on what is wanted of it to the operands that can be scaled.
  void hand_down(i32 k) {
    const Stage& s = g_.stages[size_t(k)];
    if (!wanted_[size_t(k)].is_set) return;
    SINTER_ASSERT(scalable_[size_t(k)]);
    const int exponent = wanted_[size_t(k)].exponent;
    if (sums_slots(s)) return want(s.terms[0].value, exponent);
    if (s.kind != StageKind::product) return;
    const int half = (exponent + (exponent > 0 ? 1 : 0)) / 2;  // rounded up
    if (scalable_[size_t(s.x)] && scalable_[size_t(s.y)]) {
      want(s.x, half);
      want(s.y, s.x == s.y ? half : exponent - half);
    } else {
      want(scalable_[size_t(s.x)] ? s.x : s.y, exponent);
    }
  }

  const StageGraph& g_;
  const std::vector<bool>& scalable_;
  std::vector<Wanted> wanted_;
  std::vector<int> e_;
};

/// One exponent for all elements of a value.
Exponents of_elements(const StageGraph& graph, const std::vector<int>& e) {
  Exponents all;
  for (size_t k = 0; k < e.size(); ++k) all.emplace_back(size_t(graph.stages[k].size()), e[k]);
  return all;
}

}  // namespace

std::vector<int> held_exponents(const StageGraph& graph, const Placement& placement,
                                std::span<const double> ranges, double margin) {
  const std::vector<bool> scalable = can_be_scaled(graph);
  ExponentsWanted exponents(graph, scalable);
  for (size_t k = 0; k < graph.stages.size(); ++k) {
    if (placement.restart[k] < 0) continue;
    const double reach = std::max(ranges[k] * margin, std::ldexp(1.0, kSmallestExponent));
    exponents.want(i32(k), int(std::ceil(std::log2(reach))));
  }
  return exponents.solve();
}

Inserted insert_bootstraps(StageGraph& graph, const Placement& placement,
                           std::span<const double> ranges, double margin) {
  const std::vector<int> e = held_exponents(graph, placement, ranges, margin);
  hold(graph, of_elements(graph, e));
  Inserted inserted;
  for (size_t k = 0; k < ranges.size(); ++k) {
    inserted.origin.push_back(i32(k));
    inserted.ranges.push_back(std::ldexp(ranges[k], -e[k]));
  }
  for (i32 k = i32(std::ssize(placement.restart)) - 1; k >= 0; --k) {
    if (placement.restart[size_t(k)] < 0) continue;
    Stage behind;
    behind.kind = StageKind::bootstrap;
    behind.name = "behind " + graph.stages[size_t(k)].name;
    behind.op = "Bootstrap";
    behind.geometry = graph.stages[size_t(k)].geometry;
    behind.x = k;
    behind.origin = graph.stages[size_t(k)].origin;
    insert_behind(graph, k, std::move(behind));
    inserted.origin.insert(inserted.origin.begin() + k + 1, k);
    inserted.ranges.insert(inserted.ranges.begin() + k + 1, inserted.ranges[size_t(k)]);
  }
  verify(graph);
  return inserted;
}

}  // namespace sinter::encrypted
