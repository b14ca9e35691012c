// SPDX-License-Identifier: Apache-2.0
// Where bootstraps go. Every value is either left alone, and then stands at the highest level that
// a reader wants, or bootstrapped, and then its stage runs at level 1 -> 0 and its readers find
// what they want. So a plan is a set of values, levels follow from it backwards, and the cheapest
// one is a shortest path over (frontier, levels):
//
//   the stages are taken from the output to the input, readers before what they read; a state is
//   the level that each value on the frontier (read by a stage taken, not yet taken) must have.
//   Taking a value costs its stage at that level, or a bootstrap to it and its stage at level 1
//
// A residual block has two values on its frontier, a region of nested ones as many as it is deep:
// the states are few, and none is dropped that could lead to a cheaper plan (only those that
// another one beats in cost and in every level). So the plan is optimal on every graph, as long as
// the states of a frontier are at most max_states; beyond it the dearest are dropped and the plan
// is still correct.
//
// Stages are taken depth first, so that parallel branches are on the frontier one at a time.
//
// Sources: shortest path over (layer, level) with regions: Orion (arXiv 2311.03470, section 5);
// bootstraps behind additions and to the level needed: as here, they are values like others.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "encrypted/stage.h"

namespace sinter::encrypted {

/// Any unit, monotone in the level.
struct PlacementCosts {
  /// Stage `k`, whose value is at level - 1; an input whose value is at `level`.
  std::function<double(i32 k, int level)> stage;
  /// Bootstrapping the value of stage `k` to `level`; only asked for with bootstraps.
  std::function<double(i32 k, int level)> bootstrap;
};

struct PlacementOptions {
  int max_level = 0;  ///< of an input or a bootstrap's result: levels that the chain leaves
  bool may_bootstrap = true;
  /// allowed[k]: the value of stage k may be bootstrapped; empty: all but inputs and the output.
  std::vector<bool> allowed = {};
  i64 max_states = 20'000;
};

struct Placement {
  bool is_feasible = false;
  /// Why not: how many levels are short, at which stage first, and what would help.
  std::string reason;
  i32 first_without_level = -1;
  int levels_short = 0;

  std::vector<int> level;    ///< of every stage's value, before its bootstrap
  std::vector<int> restart;  ///< level behind the bootstrap of a stage; -1: none
  double cost = 0;
  bool is_optimal = true;  ///< false when states were dropped

  i64 bootstraps() const;
  /// The highest level of any value: what the chain must leave.
  int highest() const;
};

/// Every stage but inputs and sums (sums_slots) spends one level; the output is at level 0.
///
/// cost    microseconds per state; a few hundred states a stage for residual networks
/// throws  Error(bad_argument) for a negative max_level
Placement place_bootstraps(const StageGraph& graph, const PlacementCosts& costs,
                           const PlacementOptions& options);

}  // namespace sinter::encrypted
