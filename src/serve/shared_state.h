// SPDX-License-Identifier: Apache-2.0
// What the threads of a coordinator share, under one lock: the schedule, the values that are there,
// who computes what, and whether all has failed. Nothing is sent, received or read from files here.
#pragma once
#include <condition_variable>
#include <exception>
#include <mutex>

#include "base/timer.h"
#include "serve/coordinator.h"
#include "serve/ledger.h"
#include "serve/schedule.h"

namespace sinter::serve {

/// What a run computes, for all its threads to read.
struct Job {
  const encrypted::EncryptedProgram& program;
  const ckks::Context& context;
  const ckks::EvaluationKeys& keys;
  const Requests& requests;
  const CoordinatorOptions& options;
  Segments segments;

  FrameInfo info(FrameKind kind, i64 request) const {
    return {kind, u64(request), program.hash, keys.key_id()};
  }
  bool is_ours(const Frame& frame) const {
    return frame.info.program == program.hash && frame.info.key == keys.key_id();
  }
};

/// The task of somebody else failed: whoever catches it ends without a word of its own.
struct Stopped {};

/// thread: safe. Workers are numbered by their places; a replacement takes the place of the lost.
class SharedState {
 public:
  explicit SharedState(const Job& job);

  // The life of a worker.
  /// The first tasks are handed out when all workers are there or lost, so that they are shared.
  void arrived();
  void attach(i64 w, const std::shared_ptr<Transport>& transport);
  /// It is gone: a task that it had is free again, what it held is nowhere.
  void detach(i64 w);
  /// The same, with a warning, before its work is over; out: may there be another in its place?
  bool lose(i64 w, const Error& why);

  // Tasks.
  /// Waits for work; nothing when all is done. throws Stopped
  std::optional<Task> next_task(i64 w);
  /// What the worker must be sent for its task, the task at the end.
  std::vector<Frame> frames_for(i64 w, const Task& task);
  void put_input(i64 request, u32 value, const Frame& frame);
  /// Keeps a result; out: who else should be sent it now.
  std::vector<std::shared_ptr<Transport>> keep(i64 w, const Task& task, const ValueKey& key,
                                               const Frame& frame);
  bool has_results(const Task& task);
  /// Counts the task as done and forgets what nobody needs; out: the result of its request when
  /// that is complete.
  std::optional<Frame> done(i64 w, const Task& task, double busy_s);

  // The end.
  /// The first reason given is the one that is thrown at the end.
  void fail(std::exception_ptr why);
  /// throws  Stopped after a failure
  void check_running();
  /// After all threads ended. throws what fail() was given
  const CoordinatorStats& result() const;

 private:
  struct WorkerState {
    std::shared_ptr<Transport> transport;  ///< nullptr when there is none
    std::optional<Task> task;
  };

  std::vector<std::shared_ptr<Transport>> part_readers(const Task& task, const ValueKey& key);
  void free_worker(i64 w);
  void report() const;

  const Job& job_;
  std::mutex mutex_;  // of everything below
  std::condition_variable changed_;
  Schedule schedule_;
  std::vector<WorkerState> workers_;
  Ledger ledger_;
  std::exception_ptr failure_;
  i64 starting_, replacements_;  ///< to come, and allowed
  i64 places_;                   ///< workers that are there or will come
  CoordinatorStats stats_;
  const Timer timer_;
};

}  // namespace sinter::serve
