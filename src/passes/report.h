// SPDX-License-Identifier: Apache-2.0
// What an optimization did: per pass, per rewrite, and in all. Plain data.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

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

/// Operator name to number of nodes.
using OpHistogram = std::map<std::string, i64>;

/// Whether a rewrite was compared on random inputs.
enum class Checked {
  equal,    ///< on small instances of its own
  known,    ///< a rewrite of the same structure was
  skipped,  ///< not compared; the reason says why
};

/// A rewrite that stands.
struct RewriteRecord {
  std::string pass, rule;
  std::string where;    ///< Graph::describe of the first matched node, before the edit
  OpHistogram removed;  ///< nodes by operator, net; negative = added
  i64 bytes = 0;        ///< growth of the constants
  Checked checked = Checked::skipped;
  std::string reason;  ///< why skipped; empty otherwise
};

/// A rewrite that was undone because it was wrong. A bug report.
struct RewriteFailure {
  std::string pass, rule;
  std::vector<std::string> nodes;  ///< the matched nodes
  std::string reason;
  double difference = 0, tolerance = 0;  ///< the largest difference found, where there is one
  std::string before, after;             ///< text form of the edited part, where there is one
};

struct PassReport {
  std::string name;
  Exactness exactness = Exactness::e0;
  i64 changed = 0;            ///< rewrites over all rounds
  std::vector<Skip> skipped;  ///< of the last round: what is true of the final graph
  double ms = 0;              ///< over all rounds, checks not included
  i64 nodes_after = 0;        ///< after its first run
  OpHistogram removed;        ///< net change by operator over all rounds; negative = added
};

struct OptimizeReport {
  std::vector<PassReport> passes;  ///< in table order, those that were wanted
  std::vector<RewriteRecord> rewrites;
  std::vector<RewriteFailure> failures;
  std::map<std::string, i64> assumptions;  ///< "signed_zero": number of rewrites that made it
  i64 too_large = 0;      ///< rewrites refused because constants would grow too much
  i64 rounds = 0;         ///< the last of which changed nothing
  bool converged = true;  ///< false when rounds ran out or came in a circle
  i64 nodes_before = 0, nodes_after = 0;  ///< bodies included
  i64 constant_bytes_before = 0, constant_bytes_after = 0;
  OpHistogram ops_before, ops_after;
  double ms = 0;         ///< passes
  double check_ms = 0;   ///< comparing single rewrites
  double verify_ms = 0;  ///< structure, inference
};

}  // namespace sinter
