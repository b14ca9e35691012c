// SPDX-License-Identifier: Apache-2.0
// The bytes of a frame after its header. They lie in one buffer where they were received, and where
// they are sent from in pieces: a few numbers and then the limbs of polynomials as they are, so
// that no ciphertext is copied to be sent. Both kinds have the same size, checksum and bytes.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"
#include "ring/buffer_cache.h"

namespace sinter::serve {

/// Written once and then shared. Neither copied nor moved. thread: immutable when const.
class Payload {
 public:
  using Piece = std::span<const std::byte>;

  /// One buffer that the caller fills.
  /// cache: where its memory comes from and goes back to; none = the system
  explicit Payload(i64 size, std::shared_ptr<ring::BufferCache> cache = nullptr);
  /// A copy in one buffer.
  explicit Payload(Piece data);
  /// A copy of `head`, then `rest`, which nobody may change as long as `owner` lives.
  Payload(Piece head, std::span<const Piece> rest, std::shared_ptr<const void> owner);
  Payload(const Payload&) = delete;
  Payload& operator=(const Payload&) = delete;
  ~Payload();

  i64 size() const { return size_; }
  /// None when there are no bytes.
  std::span<const Piece> pieces() const { return pieces_; }
  /// The first piece: all of what was received, the numbers before the residues of what is sent.
  Piece head() const { return pieces_.empty() ? Piece() : pieces_.front(); }
  /// All bytes, of a payload that is not in pieces.
  Piece bytes() const;
  /// The buffer, to be filled.
  std::span<std::byte> buffer();
  /// out: the bytes from `from` on; there are as many. cost: a copy
  void copy_to(std::span<std::byte> out, i64 from) const;

 private:
  u64* words_ = nullptr;  ///< the buffer, or the head of pieces
  i64 allocated_ = 0;
  std::shared_ptr<ring::BufferCache> cache_;
  std::shared_ptr<const void> owner_;
  std::vector<Piece> pieces_;
  i64 size_ = 0;
};

/// XXH3 of all bytes, 64 bits; the same wherever they are cut. Finds accidents, not attacks.
/// Source: Y. Collet, xxHash 0.8, doc/xxhash_spec.md
u64 checksum(std::span<const Payload::Piece> pieces);
u64 checksum(Payload::Piece data);

}  // namespace sinter::serve
