// SPDX-License-Identifier: Apache-2.0
#include "base/threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "base/error.h"

namespace sinter {
namespace {

constexpr int kSpins = 2000;  // about 2 us: longer than the gap between two loops of one layer
thread_local bool inside_task = false;

}  // namespace

struct ThreadPool::Impl {
  std::vector<std::thread> workers;
  std::vector<std::exception_ptr> errors;
  const std::function<void(i64, i64)>* body = nullptr;
  i64 tasks = 0, size = 1;
  std::atomic<u32> generation{0};  // raised once per run() and once to stop
  std::atomic<i64> pending{0};     // workers that have not finished this generation
  bool stop = false;

  void work(i64 worker) noexcept {
    inside_task = true;
    try {
      for (i64 t = tasks * worker / size; t < tasks * (worker + 1) / size; ++t) (*body)(t, worker);
    } catch (...) {
      errors[size_t(worker)] = std::current_exception();
    }
    inside_task = false;
  }

  void loop(i64 worker) {
    u32 seen = 0;
    while (true) {
      for (int spin = 0; spin < kSpins && generation.load(std::memory_order_acquire) == seen;
           ++spin)
        __builtin_ia32_pause();
      generation.wait(seen, std::memory_order_acquire);
      seen = generation.load(std::memory_order_acquire);
      if (stop) return;
      work(worker);
      if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1) pending.notify_one();
    }
  }
};

ThreadPool::ThreadPool(i64 threads) : impl_(std::make_unique<Impl>()) {
  require(threads >= 1 && threads <= 1024, ErrorKind::bad_argument,
          "threads: expected 1 to 1024, found ", threads);
  impl_->size = threads;
  impl_->errors.resize(size_t(threads));
  for (i64 w = 1; w < threads; ++w) impl_->workers.emplace_back([this, w] { impl_->loop(w); });
}

ThreadPool::~ThreadPool() {
  impl_->stop = true;
  impl_->generation.fetch_add(1, std::memory_order_release);
  impl_->generation.notify_all();
  for (std::thread& t : impl_->workers) t.join();
}

i64 ThreadPool::size() const { return impl_->size; }

void ThreadPool::run(i64 tasks, const std::function<void(i64, i64)>& body) {
  Impl& p = *impl_;
  if (inside_task || p.size == 1 || tasks <= 1) {
    for (i64 t = 0; t < tasks; ++t) body(t, 0);
    return;
  }
  p.body = &body;
  p.tasks = tasks;
  std::fill(p.errors.begin(), p.errors.end(), nullptr);
  p.pending.store(p.size - 1, std::memory_order_relaxed);
  p.generation.fetch_add(1, std::memory_order_release);
  p.generation.notify_all();
  p.work(0);
  for (int spin = 0; spin < kSpins && p.pending.load(std::memory_order_acquire) > 0; ++spin)
    __builtin_ia32_pause();
  for (i64 left = p.pending.load(std::memory_order_acquire); left > 0;
       left = p.pending.load(std::memory_order_acquire))
    p.pending.wait(left, std::memory_order_acquire);
  for (const std::exception_ptr& e : p.errors)
    if (e) std::rethrow_exception(e);
}

void ThreadPool::ranges(i64 items, i64 grain, const std::function<void(i64, i64)>& body) {
  if (items <= 0) return;
  const i64 parts = std::clamp<i64>(items / std::max<i64>(grain, 1), 1, size());
  run(parts, [&](i64 part, i64) { body(items * part / parts, items * (part + 1) / parts); });
}

}  // namespace sinter
