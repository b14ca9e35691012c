// SPDX-License-Identifier: Apache-2.0
// A small pool for parallel loops. Tasks are dealt out by a fixed rule, so which worker runs a
// task depends only on the counts; a worker spins for a moment and then blocks, so that a busy
// machine is not made busier. No OpenMP: libgomp hangs in a forked child and spins at barriers.
#pragma once
#include <functional>
#include <memory>

#include "base/types.h"

namespace sinter {

/// Runs loops on `threads` workers, the caller being worker 0. Pass it by reference to whatever
/// wants to run in parallel. thread: one run() at a time; run() inside a task runs inline.
class ThreadPool {
 public:
  /// threads >= 1; 1 means everything runs on the calling thread.
  /// throws  Error(bad_argument) when threads < 1 or > 1024
  explicit ThreadPool(i64 threads = 1);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  i64 size() const;

  /// Calls body(task, worker) for task = 0..tasks-1, worker < size(); returns when all are done.
  /// Worker w runs the contiguous range [tasks*w/size, tasks*(w+1)/size).
  /// throws  the first exception a task threw (lowest worker), after all workers have stopped
  void run(i64 tasks, const std::function<void(i64 task, i64 worker)>& body);

  /// Calls body(begin, end) for one contiguous range per worker; ranges below `grain` items are
  /// not split, so small loops stay on the caller.
  void ranges(i64 items, i64 grain, const std::function<void(i64 begin, i64 end)>& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sinter
