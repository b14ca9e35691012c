// SPDX-License-Identifier: Apache-2.0
#include "base/timer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>

namespace sinter {
namespace {

double seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

i64 status_bytes(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(field, 0) == 0) return std::atoll(line.c_str() + field.size()) * 1024;
  return 0;
}

}  // namespace

Timer::Timer()
    : wall_start_(seconds(CLOCK_MONOTONIC)), cpu_start_(seconds(CLOCK_PROCESS_CPUTIME_ID)) {}
double Timer::wall_s() const { return seconds(CLOCK_MONOTONIC) - wall_start_; }
double Timer::cpu_s() const { return seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_; }

i64 peak_memory_bytes() {
  // Not getrusage: its maximum starts at what the parent had when it forked.
  return status_bytes("VmHWM:");
}

i64 machine_memory_bytes() {
  const i64 machine = i64(::sysconf(_SC_PHYS_PAGES)) * i64(::sysconf(_SC_PAGESIZE));
  i64 group = 0;
  std::ifstream limit("/sys/fs/cgroup/memory.max");  // "max" when there is none
  return limit >> group && group > 0 ? std::min(machine, group) : machine;
}

ResidentMemory resident_memory() {
  return {status_bytes("RssAnon:"), status_bytes("RssFile:") + status_bytes("RssShmem:")};
}

}  // namespace sinter
