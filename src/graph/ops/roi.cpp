// SPDX-License-Identifier: Apache-2.0
// MaxRoiPool and RoiAlign: regions of planes brought to a fixed size.
//
//   MaxRoiPool  rois [R,5] = batch, x1, y1, x2, y2; corners scaled and rounded; every bin is the
//               largest element of its cells, 0 when it has none
//   RoiAlign    rois [R,4] = x1, y1, x2, y2 and batch indices [R]; every bin is the mean (or the
//               maximum) of bilinear samples on a regular grid of sampling_ratio^2 points, or of
//               ceil(region / bins) points an axis when sampling_ratio is 0
#include <cmath>
#include <limits>

#include "graph/ops/detail/common.h"

namespace sinter {

using namespace detail;

void infer_MaxRoiPool(InferContext&);
void infer_RoiAlign(InferContext&);

namespace {

/// Out [R,C,height,width].
void set_regions(InferContext& ctx, i64 columns, i64 height, i64 width) {
  expect_float(ctx, 0);
  expect_same_type(ctx, 0, 1);
  ctx.check(height >= 1 && width >= 1 && height <= kMaxElements && width <= kMaxElements,
            "expected an output of at least 1 x 1, found ", height, " x ", width);
  const Shape *x = ctx.shape(0), *rois = ctx.shape(1);
  ctx.check(!x || x->size() == 4, "input 0: expected rank 4 [N,C,H,W], found ",
            x ? to_text(*x) : "");
  ctx.check(!rois || (rois->size() == 2 && !differ(rois->at(1), Dim(columns))),
            "input 1: expected regions [R,", columns, "], found ", rois ? to_text(*rois) : "");
  set_output(ctx, 0, ctx.input(0).dtype,
             Shape{rois ? rois->at(0) : Dim(), x ? x->at(1) : Dim(), height, width});
}

i64 batch_index(const EvalContext& ctx, double index) {
  ctx.check(index >= 0 && index < double(ctx.in(0).dim(0)), "expected a batch index from 0 to ",
            ctx.in(0).dim(0) - 1, ", found ", index);
  return i64(index);
}

struct Cells {
  i64 first, last;
};
/// Cells of bin `i` of `bins` over a region of `length` cells from `start`, cut to [0, size).
Cells bin(i64 i, i64 bins, i64 start, i64 length, i64 size) {
  const float width = float(length) / float(bins);
  const i64 first = i64(std::floor(float(i) * width)) + start;
  const i64 last = i64(std::ceil(float(i + 1) * width)) + start;
  return {std::clamp<i64>(first, 0, size), std::clamp<i64>(last, 0, size)};
}

template <class T>
T largest(const T* plane, i64 width, Cells rows, Cells columns) {
  if (rows.first >= rows.last || columns.first >= columns.last) return T(0);
  T best = -std::numeric_limits<T>::infinity();
  for (i64 r = rows.first; r < rows.last; ++r)
    for (i64 c = columns.first; c < columns.last; ++c) best = std::max(best, plane[r * width + c]);
  return best;
}

std::vector<Tensor> max_roi_pool(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &rois = ctx.in(1);
  Tensor out(x.dtype(), output_dims(ctx, infer_MaxRoiPool)[0]);
  const double scale = ctx.attributes.real("spatial_scale", 1.f);
  const i64 height = x.dim(2), width = x.dim(3), bins_h = out.dim(2), bins_w = out.dim(3);
  for_float(x.dtype(), "MaxRoiPool", [&](auto t) {
    using T = decltype(t);
    T* to = out.mutable_data<T>().data();
    for (i64 r = 0; r < rois.dim(0); ++r) {
      i64 corner[4];
      for (i64 k = 0; k < 4; ++k) {
        const double v = std::round(rois.as_double(5 * r + 1 + k) * scale);
        ctx.check(std::fabs(v) < 0x1p40, "region ", r, ": corner ", v, " is out of range");
        corner[k] = i64(v);
      }
      const i64 rows = std::max<i64>(corner[3] - corner[1] + 1, 1),
                columns = std::max<i64>(corner[2] - corner[0] + 1, 1);
      const T* planes =
          x.data<T>().data() + batch_index(ctx, rois.as_double(5 * r)) * x.dim(1) * height * width;
      for (i64 c = 0; c < x.dim(1); ++c, planes += height * width)
        for (i64 i = 0; i < bins_h; ++i)
          for (i64 j = 0; j < bins_w; ++j)
            *to++ = largest(planes, width, bin(i, bins_h, corner[1], rows, height),
                            bin(j, bins_w, corner[0], columns, width));
    }
  });
  return one(std::move(out));
}

/// Bilinear value at (y, x), 0 more than one cell outside.
template <class T>
struct Corners {
  T values[4];  ///< each times its weight
};
template <class T>
Corners<T> corners(const T* plane, i64 height, i64 width, T y, T x) {
  if (!(y >= T(-1) && y <= T(height) && x >= T(-1) && x <= T(width))) return {};
  y = std::max(y, T(0));
  x = std::max(x, T(0));
  i64 top = i64(y), left = i64(x);
  if (top >= height - 1) y = T(top = height - 1);
  if (left >= width - 1) x = T(left = width - 1);
  const i64 bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  const T down = y - T(top), across = x - T(left);
  return {{(1 - down) * (1 - across) * plane[top * width + left],
           (1 - down) * across * plane[top * width + right],
           down * (1 - across) * plane[bottom * width + left],
           down * across * plane[bottom * width + right]}};
}

/// One region of RoiAlign along one axis: bin i starts at start + i * size and has `points`.
struct Bins {
  double start, size;
  i64 points;

