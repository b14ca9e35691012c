// SPDX-License-Identifier: Apache-2.0
// What must hold of every optimization, on any graph: the result verifies, the interface stays, no
// node more, a second run changes nothing, no rewrite had to be undone, and the outputs are the
// same on inputs whose symbols are distinct primes, all 1 and all 2.
#pragma once
#include "passes/pipeline.h"

namespace sinter::fuzzing {

struct Check {
  Profile profile = Profile::standard;
  bool check_rewrites = false;  ///< have the driver compare each rewrite too
  bool twice = false;           ///< optimize a second copy and compare the text
  u64 seed = 1;                 ///< of the inputs
};

enum class Run { compared, not_runnable };
struct Verdict {
  std::string wrong;  ///< empty: nothing
  Run run = Run::not_runnable;
  i64 nodes_before = 0, nodes_after = 0;
};

Verdict check(const Graph& original, const Check& how);

/// "" or how the outputs of `b` differ from those of `a`, for the same inputs; `compared` is set
/// when there were inputs that `a` runs with. Inputs of `b` are found by name;
/// a boolean that only `b` has is true.
std::string difference_of(const Graph& a, const Graph& b, u64 seed, bool& compared);

/// A smaller graph that is still wrong: fewer outputs, results that become inputs.
Graph shrink(const Graph& graph, const std::function<bool(const Graph&)>& is_wrong);

}  // namespace sinter::fuzzing
