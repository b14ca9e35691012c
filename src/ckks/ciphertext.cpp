// SPDX-License-Identifier: Apache-2.0
#include "ckks/ciphertext.h"

#include "base/error.h"

namespace sinter::ckks {

Ciphertext::Ciphertext(std::vector<ring::RnsPoly> parts, double scale, int level, u64 params_hash,
                       std::optional<Seed> seed)
    : parts_(std::move(parts)),
      scale_(scale),
      level_(level),
      params_hash_(params_hash),
      seed_(seed) {
  SINTER_ASSERT((parts_.size() == 2 || parts_.size() == 3) && level_ >= 0);
  for (const ring::RnsPoly& part : parts_)
    SINTER_ASSERT(part.is_ntt() && part.limbs() == level_ + 1);
}

Ciphertext Ciphertext::clone() const {
  if (empty()) return {};
  std::vector<ring::RnsPoly> parts;
  for (const ring::RnsPoly& part : parts_) parts.push_back(part.clone());
  Ciphertext copy(std::move(parts), scale_, level_, params_hash_, seed_);
  copy.set_origin(origin_);
  return copy;
}

i64 Ciphertext::bytes() const {
  i64 sum = 0;
  for (const ring::RnsPoly& part : parts_) sum += part.bytes();
  return sum;
}

}  // namespace sinter::ckks
