// SPDX-License-Identifier: Apache-2.0
// Wall seconds, CPU seconds of the process, and memory in use.
#pragma once
#include "base/types.h"

namespace sinter {

class Timer {
 public:
  Timer();
  double wall_s() const;  ///< since construction
  double cpu_s() const;   ///< user + system time of all threads since construction

 private:
  double wall_start_, cpu_start_;
};

/// Largest resident set of this process so far, in bytes.
i64 peak_memory_bytes();

}  // namespace sinter
