// SPDX-License-Identifier: Apache-2.0
// Freed limbs kept for the next polynomial of about the same size. An operation on ciphertexts
// makes and drops several polynomials of some megabytes; returned to the system and asked for
// again, their pages would be cleared every time (a fifth of a rotation). What is kept is bounded;
// beyond it the oldest buffers go back to the system.
#pragma once
#include <deque>
#include <mutex>

#include "base/types.h"

namespace sinter::ring {

/// thread: safe.
class BufferCache {
 public:
  /// Keeps at most this many bytes.
  explicit BufferCache(i64 max_bytes) : max_words_(max_bytes / i64(sizeof(u64))) {}
  ~BufferCache();
  BufferCache(const BufferCache&) = delete;
  BufferCache& operator=(const BufferCache&) = delete;

  /// At least `words` words on a 64-byte boundary, holding anything; `words` becomes what it is, up
  /// to a quarter more, and is what give_back wants. throws std::bad_alloc
  u64* take(i64& words);
  void give_back(u64* buffer, i64 words) noexcept;

  /// The same without a cache.
  static u64* allocate(i64 words);
  static void free(u64* buffer) noexcept;

 private:
  struct Entry {
    u64* buffer;
    i64 words;
  };
  std::mutex mutex_;
  std::deque<Entry> kept_;  ///< oldest first
  i64 kept_words_ = 0;
  const i64 max_words_;
};

}  // namespace sinter::ring
