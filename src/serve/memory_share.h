// SPDX-License-Identifier: Apache-2.0
// Memory for several workers of one machine together. What counts is what the machine holds: the
// memory of each process, the frames on their way between them, and the pages of mapped keys once,
// since they are the same for all.
#pragma once
#include "encrypted/memory.h"

namespace sinter::serve {

struct SharedMemory {
  i64 bytes = 0;    ///< for all of them
  i64 workers = 1;  ///< on this machine
};

/// What one worker may use, its view of the keys included: bytes = frames + k + workers a, where k
/// are the keys of the instruction with the most of them; out: k + a.
i64 share_of(const encrypted::EncryptedProgram& program, const ckks::KeyManifest& keys,
             const SharedMemory& memory);

/// The plan of one worker with mapped keys. resident: what it has before it begins.
/// throws  Error(bad_argument) when its share is too small for the program
encrypted::MemoryPlan plan_share(const encrypted::EncryptedProgram& program,
                                 const ckks::KeyManifest& keys, const SharedMemory& memory,
                                 i64 resident, i64 runs);

}  // namespace sinter::serve
