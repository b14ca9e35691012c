// SPDX-License-Identifier: Apache-2.0
#include "base/timer.h"

#include <sys/resource.h>

#include <ctime>

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
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return i64(usage.ru_maxrss) * 1024;
}

}  // namespace sinter
