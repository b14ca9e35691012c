// SPDX-License-Identifier: Apache-2.0
// A header that fits any payload, written from the description in ckks/serialize.h.
#pragma once
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "ckks/serialize.h"

namespace sinter::ckks {

inline std::vector<std::byte> seal(ObjectKind kind, u64 params_hash,
                                   std::span<const std::byte> payload) {
  const char magic[] = {'S', 'N', 'T', 'R', 'C', 'K', 'K', 'S'};
  const Digest digest = sha256(payload);
  ByteWriter out;
  out.bytes(std::as_bytes(std::span(magic)));
  out.u32_(1);
  out.u32_(u32(kind));
  out.u64_(params_hash);
  out.i64_(std::ssize(payload));
  out.bytes(std::as_bytes(std::span(digest)));
  out.bytes(payload);
  return out.take();
}

}  // namespace sinter::ckks
