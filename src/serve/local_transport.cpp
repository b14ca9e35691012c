// SPDX-License-Identifier: Apache-2.0
#include "serve/local_transport.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/error.h"

namespace sinter::serve {
namespace {

/// What is on its way in both directions.
struct Exchange {
  std::mutex mutex;
  std::condition_variable changed;
  std::array<std::deque<Frame>, 2> to;  ///< by the end that receives
  bool is_open = true;                  ///< both ends are there
};

class LocalTransport : public Transport {
 public:
  LocalTransport(std::shared_ptr<Exchange> exchange, size_t end, std::string peer)
      : exchange_(std::move(exchange)), end_(end), peer_(std::move(peer)) {}

  ~LocalTransport() override {
    const std::lock_guard lock(exchange_->mutex);
    exchange_->is_open = false;
    exchange_->changed.notify_all();
  }

  void send(const Frame& frame) override {
    const std::lock_guard lock(exchange_->mutex);
    require(exchange_->is_open, ErrorKind::io, peer_, ": is gone: it ended its side");
    exchange_->to[1 - end_].push_back(frame);
    exchange_->changed.notify_all();
  }

  std::optional<Frame> receive(double seconds) override {
    std::unique_lock lock(exchange_->mutex);
    std::deque<Frame>& frames = exchange_->to[end_];
    exchange_->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                                [&] { return !frames.empty() || !exchange_->is_open; });
    if (frames.empty()) {
      require(exchange_->is_open, ErrorKind::io, peer_, ": is gone: it ended its side");
      return std::nullopt;
    }
    Frame frame = std::move(frames.front());
    frames.pop_front();
    return frame;
  }

  const std::string& peer() const override { return peer_; }

 private:
  std::shared_ptr<Exchange> exchange_;
  size_t end_;
  std::string peer_;
};

}  // namespace

std::pair<std::shared_ptr<Transport>, std::shared_ptr<Transport>> make_local_transports(
    const std::string& first, const std::string& second) {
  const auto exchange = std::make_shared<Exchange>();
  return {std::make_shared<LocalTransport>(exchange, 0, second),
          std::make_shared<LocalTransport>(exchange, 1, first)};
}

}  // namespace sinter::serve
