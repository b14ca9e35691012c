// SPDX-License-Identifier: Apache-2.0
#include "ring/modulus.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace sinter::ring {
namespace {

u64 pow_mod(u64 base, u64 exponent, u64 n) {
  u64 result = 1 % n;
  for (base %= n; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = u64(u128(result) * base % n);
    base = u64(u128(base) * base % n);
  }
  return result;
}

/// One round of Miller-Rabin: n odd, n - 1 = odd * 2^twos, base not a multiple of n.
bool passes(u64 n, u64 base, u64 odd, int twos) {
  u64 x = pow_mod(base, odd, n);
  if (x == 1 || x == n - 1) return true;
  for (int i = 1; i < twos; ++i) {
    x = u64(u128(x) * x % n);
    if (x == n - 1) return true;
  }
  return false;
}

}  // namespace

Modulus::Modulus(u64 q) : q_(q) {
  require(q >= 3 && q % 2 == 1 && q < u64(1) << kMaxPrimeBits, ErrorKind::bad_argument,
          "modulus: expected an odd number in [3, 2^", kMaxPrimeBits, "), found ", q);
  bits_ = int(std::bit_width(q));
  shift_ = bits_ - 2;
  mu_ = u64((u128(1) << (62 + bits_)) / q);
  one_ = shoup(1);
}

u64 Modulus::pow(u64 base, u64 exponent) const {
  u64 result = 1;
  for (base = reduce_word(base); exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = mul(result, base);
    base = mul(base, base);
  }
  return result;
}

u64 Modulus::inverse(u64 a) const {
  a = reduce_word(a);
  require(a != 0, ErrorKind::bad_argument, "inverse: 0 has no inverse modulo ", q_);
  return pow(a, q_ - 2);
}

bool is_prime(u64 n) {
  constexpr u64 kBases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  if (n < 2) return false;
  for (u64 b : kBases)
    if (n % b == 0) return n == b;
  const int twos = std::countr_zero(n - 1);
  return std::all_of(std::begin(kBases), std::end(kBases),
                     [&](u64 b) { return passes(n, b, (n - 1) >> twos, twos); });
}

std::vector<u64> ntt_primes(i64 n, int bits, int count, std::span<const u64> taken) {
  require(n >= 1 && n <= i64(1) << 20 && bits >= 10 && bits <= kMaxPrimeBits && count >= 0,
          ErrorKind::bad_argument, "ntt_primes: expected N <= 2^20, 10 to ", kMaxPrimeBits,
          " bits and count >= 0, found N = ", n, ", ", bits, " bits, count ", count);
  const u64 step = 2 * u64(n), target = u64(1) << bits;
  const u64 high = std::min(target * 2, u64(1) << kMaxPrimeBits), low = target / 2;
  const auto usable = [&](u64 c) {
    return std::find(taken.begin(), taken.end(), c) == taken.end() && is_prime(c);
  };
  // Candidates are 1 modulo 2N: the largest one below the target, and the next one above.
  u64 below = (target - 2) / step * step + 1, above = below + step;
  std::vector<u64> primes;
  bool is_above = true;
  while (std::ssize(primes) < count) {
    while (above < high && !usable(above)) above += step;
    while (below > low && !usable(below)) below -= std::min(step, below);
    const bool has_above = above<high, has_below = below> low;
    require(has_above || has_below, ErrorKind::bad_argument, "ntt_primes: found only ",
            primes.size(), " of ", count, " primes of ", bits, " bits that are 1 modulo ", step);
    const bool take_above = has_above && (is_above || !has_below);
    primes.push_back(take_above ? above : below);
    (take_above ? above : below) = take_above ? above + step : below - std::min(step, below);
    is_above = !take_above;
  }
  return primes;
}

}  // namespace sinter::ring
