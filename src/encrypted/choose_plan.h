// SPDX-License-Identifier: Apache-2.0
// From a model to the packed network and the complete scheme that it is assembled with: what the
// options leave open is chosen among all candidates (candidates.h).
#pragma once
#include <memory>
#include <string>

#include "encrypted/candidates.h"
#include "encrypted/fit.h"
#include "encrypted/levels.h"
#include "encrypted/plan_bootstraps.h"

namespace sinter::encrypted {

/// The key of the metadata that names the units that choices were made with (UnitTable::text).
inline constexpr const char* kPlanUnits = "plan.units";

/// A network up to its parameters.
struct Planned {
  Graph network, fused;  ///< batch 1; as given, and as compiled
  Fitted fitted;
  StageMeasures measured;
  std::vector<Tensor> images;
  std::vector<Layout> layouts;
  LevelPlan plan;  ///< without bootstraps
};

/// options  for what is not the ring: packing, batch, affine maps
/// throws  as compile()
Planned plan_network(const Graph& model, std::span<const Tensor> calibration, i64 log_n,
                     const CompileOptions& options, const Progress& progress);

/// The plan of a model that is compiled now, among all candidates when something is open. What a
/// candidate promises is a prediction: refuse() says what compiling it showed and goes on to the
/// next. thread: owned by one; borrows its arguments
class PlanChoice {
 public:
  static constexpr i64 kMostTries = 3;  ///< plans compiled for one choice

  /// Without open keys and lists_all nothing is enumerated and the options stay as they are.
  /// throws  as compile(); Error(out_of_levels) naming the layer and what is short when no
  ///         candidate is usable, unless `may_fail`: then the scheme is completed with the nearest
  PlanChoice(const Graph& model, std::span<const Tensor> calibration, const CompileOptions& options,
             const Progress& progress, bool may_fail = false);
  ~PlanChoice();

  const Planned& planned() const { return *planned_; }        ///< for the ring of options().scheme
  const CompileOptions& options() const { return options_; }  ///< with nothing open
  const std::vector<Candidate>& candidates() const { return candidates_; }

  PlacementGoal goal() const { return goal_; }  ///< of its bootstraps
  /// Why no candidate is usable; empty when one is, and when nothing was open.
  const std::string& why_not() const { return why_not_; }

  /// The plan cannot be used for `reason`; `bits` is what its result keeps in simulation, 0 when it
  /// was not simulated. Plans of its kind are expected to fall short of their prediction as far.
  /// Takes the next one.
  /// out     false when none is left, nothing was open, or kMostTries were made: the plan stays
  bool refuse(const std::string& reason, double bits);
  /// Back to the plan that was the number-th, from 0, though it was refused.
  void settle_for(i64 number);

 private:
  class Packings;

  void take(const Candidate& candidate);

  const CompileOptions asked_;
  std::unique_ptr<Packings> packings_;
  CompileOptions options_;
  PlacementGoal goal_ = PlacementGoal::least_seconds;
  std::vector<Candidate> candidates_;
  std::string why_not_;
  std::vector<Candidate> tried_;
  std::shared_ptr<const Planned> planned_;
};

/// What is assembled: the graph with its bootstraps, if there are any.
struct Decided {
  BootstrappedGraph graph;
  ckks::CkksParams params;
  std::string bootstrap_text;
};

/// The network as planned, or with the bootstraps that options.bootstrap asks for, placed for
/// `goal`.
/// throws  Error(out_of_levels) naming the first layer without a level, what is short and what
///         would help; Error(bad_argument) when the parameters are wrong for another reason
Decided decide(const Planned& planned, const CompileOptions& options,
               PlacementGoal goal = PlacementGoal::least_seconds);

}  // namespace sinter::encrypted
