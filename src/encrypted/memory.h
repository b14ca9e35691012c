// SPDX-License-Identifier: Apache-2.0
// What an execution does with the memory that it may use. Taken in this order, for each saves more
// time per byte than the next:
//
//   needed     what is there already, the ciphertexts alive, the least work, the keys of one
//              instruction
//   images     computed together, they share the encoding of every diagonal
//   work       sums of all giants of a map at once, so that its babies need not be kept
//   keys       of a mapped file: those that stay need not be read again for the next group
//   diagonals  encoded ones kept for the next group (DiagonalCache), when enough groups follow:
//              pages that nobody used before cost more than encoding a few times
//
// Bytes are predicted from the instruction list, as cost is; candidates.h predicts the same sum
// before there is one.
#pragma once
#include "encrypted/key_window.h"
#include "encrypted/program.h"
#include "encrypted/work.h"

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

/// What keeping encoded diagonals costs and saves, in seconds per byte on one thread: the first
/// group writes them to memory that the system has to find and clear; every later group need not
/// encode them. Measured with the 6.5 GB of CryptoFaceNet4 on a virtual machine (AMD Zen 5).
inline constexpr double kKeepSecondsPerByte = 2e-9;
inline constexpr double kSavedSecondsPerByte = 0.27e-9;
/// True when keeping them pays for so many groups.
constexpr bool pays_to_keep(i64 groups) {
  return double(groups - 1) * kSavedSecondsPerByte > kKeepSecondsPerByte;
}

struct MemoryPlan {
  i64 images = 1;       ///< runs at a time
  i64 work_bytes = 0;   ///< ckks::LinearOptions
  i64 key_bytes = 0;    ///< of a KeyWindow
  i64 cache_bytes = 0;  ///< of a DiagonalCache
  i64 peak_bytes = 0;   ///< predicted, everything together
};

/// What is in memory together while a program runs.
struct PeakParts {
  i64 resident = 0;  ///< before the first image: process, program, context, keys in memory
  i64 keys = 0;      ///< resident pages of mapped ones
  i64 working = 0;   ///< values alive and the work of an instruction: the largest sum
  i64 factors = 0;   ///< of bootstraps, encoded ahead
};
/// Their sum and what belongs to every execution: permutations of keys, buffers that wait for the
/// next operation.
i64 peak_bytes(const PeakParts& parts);
/// PeakParts::resident of a process that has mapped its keys: a program whose maps and vectors take
/// program_bytes, on a chain of `primes` primes, special ones among them.
i64 resident_bytes(const KeySwitching& ring, i64 primes, i64 program_bytes);

/// The largest memory of one instruction with everything alive at that time, beside keys and what
/// is there already and what peak_bytes adds.
i64 working_bytes(const EncryptedProgram& program, i64 images, i64 work_bytes);

/// throws  Error(bad_argument) saying how much is needed at least, when the budget is smaller
MemoryPlan plan_memory(const EncryptedProgram& program, const MemoryRequest& request);

}  // namespace sinter::encrypted
