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
  /// seed; 0 adds nothing.
  u64 noise_seed = 0;
  /// Called with every instruction's result.
  std::function<void(i64 instruction, std::span<const double> slots)> observe;
};

/// input   program.slots() values, as pack_input makes them
/// out     program.slots() values, as unpack_output reads them
/// throws  Error(bad_argument) when the input has another length
std::vector<double> simulate(const EncryptedProgram& program, std::span<const double> input,
                             const SimulateOptions& options = {});

}  // namespace sinter::encrypted
