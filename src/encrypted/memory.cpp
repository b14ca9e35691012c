// SPDX-License-Identifier: Apache-2.0
#include "encrypted/memory.h"

#include <algorithm>
#include <array>

#include "encrypted/bootstrap_cost.h"
#include "encrypted/bootstrappers.h"
#include "encrypted/cost.h"

namespace sinter::encrypted {
namespace {

constexpr i64 kMiB = i64(1) << 20;

/// Permutations of keys, tables, what the allocator keeps.
constexpr i64 kSpare = 128 * kMiB;
/// Code, libraries and what a process has before it reads a program.
constexpr i64 kProcess = 64 * kMiB;
/// Of a context, per residue: roots of unity and their quotients.
constexpr i64 kTableBytes = 32;
/// Buffers that the ring keeps for the next operation, at most. Every level has sizes of its own,
/// so small networks fill them with up to twice what they work with.
constexpr i64 kBuffers = 512 * kMiB;
/// What the allocator cannot give back between buffers in use: the share of what is allocated and
/// freed while a program runs. Budgets without it were exceeded by 2 to 3 %.
constexpr i64 kHoles = 32;

constexpr i64 with_holes(i64 bytes) { return bytes + bytes / kHoles; }

ckks::BootstrapOutline outline_of(const EncryptedProgram& program, const Instruction& i) {
  return ckks::outline_bootstrap(program.params, program.bootstraps[size_t(i.table)]);
}

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
      return bootstrap_memory(ring, outline_of(program, i));
    case Opcode::fold:
    case Opcode::square:
    case Opcode::multiply:
      return (ring.digits(level) + 6) * polynomial;
    default:
      return polynomial;
  }
}

/// Of all bootstraps, which Bootstrappers keep.
i64 factor_bytes(const EncryptedProgram& program, const KeySwitching& ring) {
  i64 sum = 0;
  for (const ckks::BootstrapOptions& options : program.bootstraps)
    sum += bootstrap_factors(ring, ckks::outline_bootstrap(program.params, options));
  return std::min(sum, Bootstrappers::kBudget);
}

}  // namespace

i64 peak_bytes(const PeakParts& parts) {
  const i64 buffers = std::min(2 * parts.working, kBuffers);
  return parts.resident + kSpare + parts.keys + with_holes(parts.working + buffers + parts.factors);
}

i64 resident_bytes(const KeySwitching& ring, i64 primes, i64 program_bytes) {
  return kProcess + primes * ring.n() * kTableBytes + program_bytes;
}

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
  return most;
}

MemoryPlan plan_memory(const EncryptedProgram& program, const MemoryRequest& request) {
  constexpr std::array<i64, 7> kWork = {
      8192 * kMiB, 4096 * kMiB, 2048 * kMiB, 1024 * kMiB, 512 * kMiB, 256 * kMiB, 0};
  const KeyBytes keys = request.keys_are_mapped ? key_bytes(program, request.keys) : KeyBytes{};
  const i64 factors =
      factor_bytes(program, {program.params.log_n(), std::ssize(program.params.p())});
  const auto peak = [&](i64 images, i64 work, i64 of_keys) {
    return peak_bytes({request.resident, of_keys, working_bytes(program, images, work), factors});
  };
  const i64 least = peak(1, 0, keys.largest);
  require(request.budget >= least, ErrorKind::bad_argument, "memory: expected at least ",
          (least + kMiB - 1) / kMiB, " MiB for this program",
          request.keys_are_mapped ? "" : " with keys in memory", ", found ", request.budget / kMiB,
          " MiB",
          request.keys_are_mapped ? "" : "; keys expanded with `sinter expand-keys` take less");
  const auto fits = [&](i64 images, i64 work) {
    return peak(images, work, keys.largest) <= request.budget;
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
  i64 left = request.budget - peak(plan.images, plan.work_bytes, 0);
  plan.key_bytes = std::min(left, keys.all);
  left -= plan.key_bytes;
  i64 diagonals = 0;
  for (i64 k = 0; pays_to_keep(groups) && k < std::ssize(program.instructions); ++k)
    if (program.instructions[size_t(k)].op == Opcode::linear)
      diagonals += cost_of(program, k).plaintext_bytes;
  plan.cache_bytes = std::min(left - left / kHoles, diagonals);
  plan.peak_bytes = request.budget - left + with_holes(plan.cache_bytes);
  return plan;
}

}  // namespace sinter::encrypted
