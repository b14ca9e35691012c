// SPDX-License-Identifier: Apache-2.0
#include "serve/segments.h"

#include <algorithm>
#include <set>

#include "encrypted/cost.h"

namespace sinter::serve {
namespace {

using encrypted::EncryptedProgram;
using encrypted::Instruction;
using encrypted::Opcode;

/// The distinct values that instruction k reads, drops followed.
std::vector<i32> operands_of(const EncryptedProgram& program, const Instruction& i) {
  std::set<i32> all;
  for (i32 v : {i.a, i.b})
    if (v >= 0) all.insert(source_of_drops(program, v));
  return {all.begin(), all.end()};
}

/// The segment that instruction i goes on with, or -1.
i32 continued(const Instruction& i, const std::vector<i32>& operands, const std::vector<i32>& of) {
  if (i.op == Opcode::linear) return -1;
  const i32 first = of[size_t(operands[0])];
  for (i32 v : operands)
    if (of[size_t(v)] != first) return -1;
  return first;
}

void find_paths(Segments& s) {
  for (size_t k = s.all.size(); k-- > 0;) {
    Segment& segment = s.all[k];
    for (i32 r : segment.readers)
      segment.to_end = std::max(segment.to_end, s.all[size_t(r)].to_end);
    segment.to_end += segment.seconds;
    s.seconds += segment.seconds;
  }
}

}  // namespace

i32 source_of_drops(const EncryptedProgram& program, i32 v) {
  while (program.instructions[size_t(v)].op == Opcode::drop &&
         size_t(v) + 1 != program.instructions.size())
    v = program.instructions[size_t(v)].a;
  return v;
}

Segments cut(const EncryptedProgram& program) {
  const i32 count = i32(program.instructions.size());
  Segments s;
  s.of.assign(size_t(count), -1);
  s.read_count.assign(size_t(count), 0);
  std::vector<std::set<i32>> operands, exports, readers;
  for (i32 k = 0; k < count; ++k) {
    const Instruction& i = program.instructions[size_t(k)];
    if (i.op == Opcode::input || source_of_drops(program, k) != k) continue;
    const std::vector<i32> reads = operands_of(program, i);
    i32 own = continued(i, reads, s.of);
    if (own < 0) {
      own = i32(s.all.size());
      s.all.emplace_back().is_map = i.op == Opcode::linear;
      operands.emplace_back(), exports.emplace_back(), readers.emplace_back();
    }
    s.of[size_t(k)] = own;
    Segment& segment = s.all[size_t(own)];
    const double seconds = encrypted::cost_of(program, k).seconds;
    if (segment.instructions.empty() && segment.is_map) {
      segment.map_seconds = seconds;
      segment.map = outline_of(program.maps[size_t(i.table)].plan(program.slots()), i.level,
                               std::ssize(program.params.p()));
    }
    segment.seconds += seconds;
    segment.instructions.push_back(k);
    for (i32 v : reads) {
      const i32 from = s.of[size_t(v)];
      if (from == own) continue;
      operands[size_t(own)].insert(v);
      if (from >= 0) exports[size_t(from)].insert(v), readers[size_t(from)].insert(own);
    }
    if (k + 1 == count) exports[size_t(own)].insert(k);
  }
  for (size_t k = 0; k < s.all.size(); ++k) {
    Segment& segment = s.all[k];
    segment.operands.assign(operands[k].begin(), operands[k].end());
    segment.exports.assign(exports[k].begin(), exports[k].end());
    segment.readers.assign(readers[k].begin(), readers[k].end());
    for (i32 v : segment.operands) ++s.read_count[size_t(v)];
    for (i32 r : segment.readers) ++s.all[size_t(r)].needs;
  }
  find_paths(s);
  return s;
}

}  // namespace sinter::serve
