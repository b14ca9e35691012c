// SPDX-License-Identifier: Apache-2.0
#include "serve/socket_transport.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <mutex>

#include "base/error.h"

namespace sinter::serve {
namespace {

class SocketTransport : public Transport {
 public:
  SocketTransport(FileDescriptor socket, std::string peer, const TransportLimits& limits)
      : socket_(std::move(socket)), peer_(std::move(peer)), limits_(limits) {}

  void send(const Frame& frame) override {
    const std::lock_guard lock(sending_);
    check_whole();
    whole_or_broken([&] {
      send_all(frame.header);
      send_all(frame.payload->bytes());
    });
  }

  std::optional<Frame> receive(double seconds) override {
    check_whole();
    if (!ready(POLLIN, seconds)) return std::nullopt;
    Frame frame;
    whole_or_broken([&] {
      receive_all(frame.header);
      const ParsedHeader header = parse_frame_header(frame.header, limits_.max_payload, peer_);
      const auto payload = std::make_shared<Payload>(header.payload_bytes);
      receive_all(payload->bytes());
      check_payload(header, payload->bytes(), peer_);
      frame.info = header.info;
      frame.payload = payload;
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
    pollfd waiting{socket_.get(), event, 0};
    const int found = ::poll(&waiting, 1, int(std::ceil(seconds * 1000)));
    require(found >= 0 || errno == EINTR, ErrorKind::io, peer_, ": ", std::strerror(errno));
    return found > 0;
  }

  void send_all(std::span<const std::byte> data) {
    while (!data.empty()) {
      const ssize_t sent =
          ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) {
        data = data.subspan(size_t(sent));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        require(ready(POLLOUT, limits_.stall_s), ErrorKind::io, peer_, ": took nothing for ",
                limits_.stall_s, " s");
      } else {
        require(errno == EINTR, ErrorKind::io, peer_, ": is gone: ", std::strerror(errno));
      }
    }
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
