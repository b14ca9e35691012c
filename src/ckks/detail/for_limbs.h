// SPDX-License-Identifier: Apache-2.0
// A loop over the residues of a polynomial modulo one prime after another, on the caller or on a
// pool: the body of a limb is the same, so the result is.
#pragma once
#include <algorithm>

#include "base/threads.h"
#include "ckks/context.h"

namespace sinter::ckks::detail {

/// Residues that are worth a thread of their own.
inline constexpr i64 kLimbGrain = i64(1) << 15;

/// body(i) for i in [0, limbs); a null pool means on the calling thread.
template <class Body>
void for_limbs(const Context& context, int limbs, ThreadPool* pool, const Body& body) {
  const auto range = [&](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) body(int(i));
  };
  if (pool == nullptr)
    range(0, limbs);
  else
    pool->ranges(limbs, std::max<i64>(1, kLimbGrain / context.n()), range);
}

}  // namespace sinter::ckks::detail
