// SPDX-License-Identifier: Apache-2.0
// Which keys of one mapped file were checked, shared by the processes of one machine that map it:
// the first that uses a key claims its check, and the others go on at once. Whoever finds damage
// ends the run that all of them work for; a claim without an end, of a process that died, is for
// the one that made this to check before it gives out a result.
//
// One byte per key in anonymous shared memory that children inherit as a descriptor.
#pragma once
#include <memory>
#include <vector>

#include "base/types.h"

namespace sinter::ckks {

/// thread: safe, as processes are
class KeyChecks {
 public:
  /// throws  Error(io)
  static std::shared_ptr<KeyChecks> create(i64 keys);
  /// What a parent created, by its descriptor, which is closed.
  /// throws  Error(bad_argument) when it is none
  static std::shared_ptr<KeyChecks> attach(int descriptor);
  ~KeyChecks();
  KeyChecks(const KeyChecks&) = delete;
  KeyChecks& operator=(const KeyChecks&) = delete;

  /// Stays open in children; -1 when attached.
  int descriptor() const { return descriptor_; }
  /// Must the caller check this key? Then nobody else is told so. A key that is not counted here is
  /// everybody's.
  bool claim(i64 key);
  /// It is sound.
  void confirm(i64 key);
  /// Claimed, but not confirmed: being checked, or never to be.
  std::vector<i64> unconfirmed() const;

 private:
  KeyChecks(int descriptor, i64 keys);

  int descriptor_;
  i64 size_;
  u8* states_ = nullptr;
};

}  // namespace sinter::ckks
