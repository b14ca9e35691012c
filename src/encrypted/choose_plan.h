// SPDX-License-Identifier: Apache-2.0
// From a model to the packed network and the complete scheme that it is assembled with: what the
// options leave open is chosen among all candidates (candidates.h).
#pragma once
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

struct ChosenPlan {
  Planned planned;         ///< for the ring of options.scheme
  CompileOptions options;  ///< with nothing open
  std::vector<Candidate> candidates;
};

/// Without open keys and lists_all nothing is enumerated and the options come back as they are.
/// throws  as compile(); Error(out_of_levels) naming the layer and what is short when no candidate
///         is usable, unless `may_fail`: then the scheme is completed with the nearest one
ChosenPlan choose_plan(const Graph& model, std::span<const Tensor> calibration,
                       const CompileOptions& options, const Progress& progress,
                       bool may_fail = false);

/// What is assembled: the graph with its bootstraps, if there are any.
struct Decided {
  BootstrappedGraph graph;
  ckks::CkksParams params;
  std::string bootstrap_text;
};

/// The network as planned, or with the bootstraps that options.bootstrap asks for.
/// throws  Error(out_of_levels) naming the first layer without a level, what is short and what
/// would
///         help; Error(bad_argument) when the parameters are wrong for another reason
Decided decide(const Planned& planned, const CompileOptions& options);

}  // namespace sinter::encrypted
