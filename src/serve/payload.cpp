// SPDX-License-Identifier: Apache-2.0
#include "serve/payload.h"

#include <xxh_x86dispatch.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/error.h"

namespace sinter::serve {
namespace {

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

Payload::Payload(i64 size, std::shared_ptr<ring::BufferCache> cache)
    : cache_(std::move(cache)), size_(size) {
  if (size == 0) return;
  constexpr i64 kWord = i64(sizeof(u64));
  pieces_.resize(1);
  allocated_ = (size + kWord - 1) / kWord;
  words_ = cache_ ? cache_->take(allocated_) : ring::BufferCache::allocate(allocated_);
  pieces_[0] = {reinterpret_cast<const std::byte*>(words_), size_t(size)};
}

Payload::Payload(Piece data) : Payload(std::ssize(data)) {
  std::ranges::copy(data, buffer().begin());
}

Payload::Payload(Piece head, std::span<const Piece> rest, std::shared_ptr<const void> owner)
    : Payload(head) {
  owner_ = std::move(owner);
  for (const Piece& piece : rest) {
    if (piece.empty()) continue;
    pieces_.push_back(piece);
    size_ += std::ssize(piece);
  }
}

Payload::~Payload() {
  if (words_ == nullptr) return;
  if (cache_)
    cache_->give_back(words_, allocated_);
  else
    ring::BufferCache::free(words_);
}

Payload::Piece Payload::bytes() const {
  SINTER_ASSERT(pieces_.size() <= 1);
  return head();
}

std::span<std::byte> Payload::buffer() {
  SINTER_ASSERT(pieces_.size() <= 1);
  return {reinterpret_cast<std::byte*>(words_), size_t(size_)};
}

void Payload::copy_to(std::span<std::byte> out, i64 from) const {
  SINTER_ASSERT(from >= 0 && from + std::ssize(out) <= size_);
  for (const Piece& piece : pieces_) {
    const i64 size = std::ssize(piece);
    if (from < size && !out.empty()) {
      const i64 count = std::min(size - from, i64(std::ssize(out)));
      std::memcpy(out.data(), piece.data() + from, size_t(count));
      out = out.subspan(size_t(count));
      from = 0;
    } else {
      from -= size;
    }
  }
}

u64 checksum(std::span<const Payload::Piece> pieces) {
  const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  if (!state) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  for (const Payload::Piece& piece : pieces)
    XXH3_64bits_update_dispatch(state.get(), piece.data(), piece.size());
  return XXH3_64bits_digest(state.get());
}

u64 checksum(Payload::Piece data) { return XXH3_64bits_dispatch(data.data(), data.size()); }

}  // namespace sinter::serve
