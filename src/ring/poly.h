// SPDX-License-Identifier: Apache-2.0
// A polynomial of Z[X]/(X^N + 1) in residue form: one limb of N residues per prime, limb after
// limb. A limb holds canonical residues in [0, q) as u64, starts on a 64-byte boundary, and the
// distance between limbs is N + 8 words, so that the same offset of many limbs does not fall into
// one set of the first-level cache. Which prime belongs to a limb is known to the caller (RnsRing).
#pragma once
#include <memory>
#include <span>

#include "base/types.h"
#include "ring/buffer_cache.h"

namespace sinter::ring {

/// Move-only; clone() copies. A view reads memory that belongs to somebody else, a mapped file
/// mostly. thread: immutable when const, otherwise owned by one.
class RnsPoly {
 public:
  RnsPoly() = default;
  /// All residues zero. n >= 1, limbs >= 0.
  RnsPoly(i64 n, int limbs, bool is_ntt = true);
  /// Residues hold whatever the memory held; the caller writes every one of them.
  /// cache: where the memory comes from and goes back to; none = the system.
  static RnsPoly uninitialised(i64 n, int limbs, bool is_ntt = true,
                               std::shared_ptr<BufferCache> cache = nullptr);
  /// Foreign limbs, read only: nobody may write through the result, and clone() copies them.
  /// data: limb i at data + i * stride, a 64-byte boundary; stride >= n, a multiple of 8.
  /// owner: keeps the memory as long as the view lives.
  static RnsPoly view(const u64* data, i64 n, i64 stride, int limbs,
                      std::shared_ptr<const void> owner);
  /// Words between the limbs of polynomials that own their memory.
  static i64 default_stride(i64 n);
  RnsPoly(RnsPoly&& other) noexcept;
  RnsPoly& operator=(RnsPoly&& other) noexcept;
  ~RnsPoly();

  /// A copy of the first `limbs` limbs (all of them by default), from the same cache. A secret's
  /// copy is secret too.
  RnsPoly clone() const { return clone(limbs_); }
  RnsPoly clone(int limbs) const;

  i64 n() const { return n_; }
  int limbs() const { return limbs_; }
  bool is_ntt() const { return is_ntt_; }
  void set_ntt(bool is_ntt) { is_ntt_ = is_ntt; }
  bool empty() const { return limbs_ == 0; }

  std::span<u64> limb(int i) { return {data_ + i * stride_, size_t(n_)}; }
  std::span<const u64> limb(int i) const { return {data_ + i * stride_, size_t(n_)}; }

  /// Forgets the limbs from `limbs` on; the memory stays.
  void truncate(int limbs);
  /// Overwrites the memory when this polynomial (or what it was moved to) is destroyed.
  void set_secret() { is_secret_ = true; }
  i64 bytes() const { return i64(limbs_) * n_ * i64(sizeof(u64)); }

 private:
  void release() noexcept;

  u64* data_ = nullptr;
  std::shared_ptr<BufferCache> cache_;
  std::shared_ptr<const void> owner_;  // of a view; data_ is then not ours
  i64 n_ = 0, stride_ = 0, allocated_ = 0;
  int limbs_ = 0;
  bool is_ntt_ = true, is_secret_ = false;
};

}  // namespace sinter::ring
