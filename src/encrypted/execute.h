// SPDX-License-Identifier: Apache-2.0
// Runs a program on ciphertexts. This is the server's part: it sees evaluation keys and never a
// secret, and the layer check refuses the secret key's header in this file and its source.
#pragma once
#include <functional>
#include <span>

#include "base/progress.h"
#include "encrypted/evaluate.h"
#include "encrypted/key_window.h"

namespace sinter::encrypted {

/// What one instruction took, for all images of a batch together; `result` is that of the first and
/// may be read during the call only.
struct Measured {
  i64 instruction;
  double seconds, cpu_seconds;  ///< wall; all threads of the process
  const ckks::Ciphertext* result;
  i64 anonymous_bytes, file_bytes;  ///< resident afterwards: own memory; pages of mapped files

  i64 resident_bytes() const { return anonymous_bytes + file_bytes; }
};

struct ExecuteOptions {
  DiagonalCache* cache = nullptr;          ///< may be shared; nullptr encodes on the fly
  Progress progress = {};                  ///< per instruction, weighted by predicted cost
  Bootstrappers* bootstrappers = nullptr;  ///< may be shared; nullptr makes them for this call
  /// Called after every instruction, from the calling thread; may be empty. It cannot change what
  /// is computed.
  std::function<void(const Measured&)> observe = {};
  KeyWindow* window = nullptr;      ///< nullptr: every key that was used stays
  ckks::LinearOptions linear = {};  ///< memory of one linear map
};

/// Do context, keys and inputs belong to the program? The checks of execute().
/// throws  as execute()
void check_call(const EncryptedProgram& program, const ckks::Context& context,
                const ckks::EvaluationKeys& keys, std::span<const ckks::Ciphertext> inputs);

/// The encrypted output for the encrypted inputs of one run (program.batch images).
///
/// inputs  one per input of the program, in its order; two parts each, input k at
///         program.input_level(k) or above, scale program.input_scale(), all under one key
/// out     at program.output_level(), slots as unpack_output expects them
/// noise   see docs/encrypted.md; simulate() predicts it
/// throws  Error(bad_argument): context or keys of other parameters, keys or an input of another
///         secret key or program, keys that lack what
///         program.keys lists (naming the first one missing), another number of inputs, an input
///         of other level or scale
/// thread  safe; results do not depend on the number of threads
ckks::Ciphertext execute(const EncryptedProgram& program, const ckks::Context& context,
                         const ckks::EvaluationKeys& keys, std::span<const ckks::Ciphertext> inputs,
                         ThreadPool& pool, const ExecuteOptions& options = {});

/// The same for several runs at once: instruction by instruction over all of them, so that they
/// share encoded diagonals and the reading of keys. Every output is byte for byte that of
/// execute(). inputs  those of run 0, of run 1, ... memory  working_bytes() of encrypted/memory.h
std::vector<ckks::Ciphertext> execute_batch(const EncryptedProgram& program,
                                            const ckks::Context& context,
                                            const ckks::EvaluationKeys& keys,
                                            std::span<const ckks::Ciphertext> inputs,
                                            ThreadPool& pool, const ExecuteOptions& options = {});

}  // namespace sinter::encrypted
