// SPDX-License-Identifier: Apache-2.0
// What can be said about an optimized file: from which file it was made, by which rules, how each
// of them was checked, what they assume, and how far the outputs are from the truth. Plain data,
// without times: the same run gives the same certificate.
#pragma once
#include "passes/check_equal.h"
#include "passes/report.h"

namespace sinter {

/// A model as a file and as a graph. The digests are SHA-256 in hexadecimal.
struct CertifiedModel {
  std::string file_sha256;  ///< of the bytes of the model file; empty when it was not written
  std::string fingerprint;  ///< of the graph, constants of data files included (fingerprint.h)
  i64 opset = 0;
  i64 nodes = 0;  ///< bodies included
};

/// The rewrites that stand, of one rule in one pass.
struct CertifiedRule {
  std::string pass, rule;
  Exactness exactness = Exactness::e0;
  i64 rewrites = 0;
  i64 equal = 0, known = 0, skipped = 0;  ///< how they were checked; together all rewrites
};

struct Certificate {
  CertifiedModel original, optimized;
  std::string profile;
  std::vector<CertifiedRule> rules;        ///< in the order of their first rewrite
  Exactness exactness = Exactness::e0;     ///< the weakest of all rules
  std::map<std::string, i64> assumptions;  ///< to the number of rewrites that rest on it
  i64 rolled_back = 0;                     ///< rewrites that were found wrong and undone
  bool converged = true;
  u64 seed = 0;             ///< of the samples
  EqualityReport equality;  ///< samples 0: the whole model was not compared
};

/// Everything but the files, fingerprints, opsets, profile and seed, which the caller knows.
Certificate certify(const OptimizeReport& report, const EqualityReport& equality);

}  // namespace sinter
