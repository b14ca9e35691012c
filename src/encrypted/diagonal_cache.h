// SPDX-License-Identifier: Apache-2.0
// Encoded diagonals that outlive one execution.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "base/threads.h"
#include "ckks/linear.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

/// The diagonals of a map as the engine asks for them; borrows the map.
ckks::DiagonalSource source_of(const LinearMap& map);

/// Encoded diagonals kept between images, up to a byte budget; what does not fit is encoded anew
/// every time. The budget goes to the maps that save the most time per byte: an embedding costs the
/// same at every level and a diagonal has fewer limbs at a lower one, so low levels come first; the
/// last map is kept in part. Belongs to one program. thread: safe to share by executions of that
/// program.
class DiagonalCache {
 public:
  /// budget_bytes >= 0; 0 keeps nothing.
  DiagonalCache(const EncryptedProgram& program, i64 budget_bytes);
  /// The encoded form of instruction `index` (a linear one), perhaps with diagonals left out;
  /// nullptr when nothing of it is kept.
  std::shared_ptr<const ckks::EncodedDiagonals> get(const EncryptedProgram& program,
                                                    const ckks::Context& context, i64 index,
                                                    ThreadPool& pool);
  i64 bytes() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const ckks::EncodedDiagonals>> kept_;
  std::vector<i64> allowed_;  ///< bytes of each instruction
  u64 program_hash_;
};

}  // namespace sinter::encrypted
