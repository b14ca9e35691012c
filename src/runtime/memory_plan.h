// SPDX-License-Identifier: Apache-2.0
// Where intermediate tensors live: one arena, planned before anything runs. A buffer is needed from
// the step that writes it to the last step that reads it; two buffers may share bytes when no step
// needs both.
//
// Greedy by size: the largest buffer is placed first, each into the smallest gap that holds it
// between the buffers already placed that live at the same time, or behind them all. Offsets and
// sizes are multiples of 64 bytes.
//
// Source: greedy-by-size offset assignment, Pisarchyk & Lee 2020 ("Efficient Memory Management for
// Deep Neural Net Inference").
#pragma once
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter {

inline constexpr i64 kArenaAlignment = 64;

/// What one tensor asks for: `bytes` from step `first` to step `last`, both included.
struct BufferRequest {
  i64 bytes = 0;
  i64 first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<i64> offsets;  ///< one a request, in bytes
  i64 peak_bytes = 0;        ///< size of the arena
  i64 sum_bytes = 0;         ///< what one arena part a tensor would take
  i64 lower_bound = 0;       ///< the most that is live at one step: no plan is smaller
};

/// throws  Error(bad_argument) when a size is negative or a lifetime ends before it begins
/// cost    O(n^2) in the number of requests
MemoryPlan plan_memory(std::span<const BufferRequest> requests);

/// Checks a plan from scratch, by walking the steps: every buffer is aligned and inside the arena,
/// and no two that are live at one step share a byte.
/// throws  Error(internal) naming the two requests
void verify_plan(std::span<const BufferRequest> requests, const MemoryPlan& plan);

}  // namespace sinter
