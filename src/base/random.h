// SPDX-License-Identifier: Apache-2.0
// Reproducible random numbers for tests, verification inputs and shuffles. NOT for secrets: ring
// and ckks take their randomness from ring/sampling.h alone.
#pragma once
#include <cmath>
#include <numbers>

#include "base/types.h"

namespace sinter {

/// xoshiro256** seeded by splitmix64 (Blackman, Vigna 2018). thread: owned by one.
class Rng {
 public:
  explicit Rng(u64 seed) {
    for (u64& s : state_) {
      seed += 0x9E3779B97F4A7C15u;
      u64 z = seed;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      s = z ^ (z >> 31);
    }
  }

  u64 bits() {
    const u64 result = rotate(state_[1] * 5, 7) * 9, t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  /// Uniform in [0, 1), 53 bits.
  double uniform() { return double(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in [0, bound), bound > 0; the bias of at most bound / 2^64 is accepted.
  i64 below(i64 bound) { return i64((__uint128_t(bits()) * u64(bound)) >> 64); }
  /// Standard normal (Box-Muller).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  static u64 rotate(u64 v, int by) { return (v << by) | (v >> (64 - by)); }
  u64 state_[4];
};

}  // namespace sinter
