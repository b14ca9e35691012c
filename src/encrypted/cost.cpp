// SPDX-License-Identifier: Apache-2.0
#include "encrypted/cost.h"

#include "encrypted/bootstrap_cost.h"

namespace sinter::encrypted {

double InstructionCost::seconds_on(int threads, const UnitCosts& units) const {
  return units.of(work, kind, threads) + units.of(encoding, WorkKind::encode, threads);
}

MapShape shape_of(const LinearMap& map, const ckks::LinearPlan& plan) {
  return {std::ssize(map.indices), std::ssize(plan.babies), plan.hoisted_count(),
          std::ssize(plan.giants), plan.giant_count(),      map.period()};
}

InstructionCost cost_at(const KeySwitching& ring, Opcode op, int level, const MapShape& map,
                        i64 period, const UnitCosts& units) {
  InstructionCost cost;
  switch (op) {
    case Opcode::linear:
      cost.kind = WorkKind::linear;
      cost.diagonals = map.diagonals;
      cost.hoisted_rotations = map.hoisted;
      cost.rotations = map.giants;
      cost.work = linear_work(ring, level, map);
      cost.encoding = encode_work(ring, level, map);
      cost.plaintext_bytes = encoded_bytes(ring, level, map);
      break;
    case Opcode::fold:
      cost.kind = WorkKind::key_switch;
      cost.rotations = 1;
      cost.work = switch_work(ring, level);
      break;
    case Opcode::square:
    case Opcode::multiply:
      cost.kind = WorkKind::key_switch;
      cost.relinearisations = 1;
      cost.work = switch_work(ring, level);
      cost.work[Unit::pass] += 2 * double(level + 1);
      break;
    case Opcode::rescale:
      cost.work = rescale_work(level);
      break;
    case Opcode::add_vector:
      cost.encoding = encode_vector_work(ring, level, period);
      cost.plaintext_bytes = (level + 1) * ring.limb_bytes() * period / ring.slots();
      break;
    case Opcode::drop:
    case Opcode::add:
      cost.work[Unit::pass] = double(level + 1);
      break;
    default:
      break;
  }
  cost.seconds = cost.seconds_on(1, units);
  return cost;
}

InstructionCost cost_of(const EncryptedProgram& program, i64 instruction, const UnitCosts& units) {
  const Instruction& i = program.instructions[size_t(instruction)];
  const KeySwitching ring{program.params.log_n(), std::ssize(program.params.p())};
  const int level = i.op == Opcode::input ? i.level : program.instructions[size_t(i.a)].level;
  if (i.op == Opcode::bootstrap)
    return bootstrap_cost(
        ring, ckks::outline_bootstrap(program.params, program.bootstraps[size_t(i.table)]), units);
  MapShape map;
  if (i.op == Opcode::linear) {
    const LinearMap& m = program.maps[size_t(i.table)];
    map = shape_of(m, m.plan(program.slots()));
  }
  const i64 period = i.op == Opcode::add_vector ? program.vectors[size_t(i.table)].period : 0;
  return cost_at(ring, i.op, level, map, period, units);
}

InstructionCost cost_of(const EncryptedProgram& program, i64 instruction) {
  return cost_of(program, instruction, built_in_units().at(program.params.log_n()));
}

}  // namespace sinter::encrypted
