// SPDX-License-Identifier: Apache-2.0
// With l + 1 primes, k special primes and b = ceil((l + 1) / k) digits, in transforms of length N:
// a key switch takes (b + 2)(l + 1 + k); a linear map b (l + 1 + k) once, (b + 1)(l + 1 + k) per
// giant step and 2 (l + 1 + k) at the end; encoding a diagonal of period p takes 2 p / N of
// (l + 1 + k) transforms and of one embedding.
//
// Source: the usual count of hybrid key switching with double hoisting (Bossuat et al. 2021).
#include "encrypted/cost.h"

#include <cmath>

namespace sinter::encrypted {

InstructionCost cost_of(const EncryptedProgram& program, i64 instruction, const UnitCosts& units) {
  const Instruction& i = program.instructions[size_t(instruction)];
  const ckks::CkksParams& params = program.params;
  const int in_level = i.op == Opcode::input ? i.level : program.instructions[size_t(i.a)].level;
  const i64 limbs = in_level + 1, special = std::ssize(params.p()), all = limbs + special;
  const i64 digits = special == 0 ? 0 : (limbs + special - 1) / special;
  const i64 bytes_per_limb = params.n() * i64(sizeof(u64));
  InstructionCost cost;
  double products = 0, embeddings = 0, encoding = 0;
  switch (i.op) {
    case Opcode::linear: {
      const LinearMap& map = program.maps[size_t(i.table)];
      const ckks::LinearPlan plan = map.plan(program.slots());
      const double share = double(map.period()) / double(program.slots());
      cost.diagonals = std::ssize(map.indices);
      cost.hoisted_rotations = plan.hoisted_count();
      cost.rotations = plan.giant_count();
      cost.transforms =
          all * (digits * (cost.hoisted_rotations > 0 ? 1 : 0) + (digits + 1) * cost.rotations + 2);
      products =
          double(all) * (2.0 * double(digits) * double(cost.hoisted_rotations + cost.rotations) +
                         2.0 * double(cost.diagonals));
      embeddings = double(cost.diagonals) * share;
      encoding = double(cost.diagonals * all) * share;
      cost.plaintext_bytes = i64(double(cost.diagonals * all * bytes_per_limb) * share);
      break;
    }
    case Opcode::fold:
      cost.rotations = 1;
      cost.transforms = (digits + 2) * all;
      products = 2.0 * double(digits * all);
      break;
    case Opcode::square:
    case Opcode::multiply:
      cost.relinearisations = 1;
      cost.transforms = (digits + 2) * all;
      products = 2.0 * double(digits * all) + 4.0 * double(limbs);
      break;
    case Opcode::rescale:
      cost.transforms = 2 * limbs;
      products = 2.0 * double(limbs);
      break;
    case Opcode::add_vector: {
      const double share =
          double(program.vectors[size_t(i.table)].period) / double(program.slots());
      embeddings = share;
      encoding = double(limbs) * share;
      cost.plaintext_bytes = i64(double(limbs * bytes_per_limb) * share);
      break;
    }
    default:
      break;
  }
  cost.transforms += i64(std::lround(encoding));
  const double size = double(params.n()) / double(1 << 15);
  cost.seconds = size * (double(cost.transforms) * units.transform * double(params.log_n()) / 15 +
                         products * units.multiply_accumulate + embeddings * units.embed);
  return cost;
}

}  // namespace sinter::encrypted
