// SPDX-License-Identifier: Apache-2.0
// What merging did, one record a rewrite, so that the levels saved can be added up: the records of
// a compilation sum to the levels of the graph as given minus the levels of the plan.
#pragma once
#include <string>
#include <vector>

#include "base/types.h"

namespace sinter::encrypted {

struct MergeRecord {
  /// A pass on the graph ("fuse_herpn"), or a rewrite of the stages (merge.h: "compose", ...).
  /// "lower" and "keep" close the account: operators that cost less as stages than alone, and
  /// additions that found no matrix and cost a level.
  std::string rule;
  std::vector<std::string> names;  ///< layers that met, the one that stays last; of a pass: where
  i64 count = 1;                   ///< rewrites in this record; a pass has one record for all
  int levels_saved = 0;            ///< longest path before minus after; "keep" is negative
};

/// Levels that all records save together.
int levels_saved(const std::vector<MergeRecord>& merges);
/// One record a rule, in order of first appearance, without names.
std::vector<MergeRecord> by_rule(const std::vector<MergeRecord>& merges);

}  // namespace sinter::encrypted
