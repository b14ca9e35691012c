// SPDX-License-Identifier: Apache-2.0
// Does an edit compute what was there before? The edited part is cut out before and after
// (detail/cut.h) and both are evaluated in float64 on up to three small random instances:
//
// - symbolic dimensions are distinct primes; in one instance all are 1; where the part before does
//   not run like that, other sizes are tried. Dimensions that are numbers stay, but a large
//   instance is first tried with large spatial or leading dimensions made small, every number the
//   same way.
// - float inputs are standard normal, in one instance positive; integers have the content that
//   inference knows, otherwise small numbers.
// - the results agree within 1e-10 of their scale; where the edit brings float constants of its
// own,
//   within 4 (K + 6) u of it, K the longest sum; integers, infinities and NaNs agree exactly.
//
// A pair that differs on the narrowest cut is tried on wider ones before the edit is called wrong.
// An edit of the same structure as one that was found equal is not evaluated again.
#pragma once
#include <map>
#include <string>
#include <unordered_set>

#include "graph/edit_log.h"
#include "passes/report.h"

namespace sinter {

struct RewriteCheck {
  Checked checked = Checked::skipped;
  bool different = false;  ///< found wrong
  std::string reason;      ///< why skipped, or how different
  double difference = 0, tolerance = 0;
  std::string before, after;  ///< text forms, when different
};

/// thread: one at a time
class RewriteChecker {
 public:
  RewriteCheck operator()(const EditLog& log, const std::vector<NodeId>& matched);

 private:
  std::unordered_set<std::string> known_;  // structures found equal
  std::map<const Tensor*, std::pair<TensorPtr, std::string>> summaries_;
  i64 work_left_ = 400'000'000;  // multiplications
};

}  // namespace sinter
