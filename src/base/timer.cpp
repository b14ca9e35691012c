// SPDX-License-Identifier: Apache-2.0
#include "base/timer.h"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

namespace sinter {
namespace {

double seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

}  // namespace

Timer::Timer()
    : wall_start_(seconds(CLOCK_MONOTONIC)), cpu_start_(seconds(CLOCK_PROCESS_CPUTIME_ID)) {}
double Timer::wall_s() const { return seconds(CLOCK_MONOTONIC) - wall_start_; }
double Timer::cpu_s() const { return seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_; }

i64 peak_memory_bytes() {
  // Not getrusage: its maximum starts at what the parent had when it forked.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::atoll(line.c_str() + 6) * 1024;
  return 0;
}

}  // namespace sinter
