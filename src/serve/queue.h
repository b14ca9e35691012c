// SPDX-License-Identifier: Apache-2.0
// What one thread leaves for another.
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace sinter::serve {

/// thread: safe
template <class Item>
class Queue {
 public:
  void push(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_one();
  }
  /// Wakes whoever waits; what is queued is still given out when drain is set.
  void close(bool drain) {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    if (!drain) items_.clear();
    changed_.notify_all();
  }
  /// Nothing once closed and empty.
  std::optional<Item> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool is_closed_ = false;
};

}  // namespace sinter::serve
