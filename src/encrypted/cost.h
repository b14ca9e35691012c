// SPDX-License-Identifier: Apache-2.0
// Counts what a program costs: rotations, key switches, transforms, bytes, predicted seconds.
#pragma once
#include "encrypted/program.h"

namespace sinter::encrypted {

struct InstructionCost {
  i64 diagonals = 0, hoisted_rotations = 0, rotations = 0, relinearisations = 0;
  i64 transforms = 0;  ///< number-theoretic transforms of length N
  i64 plaintext_bytes = 0;
  double seconds = 0;
};

/// Seconds of the units, one core. Measured with scalar kernels at N = 2^15 (bench/ckks_bench).
struct UnitCosts {
  double transform = 0.50e-3;          ///< one transform of length 2^15
  double multiply_accumulate = 40e-6;  ///< one limb product of length 2^15
  double embed = 2.0e-3;               ///< one special transform of 2^14 complex values
};

InstructionCost cost_of(const EncryptedProgram& program, i64 instruction,
                        const UnitCosts& units = {});

}  // namespace sinter::encrypted
