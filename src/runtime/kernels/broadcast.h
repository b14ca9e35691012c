// SPDX-License-Identifier: Apache-2.0
// Broadcasting as a short loop nest: axes that every operand walks in the same way are merged, and
// the innermost one is a run in which each operand either steps by 1 or stands still (by 0).
//
//   [8,16,32,32] + [16,1,1]   ->   8 x 16 runs of 1024, steps 1 and 0
//   [100,10] + [10]           ->   100 runs of 10, steps 1 and 1
#pragma once
#include <array>
#include <span>
#include <vector>

#include "graph/tensor.h"

namespace sinter {

struct BroadcastLoop {
  std::vector<i64> sizes;                 ///< outer axes, outermost first
  std::vector<std::array<i64, 3>> steps;  ///< of each operand along each outer axis, in elements
  i64 inner = 1;                          ///< length of a run
  std::array<i64, 3> inner_steps = {};    ///< 0 or 1
  i64 runs = 1;                           ///< product of sizes

  /// First element of each operand in run number `run`.
  std::array<i64, 3> start(i64 run) const;
};

/// The loop over `out` (dense) with one to three operands that broadcast to it.
/// checked  by the caller (inference): the operands do broadcast to `out`
BroadcastLoop broadcast_loop(const Dims& out, std::initializer_list<Dims> operands);

/// Calls body(first element of out, first elements of the operands) for runs [begin, end).
template <class Body>
void for_runs(const BroadcastLoop& loop, i64 begin, i64 end, const Body& body) {
  std::array<i64, 3> at = loop.start(begin);
  std::vector<i64> index(loop.sizes.size());
  for (i64 axis = std::ssize(loop.sizes) - 1, rest = begin; axis >= 0; --axis) {
    index[size_t(axis)] = rest % loop.sizes[size_t(axis)];
    rest /= loop.sizes[size_t(axis)];
  }
  for (i64 run = begin; run < end; ++run) {
    body(run * loop.inner, at);
    for (i64 axis = std::ssize(loop.sizes) - 1; axis >= 0; --axis) {
      const size_t a = size_t(axis);
      for (size_t k = 0; k < 3; ++k) at[k] += loop.steps[a][k];
      if (++index[a] < loop.sizes[a]) break;
      index[a] = 0;
      for (size_t k = 0; k < 3; ++k) at[k] -= loop.steps[a][k] * loop.sizes[a];
    }
  }
}

template <class Body>
void for_each_run(const BroadcastLoop& loop, const Body& body) {
  for_runs(loop, 0, loop.runs, body);
}

}  // namespace sinter
