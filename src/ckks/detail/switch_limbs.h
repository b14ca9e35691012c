// SPDX-License-Identifier: Apache-2.0
// Key switching with the division behind it, a few limbs at a time. With the digits u_j of u, the
// sum (v_0, v_1) = sum_j u_j (b_j, a_j) of a key and D = P or P q_level, the result is
//
//   sigma((P c_0 + v_0) / D), sigma((P c_1 + v_1) / D)
//
// rounded once; sigma is the automorphism of the key. Neither the digits nor the sums ever exist as
// whole polynomials: first the limbs of D go through digits, sum and inverse transform, then each
// group of other limbs goes through digits, sum, remainder, division and permutation while it lies
// in the cache. Several keys share the digits.
#pragma once
#include <array>
#include <functional>
#include <span>
#include <vector>

#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks::detail {

/// What is switched, limb by limb in NTT form, so that it need not exist as polynomials either.
struct SwitchSource {
  struct Limb {
    const u64 *c0, *c1, *u;  ///< c1 = nullptr: zero
  };
  /// Limb i of all three, in memory of its own or in the three rows of N words.
  std::function<Limb(int i, std::array<u64*, 3> rows)> limb;
  /// Limb i of u alone.
  std::function<void(int i, std::span<u64> out)> u;
};

using Parts = std::array<ring::RnsPoly, 2>;

/// One result per key, in their order, of level + 1 limbs (level when takes_last: D contains
/// q_level then, level >= 1 and RnsRing::divides_with_last()).
/// keys    key.level >= level; checked by the caller
/// cost    level + 1 inverse and digits * (level + 1 + k) - (level + 1) forward transforms, then
///         2 (level + 1 + k) per key
/// memory  for all workers together about four limbs of every digit (one each when they are many),
///         per key 2 (k + 2) limbs
/// thread  results do not depend on the number of threads
std::vector<Parts> switch_limbs(const Context& context, const SwitchSource& source, int level,
                                std::span<const SwitchingKey* const> keys, bool takes_last,
                                ThreadPool& pool);

}  // namespace sinter::ckks::detail
