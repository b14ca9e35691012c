// SPDX-License-Identifier: Apache-2.0
// Runs a program on doubles, slot by slot, exactly as the ciphertexts would be moved: the plan's
// oracle, in milliseconds. With a noise seed it adds the errors that the scheme adds.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "encrypted/program.h"

namespace sinter::encrypted {

struct SimulateOptions {
  /// Adds to every encryption, rescale, key switch (those of a linear map one by one) and encoding
  /// normal deviates of the standard deviation that ckks/noise.h states, from a generator with this
  /// seed, and bends the values that pass a bootstrap as its sine does; 0 adds nothing.
  u64 noise_seed = 0;
  /// Called with every instruction's result.
  std::function<void(i64 instruction, std::span<const double> slots)> observe;
};

/// inputs  program.slots() values per input of the program, as pack_input makes them
/// out     program.slots() values, as unpack_output reads them
/// throws  Error(bad_argument) for another number of inputs or slots
std::vector<double> simulate(const EncryptedProgram& program,
                             std::span<const std::vector<double>> inputs,
                             const SimulateOptions& options = {});

}  // namespace sinter::encrypted
