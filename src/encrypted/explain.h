// SPDX-License-Identifier: Apache-2.0
// What a compilation decided, as plain rows: the command line prints them or makes JSON of them.
#pragma once
#include <string>
#include <vector>

#include "base/types.h"

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
};

struct Explanation {
  std::vector<LayerRow> layers;
  int depth = 0;           ///< levels that the plan uses
  int depth_unfused = -1;  ///< levels that the graph as given needs; -1 when not counted
  i64 nodes = 0, nodes_unfused = 0;
  bool fused = true;
  /// False for a plan that cannot be built under these parameters; `reason` says why.
  bool feasible = true;
  std::string reason;

  i64 slots = 0, slots_used = 0;  ///< slots_used: the largest layer's
  i64 patches_merged = 0;         ///< branches that share ciphertexts; 0 when none
  double log2_qp = 0, log2_qp_limit = 0;
  std::string security;
  i64 key_count = 0, key_bytes = 0;
  i64 diagonals = 0, hoisted_rotations = 0, rotations = 0, relinearisations = 0;
  i64 plaintext_bytes = 0, stored_bytes = 0, ciphertext_bytes = 0;
  /// Predicted: log2(largest |result| / error), from a simulation with the scheme's noise.
  double precision_bits = 0;
  double seconds = 0;              ///< predicted for one image on one core, diagonals encoded anew
  std::vector<std::string> notes;  ///< e.g. activations evaluated at depth 2, and why
};

}  // namespace sinter::encrypted
