// SPDX-License-Identifier: Apache-2.0
// The images of a run: their inputs, read when their first task begins, and their results.
#pragma once
#include <map>
#include <mutex>

#include "serve/shared_state.h"

namespace sinter::serve {

/// Why the whole run fails, as against the loss of one worker.
struct Fatal {
  Error error;
};

/// thread: safe
class RequestFiles {
 public:
  RequestFiles(const Job& job, SharedState& state) : job_(job), state_(state) {}

  /// Puts the inputs of a request into the state, once. throws Fatal
  void load(i64 request);
  /// Hands a result to the caller of coordinate(). throws Fatal, also when the frame holds none:
  /// the task is done and would not come again
  void write(i64 request, const Frame& result);

 private:
  const Job& job_;
  SharedState& state_;
  std::mutex mutex_;           // taken before the state's
  std::map<i64, u64> key_of_;  ///< of every request loaded: whose key its result is under
};

}  // namespace sinter::serve
