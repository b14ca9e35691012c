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

/// Memory of the machine, or of the control group that this process is in.
i64 machine_memory_bytes();

/// What is resident now: memory of its own, and pages of mapped files and shared memory.
struct ResidentMemory {
  i64 anonymous_bytes = 0, file_bytes = 0;
};
ResidentMemory resident_memory();

}  // namespace sinter
