// SPDX-License-Identifier: Apache-2.0
#include "encrypted/diagonal_cache.h"

#include <algorithm>

#include "encrypted/cost.h"

namespace sinter::encrypted {

ckks::DiagonalSource source_of(const LinearMap& map) {
  return {[&map](i64 index, std::span<double> out) {
            const auto at = std::lower_bound(map.indices.begin(), map.indices.end(), index);
            SINTER_ASSERT(at != map.indices.end() && *at == index);
            map.rows[size_t(at - map.indices.begin())].expand(out);
          },
          map.period()};
}

DiagonalCache::DiagonalCache(const EncryptedProgram& program, i64 budget_bytes)
    : kept_(program.instructions.size()),
      allowed_(program.instructions.size(), 0),
      program_hash_(program.hash) {
  require(budget_bytes >= 0, ErrorKind::bad_argument, "DiagonalCache: budget ", budget_bytes);
  const UnitCosts units = built_in_units().at(program.params.log_n());
  std::vector<std::pair<double, i64>> order;  // - seconds per byte, instruction
  std::vector<i64> bytes(kept_.size(), 0);
  for (i64 k = 0; k < std::ssize(kept_); ++k) {
    if (program.instructions[size_t(k)].op != Opcode::linear) continue;
    const InstructionCost cost = cost_of(program, k, units);
    bytes[size_t(k)] = cost.plaintext_bytes;
    order.emplace_back(-units.of(cost.encoding, WorkKind::encode, 1) / double(cost.plaintext_bytes),
                       k);
  }
  std::sort(order.begin(), order.end());
  for (i64 left = budget_bytes; const auto& [gain, k] : order) {
    allowed_[size_t(k)] = std::min(left, bytes[size_t(k)]);
    left -= allowed_[size_t(k)];
  }
}

std::shared_ptr<const ckks::EncodedDiagonals> DiagonalCache::get(const EncryptedProgram& program,
                                                                 const ckks::Context& context,
                                                                 i64 index, ThreadPool& pool) {
  require(program.hash == program_hash_ && index >= 0 && index < std::ssize(kept_),
          ErrorKind::bad_argument, "DiagonalCache: belongs to another program");
  if (allowed_[size_t(index)] == 0) return nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (kept_[size_t(index)] != nullptr) return kept_[size_t(index)];
  }
  const Instruction& i = program.instructions[size_t(index)];
  const LinearMap& map = program.maps[size_t(i.table)];
  auto encoded = std::make_shared<const ckks::EncodedDiagonals>(
      ckks::encode_diagonals(context, map.plan(program.slots()), source_of(map), i.plain_scale,
                             i.level, pool, allowed_[size_t(index)]));
  const std::lock_guard lock(mutex_);
  if (kept_[size_t(index)] == nullptr) kept_[size_t(index)] = std::move(encoded);
  return kept_[size_t(index)];  // another execution may have been faster
}

i64 DiagonalCache::bytes() const {
  const std::lock_guard lock(mutex_);
  i64 sum = 0;
  for (const auto& kept : kept_) sum += kept == nullptr ? 0 : kept->bytes();
  return sum;
}

}  // namespace sinter::encrypted
