// SPDX-License-Identifier: Apache-2.0
// Seeds and random residues for the tests of ring.
#pragma once
#include <cstdlib>
#include <vector>

#include "base/random.h"
#include "ring/modulus.h"
#include "ring/sampling.h"

namespace sinter::ring {

inline u64 test_seed() {
  const char* text = std::getenv("SINTER_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 20240601;
}

inline std::vector<u64> random_residues(Rng& rng, i64 n, const Modulus& q) {
  std::vector<u64> x(static_cast<size_t>(n));
  for (u64& v : x) v = u64(rng.below(i64(q.value())));
  return x;
}

inline Seed seed_of(u64 number) {
  Seed seed{};
  for (size_t i = 0; i < 8; ++i) seed[i] = u8(number >> (8 * i));
  return seed;
}

}  // namespace sinter::ring
