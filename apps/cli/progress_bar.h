// SPDX-License-Identifier: Apache-2.0
// A progress line on a terminal: drawn on stderr, only when stderr is a terminal, only from one
// second on, with the time left; erased at the end so that what stays is the result.
#pragma once
#include <string>

#include "base/progress.h"
#include "base/timer.h"

namespace sinter::cli {

/// thread: owned by one; update() may be called from the thread that runs the operation.
class ProgressBar {
 public:
  explicit ProgressBar(std::string title);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// A callback for the library; valid as long as this object. Empty when nothing would be drawn.
  Progress callback();
  /// A `done` below the last one begins a new phase: the time left is that of the phase.
  void update(i64 done, i64 total, std::string_view what);

 private:
  std::string title_;
  Timer timer_;
  double drawn_at_ = 0, phase_start_ = 0;
  i64 last_done_ = 0;
  bool terminal_, drawn_ = false;
};

}  // namespace sinter::cli