  double point(i64 i, i64 p) const {
    return start + double(i) * size + (double(p) + 0.5) * size / double(points);
  }
};
Bins bins(const EvalContext& ctx, double low, double high, i64 count, double scale, bool half) {
  const double offset = half ? 0.5 : 0;
  const double start = low * scale - offset;
  double length = high * scale - offset - start;
  if (!half) length = std::max(length, 1.);
  ctx.check(std::fabs(start) < 0x1p40 && std::fabs(length) < 0x1p24, "a region from ", low, " to ",
            high, " is out of range");
  const i64 ratio = ctx.attributes.integer("sampling_ratio", 0);
  return {start, length / double(count),
          ratio > 0 ? ratio : i64(std::ceil(length / double(count)))};
}

template <class T>
T align(const T* plane, i64 height, i64 width, const Bins& rows, const Bins& columns, i64 i, i64 j,
        bool takes_max) {
  T sum = 0, best = -std::numeric_limits<T>::infinity();
  for (i64 p = 0; p < rows.points; ++p)
    for (i64 q = 0; q < columns.points; ++q) {
      const Corners<T> c =
          corners(plane, height, width, T(rows.point(i, p)), T(columns.point(j, q)));
      for (T v : c.values) {
        sum += v;
        best = std::max(best, v);
      }
    }
  const i64 points = rows.points * columns.points;
  if (points <= 0) return T(0);
  return takes_max ? best : sum / T(points);
}

std::vector<Tensor> roi_align(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &rois = ctx.in(1);
  Tensor out(x.dtype(), output_dims(ctx, infer_RoiAlign)[0]);
  const Attributes& a = ctx.attributes;
  const double scale = a.real("spatial_scale", 1.f);
  const bool half = a.text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const bool takes_max = a.text("mode", "avg") == "max";
  const i64 height = x.dim(2), width = x.dim(3), bins_h = out.dim(2), bins_w = out.dim(3);
  if (out.size() == 0) return one(std::move(out));
  ctx.check(height > 0 && width > 0, "expected planes with elements, found ", to_text(x.dims()));
  for_float(x.dtype(), "RoiAlign", [&](auto t) {
    using T = decltype(t);
    T* to = out.mutable_data<T>().data();
    for (i64 r = 0; r < rois.dim(0); ++r) {
      const auto corner = [&](i64 k) { return rois.as_double(4 * r + k); };
      const Bins rows = bins(ctx, corner(1), corner(3), bins_h, scale, half);
      const Bins columns = bins(ctx, corner(0), corner(2), bins_w, scale, half);
      const i64 batch = batch_index(ctx, double(ctx.in(2).as_int(r)));
      const T* plane = x.data<T>().data() + batch * x.dim(1) * height * width;
      for (i64 c = 0; c < x.dim(1); ++c, plane += height * width)
        for (i64 i = 0; i < bins_h; ++i)
          for (i64 j = 0; j < bins_w; ++j)
            *to++ = align<T>(plane, height, width, rows, columns, i, j, takes_max);
    }
  });
  return one(std::move(out));
}

}  // namespace

void infer_MaxRoiPool(InferContext& ctx) {
  const std::vector<i64> size = ctx.attributes().integers("pooled_shape");
  ctx.check(size.size() == 2, "pooled_shape: expected 2 values, found ", size.size());
  set_regions(ctx, 5, size[0], size[1]);
}

void infer_RoiAlign(InferContext& ctx) {
  const Attributes& a = ctx.attributes();
  const std::string mode = a.text("mode", "avg");
  ctx.check(mode == "avg" || mode == "max", "mode: expected avg or max, found ", mode);
  const std::string place = a.text("coordinate_transformation_mode", "half_pixel");
  ctx.check(place == "half_pixel" || place == "output_half_pixel",
            "coordinate_transformation_mode \"", place, "\" is not one");
  const i64 ratio = a.integer("sampling_ratio", 0);
  ctx.check(ratio >= 0 && ratio <= (1 << 16), "expected sampling_ratio of 0 or more, found ",
            ratio);
  expect_index(ctx, 2);
  if (const Shape* rois = ctx.shape(1); rois && rois->size() == 2)
    expect_vector(ctx, 2, rois->at(0));
  set_regions(ctx, 4, a.integer("output_height", 1), a.integer("output_width", 1));
}

std::vector<Tensor> evaluate_MaxRoiPool(const EvalContext& ctx) {
  return through_float(ctx, max_roi_pool);
}
std::vector<Tensor> evaluate_RoiAlign(const EvalContext& ctx) {
  return through_float(ctx, roi_align);
}

}  // namespace sinter
