// SPDX-License-Identifier: Apache-2.0
// Whole files: mapped read-only for input, written to a temporary name and renamed for output, so
// that a failure leaves neither a half-written file nor a damaged old one.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "base/types.h"

namespace sinter {

/// A read-only mapping of a regular file. Immutable; share it with shared_ptr<const MappedFile>.
class MappedFile {
 public:
  /// throws  Error(io) naming the path when it cannot be opened or is not a regular file
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_t(size_)}; }
  const std::filesystem::path& path() const { return path_; }
  /// Advice on `size` bytes from `offset` on, which lie inside the file: they are needed soon and
  /// may be read ahead, or their pages may go and come back from the file on the next use.
  void advise(i64 offset, i64 size, bool is_needed) const noexcept;

 private:
  MappedFile() = default;
  const std::byte* data_ = nullptr;
  i64 size_ = 0;
  std::filesystem::path path_;
};

/// Replaces `path` by `data` in one step.
/// throws  Error(io) with the errno text; `path` is then as it was before
void write_file(const std::filesystem::path& path, std::span<const std::byte> data);

/// Streams to a temporary file beside `path`; commit() renames it into place, the destructor
/// removes what was not committed. thread: owned by one.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> data);
  /// The same for data of any size, a mapped file mostly: block by block, zeros as holes, and the
  /// memory of what is written may be taken back by the system.
  void stream(std::span<const std::byte> data);
  /// Replaces bytes written before.
  void write_at(i64 position, std::span<const std::byte> data);
  i64 position() const { return position_; }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  i64 position_ = 0;
};

}  // namespace sinter
