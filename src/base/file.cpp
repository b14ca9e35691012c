// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/error.h"

namespace sinter {

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(fd >= 0, ErrorKind::io, path.string(), ": cannot open: ", std::strerror(errno));
  struct stat info {};
  const bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  void* data = nullptr;
  int map_errno = 0;
  if (regular && info.st_size > 0) {
    data = ::mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    map_errno = errno;
  }
  ::close(fd);
  require(regular, ErrorKind::io, path.string(), ": not a regular file");
  require(data != MAP_FAILED, ErrorKind::io, path.string(),
          ": cannot map: ", std::strerror(map_errno));
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->data_ = static_cast<const std::byte*>(data);
  file->size_ = info.st_size;
  file->path_ = path;
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_t(size_));
}

void MappedFile::advise(i64 offset, i64 size, bool is_needed) const noexcept {
  // Whole pages: those read ahead may hold more, those given back nothing else.
  const i64 page = ::sysconf(_SC_PAGESIZE);
  const i64 begin = (is_needed ? offset : offset + page - 1) / page * page;
  const i64 end = std::min(size_, offset + size) / page * page;
  if (begin >= end) return;
  ::madvise(const_cast<std::byte*>(data_) + begin, size_t(end - begin),
            is_needed ? MADV_WILLNEED : MADV_DONTNEED);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::string pattern = path_.string() + ".XXXXXX";
  fd_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  require(fd_ >= 0, ErrorKind::io, path_.string(), ": cannot write: ", std::strerror(errno));
  temporary_ = pattern;
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t done = ::write(fd_, data.data(), data.size());
    if (done < 0 && errno == EINTR) continue;
    require(done > 0, ErrorKind::io, path_.string(), ": cannot write: ", std::strerror(errno));
    data = data.subspan(size_t(done));
    position_ += done;
  }
}

void AtomicFile::write_at(i64 position, std::span<const std::byte> data) {
  SINTER_ASSERT(position >= 0 && position + std::ssize(data) <= position_);
  while (!data.empty()) {
    const ssize_t done = ::pwrite(fd_, data.data(), data.size(), off_t(position));
    if (done < 0 && errno == EINTR) continue;
    require(done > 0, ErrorKind::io, path_.string(), ": cannot write: ", std::strerror(errno));
    data = data.subspan(size_t(done));
    position += done;
  }
}

void AtomicFile::stream(std::span<const std::byte> data) {
  constexpr size_t kBlock = size_t(1) << 20, kGroup = 16 * kBlock;
  const auto page = std::uintptr_t(::sysconf(_SC_PAGESIZE));
  for (size_t group = 0; group < data.size(); group += kGroup) {
    const auto part = data.subspan(group, std::min(kGroup, data.size() - group));
    for (size_t at = 0; at < part.size(); at += kBlock) {
      const auto block = part.subspan(at, std::min(kBlock, part.size() - at));
      const bool is_zero = block[0] == std::byte(0) &&
                           std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
      if (is_zero && ::lseek(fd_, off_t(block.size()), SEEK_CUR) >= 0)
        position_ += std::ssize(block);
      else
        write(block);
    }
    // Only advice: pages of a file are read again when somebody needs them.
    const auto begin = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(part.data() + part.size()) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_PAGEOUT);
  }
}

void AtomicFile::commit() {
  require(::ftruncate(fd_, off_t(position_)) == 0, ErrorKind::io, path_.string(),
          ": cannot write: ", std::strerror(errno));  // a hole at the end has no bytes yet
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd_, 0666 & ~mask);
  require(::close(fd_) == 0, ErrorKind::io, path_.string(),
          ": cannot write: ", std::strerror(errno));
  fd_ = -1;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    fail(ErrorKind::io, path_.string(), ": cannot write: ", std::strerror(reason));
  }
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> data) {
  AtomicFile file(path);
  file.write(data);
  file.commit();
}

}  // namespace sinter
