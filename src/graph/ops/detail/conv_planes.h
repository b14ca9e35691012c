// SPDX-License-Identifier: Apache-2.0
// The sums of a convolution over planes of three spatial axes. Every output element adds its
// products in one order, channels first, then the taps of the filter, whichever loop is innermost.
#pragma once
#include <vector>

#include "graph/ops/detail/common.h"
#include "graph/ops/detail/products.h"
#include "graph/ops/window.h"

namespace sinter::detail {

template <class T>
void add_row(const T* x, i64 step, T weight, i64 count, T* y) {
  if (step == 1)
    for (i64 i = 0; i < count; ++i) y[i] = add(y[i], multiply(weight, x[i]));
  else
    for (i64 i = 0; i < count; ++i) y[i] = add(y[i], multiply(weight, x[i * step]));
}

/// Outputs o in [first, last) for which tap offset `shift` = k * dilation - begin stays inside.
struct Range {
  i64 first, last;
};
Range inside(i64 shift, i64 stride, i64 in, i64 out) {
  const i64 first = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
  const i64 end = in - shift;  // o * stride < end
  const i64 last = end <= 0 ? 0 : std::min(out, (end + stride - 1) / stride);
  return {first, std::max(first, last)};
}

/// The taps of three axes that reach an output at all, in the order of the filter's elements. They
/// are the same for every pair of planes, and on small planes finding them costs more than the
/// sums.
struct Tap {
  i64 index;         // in the filter plane
  i64 shift[3];      // input position minus output position * stride
  Range r0, r1, r2;  // output positions
};
std::vector<Tap> taps_of(const Window& v) {
  std::vector<Tap> taps;
  i64 index = 0;
  for (i64 k0 = 0; k0 < v.kernel[0]; ++k0)
    for (i64 k1 = 0; k1 < v.kernel[1]; ++k1)
      for (i64 k2 = 0; k2 < v.kernel[2]; ++k2, ++index) {
        const i64 s0 = k0 * v.dilations[0] - v.begin[0], s1 = k1 * v.dilations[1] - v.begin[1],
                  s2 = k2 * v.dilations[2] - v.begin[2];
        const Range r0 = inside(s0, v.strides[0], v.in[0], v.out[0]),
                    r1 = inside(s1, v.strides[1], v.in[1], v.out[1]),
                    r2 = inside(s2, v.strides[2], v.in[2], v.out[2]);
        const auto is_empty = [](Range r) { return r.first >= r.last; };
        if (!is_empty(r0) && !is_empty(r1) && !is_empty(r2))
          taps.push_back({index, {s0, s1, s2}, r0, r1, r2});
      }
  return taps;
}

/// One input channel through one filter plane, added to one output plane.
template <class T>
void conv_plane(const Window& v, const std::vector<Tap>& taps, const T* x, const T* w, T* y) {
  for (const Tap& t : taps)
    for (i64 o0 = t.r0.first; o0 < t.r0.last; ++o0)
      for (i64 o1 = t.r1.first; o1 < t.r1.last; ++o1) {
        const i64 row = (o0 * v.strides[0] + t.shift[0]) * v.in[1] + o1 * v.strides[1] + t.shift[1];
        add_row(x + row * v.in[2] + t.r2.first * v.strides[2] + t.shift[2], v.strides[2],
                w[t.index], t.r2.last - t.r2.first,
                y + (o0 * v.out[1] + o1) * v.out[2] + t.r2.first);
      }
}

/// Where planes are this small and filters this many, loops along rows are too short.
inline constexpr i64 kSmallPlane = 64, kManyFilters = 8;

struct GroupSize {
  i64 channels, filters;
};

/// All planes of one group of one image: the innermost loop runs over the filters.
/// x  channels planes; w  [filters, channels, taps]; y  filters planes
template <class T>
void conv_small_planes(const Window& v, const std::vector<Tap>& taps, const GroupSize& group,
                       const T* x, const T* w, T* y) {
  const i64 x_plane = element_count(v.in), w_plane = element_count(v.kernel),
            y_plane = element_count(v.out);
  std::vector<T> sums(size_t(y_plane * group.filters), T(0)), weights(size_t(group.filters));
  for (i64 c = 0; c < group.channels; ++c)
    for (const Tap& t : taps) {
      for (i64 m = 0; m < group.filters; ++m)
        weights[size_t(m)] = w[(m * group.channels + c) * w_plane + t.index];
      for (i64 o0 = t.r0.first; o0 < t.r0.last; ++o0)
        for (i64 o1 = t.r1.first; o1 < t.r1.last; ++o1)
          for (i64 o2 = t.r2.first; o2 < t.r2.last; ++o2) {
            const i64 row =
                (o0 * v.strides[0] + t.shift[0]) * v.in[1] + o1 * v.strides[1] + t.shift[1];
            const i64 column = o2 * v.strides[2] + t.shift[2];
            add_row(weights.data(), 1, x[c * x_plane + row * v.in[2] + column], group.filters,
                    sums.data() + ((o0 * v.out[1] + o1) * v.out[2] + o2) * group.filters);
          }
    }
  for (i64 m = 0; m < group.filters; ++m)
    for (i64 o = 0; o < y_plane; ++o) y[m * y_plane + o] = sums[size_t(o * group.filters + m)];
}

}  // namespace sinter::detail
