// SPDX-License-Identifier: Apache-2.0
// What an execution does with the memory that it may use. Taken in this order, for each saves more
// time per byte than the next:
//
//   needed     what is there already, the ciphertexts alive, the least work, the keys of one
//              instruction
//   images     computed together, they share the encoding of every diagonal
//   work       sums of all giants of a map at once, so that its babies need not be kept
//   keys       of a mapped file: those that stay need not be read again for the next group
//   diagonals  encoded ones kept for the next group (DiagonalCache)
//
// Bytes are predicted from the instruction list, as cost is.
#pragma once
#include "encrypted/key_window.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

struct MemoryRequest {
  i64 budget = 0;    ///< bytes, for everything
  i64 resident = 0;  ///< already there: program, context, keys in memory
  bool keys_are_mapped = false;
  ckks::KeyManifest keys;  ///< of the file
  i64 runs = 1;            ///< executions wanted
  i64 images = 0;          ///< runs at a time; 0 = as many as are good, at most kMostImages
};
inline constexpr i64 kMostImages = 8;

struct MemoryPlan {
  i64 images = 1;       ///< runs at a time
  i64 work_bytes = 0;   ///< ckks::LinearOptions
  i64 key_bytes = 0;    ///< of a KeyWindow
  i64 cache_bytes = 0;  ///< of a DiagonalCache
  i64 peak_bytes = 0;   ///< predicted, everything together
};

/// The largest memory of one instruction with everything alive at that time, beside keys and what
/// is there already.
i64 working_bytes(const EncryptedProgram& program, i64 images, i64 work_bytes);

/// throws  Error(bad_argument) saying how much is needed at least, when the budget is smaller
MemoryPlan plan_memory(const EncryptedProgram& program, const MemoryRequest& request);

}  // namespace sinter::encrypted
