// SPDX-License-Identifier: Apache-2.0
// Frames over a stream socket, between processes of one machine or threads of one process.
#pragma once
#include <memory>
#include <utility>

#include "serve/transport.h"

namespace sinter::serve {

/// A file descriptor that is closed at the end. Move-only.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// Two connected sockets that no child process inherits by itself. throws Error(io)
std::pair<FileDescriptor, FileDescriptor> make_socket_pair();

std::shared_ptr<Transport> make_socket_transport(FileDescriptor socket, std::string peer,
                                                 const TransportLimits& limits);

}  // namespace sinter::serve
