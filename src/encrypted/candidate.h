// SPDX-License-Identifier: Apache-2.0
// One way of running a network encrypted, with what it costs, or why it cannot be used. Plain data
// for tables and JSON.
#pragma once
#include <string>

#include "base/types.h"
#include "ckks/params.h"

namespace sinter::encrypted {

enum class Packing {
  packed,   ///< branches of one structure share ciphertexts
  separate  ///< a ciphertext for each branch
};

struct Candidate {
  Packing packing = Packing::packed;
  i64 log_n = 0;
  int log_scale = 0, log_q0 = 0;
  int special = 0, log_special = 0;  ///< special primes and the bits of each
  ckks::SecretKind secret = ckks::SecretKind::ternary;
  std::string preset;  ///< of bootstraps; empty without
  i64 bootstraps = 0;
  bool has_fewest_bootstraps = false;  ///< placed for their number, not for the least time
  int levels = 0;  ///< of the chain that the network uses; behind a bootstrap when there are some

  double log2_qp = 0, log2_qp_limit = 0;  ///< by the sizes of the primes
  i64 keys = 0, key_bytes = 0;            ///< in memory
  i64 key_file_bytes = 0;                 ///< on the wire and on disk: halves and seeds
  i64 plaintext_bytes = 0;                ///< all diagonals encoded at once
  i64 ciphertext_bytes = 0;               ///< that the client sends
  i64 memory = 0;            ///< predicted peak of `infer`: keys, program, values, work
  double seconds = 0;        ///< one image on one thread, diagonals encoded on the way
  double seconds_two = 0;    ///< on two threads
  double first_seconds = 0;  ///< more for the first image: mapped keys read and checked
  double bits = 0;           ///< log2 of the largest result over its error's deviation

  bool is_chosen = false;
  bool was_refused = false;  ///< compiled, and refused for what that showed
  std::string reason;        ///< why it cannot be used; empty when it can
  bool is_usable() const { return reason.empty(); }

  /// "packed, leveled", "per branch, 2 fast bootstraps".
  std::string kind() const;
};

}  // namespace sinter::encrypted
