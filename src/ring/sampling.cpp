// SPDX-License-Identifier: Apache-2.0
#include "ring/sampling.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <utility>

#include "base/error.h"

namespace sinter::ring {
namespace {

EVP_CIPHER_CTX* open_stream(const Seed& seed, u64 nonce) {
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  SINTER_ASSERT(cipher != nullptr);
  // The block counter is the big-endian second half of the 16-byte counter block.
  unsigned char iv[16] = {};
  for (int i = 0; i < 8; ++i) iv[i] = static_cast<unsigned char>(nonce >> (8 * i));
  SINTER_ASSERT(EVP_EncryptInit_ex(cipher, EVP_aes_256_ctr(), nullptr, seed.data(), iv) == 1);
  return cipher;
}

/// Overwrites `out` with the next bytes of the stream.
void stream_bytes(EVP_CIPHER_CTX* cipher, std::byte* out, i64 size) {
  std::memset(out, 0, size_t(size));
  unsigned char* bytes = reinterpret_cast<unsigned char*>(out);
  int written = 0;
  SINTER_ASSERT(EVP_EncryptUpdate(cipher, bytes, &written, bytes, int(size)) == 1 &&
                written == int(size));
}

/// entry[k] = floor(2^63 * P(|rounded Gaussian| <= k)), tail cut and renormalised.
struct CumulativeTable {
  u64 entry[kGaussianTail + 1];

  CumulativeTable() {
    const long double spread = kGaussianSigma * std::sqrt(2.0L);
    const auto outside = [&](int k) { return std::erfc((k + 0.5L) / spread); };
    const long double total = 1 - outside(kGaussianTail);
    for (int k = 0; k < kGaussianTail; ++k) entry[k] = u64((1 - outside(k)) / total * 0x1p63L);
    entry[kGaussianTail] = u64(1) << 63;
  }
};

}  // namespace

SecretRng::SecretRng() {
  Seed seed;
  require(RAND_priv_bytes(seed.data(), int(seed.size())) == 1, ErrorKind::io,
          "random: the operating system gave no randomness");
  cipher_ = open_stream(seed, 0);
  OPENSSL_cleanse(seed.data(), seed.size());
}

SecretRng::SecretRng(const Seed& seed, u64 stream) : cipher_(open_stream(seed, stream)) {}

SecretRng::SecretRng(SecretRng&& other) noexcept
    : cipher_(std::exchange(other.cipher_, nullptr)), buffer_(other.buffer_), used_(other.used_) {
  OPENSSL_cleanse(other.buffer_.data(), other.buffer_.size());
}

SecretRng& SecretRng::operator=(SecretRng&& other) noexcept {
  std::swap(cipher_, other.cipher_);
  std::swap(buffer_, other.buffer_);
  std::swap(used_, other.used_);
  return *this;
}

SecretRng::~SecretRng() {
  EVP_CIPHER_CTX_free(static_cast<EVP_CIPHER_CTX*>(cipher_));
  OPENSSL_cleanse(buffer_.data(), buffer_.size());
}

void SecretRng::refill() {
  stream_bytes(static_cast<EVP_CIPHER_CTX*>(cipher_), buffer_.data(), kBuffer);
  used_ = 0;
}

void SecretRng::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    if (used_ == kBuffer) refill();
    const i64 count = std::min<i64>(std::ssize(out), kBuffer - used_);
    std::memcpy(out.data(), buffer_.data() + used_, size_t(count));
    used_ += count;
    out = out.subspan(size_t(count));
  }
}

u64 SecretRng::bits() {
  u64 value;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

Seed SecretRng::seed() {
  Seed result;
  fill(std::as_writable_bytes(std::span(result)));
  return result;
}

u64 SecretRng::below(u64 bound) {
  require(bound >= 1, ErrorKind::bad_argument, "random: expected a bound of at least 1");
  const u64 excess = (u64(0) - bound) % bound;  // 2^64 mod bound
  u64 x = bits();
  while (x < excess) x = bits();
  return x % bound;
}

void uniform_residues(const Seed& seed, u64 stream, const Modulus& q, std::span<u64> out) {
  constexpr i64 kWords = 512;
  SINTER_ASSERT(stream < u64(1) << 16);
  EVP_CIPHER_CTX* cipher = open_stream(seed, q.value() | stream << kMaxPrimeBits);
  // The largest multiple of q that fits in 64 bits: what lies above would favour small residues.
  const u64 limit = u64(0) - (u64(0) - q.value()) % q.value();
  u64 words[kWords];
  i64 used = kWords;
  for (u64& residue : out) {
    u64 x;
    do {
      if (used == kWords) {
        stream_bytes(cipher, reinterpret_cast<std::byte*>(words), i64(sizeof(words)));
        used = 0;
      }
      x = words[used++];
    } while (x >= limit);
    residue = q.reduce_word(x);
  }
  EVP_CIPHER_CTX_free(cipher);
}

void sample_ternary(SecretRng& rng, std::span<signed char> out) {
  u64 pool = 0;
  int left = 0;
  for (signed char& c : out) {
    u64 two;
    do {
      if (left == 0) pool = rng.bits(), left = 32;
      two = pool & 3;
      pool >>= 2;
      --left;
    } while (two == 3);
    c = static_cast<signed char>(int(two) - 1);
  }
}

void sample_sparse_ternary(SecretRng& rng, i64 weight, std::span<signed char> out) {
  require(weight >= 1 && weight <= std::ssize(out), ErrorKind::bad_argument,
          "sparse secret: expected a Hamming weight in [1, ", out.size(), "], found ", weight);
  std::fill(out.begin(), out.end(), static_cast<signed char>(0));
  for (i64 placed = 0; placed < weight;) {
    const u64 position = rng.below(out.size());
    if (out[position] != 0) continue;
    out[position] = rng.bits() & 1 ? 1 : -1;
    ++placed;
  }
}

void sample_gaussian(SecretRng& rng, std::span<signed char> out) {
  static const CumulativeTable table;
  for (signed char& c : out) {
    const u64 random = rng.bits();
    const u64 magnitude_bits = random >> 1, negative = random & 1;
    u64 magnitude = 0;
    // 63-bit numbers: the difference is negative, as its top bit says, unless bits >= entry.
    for (u64 entry : table.entry) magnitude += 1 ^ ((magnitude_bits - entry) >> 63);
    c = static_cast<signed char>(i64((magnitude ^ (u64(0) - negative)) + negative));
  }
}

void sample_wide_gaussian(SecretRng& rng, double deviation, std::span<i64> out) {
  require(deviation >= 1 && deviation <= 0x1p52, ErrorKind::bad_argument,
          "wide Gaussian: expected a deviation of 1 to 2^52, found ", deviation);
  static_assert(std::numeric_limits<long double>::digits >= 64);
  long double u = 0, turn = 0, z = 0;
  for (i64& x : out) {
    u = ((long double)rng.bits() + 0.5L) * 0x1p-64L;
    turn = (long double)rng.bits() * 0x1p-64L;
    z = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi_v<long double> * turn);
    x = std::llround((long double)deviation * z);
  }
  for (long double* secret : {&u, &turn, &z}) OPENSSL_cleanse(secret, sizeof *secret);
}

void wipe(std::span<signed char> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace sinter::ring
