// SPDX-License-Identifier: Apache-2.0
#include "encrypted/flow.h"

#include <algorithm>
#include <map>

#include "encrypted/work.h"

namespace sinter::encrypted {
namespace {

/// Layers outside the instruction's own whose values it carries; for a value that is read from
/// outside, its layer itself.
std::vector<i32> carried(const EncryptedProgram& program, std::span<const std::vector<i32>> inside,
                         i32 value, i32 layer) {
  const i32 from = program.instructions[size_t(value)].layer;
  return from == layer ? inside[size_t(value)] : std::vector<i32>{from};
}

std::vector<i32> joined(std::vector<i32> a, const std::vector<i32>& b) {
  a.insert(a.end(), b.begin(), b.end());
  std::sort(a.begin(), a.end());
  a.erase(std::unique(a.begin(), a.end()), a.end());
  return a;
}

/// The longest chain of layers that ends in the last instruction's; marks its edges.
void mark_main_path(const EncryptedProgram& program, Flow& flow) {
  const size_t count = program.layers.size();
  std::vector<i64> length(count, 1);
  std::vector<FlowEdge*> best(count, nullptr);
  for (FlowEdge& edge : flow.edges) {
    if (edge.from >= edge.to) continue;  // layers of a compiled program ascend; a file's may not
    const i64 through = length[size_t(edge.from)] + 1;
    if (through <= length[size_t(edge.to)]) continue;
    length[size_t(edge.to)] = through;
    best[size_t(edge.to)] = &edge;
  }
  i32 at = program.instructions.back().layer;
  flow.main_path = {at};
  while (best[size_t(at)] != nullptr) {
    best[size_t(at)]->is_main = true;
    at = best[size_t(at)]->from;
    flow.main_path.push_back(at);
  }
  std::reverse(flow.main_path.begin(), flow.main_path.end());
}

}  // namespace

Flow flow_of(const EncryptedProgram& program) {
  Flow flow;
  std::map<std::pair<i32, i32>, FlowEdge> edges;  // by (to, from)
  std::vector<std::vector<i32>> inside(program.instructions.size());
  for (size_t k = 0; k < program.instructions.size(); ++k) {
    const Instruction& i = program.instructions[k];
    for (i32 v : {i.a, i.b}) {
      if (v < 0) continue;
      const Instruction& operand = program.instructions[size_t(v)];
      inside[k] = joined(inside[k], carried(program, inside, v, i.layer));
      if (operand.layer == i.layer) continue;
      const int level = i.op == Opcode::drop ? i.level : operand.level;
      const auto [at, is_new] = edges.try_emplace(
          {i.layer, operand.layer}, FlowEdge{operand.layer, i.layer, operand.level, level});
      at->second.level_to = std::min(at->second.level_to, level);
    }
    if ((i.op == Opcode::add || i.op == Opcode::multiply) && i.a != i.b) {
      const Instruction& a = program.instructions[size_t(i.a)];
      const Instruction& b = program.instructions[size_t(i.b)];
      flow.joins.push_back({i32(k), carried(program, inside, i.a, i.layer),
                            carried(program, inside, i.b, i.layer), a.level, b.level, a.scale,
                            b.scale});
    }
  }
  for (const auto& [key, edge] : edges) flow.edges.push_back(edge);
  mark_main_path(program, flow);
  return flow;
}

namespace {

/// Key switches at the levels that bootstrap_cost() takes them at.
i64 bootstrap_key_bytes(const KeySwitching& ring, const ckks::BootstrapOutline& outline) {
  i64 bytes = outline.rotations * ring.key_bytes(outline.options.raise_level) +
              outline.sine_products * ring.key_bytes(outline.sine_level - outline.sine_depth / 3);
  for (const ckks::BootstrapOutline::Map& m : outline.maps)
    bytes += (m.hoisted + m.giants) * ring.key_bytes(m.level);
  return bytes;
}

}  // namespace

i64 key_bytes_read(const EncryptedProgram& program, i64 instruction) {
  const Instruction& i = program.instructions[size_t(instruction)];
  const KeySwitching ring = {program.params.log_n(), std::ssize(program.params.p())};
  if (i.op == Opcode::bootstrap)
    return bootstrap_key_bytes(
        ring, ckks::outline_bootstrap(program.params, program.bootstraps[size_t(i.table)]));
  i64 keys = 0;
  if (i.op == Opcode::linear)
    keys = std::ssize(program.maps[size_t(i.table)].plan(program.slots()).rotations);
  if (i.op == Opcode::fold || i.op == Opcode::square || i.op == Opcode::multiply) keys = 1;
  return keys * ring.key_bytes(i.level);
}

}  // namespace sinter::encrypted
