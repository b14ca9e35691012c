// SPDX-License-Identifier: Apache-2.0
// Runs a program on ciphertexts. This is the server's part: it sees evaluation keys and never a
// secret, and the layer check refuses the secret key's header in this file and its source.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "ckks/evaluate.h"
#include "ckks/linear.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

/// Encoded diagonals kept between images, up to a byte budget; what does not fit is encoded anew
/// for every image. Belongs to one program. thread: safe to share by executions of that program.
class DiagonalCache {
 public:
  /// budget_bytes >= 0; 0 keeps nothing.
  DiagonalCache(const EncryptedProgram& program, i64 budget_bytes);
  /// The encoded form of instruction `index` (a linear one); nullptr when it does not fit.
  std::shared_ptr<const ckks::EncodedDiagonals> get(const EncryptedProgram& program,
                                                    const ckks::Context& context, i64 index,
                                                    ThreadPool& pool);
  i64 bytes() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const ckks::EncodedDiagonals>> kept_;
  u64 program_hash_;
  i64 budget_, used_ = 0;
};

struct ExecuteOptions {
  DiagonalCache* cache = nullptr;  ///< may be shared; nullptr encodes on the fly
  Progress progress;               ///< per instruction, weighted by predicted cost
};

/// The encrypted output for one encrypted input.
///
/// input   two parts, at program.input_level() or above, scale program.input_scale()
/// out     at program.output_level(), slots as unpack_output expects them
/// noise   see docs/encrypted.md; simulate() predicts it
/// throws  Error(bad_argument): context or keys of other parameters, keys or an input of another
///         secret key or program, keys that lack what
///         program.keys lists (naming the first one missing), an input of other level or scale
/// thread  safe; results do not depend on the number of threads
ckks::Ciphertext execute(const EncryptedProgram& program, const ckks::Context& context,
                         const ckks::EvaluationKeys& keys, const ckks::Ciphertext& input,
                         ThreadPool& pool, const ExecuteOptions& options = {});

}  // namespace sinter::encrypted
