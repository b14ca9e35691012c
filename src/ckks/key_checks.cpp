// SPDX-License-Identifier: Apache-2.0
#include "ckks/key_checks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace sinter::ckks {
namespace {

constexpr u8 kFree = 0, kClaimed = 1, kConfirmed = 2;

}  // namespace

KeyChecks::KeyChecks(int descriptor, i64 keys) : descriptor_(descriptor), size_(keys) {
  void* const memory =
      ::mmap(nullptr, size_t(size_), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  const int error = errno;
  if (memory == MAP_FAILED) ::close(descriptor);
  require(memory != MAP_FAILED, ErrorKind::io, "key checks: cannot map: ", std::strerror(error));
  states_ = static_cast<u8*>(memory);
}

KeyChecks::~KeyChecks() {
  ::munmap(states_, size_t(size_));
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::shared_ptr<KeyChecks> KeyChecks::create(i64 keys) {
  const i64 size = keys > 0 ? keys : 1;
  constexpr int kFirst = 10;  // below, a child has files of its own
  const int made = ::memfd_create("sinter key checks", MFD_CLOEXEC);
  const int descriptor = made < 0 ? -1 : ::fcntl(made, F_DUPFD, kFirst);  // children have it too
  const bool is_sized = descriptor >= 0 && ::ftruncate(descriptor, off_t(size)) == 0;
  const int error = errno;
  if (made >= 0) ::close(made);
  if (!is_sized && descriptor >= 0) ::close(descriptor);
  require(is_sized, ErrorKind::io, "key checks: cannot make shared memory: ", std::strerror(error));
  return std::shared_ptr<KeyChecks>(new KeyChecks(descriptor, size));
}

std::shared_ptr<KeyChecks> KeyChecks::attach(int descriptor) {
  struct stat info {};
  require(::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0,
          ErrorKind::bad_argument, "key checks: expected the descriptor of shared memory, found ",
          descriptor);
  std::shared_ptr<KeyChecks> checks(new KeyChecks(descriptor, i64(info.st_size)));
  ::close(descriptor);
  checks->descriptor_ = -1;
  return checks;
}

bool KeyChecks::claim(i64 key) {
  if (key >= size_) return true;
  u8 expected = kFree;
  return std::atomic_ref<u8>(states_[key]).compare_exchange_strong(expected, kClaimed);
}

void KeyChecks::confirm(i64 key) {
  if (key < size_) std::atomic_ref<u8>(states_[key]).store(kConfirmed);
}

std::vector<i64> KeyChecks::unconfirmed() const {
  std::vector<i64> keys;
  for (i64 key = 0; key < size_; ++key)
    if (std::atomic_ref<u8>(states_[key]).load() == kClaimed) keys.push_back(key);
  return keys;
}

}  // namespace sinter::ckks
