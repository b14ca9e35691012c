// SPDX-License-Identifier: Apache-2.0
// The inner step of every key switch, and the rotation arithmetic shared by evaluator, key
// generation and linear transforms.
#pragma once
#include <vector>

#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks::detail {

/// Two polynomials modulo Q_level * P, NTT form.
struct ExtendedPair {
  ring::RnsPoly c0, c1;
};

/// steps modulo slots, in [0, slots).
i64 normalise_rotation(i64 steps, i64 slots);
/// 5^steps mod 2N: the automorphism that rotates the slots left by steps in [0, slots).
u64 rotation_element(i64 steps, i64 n);
/// The automorphism of a key: of its rotation, the conjugation, or 0 when it has none.
u64 slot_element(const KeySlot& slot, i64 n);
/// The inverse of an odd g modulo 2N.
u64 inverse_element(u64 galois_element, i64 n);

/// sum_j digits[j] * (b_j, a_j) modulo Q_level * P.
/// digits  of RnsRing::mod_up at `level` <= key.level
/// cost    2 * digits products per residue, one reduction each for b and a
ExtendedPair inner_product(const Context& context, const std::vector<ring::RnsPoly>& digits,
                           int level, const SwitchingKey& key, ThreadPool& pool);

/// out[limb] = in[limb] permuted, for all limbs: with inner_product the plain twin of switch_limbs.
ring::RnsPoly permute(const Context& context, const ring::RnsPoly& in,
                      std::span<const u32> permutation, ThreadPool& pool);

}  // namespace sinter::ckks::detail
