// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/evp.h>

#include <cstring>

#include "base/error.h"

namespace sinter {

Digest sha256(std::span<const std::byte> data) {
  Digest digest{};
  unsigned length = 0;
  const int ok =
      EVP_Digest(data.data(), data.size(), digest.data(), &length, EVP_sha256(), nullptr);
  SINTER_ASSERT(ok == 1 && length == digest.size());
  return digest;
}

u64 short_hash(std::span<const std::byte> data) {
  const Digest digest = sha256(data);
  u64 v = 0;
  std::memcpy(&v, digest.data(), sizeof v);
  return v;
}

std::string hex(std::span<const u8> data) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (u8 b : data) {
    text += kDigits[b >> 4];
    text += kDigits[b & 15];
  }
  return text;
}

}  // namespace sinter
