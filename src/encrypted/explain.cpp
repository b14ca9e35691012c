// SPDX-License-Identifier: Apache-2.0
#include "encrypted/explain.h"

#include <algorithm>
#include <map>

#include "encrypted/cost.h"
#include "encrypted/detail/explain_program.h"

namespace sinter::encrypted::detail {
namespace {

std::string_view method_of(const LinearMap& map) {
  if (map.in_period == map.out_period) return "square";
  return map.out_period < map.in_period ? "hybrid" : "spread";
}

}  // namespace

std::vector<LayerRow> layer_rows(const EncryptedProgram& program, const UnitTable& table) {
  const UnitCosts units = table.at(program.params.log_n());
  std::vector<LayerRow> rows;
  for (const Layer& layer : program.layers) {
    LayerRow& row = rows.emplace_back();
    row.name = layer.name;
    row.op = layer.op;
    row.range = layer.range;
    row.level_in = -1;
  }
  for (i64 k = 0; k < std::ssize(program.instructions); ++k) {
    const Instruction& i = program.instructions[size_t(k)];
    LayerRow& row = rows[size_t(i.layer)];
    const InstructionCost cost = cost_of(program, k, units);
    if (i.op == Opcode::input || i.op == Opcode::linear || i.op == Opcode::square ||
        i.op == Opcode::multiply)
      row.level_in = std::max(row.level_in, i.level);
    if (i.op == Opcode::bootstrap) row.level_in = program.instructions[size_t(i.a)].level;
    row.level_out = i.level;
    row.diagonals += cost.diagonals;
    row.hoisted_rotations += cost.hoisted_rotations;
    row.rotations += cost.rotations;
    row.relinearisations += cost.relinearisations;
    row.plaintext_bytes += cost.plaintext_bytes;
    row.seconds += cost.seconds;
    row.seconds_two += cost.seconds_on(2, units);
    if (i.op == Opcode::linear) {
      const LinearMap& map = program.maps[size_t(i.table)];
      if (row.method.find(method_of(map)) == std::string::npos)
        row.method += (row.method.empty() ? "" : "+") + std::string(method_of(map));
      for (const SlotVector& v : map.rows) row.stored_bytes += v.bytes();
    }
    if (i.op == Opcode::add_vector) row.stored_bytes += program.vectors[size_t(i.table)].bytes();
  }
  for (LayerRow& row : rows) {
    if (row.level_in < 0) row.level_in = row.level_out;  // a sum spends no level
    row.depth = std::max(0, row.level_in - row.level_out);
  }
  return rows;
}

void add_totals(Explanation& e, const EncryptedProgram& program, const UnitTable& units) {
  const ckks::CkksParams& params = program.params;
  e.layers = layer_rows(program, units);
  e.units = units.text();
  for (const LayerRow& row : e.layers) {
    e.diagonals += row.diagonals;
    e.hoisted_rotations += row.hoisted_rotations;
    e.rotations += row.rotations;
    e.relinearisations += row.relinearisations;
    e.plaintext_bytes += row.plaintext_bytes;
    e.stored_bytes += row.stored_bytes;
    e.seconds += row.seconds;
    e.seconds_two += row.seconds_two;
  }
  for (const Instruction& i : program.instructions) e.bootstraps += i.op == Opcode::bootstrap;
  for (const Instruction& i : program.instructions) e.slots_used = std::max(e.slots_used, i.period);
  for (i64 k = 0; k < program.input_count(); ++k)
    e.depth = std::max(e.depth, program.input_level(k) - program.output_level());
  e.slots = program.slots();
  e.log2_qp = params.log2_qp();
  e.log2_qp_limit = params.log2_qp_limit();
  e.security = params.security_text();
  e.key_count = program.keys.key_count();
  e.key_bytes = program.keys.bytes(params);
  e.first_seconds = double(e.key_bytes) * kSecondsPerMappedByte;
  e.inputs = program.input_count();
  e.batch = program.batch;
  for (i64 k = 0; k < e.inputs; ++k)
    e.ciphertext_bytes += 2 * params.n() * i64(sizeof(u64)) * (program.input_level(k) + 1);
}

}  // namespace sinter::encrypted::detail

namespace sinter::encrypted {

Explanation explain_program(const EncryptedProgram& program) {
  Explanation explanation;
  explanation.precision_bits = program.output_bits();
  detail::add_totals(explanation, program);
  return explanation;
}

}  // namespace sinter::encrypted
