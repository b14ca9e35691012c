// SPDX-License-Identifier: Apache-2.0
// Randomness for secrets: the only source that key generation and encryption accept. A stream is
// AES-256-CTR under a 32-byte seed; a seed comes from the operating system unless a test gives one.
//
//   uniform residue   x from 64 random bits, refused when x >= floor(2^64 / q) * q, then x mod q
//   ternary           two bits at a time, refused when both are set: -1, 0, 1 equally likely
//   Gaussian          rounded, sigma 3.2, cut at 6 sigma: P(k) = Phi((k+1/2)/sigma) -
//                     Phi((k-1/2)/sigma) for |k| <= 19, drawn by comparing 63 random bits with
//                     every entry of a cumulative table: same work for every outcome
//   wide Gaussian     rounded, any deviation up to 2^52, for noise that is added to what is
//                     published: round(deviation z), z by Box and Muller from two uniform numbers
//                     of 64 bits in 64-bit mantissas, so |z| <= 9.5; at the largest deviation
//                     a unit is resolved to 2^-9 near one deviation and to 2^-6 near 9.5
//
// Secrets are wiped: the generator's state, and whatever the callers mark as secret.
#pragma once
#include <array>
#include <cstddef>
#include <span>

#include "base/types.h"
#include "ring/modulus.h"

namespace sinter::ring {

using Seed = std::array<u8, 32>;

inline constexpr double kGaussianSigma = 3.2;
inline constexpr int kGaussianTail = 19;  ///< the largest |k| that is drawn

/// A cryptographic stream. Move-only. thread: owned by one.
class SecretRng {
 public:
  /// Seeded by the operating system. throws Error(io) when it gives no randomness.
  SecretRng();
  /// Stream number `stream` of a seed: the same bytes on every machine.
  explicit SecretRng(const Seed& seed, u64 stream = 0);
  SecretRng(SecretRng&&) noexcept;
  SecretRng& operator=(SecretRng&&) noexcept;
  ~SecretRng();

  void fill(std::span<std::byte> out);
  u64 bits();
  Seed seed();  ///< 32 fresh bytes
  /// Uniform in [0, bound), bound >= 1, without bias.
  u64 below(u64 bound);

 private:
  void refill();
  static constexpr i64 kBuffer = 4096;
  void* cipher_ = nullptr;  // EVP_CIPHER_CTX
  std::array<std::byte, kBuffer> buffer_;
  i64 used_ = kBuffer;
};

/// Uniform residues of one limb, the same for the same (seed, stream, q) on every machine.
/// stream < 2^16; limbs of different primes are independent.
void uniform_residues(const Seed& seed, u64 stream, const Modulus& q, std::span<u64> out);

void sample_ternary(SecretRng& rng, std::span<signed char> out);
/// Exactly `weight` coefficients are +-1. throws Error(bad_argument) unless 1 <= weight <= size.
void sample_sparse_ternary(SecretRng& rng, i64 weight, std::span<signed char> out);
void sample_gaussian(SecretRng& rng, std::span<signed char> out);

/// throws  Error(bad_argument) unless 1 <= deviation <= 2^52
void sample_wide_gaussian(SecretRng& rng, double deviation, std::span<i64> out);

/// Overwrites memory in a way the compiler may not drop.
void wipe(std::span<signed char> secret);

}  // namespace sinter::ring
