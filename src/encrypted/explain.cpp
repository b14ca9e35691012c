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

i64 stored_bytes(const SlotVector& v) { return std::ssize(v.runs) * i64(sizeof(Run)); }

}  // namespace

std::vector<LayerRow> layer_rows(const EncryptedProgram& program) {
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
    const InstructionCost cost = cost_of(program, k);
    if (i.op == Opcode::input || i.op == Opcode::linear || i.op == Opcode::square ||
        i.op == Opcode::multiply)
      row.level_in = std::max(row.level_in, i.level);
    row.level_out = i.level;
    row.diagonals += cost.diagonals;
    row.hoisted_rotations += cost.hoisted_rotations;
    row.rotations += cost.rotations;
    row.relinearisations += cost.relinearisations;
    row.plaintext_bytes += cost.plaintext_bytes;
    row.seconds += cost.seconds;
    if (i.op == Opcode::linear) {
      const LinearMap& map = program.maps[size_t(i.table)];
      if (row.method.find(method_of(map)) == std::string::npos)
        row.method += (row.method.empty() ? "" : "+") + std::string(method_of(map));
      for (const SlotVector& v : map.rows) row.stored_bytes += stored_bytes(v);
    }
    if (i.op == Opcode::add_vector)
      row.stored_bytes += stored_bytes(program.vectors[size_t(i.table)]);
  }
  for (LayerRow& row : rows) row.depth = row.level_in - row.level_out;
  return rows;
}

void add_totals(Explanation& e, const EncryptedProgram& program) {
  const ckks::CkksParams& params = program.params;
  e.layers = layer_rows(program);
  for (const LayerRow& row : e.layers) {
    e.diagonals += row.diagonals;
    e.hoisted_rotations += row.hoisted_rotations;
    e.rotations += row.rotations;
    e.relinearisations += row.relinearisations;
    e.plaintext_bytes += row.plaintext_bytes;
    e.stored_bytes += row.stored_bytes;
    e.seconds += row.seconds;
  }
  for (const Instruction& i : program.instructions) e.slots_used = std::max(e.slots_used, i.period);
  e.depth = program.input_level() - program.output_level();
  e.slots = program.slots();
  e.log2_qp = params.log2_qp();
  e.log2_qp_limit = params.log2_qp_limit();
  e.security = params.security_text();
  e.key_count = program.keys.key_count();
  e.key_bytes = program.keys.bytes(params);
  e.ciphertext_bytes = 2 * params.n() * i64(sizeof(u64)) * (program.input_level() + 1);
}

}  // namespace sinter::encrypted::detail
