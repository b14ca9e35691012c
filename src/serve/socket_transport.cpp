// SPDX-License-Identifier: Apache-2.0
#include "serve/socket_transport.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/error.h"

namespace sinter::serve {
namespace {

constexpr i64 kKeptFrames = 2;      // of the largest payload: buffers kept for the next
constexpr size_t kMostPieces = 64;  // of one call; the system takes IOV_MAX

class SocketTransport : public Transport {
 public:
  SocketTransport(FileDescriptor socket, std::string peer, const TransportLimits& limits)
      : socket_(std::move(socket)),
        peer_(std::move(peer)),
        limits_(limits),
        buffers_(std::make_shared<ring::BufferCache>(kKeptFrames * limits.max_payload)) {}

  void send(const Frame& frame) override {
    const std::lock_guard lock(sending_);
    check_whole();
    whole_or_broken([&] {
      std::vector<iovec> pieces{piece_of(frame.header)};
      for (const Payload::Piece& piece : frame.payload->pieces()) pieces.push_back(piece_of(piece));
      send_all(pieces);
    });
  }

  std::optional<Frame> receive(double seconds) override {
    check_whole();
    if (!ready(POLLIN, seconds)) return std::nullopt;
    Frame frame;
    whole_or_broken([&] {
      frame = read_frame([this](std::span<std::byte> out) { receive_all(out); },
                         limits_.max_payload, peer_, buffers_);
    });
    return frame;
  }

  const std::string& peer() const override { return peer_; }

 private:
  void check_whole() const {
    require(!broken_, ErrorKind::io, peer_, ": the connection broke off within a frame");
  }

  /// A frame that fails half way ends the connection, in both directions. While it is on its way
  /// the other direction is free.
  template <class Body>
  void whole_or_broken(const Body& body) {
    try {
      body();
    } catch (...) {
      broken_ = true;
      throw;
    }
  }

  /// Waits for the event; false when it does not come in time.
  bool ready(short event, double seconds) const {
    constexpr double kMostMs = 1e9;  // poll counts in int
    pollfd waiting{socket_.get(), event, 0};
    const int found = ::poll(&waiting, 1, int(std::min(std::ceil(seconds * 1000), kMostMs)));
    require(found >= 0 || errno == EINTR, ErrorKind::io, peer_, ": ", std::strerror(errno));
    return found > 0;
  }

  static iovec piece_of(std::span<const std::byte> data) {
    return {const_cast<std::byte*>(data.data()), data.size()};  // only read
  }

  void send_all(std::span<iovec> pieces) {
    while (!pieces.empty()) {
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = std::min(pieces.size(), kMostPieces);
      const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) {
        pieces = after(pieces, size_t(sent));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        require(ready(POLLOUT, limits_.stall_s), ErrorKind::io, peer_, ": took nothing for ",
                limits_.stall_s, " s");
      } else {
        require(errno == EINTR, ErrorKind::io, peer_, ": is gone: ", std::strerror(errno));
      }
    }
  }

  /// What is left when `count` bytes are gone.
  static std::span<iovec> after(std::span<iovec> pieces, size_t count) {
    while (!pieces.empty() && count >= pieces[0].iov_len) {
      count -= pieces[0].iov_len;
      pieces = pieces.subspan(1);
    }
    if (count > 0) {
      pieces[0].iov_base = static_cast<std::byte*>(pieces[0].iov_base) + count;
      pieces[0].iov_len -= count;
    }
    return pieces;
  }

  void receive_all(std::span<std::byte> data) {
    while (!data.empty()) {
      const ssize_t got = ::recv(socket_.get(), data.data(), data.size(), MSG_DONTWAIT);
      require(got != 0, ErrorKind::io, peer_, ": is gone: it closed the connection");
      if (got > 0) {
        data = data.subspan(size_t(got));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        require(ready(POLLIN, limits_.stall_s), ErrorKind::io, peer_, ": sent nothing for ",
                limits_.stall_s, " s in the middle of a frame");
      } else {
        require(errno == EINTR, ErrorKind::io, peer_, ": is gone: ", std::strerror(errno));
      }
    }
  }

  FileDescriptor socket_;
  std::string peer_;
  TransportLimits limits_;
  std::shared_ptr<ring::BufferCache> buffers_;  ///< of payloads received
  std::mutex sending_;
  std::atomic<bool> broken_ = false;
};

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::pair<FileDescriptor, FileDescriptor> make_socket_pair() {
  int fds[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, ErrorKind::io,
          "workers: cannot make a socket: ", std::strerror(errno));
  return {FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

std::shared_ptr<Transport> make_socket_transport(FileDescriptor socket, std::string peer,
                                                 const TransportLimits& limits) {
  return std::make_shared<SocketTransport>(std::move(socket), std::move(peer), limits);
}

}  // namespace sinter::serve
