// SPDX-License-Identifier: Apache-2.0
// A network planned with bootstraps: the chain, where they go, and the graph with them in it.
#pragma once
#include <optional>
#include <string>

#include "encrypted/bootstrap_chain.h"
#include "encrypted/bootstrap_plan.h"
#include "encrypted/layout.h"
#include "encrypted/levels.h"
#include "encrypted/stage_ops.h"

namespace sinter::encrypted {

/// A packed graph without bootstraps.
struct Packed {
  const StageGraph& stages;
  const std::vector<Layout>& layouts;
  std::span<const double> ranges;
};

/// One chain with its placement.
struct BootstrapCandidate {
  std::string preset;
  BootstrapChain chain;
  Placement placement;
  /// Empty when it can be used; else what is wrong: bits, levels, scale.
  std::string reason;
  bool is_usable() const { return reason.empty(); }
};

/// What a placement minimises.
enum class PlacementGoal {
  least_seconds,
  fewest_bootstraps  ///< and of those the least seconds: fewer bootstraps keep more bits
};

/// Placement on the chain of `preset` that leaves `levels_left`.
/// throws  as bootstrap_chain
BootstrapCandidate bootstrap_candidate(const Packed& packed, const StageOps& counts,
                                       const SchemeOptions& scheme, int levels_left,
                                       const std::string& preset, const UnitCosts& units,
                                       PlacementGoal goal = PlacementGoal::least_seconds);

/// The cheapest usable candidate: kFewestLevels to kMostLevels left (or those of an explicit
/// log_q) and the presets that `choice` allows; automatic takes the precise one where it can be
/// used. Without a usable one, the one with the fewest bits or levels missing.
BootstrapCandidate choose_bootstraps(const Packed& packed, const StageOps& counts,
                                     const SchemeOptions& scheme, BootstrapChoice choice,
                                     const UnitCosts& units,
                                     PlacementGoal goal = PlacementGoal::least_seconds);

/// Levels that a chain must leave for the network to need one bootstrap; -1 when no chain will do.
int levels_for_one_bootstrap(const StageGraph& graph);

/// The graph with the bootstraps of a usable candidate, and everything that assemble() takes.
struct BootstrappedGraph {
  StageGraph stages;
  std::vector<Layout> layouts;
  std::vector<double> ranges;  ///< of the values as they are held
  LevelPlan plan;
};

/// margin  >= 1
BootstrappedGraph insert_candidate(const Packed& packed, const BootstrapCandidate& candidate,
                                   double margin);

}  // namespace sinter::encrypted
