// SPDX-License-Identifier: Apache-2.0
#include "encrypted/key_window.h"

#include <algorithm>
#include <limits>

#include "ckks/bootstrap.h"

namespace sinter::encrypted {

std::vector<i64> rotations_of(const EncryptedProgram& program, i64 instruction) {
  const Instruction& i = program.instructions[size_t(instruction)];
  if (i.op == Opcode::linear) return program.maps[size_t(i.table)].plan(program.slots()).rotations;
  ckks::KeyManifest keys;
  if (i.op == Opcode::fold) keys.add_rotation(i.steps, i.level, program.slots());
  if (i.op == Opcode::bootstrap)
    keys = ckks::outline_bootstrap(program.params, program.bootstraps[size_t(i.table)]).manifest;
  std::vector<i64> rotations;
  for (const auto& [steps, level] : keys.rotations) rotations.push_back(steps);
  return rotations;
}

KeyBytes key_bytes(const EncryptedProgram& program, const ckks::KeyManifest& manifest) {
  KeyBytes bytes;
  for (const ckks::KeySlot& slot : manifest.slots(program.params)) {
    const i64 size = 2 * slot.digits() * slot.limbs() * program.params.n() * i64(sizeof(u64));
    if (slot.kind != ckks::KeyKind::rotation)
      bytes.others += size;
    else if (program.keys.rotations.contains(slot.rotation))
      bytes.rotations[slot.rotation] = size;
    else
      continue;
    bytes.all += size;
  }
  for (i64 k = 0; k < std::ssize(program.instructions); ++k) {
    i64 sum = bytes.others;
    for (i64 steps : rotations_of(program, k)) sum += bytes.rotations[steps];
    bytes.largest = std::max(bytes.largest, sum);
  }
  return bytes;
}

KeyWindow::KeyWindow(const EncryptedProgram& program, const ckks::Context& context,
                     const ckks::EvaluationKeys& keys, i64 budget_bytes, bool repeats)
    : program_(program),
      context_(context),
      keys_(keys),
      bytes_(key_bytes(program, keys.manifest())),
      budget_(budget_bytes),
      resident_bytes_(bytes_.others),
      repeats_(repeats) {
  for (i64 k = 0; k < std::ssize(program.instructions); ++k) {
    needs_.push_back(rotations_of(program, k));
    for (i64 steps : needs_.back()) uses_[steps].push_back(k);
  }
}

void KeyWindow::before(i64 instruction) {
  now_ = instruction;
  bring(instruction, true);
  // What comes next, further ahead than one step where instructions without keys lie between.
  const i64 count = std::ssize(needs_);
  for (i64 ahead = 1; ahead < count; ++ahead) {
    const i64 next = instruction + ahead;
    if (next >= count && !repeats_) return;
    if (!needs_[size_t(next % count)].empty()) return bring(next % count, false);
  }
}

/// The instruction's keys, as far as there is room; those of the running one in any case.
void KeyWindow::bring(i64 instruction, bool is_now) {
  const std::vector<i64>& needs = needs_[size_t(instruction)];
  for (i64 steps : needs) {
    if (resident_.contains(steps)) continue;
    const i64 bytes = bytes_.rotations.at(steps), use = next_use(steps, now_);
    while (resident_bytes_ + bytes > budget_) {
      i64 farthest = -1, when = is_now ? now_ : use;
      for (i64 other : resident_)
        if (const i64 at = next_use(other, now_); at > when) farthest = other, when = at;
      if (farthest < 0) break;
      keys_.release(context_, farthest);
      resident_.erase(farthest);
      resident_bytes_ -= bytes_.rotations.at(farthest);
    }
    if (!is_now && resident_bytes_ + bytes > budget_) return;
    keys_.will_need(context_, steps);
    resident_.insert(steps);
    resident_bytes_ += bytes;
  }
}

/// At instruction `after` or later; beyond the end in the next run.
i64 KeyWindow::next_use(i64 rotation, i64 after) const {
  const std::vector<i64>& uses = uses_.at(rotation);
  const auto at = std::lower_bound(uses.begin(), uses.end(), after);
  if (at != uses.end()) return *at;
  return repeats_ ? std::ssize(needs_) + uses.front() : std::numeric_limits<i64>::max();
}

}  // namespace sinter::encrypted
