// SPDX-License-Identifier: Apache-2.0
#include "encrypted/memory.h"

#include <algorithm>
#include <array>

#include "encrypted/bootstrappers.h"
#include "encrypted/cost.h"

namespace sinter::encrypted {
namespace {

constexpr i64 kMiB = i64(1) << 20;

/// Permutations of keys, tables, what the allocator keeps.
constexpr i64 kSpare = 128 * kMiB;
/// Buffers that the ring keeps for the next operation, at most.
constexpr i64 kBuffers = 512 * kMiB;
/// Beside operands and result.
i64 step_bytes(const EncryptedProgram& program, const KeySwitching& ring, i64 index, i64 images,
               i64 work_bytes) {
  const Instruction& i = program.instructions[size_t(index)];
  const int level = i.a < 0 ? i.level : program.instructions[size_t(i.a)].level;
  const i64 polynomial = ring.all(level) * ring.limb_bytes();
  switch (i.op) {
    case Opcode::linear: {
      const LinearMap& map = program.maps[size_t(i.table)];
      return linear_memory(ring, level, shape_of(map, map.plan(program.slots())), work_bytes,
                           images);
    }
    case Opcode::bootstrap:
      return 40 * ring.all(program.params.max_level()) * ring.limb_bytes();
    case Opcode::fold:
    case Opcode::square:
    case Opcode::multiply:
      return (ring.digits(level) + 6) * polynomial;
    default:
      return polynomial;
  }
}

}  // namespace

i64 working_bytes(const EncryptedProgram& program, i64 images, i64 work_bytes) {
  const KeySwitching ring{program.params.log_n(), std::ssize(program.params.p())};
  const std::vector<i32> last = last_uses(program);
  const auto bytes = [&](i64 k) {
    return 2 * images * (program.instructions[size_t(k)].level + 1) * ring.limb_bytes();
  };
  i64 alive = 0, most = 0;
  for (i64 k = 0; k < std::ssize(program.instructions); ++k) {
    const Instruction& i = program.instructions[size_t(k)];
    alive += bytes(k);
    most = std::max(most, alive + step_bytes(program, ring, k, images, work_bytes));
    for (i32 v : {i.a, i.b == i.a ? -1 : i.b})
      if (v >= 0 && last[size_t(v)] == k) alive -= bytes(v);
  }
  for (i64 k = 0; k < program.input_count(); ++k) most += bytes(k);  // the inputs themselves
  const i64 factors = program.bootstraps.empty() ? 0 : Bootstrappers::kBudget;  // stay
  return most + std::min(most, kBuffers) + factors;
}

MemoryPlan plan_memory(const EncryptedProgram& program, const MemoryRequest& request) {
  constexpr std::array<i64, 7> kWork = {
      8192 * kMiB, 4096 * kMiB, 2048 * kMiB, 1024 * kMiB, 512 * kMiB, 256 * kMiB, 0};
  const KeyBytes keys = request.keys_are_mapped ? key_bytes(program, request.keys) : KeyBytes{};
  const i64 fixed = request.resident + kSpare;
  const i64 least = fixed + keys.largest + working_bytes(program, 1, 0);
  require(request.budget >= least, ErrorKind::bad_argument, "memory: expected at least ",
          (least + kMiB - 1) / kMiB, " MiB for this program",
          request.keys_are_mapped ? "" : " with keys in memory", ", found ", request.budget / kMiB,
          " MiB",
          request.keys_are_mapped ? "" : "; keys expanded with `sinter expand-keys` take less");
  const auto fits = [&](i64 images, i64 work) {
    return fixed + keys.largest + working_bytes(program, images, work) <= request.budget;
  };
  MemoryPlan plan;
  plan.images = std::min(request.runs, request.images > 0 ? request.images : kMostImages);
  while (plan.images > 1 && !fits(plan.images, 0)) --plan.images;
  const i64 groups = (request.runs + plan.images - 1) / plan.images;
  plan.images = (request.runs + groups - 1) / groups;  // groups of about the same size
  for (i64 work : kWork) {
    plan.work_bytes = work;
    if (fits(plan.images, work)) break;
  }
  i64 left = request.budget - fixed - working_bytes(program, plan.images, plan.work_bytes);
  plan.key_bytes = std::min(left, keys.all);
  left -= plan.key_bytes;
  i64 diagonals = 0;
  for (i64 k = 0; groups > 1 && k < std::ssize(program.instructions); ++k)
    if (program.instructions[size_t(k)].op == Opcode::linear)
      diagonals += cost_of(program, k).plaintext_bytes;
  plan.cache_bytes = std::min(left, diagonals);
  plan.peak_bytes = request.budget - (left - plan.cache_bytes);
  return plan;
}

}  // namespace sinter::encrypted
