// SPDX-License-Identifier: Apache-2.0
#include "ring/buffer_cache.h"

#include <cstdlib>
#include <new>

namespace sinter::ring {

u64* BufferCache::allocate(i64 words) {
  void* memory = std::aligned_alloc(64, size_t((words + 7) / 8) * 64);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<u64*>(memory);
}

void BufferCache::free(u64* buffer) noexcept { std::free(buffer); }

BufferCache::~BufferCache() {
  for (const Entry& entry : kept_) free(entry.buffer);
}

u64* BufferCache::take(i64 words) {
  {
    const std::lock_guard lock(mutex_);
    for (auto it = kept_.rbegin(); it != kept_.rend(); ++it) {
      if (it->words != words) continue;
      u64* buffer = it->buffer;
      kept_.erase(std::next(it).base());
      kept_words_ -= words;
      return buffer;
    }
  }
  return allocate(words);
}

void BufferCache::give_back(u64* buffer, i64 words) noexcept {
  const std::lock_guard lock(mutex_);
  if (words > max_words_) return free(buffer);
  try {
    kept_.push_back({buffer, words});
  } catch (const std::bad_alloc&) {
    return free(buffer);
  }
  kept_words_ += words;
  while (kept_words_ > max_words_) {
    free(kept_.front().buffer);
    kept_words_ -= kept_.front().words;
    kept_.pop_front();
  }
}

}  // namespace sinter::ring
