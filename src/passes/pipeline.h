// SPDX-License-Identifier: Apache-2.0
// The pipeline: a visible table of passes (pass_table.cpp), run in order, again and again until a
// whole round changes nothing; bodies of control flow first, innermost first. Every rewrite is
// recorded and judged (rewrite.h); a pass that cannot find anything new is not run again.
#pragma once
#include <functional>
#include <span>

#include "passes/report.h"

namespace sinter {

/// Where a pass runs: a set of profiles.
enum class In : unsigned {
  everywhere = ~0u,
  standard_up = ~(1u << unsigned(Profile::fhe)),  ///< all but fhe
  not_ort = ~(1u << unsigned(Profile::ort)),      ///< all but ort
  fhe = 1u << unsigned(Profile::fhe),             ///< fhe only
  modern = 1u << unsigned(Profile::modern),       ///< modern only
};
constexpr bool runs_in(In set, Profile profile) {
  return (unsigned(set) >> unsigned(profile) & 1u) != 0;
}

/// A row of the table of passes.
struct PassInfo {
  std::string_view name;
  PassStats (*run)(Graph&, const PassOptions&);
  std::string_view doc;  ///< one line
  Exactness exactness;
  std::string_view ids = "";  ///< of the specification: "N10 N11"
  In profiles = In::everywhere;
};

/// The table, in running order.
std::span<const PassInfo> all_passes();
/// nullptr when there is none of that name.
const PassInfo* find_pass(std::string_view name);

/// Runs one pass as optimize() does: its rewrites are recorded and judged, and types inferred
/// again. Verifies the graph when asked to. throws  Error(internal) naming the pass when a rewrite
/// was wrong or the graph is broken afterwards
PassStats run_pass(Graph& graph, const PassInfo& pass, bool verify_after = true,
                   const PassOptions& options = {});

OpHistogram count_ops(const Graph& graph);  ///< bodies included

struct OptimizeOptions {
  PassOptions rules;
  /// What not to run: names of passes, their ids in the specification, names of rules.
  std::vector<std::string> skip;
  std::vector<std::string> only;  ///< when not empty: the passes (names or ids) to run
  bool check_rewrites = true;     ///< compare what each rewrite edited, before and after
  bool verify_each = false;       ///< verify the graph after each pass that changed it
  i64 max_rounds = 64;
  i64 limit = -1;  ///< accept only the first so many rewrites; -1: all
  /// Called before each pass with its name and the round (from 1); may be empty.
  std::function<void(std::string_view, i64)> progress;
  std::span<const PassInfo> passes = all_passes();
};

/// Optimizes `graph` and its bodies in place until nothing changes. A rewrite that proves wrong is
/// undone and reported, and the run goes on.
/// throws  Error(bad_argument) listing the names when `skip` or `only` holds an unknown one;
///         Error(internal) when the graph is broken before or afterwards
OptimizeReport optimize(Graph& graph, const OptimizeOptions& options = {});

}  // namespace sinter
