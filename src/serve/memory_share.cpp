// SPDX-License-Identifier: Apache-2.0
#include "serve/memory_share.h"

#include "encrypted/key_window.h"
#include "serve/messages.h"

namespace sinter::serve {
namespace {

// Frames of the largest size: those that the coordinator keeps until nobody needs them; in each
// worker one that arrives and the buffers of earlier ones.
constexpr i64 kKeptFrames = 8, kWorkerFrames = 3;

i64 keys_at_once(const encrypted::EncryptedProgram& program, const ckks::KeyManifest& keys) {
  return encrypted::key_bytes(program, keys).largest;
}

}  // namespace

i64 share_of(const encrypted::EncryptedProgram& program, const ckks::KeyManifest& keys,
             const SharedMemory& memory) {
  const i64 frames = (kKeptFrames + kWorkerFrames * memory.workers) * max_payload(program.params);
  const i64 shared = keys_at_once(program, keys);
  return shared + (memory.bytes - frames - shared) / memory.workers;
}

encrypted::MemoryPlan plan_share(const encrypted::EncryptedProgram& program,
                                 const ckks::KeyManifest& keys, const SharedMemory& memory,
                                 i64 resident, i64 runs) {
  try {
    return encrypted::plan_memory(program,
                                  {share_of(program, keys, memory), resident, true, keys, runs, 1});
  } catch (const Error& e) {
    constexpr i64 kMiB = i64(1) << 20;
    throw Error(e.kind(), std::string(e.what()) + " for each of " + std::to_string(memory.workers) +
                              " workers, " + std::to_string(keys_at_once(program, keys) / kMiB) +
                              " MiB of keys that they share counted for each; raise --memory or "
                              "take fewer workers");
  }
}

}  // namespace sinter::serve
