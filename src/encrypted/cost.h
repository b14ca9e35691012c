// SPDX-License-Identifier: Apache-2.0
// Counts what a program costs: rotations, key switches, units of work, bytes, predicted seconds.
#pragma once
#include "encrypted/program.h"
#include "encrypted/unit_costs.h"

namespace sinter::encrypted {

struct InstructionCost {
  i64 diagonals = 0, hoisted_rotations = 0, rotations = 0, relinearisations = 0;
  i64 plaintext_bytes = 0;
  Work work;      ///< with its plaintexts there
  Work encoding;  ///< of its plaintexts
  WorkKind kind = WorkKind::rescale;
  double seconds = 0;  ///< one thread, plaintexts encoded on the fly

  /// The same on `threads` threads.
  double seconds_on(int threads, const UnitCosts& units) const;
};

MapShape shape_of(const LinearMap& map, const ckks::LinearPlan& plan);

/// What instruction `instruction` costs with these units, those of the program's ring.
InstructionCost cost_of(const EncryptedProgram& program, i64 instruction, const UnitCosts& units);
/// The same with the built-in units of this machine's instruction set.
InstructionCost cost_of(const EncryptedProgram& program, i64 instruction);

/// The same of an instruction whose operand is at `level`; `map` is of the linear map, `period` of
/// the vector that it takes.
InstructionCost cost_at(const KeySwitching& ring, Opcode op, int level, const MapShape& map,
                        i64 period, const UnitCosts& units);

}  // namespace sinter::encrypted
