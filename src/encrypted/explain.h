// SPDX-License-Identifier: Apache-2.0
// What a compilation decided, as plain rows: the command line prints them or makes JSON of them.
#pragma once
#include <string>
#include <vector>

#include "base/types.h"
#include "encrypted/candidate.h"
#include "encrypted/merge_record.h"

namespace sinter::encrypted {

struct LayerRow {
  std::string name, op;
  int level_in = 0, level_out = 0, depth = 0;
  /// Linear maps: "square" (as many rows as columns, no folds), "spread" (fewer columns),
  /// "hybrid" (folds); joined by "+" when terms differ. Empty for products.
  std::string method;
  i64 diagonals = 0;
  i64 hoisted_rotations = 0;  ///< baby steps, cheap
  i64 rotations = 0;          ///< full ones: giant steps and folds
  i64 relinearisations = 0;
  i64 plaintext_bytes = 0;  ///< of its diagonals and vectors, encoded
  i64 stored_bytes = 0;     ///< of the same in the program
  double range = 0;         ///< largest |value| of the result on the calibration data
  double seconds = 0;       ///< predicted, one core
  double seconds_two = 0;   ///< predicted, two threads
  std::string value;        ///< the network's value that it stands for; empty: none by name
  /// Largest difference of the merged layer to that value, both in float64, relative to the
  /// layer's largest element, on the first calibration image.
  double difference = 0;
};

struct Explanation {
  std::vector<LayerRow> layers;
  int depth = 0;           ///< levels that the plan uses, bootstraps not counted back
  int depth_unfused = -1;  ///< levels that the graph as given needs; -1 when not counted
  i64 nodes = 0, nodes_unfused = 0;
  bool fused = true;
  /// False for a plan that cannot be built under these parameters; `reason` says why.
  bool feasible = true;
  std::string reason;

  i64 slots = 0, slots_used = 0;  ///< slots_used: the largest layer's
  i64 inputs = 0;                 ///< ciphertexts that the client sends for one run
  i64 batch = 1;                  ///< images of one run
  i64 patches_merged = 0;         ///< branches that share ciphertexts; 0 when none
  double log2_qp = 0, log2_qp_limit = 0;
  std::string security;
  i64 bootstraps = 0;
  std::string bootstrap_text;  ///< which, and how many levels they leave; empty without
  i64 key_count = 0, key_bytes = 0;
  i64 diagonals = 0, hoisted_rotations = 0, rotations = 0, relinearisations = 0;
  i64 plaintext_bytes = 0, stored_bytes = 0, ciphertext_bytes = 0;
  /// Predicted: log2(largest |result| / error), from a simulation with the scheme's noise.
  double precision_bits = 0;
  double seconds = 0;      ///< predicted for one run on one core, diagonals encoded anew
  double seconds_two = 0;  ///< the same on two threads
  /// Predicted: what the first run takes beyond that when its keys are mapped from a file that the
  /// system has in memory: every page is touched and every key checked once, on one core.
  double first_seconds = 0;
  std::string units;                  ///< what the seconds are from: UnitTable::text()
  std::vector<Candidate> candidates;  ///< the plans that were looked at, when there was a choice
  std::vector<std::string> notes;     ///< e.g. activations evaluated at depth 2, and why
  /// What fusing and merging did, in order; the levels saved sum up to depth_unfused - depth.
  std::vector<MergeRecord> merges;
};

struct EncryptedProgram;
/// What a finished program says of itself: rows, totals, precision. Notes and the figures of the
/// graph are those of its compilation and are not in it.
Explanation explain_program(const EncryptedProgram& program);

}  // namespace sinter::encrypted
