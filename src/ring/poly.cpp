// SPDX-License-Identifier: Apache-2.0
#include "ring/poly.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"

namespace sinter::ring {

namespace {
constexpr i64 kPadding = 8;  // words: one cache line
}

RnsPoly RnsPoly::uninitialised(i64 n, int limbs, bool is_ntt, std::shared_ptr<BufferCache> cache) {
  SINTER_ASSERT(n >= 1 && n <= i64(1) << 20 && limbs >= 0 && limbs <= 4096);
  RnsPoly poly;
  poly.n_ = n;
  poly.stride_ = default_stride(n);
  poly.limbs_ = limbs;
  poly.is_ntt_ = is_ntt;
  poly.allocated_ = limbs * poly.stride_;
  if (limbs == 0) return poly;
  poly.data_ = cache ? cache->take(poly.allocated_) : BufferCache::allocate(poly.allocated_);
  poly.cache_ = std::move(cache);
  return poly;
}

i64 RnsPoly::default_stride(i64 n) { return (n + kPadding - 1) / kPadding * kPadding + kPadding; }

RnsPoly RnsPoly::view(const u64* data, i64 n, i64 stride, int limbs,
                      std::shared_ptr<const void> owner) {
  SINTER_ASSERT(owner != nullptr && n >= 1 && limbs >= 0 && stride >= n && stride % kPadding == 0 &&
                reinterpret_cast<std::uintptr_t>(data) % 64 == 0);
  RnsPoly poly;
  poly.data_ = const_cast<u64*>(data);  // const in every use: limb() of a const polynomial
  poly.owner_ = std::move(owner);
  poly.n_ = n;
  poly.stride_ = stride;
  poly.limbs_ = limbs;
  return poly;
}

RnsPoly::RnsPoly(i64 n, int limbs, bool is_ntt) : RnsPoly(uninitialised(n, limbs, is_ntt)) {
  std::fill_n(data_, allocated_, u64(0));
}

RnsPoly::RnsPoly(RnsPoly&& other) noexcept { *this = std::move(other); }

RnsPoly& RnsPoly::operator=(RnsPoly&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  cache_ = std::move(other.cache_);
  owner_ = std::move(other.owner_);
  n_ = std::exchange(other.n_, 0);
  stride_ = std::exchange(other.stride_, 0);
  allocated_ = std::exchange(other.allocated_, 0);
  limbs_ = std::exchange(other.limbs_, 0);
  is_ntt_ = other.is_ntt_;
  is_secret_ = std::exchange(other.is_secret_, false);
  return *this;
}

RnsPoly::~RnsPoly() { release(); }

void RnsPoly::release() noexcept {
  if (data_ == nullptr) return;
  if (is_secret_) OPENSSL_cleanse(data_, size_t(allocated_) * sizeof(u64));
  if (owner_) {
    owner_.reset();
  } else if (cache_) {
    cache_->give_back(data_, allocated_);
  } else {
    BufferCache::free(data_);
  }
  data_ = nullptr;
  cache_.reset();
}

RnsPoly RnsPoly::clone(int limbs) const {
  SINTER_ASSERT(limbs >= 0 && limbs <= limbs_);
  if (limbs == 0) return {};
  RnsPoly copy = uninitialised(n_, limbs, is_ntt_, cache_);
  copy.is_secret_ = is_secret_;
  for (int i = 0; i < limbs; ++i) std::copy_n(limb(i).data(), n_, copy.limb(i).data());
  return copy;
}

void RnsPoly::truncate(int limbs) {
  SINTER_ASSERT(limbs >= 0 && limbs <= limbs_);
  limbs_ = limbs;
}

}  // namespace sinter::ring
