// SPDX-License-Identifier: Apache-2.0
#include "ckks/detail/key_switch.h"

#include "base/error.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {

using ring::RnsPoly;

i64 normalise_rotation(i64 steps, i64 slots) {
  const i64 remainder = steps % slots;
  return remainder < 0 ? remainder + slots : remainder;
}

u64 rotation_element(i64 steps, i64 n) {
  const u64 mask = 2 * u64(n) - 1;
  u64 result = 1, base = 5;
  for (u64 e = u64(steps); e != 0; e >>= 1) {
    if (e & 1) result = result * base & mask;
    base = base * base & mask;
  }
  return result;
}

u64 slot_element(const KeySlot& slot, i64 n) {
  if (slot.kind == KeyKind::conjugation) return 2 * u64(n) - 1;
  return slot.kind == KeyKind::rotation ? rotation_element(slot.rotation, n) : 0;
}

u64 inverse_element(u64 galois_element, i64 n) {
  // Newton: x (2 - g x) doubles the number of right low bits; g itself has three of them right.
  u64 x = galois_element;
  for (int i = 0; i < 5; ++i) x *= 2 - galois_element * x;
  return x & (2 * u64(n) - 1);
}

ExtendedPair inner_product(const Context& context, const std::vector<RnsPoly>& digits, int level,
                           const SwitchingKey& key, ThreadPool& pool) {
  SINTER_ASSERT(key.level >= level && key.digits.size() >= digits.size() && !digits.empty());
  const int limbs = level + 1 + context.ring().special_count();
  ExtendedPair out{context.ring().make_poly(limbs), context.ring().make_poly(limbs)};
  pool.run(limbs, [&](i64 task, i64) {
    const int limb = int(task), key_limb = limb <= level ? limb : limb + key.level - level;
    std::vector<ring::PairTerm> terms;
    for (size_t d = 0; d < digits.size(); ++d)
      terms.push_back({digits[d].limb(limb).data(), key.digits[d].b.limb(key_limb).data(),
                       key.digits[d].a.limb(key_limb).data()});
    ring::sum_products(terms, context.ring().limb_modulus(level, limb), context.n(),
                       out.c0.limb(limb).data(), out.c1.limb(limb).data());
  });
  return out;
}

RnsPoly permute(const Context& context, const RnsPoly& in, std::span<const u32> permutation,
                ThreadPool& pool) {
  RnsPoly out = context.ring().make_poly(in.limbs());
  pool.run(in.limbs(),
           [&](i64 i, i64) { ring::permute(in.limb(int(i)), permutation, out.limb(int(i))); });
  return out;
}

}  // namespace sinter::ckks::detail
