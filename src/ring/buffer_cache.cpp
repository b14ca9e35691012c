// SPDX-License-Identifier: Apache-2.0
#include "ring/buffer_cache.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace sinter::ring {

namespace {

constexpr size_t kLine = 64, kPage = 4096, kHugePage = size_t(2) << 20;

/// Keys and polynomials are read in short runs at scattered places: pages of 4 KiB would be looked
/// up for each.
void ask_for_large_pages(void* memory, size_t bytes) {
  const size_t begin = (reinterpret_cast<size_t>(memory) + kPage - 1) / kPage * kPage,
               end = (reinterpret_cast<size_t>(memory) + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // a wish: may be refused
}

/// Lines to skip at the start of a large buffer. The system places such buffers at equal offsets
/// in a page, and the same residue of a dozen polynomials would fall into one set of the caches;
/// a hash of the page's number spreads them.
size_t lines_to_skip(const void* memory) {
  const u64 page = reinterpret_cast<u64>(memory) / kPage;
  return size_t((page * 0x9E3779B97F4A7C15u) >> 58);  // 0..63
}

}  // namespace

u64* BufferCache::allocate(i64 words) {
  const size_t bytes = size_t((words + 7) / 8) * kLine;
  const bool is_large = bytes >= kHugePage;
  const size_t whole = kLine + bytes + (is_large ? kPage : 0);
  std::byte* memory = static_cast<std::byte*>(std::aligned_alloc(kLine, whole));
  if (memory == nullptr) throw std::bad_alloc();
  if (is_large) ask_for_large_pages(memory, whole);
  std::byte* buffer = memory + kLine * (1 + (is_large ? lines_to_skip(memory) : 0));
  *reinterpret_cast<void**>(buffer - kLine) = memory;  // for free()
  return reinterpret_cast<u64*>(buffer);
}

void BufferCache::free(u64* buffer) noexcept {
  if (buffer != nullptr) std::free(*reinterpret_cast<void**>(buffer - kLine / sizeof(u64)));
}

BufferCache::~BufferCache() {
  for (const Entry& entry : kept_) free(entry.buffer);
}

u64* BufferCache::take(i64& words) {
  {
    const std::lock_guard lock(mutex_);
    for (auto it = kept_.rbegin(); it != kept_.rend(); ++it) {
      if (it->words < words || it->words > words + words / 4) continue;
      u64* buffer = it->buffer;
      words = it->words;
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
