// SPDX-License-Identifier: Apache-2.0
// The pipeline: a visible table of passes, run in order, again and again until a whole round
// changes nothing. After each pass the graph is inferred and verified, and the pass is timed.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string_view>

#include "passes/passes.h"

namespace sinter {

/// How the result of a rewrite relates to the original in floating point.
enum class Exactness {
  e0,  ///< the same bits (up to the sign of zero)
  e1,  ///< the same real function; only constants are rounded again
  e2,  ///< the same real function; sums are taken in another order or by another kernel
};
/// "E0", "E1", "E2".
std::string_view name(Exactness exactness);

struct PassInfo {
  std::string_view name;
  PassStats (*run)(Graph&);
  std::string_view doc;  ///< one line
  Exactness exactness;
};

/// The table, in running order.
std::span<const PassInfo> all_passes();
/// nullptr when there is none of that name.
const PassInfo* find_pass(std::string_view name);

/// Runs one pass, infers the types of the whole graph again when it changed something, and verifies
/// the graph when asked to.
/// throws  Error(internal) naming the pass when the graph is broken afterwards
PassStats run_pass(Graph& graph, const PassInfo& pass, bool verify_after = true);

/// Operator name to number of nodes.
using OpHistogram = std::map<std::string, i64>;
OpHistogram count_ops(const Graph& graph);

struct OptimizeOptions {
  std::vector<std::string> skip;  ///< passes not to run
  std::vector<std::string> only;  ///< when not empty: the passes to run, in table order
  bool verify_each = true;        ///< verify the graph after each pass, and before the first
  i64 max_rounds = 32;
  /// Called before each pass with its name and the round (from 1); may be empty.
  std::function<void(std::string_view, i64)> progress;
};

struct PassReport {
  std::string name;
  Exactness exactness = Exactness::e0;
  i64 changed = 0;            ///< over all rounds
  std::vector<Skip> skipped;  ///< of the last round: what is true of the final graph
  double ms = 0;              ///< over all rounds, verification not included
  i64 nodes_after = 0;        ///< after its first run
  OpHistogram removed;        ///< net change by operator over all rounds; negative = added
};

struct OptimizeReport {
  std::vector<PassReport> passes;  ///< in table order, those that ran
  i64 rounds = 0;                  ///< the last of which changed nothing
  i64 nodes_before = 0, nodes_after = 0;
  i64 constant_bytes_before = 0, constant_bytes_after = 0;
  OpHistogram ops_before, ops_after;
  double ms = 0;         ///< passes
  double verify_ms = 0;  ///< inference and verification between passes
};

/// Optimizes `graph` in place until nothing changes.
/// throws  Error(bad_argument) listing the names when `skip` or `only` holds an unknown one;
///         Error(internal) when a pass breaks the graph or max_rounds is not enough
OptimizeReport optimize(Graph& graph, const OptimizeOptions& options = {});

}  // namespace sinter
