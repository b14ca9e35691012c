// SPDX-License-Identifier: Apache-2.0
// One thread of a coordinator: starts a worker, gives it tasks one after the other, waits for their
// results, and starts another when it is lost.
#pragma once
#include "serve/request_files.h"
#include "serve/shared_state.h"

namespace sinter::serve {

/// thread: owned by one; all share state and files
class WorkerDriver {
 public:
  WorkerDriver(i64 w, const Job& job, SharedState& state, RequestFiles& files)
      : w_(w), job_(job), state_(state), files_(files) {}

  /// The life of worker w and of those started in its place; a failure is left in the state.
  void run(const std::function<Link(i64 worker)>& connect);

 private:
  void greet();
  void serve();
  void send(const Task& task);
  void await(const Task& task);
  bool accept(const Frame& frame, const Task& task);
  void keep(const Frame& frame, const Task& task);
  void leave(bool at_once);
  void end_link(bool at_once);
  void arrived();
  Transport& peer() const { return *link_.transport; }

  const i64 w_;
  const Job& job_;
  SharedState& state_;
  RequestFiles& files_;
  Link link_;  ///< to the worker that is there now
  bool has_arrived_ = false;
};

}  // namespace sinter::serve
