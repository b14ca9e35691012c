// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/broadcast.h"

namespace sinter {

std::array<i64, 3> BroadcastLoop::start(i64 run) const {
  std::array<i64, 3> at = {};
  for (i64 axis = std::ssize(sizes) - 1; axis >= 0; --axis) {
    const size_t a = size_t(axis);
    for (size_t k = 0; k < 3; ++k) at[k] += run % sizes[a] * steps[a][k];
    run /= sizes[a];
  }
  return at;
}

BroadcastLoop broadcast_loop(const Dims& out, std::initializer_list<Dims> operands) {
  SINTER_ASSERT(operands.size() >= 1 && operands.size() <= 3);
  const i64 rank = std::ssize(out);
  // Steps of every operand along every axis of out, 0 where it is repeated.
  std::vector<std::array<i64, 3>> all(size_t(rank), std::array<i64, 3>{});
  size_t k = 0;
  for (const Dims& dims : operands) {
    i64 step = 1;
    for (i64 a = std::ssize(dims) - 1; a >= 0; --a) {
      const size_t axis = size_t(rank - std::ssize(dims) + a);
      all[axis][k] = dims[size_t(a)] == 1 ? 0 : step;
      step *= dims[size_t(a)];
    }
    ++k;
  }
  // Merge from the inside: an outer axis joins when each operand steps inner size times its step.
  std::vector<i64> sizes;  // innermost first
  std::vector<std::array<i64, 3>> steps;
  for (i64 axis = rank - 1; axis >= 0; --axis) {
    const i64 size = out[size_t(axis)];
    if (size == 1) continue;
    bool merges = !sizes.empty();
    for (size_t j = 0; merges && j < k; ++j)
      merges = all[size_t(axis)][j] == steps.back()[j] * sizes.back();
    if (merges) {
      sizes.back() *= size;
    } else {
      sizes.push_back(size);
      steps.push_back(all[size_t(axis)]);
    }
  }
  BroadcastLoop loop;
  if (sizes.empty()) return loop;
  loop.inner = sizes[0];
  loop.inner_steps = steps[0];
  for (size_t a = sizes.size() - 1; a >= 1; --a) {
    loop.sizes.push_back(sizes[a]);
    loop.steps.push_back(steps[a]);
    loop.runs *= sizes[a];
  }
  return loop;
}

}  // namespace sinter
