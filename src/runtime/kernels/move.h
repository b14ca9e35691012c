// SPDX-License-Identifier: Apache-2.0
// Operators that only move elements: all are copies between two strided boxes, of any element type
// of fixed size.
#pragma once
#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/kernel.h"

namespace sinter {

/// Copies a box of elements:
///   to[to_offset + sum i_a * to_steps[a]] = from[from_offset + sum i_a * from_steps[a]]
/// Axes that both sides walk alike are merged; the innermost becomes a memcpy where both are dense,
/// and a transposition (dense on one side along one axis, on the other along another) goes in
/// square tiles, so that either side uses whole cache lines.
class StridedCopy {
 public:
  struct Side {
    i64 offset;
    std::vector<i64> steps;  ///< in elements, one per axis; may be 0 or negative on the read side
  };
  /// `width` bytes an element: 1, 2, 4 or 8. The sizes are at least 1.
  StridedCopy(i64 width, const Dims& sizes, Side from, Side to);

  /// thread  uses the pool; the bytes of `from` and `to` must not overlap
  void run(ThreadPool& pool, const std::byte* from, std::byte* to) const;

 private:
  struct Axis {
    i64 size = 1, from = 0, to = 0;
  };
  template <class T>
  void run_as(ThreadPool& pool, const std::byte* from, std::byte* to) const;

  i64 width_, from_offset_, to_offset_;
  BroadcastLoop outer_;  ///< steps: operand 0 is from, operand 1 is to
  Axis rows_, columns_;  ///< the two innermost; rows_ is only used by tiles
};

/// Steps of a dense row-major tensor, in elements.
std::vector<i64> dense_element_steps(const Dims& dims);

PreparedKernel prepare_transpose(const KernelSite& site);
PreparedKernel prepare_concat(const KernelSite& site);
PreparedKernel prepare_split(const KernelSite& site);
PreparedKernel prepare_slice(const KernelSite& site);
PreparedKernel prepare_expand(const KernelSite& site);
/// mode constant only.
PreparedKernel prepare_pad(const KernelSite& site);
PreparedKernel prepare_gather(const KernelSite& site);

}  // namespace sinter
