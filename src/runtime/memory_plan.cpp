// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace sinter {
namespace {

i64 padded(i64 bytes) { return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; }

bool live_together(const BufferRequest& a, const BufferRequest& b) {
  return a.first <= b.last && b.first <= a.last;
}

/// Largest sum of sizes over the steps. Sizes only rise where a buffer begins, so only those count.
i64 most_live_bytes(std::span<const BufferRequest> requests) {
  i64 most = 0;
  for (const BufferRequest& at : requests) {
    i64 live = 0;
    for (const BufferRequest& r : requests)
      if (r.first <= at.first && at.first <= r.last) live += padded(r.bytes);
    most = std::max(most, live);
  }
  return most;
}

}  // namespace

MemoryPlan plan_memory(std::span<const BufferRequest> requests) {
  MemoryPlan plan;
  plan.offsets.assign(requests.size(), 0);
  for (size_t i = 0; i < requests.size(); ++i) {
    const BufferRequest& r = requests[i];
    require(r.bytes >= 0 && r.first <= r.last, ErrorKind::bad_argument, "plan_memory: request ", i,
            ": expected bytes >= 0 and first <= last, found ", r.bytes, " bytes, steps ", r.first,
            " to ", r.last);
    plan.sum_bytes += padded(r.bytes);
  }
  plan.lower_bound = most_live_bytes(requests);

  std::vector<size_t> by_size(requests.size());
  std::iota(by_size.begin(), by_size.end(), size_t(0));
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; });
  std::vector<size_t> placed;  // ascending by offset
  for (size_t id : by_size) {
    const i64 need = padded(requests[id].bytes);
    i64 best = -1, best_gap = std::numeric_limits<i64>::max(), end = 0;
    for (size_t other : placed) {
      if (!live_together(requests[id], requests[other])) continue;
      const i64 gap = plan.offsets[other] - end;
      if (gap >= need && gap < best_gap) best = end, best_gap = gap;
      end = std::max(end, plan.offsets[other] + padded(requests[other].bytes));
    }
    plan.offsets[id] = best >= 0 ? best : end;
    plan.peak_bytes = std::max(plan.peak_bytes, plan.offsets[id] + need);
    const auto behind =
        std::upper_bound(placed.begin(), placed.end(), plan.offsets[id],
                         [&](i64 offset, size_t other) { return offset < plan.offsets[other]; });
    placed.insert(behind, id);
  }
  return plan;
}

void verify_plan(std::span<const BufferRequest> requests, const MemoryPlan& plan) {
  SINTER_ASSERT(plan.offsets.size() == requests.size());
  i64 last_step = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const i64 begin = plan.offsets[i];
    require(
        begin >= 0 && begin % kArenaAlignment == 0 && begin + requests[i].bytes <= plan.peak_bytes,
        ErrorKind::internal, "memory plan: request ", i, " at offset ", begin,
        " is unaligned or outside the arena of ", plan.peak_bytes, " bytes");
    last_step = std::max(last_step, requests[i].last);
  }
  // Walk the steps with the live buffers sorted by offset: neighbours must not overlap.
  std::vector<std::vector<size_t>> begin_at(static_cast<size_t>(last_step + 1));
  for (size_t i = 0; i < requests.size(); ++i)
    if (requests[i].bytes > 0) begin_at[size_t(std::max<i64>(requests[i].first, 0))].push_back(i);
  std::vector<size_t> live;
  for (i64 step = 0; step <= last_step; ++step) {
    std::erase_if(live, [&](size_t i) { return requests[i].last < step; });
    const std::vector<size_t>& fresh = begin_at[size_t(step)];
    if (fresh.empty()) continue;
    live.insert(live.end(), fresh.begin(), fresh.end());
    std::sort(live.begin(), live.end(),
              [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; });
    for (size_t k = 1; k < live.size(); ++k)
      require(plan.offsets[live[k - 1]] + requests[live[k - 1]].bytes <= plan.offsets[live[k]],
              ErrorKind::internal, "memory plan: requests ", live[k - 1], " and ", live[k],
              " share bytes at step ", step);
  }
}

}  // namespace sinter
