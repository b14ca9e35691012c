// SPDX-License-Identifier: Apache-2.0
// Arithmetic modulo one prime q < 2^48, and the search for NTT primes q = 1 (mod 2N).
//
// Barrett: with 2^(b-1) <= q < 2^b and mu = floor(2^(62+b) / q) < 2^64, any x < 2^(62+b) gives
//   h = floor(floor(x / 2^(b-2)) * mu / 2^64),   x - h q in [0, 3q),
// because floor drops at most 1/2 (mu < 2^63), 1 (mu's own floor, x / 2^(b-2) < 2^64) and 1. So a
// sum of up to 2^14 products of residues below 2^48 is reduced by one high and one low product.
//
// Shoup: for a fixed w < q and w' = floor(2^64 w / q), any u64 x gives x w - floor(x w' / 2^64) q
// in [0, 2q).
//
// Source: Barrett 1986; Harvey, "Faster arithmetic for number-theoretic transforms", 2014.
#pragma once
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter::ring {

using u128 = unsigned __int128;

/// The largest size of a prime: everything lazy below counts on it.
inline constexpr int kMaxPrimeBits = 48;

/// A fixed factor with its precomputed quotient.
struct ShoupFactor {
  u64 w = 0, quotient = 0;
};

/// Constants of one modulus. A small value; copy freely.
class Modulus {
 public:
  Modulus() = default;
  /// q odd, 3 <= q < 2^48. throws Error(bad_argument)
  explicit Modulus(u64 q);

  u64 value() const { return q_; }
  int bits() const { return bits_; }

  u64 add(u64 a, u64 b) const { return correct(a + b); }
  u64 sub(u64 a, u64 b) const { return correct(a + q_ - b); }
  u64 negate(u64 a) const { return a == 0 ? 0 : q_ - a; }
  u64 mul(u64 a, u64 b) const { return reduce(u128(a) * b); }

  /// x mod q for x < 2^(62 + bits()); in particular for every u64 and for sums of up to 2^14
  /// products of one residue of this and one of any other prime below 2^48.
  u64 reduce(u128 x) const {
    const u64 h = u64((u128(u64(x >> shift_)) * mu_) >> 64);
    u64 r = u64(x) - h * q_;  // in [0, 3q)
    r -= r >= 2 * q_ ? 2 * q_ : 0;
    return correct(r);
  }
  /// x mod q for one word.
  u64 reduce_word(u64 x) const { return mul(x, one_); }
  /// A signed integer.
  u64 reduce_signed(i64 x) const {
    const u64 r = reduce_word(x < 0 ? u64(0) - u64(x) : u64(x));
    return x < 0 ? negate(r) : r;
  }

  ShoupFactor shoup(u64 w) const { return {w, u64((u128(w) << 64) / q_)}; }
  /// x * f.w modulo q, in [0, 2q), any x.
  u64 mul_lazy(u64 x, const ShoupFactor& f) const {
    return x * f.w - u64((u128(x) * f.quotient) >> 64) * q_;
  }
  u64 mul(u64 x, const ShoupFactor& f) const { return correct(mul_lazy(x, f)); }

  u64 pow(u64 base, u64 exponent) const;
  /// throws Error(bad_argument) when a is 0 modulo q; q must be prime.
  u64 inverse(u64 a) const;

  bool operator==(const Modulus& other) const { return q_ == other.q_; }

 private:
  /// [0, 2q) to [0, q).
  u64 correct(u64 r) const { return r >= q_ ? r - q_ : r; }
  u64 q_ = 0, mu_ = 0;
  ShoupFactor one_;
  int bits_ = 0, shift_ = 0;
};

/// Deterministic for every u64 (Miller-Rabin with the first twelve primes as bases).
bool is_prime(u64 n);

/// Primes q = 1 (mod 2N) nearest to 2^bits, alternately above and below, so that products of many
/// stay near powers of 2^bits; primes in `taken` are skipped, and none reaches 2^48 (48 bits: all
/// below).
/// throws  Error(bad_argument) when there are not `count` of them within a factor 2 of 2^bits
std::vector<u64> ntt_primes(i64 n, int bits, int count, std::span<const u64> taken = {});

}  // namespace sinter::ring
