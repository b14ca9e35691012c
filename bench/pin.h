// SPDX-License-Identifier: Apache-2.0
// A processor for each worker of a pool. On a busy machine the system may leave two threads that
// wake each other on one processor while others run elsewhere; a ratio of threads needs them apart.
#pragma once
#include <sched.h>

#include "base/threads.h"

namespace sinter::bench {

/// Worker w to the w-th processor that this process may use; nothing happens when there are fewer
/// than workers. The caller is worker 0.
inline void pin_workers(ThreadPool& pool) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < pool.size())
    return;
  pool.run(pool.size(), [&](i64, i64 worker) {
    int cpu = 0;
    for (i64 left = worker; !CPU_ISSET(cpu, &allowed) || left-- > 0;) ++cpu;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
  });
}

}  // namespace sinter::bench
