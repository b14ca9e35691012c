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

/// Seconds of the units, one core, with AVX2 at N = 2^15: fitted to bench/ckks_bench (rotation,
/// encode, linear map), conversions between bases counted with the transforms.
struct UnitCosts {
  double transform = 0.16e-3;          ///< one transform of length 2^15
  double multiply_accumulate = 30e-6;  ///< one limb product of length 2^15
  double embed = 0.70e-3;              ///< one special transform of 2^14 complex values
};

InstructionCost cost_of(const EncryptedProgram& program, i64 instruction,
                        const UnitCosts& units = {});

}  // namespace sinter::encrypted
