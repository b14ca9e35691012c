// SPDX-License-Identifier: Apache-2.0
// The lines of a dense tensor along one axis: element i of line l is at first(l) + i * step.
#pragma once
#include "graph/tensor.h"

namespace sinter::detail {

struct Lines {
  i64 count, length, step;

  i64 first(i64 line) const { return line / step * step * length + line % step; }
};

/// axis in [0, rank).
inline Lines lines_along(const Dims& dims, i64 axis) {
  i64 count = 1, step = 1;
  for (i64 a = 0; a < std::ssize(dims); ++a) {
    if (a != axis) count *= dims[size_t(a)];
    if (a > axis) step *= dims[size_t(a)];
  }
  return {count, dims[size_t(axis)], step};
}

/// Product of dims[from], dims[from + 1], ...
inline i64 elements_from(const Dims& dims, i64 from) {
  i64 count = 1;
  for (i64 a = from; a < std::ssize(dims); ++a) count *= dims[size_t(a)];
  return count;
}

}  // namespace sinter::detail
