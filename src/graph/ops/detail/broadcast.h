// SPDX-License-Identifier: Apache-2.0
// Multidirectional broadcasting: shapes are lined up at their last axis, a size 1 or a missing axis
// repeats. The loop works row by row over the last axis; axes that every operand walks contiguously
// are merged first, so an operation on equal shapes is one row.
#pragma once
#include <array>

#include "graph/ops/detail/common.h"

namespace sinter::detail {

/// The shape that inputs first..last of ctx broadcast to; nullopt when one has unknown rank.
/// throws  Error(bad_input) when two numbers contradict
std::optional<Shape> broadcast_shape(const InferContext& ctx, i64 first, i64 last);
Shape broadcast_shapes(const InferContext& ctx, const Shape& a, const Shape& b);
/// Input i, if it is there and has a rank, broadcasts to `x` and does not enlarge it.
/// throws  Error(bad_input) when numbers say otherwise
void expect_broadcast_to(const InferContext& ctx, i64 i, const Shape& x);
/// The same for input i seen with another shape.
void expect_broadcast_to(const InferContext& ctx, i64 i, const Shape& seen, const Shape& x);

/// One axis of a merged loop: its size and each operand's step in elements.
template <size_t N>
struct LoopAxis {
  i64 size = 1;
  std::array<i64, N> steps{};
};

/// Drops axes of size 1 and joins neighbours that every operand walks as one; at least one is left.
template <size_t N>
std::vector<LoopAxis<N>> merge_axes(const std::vector<LoopAxis<N>>& axes) {
  std::vector<LoopAxis<N>> merged;
  for (const LoopAxis<N>& axis : axes) {
    if (axis.size == 1) continue;
    bool joins = !merged.empty();
    for (size_t n = 0; joins && n < N; ++n)
      joins = merged.back().steps[n] == axis.steps[n] * axis.size;
    if (!joins) {
      merged.push_back(axis);
      continue;
    }
    merged.back().size *= axis.size;
    merged.back().steps = axis.steps;
  }
  if (merged.empty()) merged.push_back({});
  return merged;
}

/// Calls row(position, count, offsets, steps) for every row of a dense result walked by `axes`:
/// its elements position..position+count-1 and, per operand, first offset and step.
template <size_t N, class Row>
void walk_rows(const std::vector<LoopAxis<N>>& all_axes, std::array<i64, N> offsets,
               const Row& row) {
  for (const LoopAxis<N>& axis : all_axes)
    if (axis.size == 0) return;
  const std::vector<LoopAxis<N>> axes = merge_axes(all_axes);
  const LoopAxis<N>& inner = axes.back();
  std::vector<i64> at(axes.size(), 0);
  for (i64 position = 0;; position += inner.size) {
    row(position, inner.size, offsets, inner.steps);
    i64 a = std::ssize(axes) - 2;
    for (; a >= 0; --a) {
      const LoopAxis<N>& axis = axes[size_t(a)];
      for (size_t n = 0; n < N; ++n) offsets[n] += axis.steps[n];
      if (++at[size_t(a)] < axis.size) break;
      at[size_t(a)] = 0;
      for (size_t n = 0; n < N; ++n) offsets[n] -= axis.steps[n] * axis.size;
    }
    if (a < 0) return;
  }
}

/// walk_rows for operands that broadcast to `out`.
template <size_t N, class Row>
void for_each_row(const Dims& out, const std::array<const Dims*, N>& operands, const Row& row) {
  const i64 rank = std::ssize(out);
  std::vector<LoopAxis<N>> axes(static_cast<size_t>(rank));
  for (i64 a = 0; a < rank; ++a) axes[size_t(a)].size = out[size_t(a)];
  for (size_t n = 0; n < N; ++n) {
    i64 step = 1;
    const Dims& dims = *operands[n];
    for (i64 a = std::ssize(dims) - 1, o = rank - 1; a >= 0; --a, --o) {
      axes[size_t(o)].steps[n] = dims[size_t(a)] == 1 ? 0 : step;
      step *= dims[size_t(a)];
    }
  }
  walk_rows<N>(axes, {}, row);
}

}  // namespace sinter::detail
