// SPDX-License-Identifier: Apache-2.0
// Levels on the graph of stages. Every linear stage and every product spends one level. Levels are
// counted backwards from the output, which is at level 0 (the modulus is then q_0 alone):
//
//   level(v) = max over readers r of level(r) + 1
//
// A reader that stands lower drops the spare primes, which costs nothing and keeps the scale, so
// both inputs of an addition are at one level by construction. Scales are exact: a linear stage
// whose operand has scale S' encodes its matrix at S q / S' (q the prime that it drops) and so
// always ends at the scale S of the parameters; a product of scales S', S'' ends at S' S'' / q.
//
// Source: the plan of a DAG by longest paths; exact scales as in Bossuat et al. 2021, section 4.
#pragma once
#include "ckks/bootstrap.h"
#include "ckks/params.h"
#include "encrypted/compile.h"
#include "encrypted/stage.h"

namespace sinter::encrypted {

struct LevelPlan {
  int depth = 0;           ///< the highest level: the input's, where nothing is bootstrapped
  std::vector<int> level;  ///< of every stage's value
  /// What bootstrap stages are made with; slots and target_level are the stage's.
  ckks::BootstrapOptions bootstrap = {};
};

/// depth_of[stage] = levels that the stage spends; by default one for all but inputs and
/// bootstraps. What a bootstrap reads may be at level 0.
LevelPlan plan_levels(const StageGraph& graph);
LevelPlan plan_levels(const StageGraph& graph, std::span<const int> depth_of);
/// What a stage of an unmerged graph spends: nothing for additions, reshapes and the client's
/// selections, one for everything that multiplies.
std::vector<int> unmerged_depths(const StageGraph& graph);
/// Levels on the longest path to the output, counted so; stages that it does not need are not.
int unmerged_depth(const StageGraph& graph);

/// The first stage, going forward, that has no level when the input has `levels`, for messages.
std::string first_without_level(const StageGraph& graph, int levels);

/// The chain for `depth` levels, or the explicit one.
ckks::CkksOptions chain_for(const SchemeOptions& scheme, int depth);

/// Checked parameters for the plan.
/// throws  Error(out_of_levels) naming the first layer without a level, how many are short, and
/// what
///         would help; Error(bad_argument) when the parameters are wrong for another reason
ckks::CkksParams parameters_for(const SchemeOptions& scheme, const StageGraph& graph,
                                const LevelPlan& plan);

}  // namespace sinter::encrypted
