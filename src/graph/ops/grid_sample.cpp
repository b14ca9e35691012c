// SPDX-License-Identifier: Apache-2.0
// GridSample: x [N,C,d...] read at the points of grid [N,o...,rank], whose coordinates run from -1
// to 1 over each axis, the last axis first. AffineGrid makes such a grid from matrices theta.
//   align_corners = 1   -1 and 1 are the centres of the first and the last element
//   align_corners = 0   they are the outer edges
// A point is interpolated from 1 (nearest), 2 (linear) or 4 (cubic) elements an axis. What lies
// outside is 0, the nearest edge element (border), or mirrored at the edge (reflection).
#include <cmath>

#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/mover.h"
#include "graph/ops/detail/resample.h"

namespace sinter {

using namespace detail;

void infer_GridSample(InferContext&);
void infer_AffineGrid(InferContext&);

namespace {

enum class Padding { zeros, border, reflection };

struct GridOptions {
  Sampling sampling;
  Padding padding;
  bool align_corners;
};

template <class Context>
GridOptions read_options(const Context& ctx, const Attributes& a) {
  constexpr std::pair<std::string_view, Sampling> kModes[] = {{"linear", Sampling::linear},
                                                              {"bilinear", Sampling::linear},
                                                              {"nearest", Sampling::nearest},
                                                              {"cubic", Sampling::cubic},
                                                              {"bicubic", Sampling::cubic}};
  constexpr std::pair<std::string_view, Padding> kPaddings[] = {
      {"zeros", Padding::zeros}, {"border", Padding::border}, {"reflection", Padding::reflection}};
  const auto pick = [&](const auto& table, std::string_view attribute, const std::string& text) {
    for (const auto& [name, value] : table)
      if (name == text) return value;
    ctx.check(false, attribute, " \"", text, "\" is not one");
    return table[0].second;
  };
  return {pick(kModes, "mode", a.text("mode", "linear")),
          pick(kPaddings, "padding_mode", a.text("padding_mode", "zeros")),
          a.integer("align_corners", 0) != 0};
}

/// `v` mirrored into [low, high].
double reflect(double v, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double rest = std::fmod(std::fabs(v - low), 2 * range);
  return low + (rest > range ? 2 * range - rest : rest);
}

/// One axis of `size` elements.
struct GridAxis {
  i64 size;
  GridOptions options;

  /// Where elements are mirrored: at the centres or the outer edges of the last ones.
  double mirrored(double v) const {
    return options.align_corners ? reflect(v, 0, double(size - 1))
                                 : reflect(v, -0.5, double(size) - 0.5);
  }
  /// The element that stands for number `i`, -1 for 0.
  i64 element(double i) const {
    if (i >= 0 && i < double(size)) return i64(i);
    if (options.padding == Padding::zeros) return -1;
    const double moved = options.padding == Padding::reflection ? mirrored(i) : i;
    return i64(std::clamp(moved, 0., double(size - 1)));
  }
  /// Elements (-1 = none) and weights for a normalized coordinate.
  Samples samples(double u) const {
    const double n = double(size);
    double x = options.align_corners ? (u + 1) / 2 * (n - 1) : ((u + 1) * n - 1) / 2;
    if (!std::isfinite(x)) x = -2 * n;
    if (options.sampling != Sampling::cubic) {
      if (options.padding == Padding::border) x = std::clamp(x, 0., n - 1);
      if (options.padding == Padding::reflection) x = mirrored(x);
    }
    if (options.sampling == Sampling::nearest) return {{element(std::nearbyint(x))}, {1.}};
    const double base = std::floor(x), fraction = x - base;
    if (options.sampling == Sampling::linear)
      return {{element(base), element(base + 1)}, {1 - fraction, fraction}};
    const std::array<double, 4> w = cubic_weights(fraction, -0.75);
    Samples s;
    for (i64 k = 0; k < 4; ++k) {
      s.elements.push_back(element(base + double(k) - 1));
      s.weights.push_back(w[size_t(k)]);
    }
    return s;
  }
};

/// Elements of a plane and their weights for one point: the product over the axes. The coordinates
/// of `point` are last axis first.
template <class T>
void point_samples(const Dims& x, const GridOptions& options, const T* point, Samples& out) {
  const i64 rank = std::ssize(x) - 2;
  out = {{0}, {1.}};
  for (i64 a = 0; a < rank; ++a) {
    const i64 size = x[size_t(a + 2)];
    const Samples axis = GridAxis{size, options}.samples(double(point[rank - 1 - a]));
    Samples product;
    for (size_t i = 0; i < out.elements.size(); ++i)
      for (size_t k = 0; k < axis.elements.size(); ++k) {
        if (axis.elements[k] < 0) continue;
        product.elements.push_back(out.elements[i] * size + axis.elements[k]);
        product.weights.push_back(out.weights[i] * axis.weights[k]);
      }
    out = std::move(product);
  }
}

std::vector<Tensor> grid_sample(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &grid = ctx.in(1);
  const Dims dims = output_dims(ctx, infer_GridSample)[0];
  Tensor out(x.dtype(), dims);
  if (out.size() == 0) return one(std::move(out));
  const GridOptions options = read_options(ctx, ctx.attributes);
  const i64 plane = elements_from(x.dims(), 2), points = elements_from(dims, 2);
  const i64 rank = x.rank() - 2, channels = x.dim(1);
  ctx.check(plane > 0, "expected planes with elements, found ", to_text(x.dims()));
  const Tensor places = convert(grid, DType::f64);
  for_float(x.dtype(), "GridSample", [&](auto t) {
    using T = decltype(t);
    const T* from = x.data<T>().data();
    T* to = out.mutable_data<T>().data();
    Samples s;
    for (i64 n = 0; n < x.dim(0); ++n)
      for (i64 p = 0; p < points; ++p) {
        point_samples(x.dims(), options, places.data<double>().data() + (n * points + p) * rank, s);
        for (i64 c = 0; c < channels; ++c) {
          const T* values = from + (n * channels + c) * plane;
          T sum = 0;
          for (size_t k = 0; k < s.elements.size(); ++k)
            sum += T(s.weights[k]) * values[s.elements[k]];
          to[(n * channels + c) * points + p] = sum;
        }
      }
  });
  return one(std::move(out));
}

/// The coordinate of element i of `size`.
double place(i64 i, i64 size, bool align_corners) {
  if (!align_corners) return (2 * double(i) + 1) / double(size) - 1;
  return size > 1 ? 2 * double(i) / double(size - 1) - 1 : 0;
}

std::vector<Tensor> affine_grid(const EvalContext& ctx) {
  const Tensor& theta = ctx.in(0);
  const Dims dims = output_dims(ctx, infer_AffineGrid)[0];
  Tensor out(theta.dtype(), dims);
  const i64 rank = dims.back(), points = out.size() / std::max<i64>(1, dims[0] * rank);
  const bool align_corners = ctx.attributes.integer("align_corners", 0) != 0;
  for_float(theta.dtype(), "AffineGrid", [&](auto t) {
    using T = decltype(t);
    T* to = out.mutable_data<T>().data();
    std::vector<double> at(size_t(rank + 1), 1.);  // last axis first, then 1
    for (i64 n = 0; n < dims[0]; ++n)
      for (i64 p = 0; p < points; ++p) {
        i64 remainder = p;
        for (i64 a = rank - 1; a >= 0; --a) {
          const i64 size = dims[size_t(a + 1)];
          at[size_t(rank - 1 - a)] = place(remainder % size, size, align_corners);
          remainder /= size;
        }
        for (i64 r = 0; r < rank; ++r) {
          const T* row = theta.data<T>().data() + (n * rank + r) * (rank + 1);
          double sum = 0;
          for (i64 k = 0; k <= rank; ++k) sum += double(row[k]) * at[size_t(k)];
          *to++ = T(sum);
        }
      }
  });
  return one(std::move(out));
}

}  // namespace

void infer_GridSample(InferContext& ctx) {
  expect_float(ctx, 0);
  expect_float(ctx, 1);
  read_options(ctx, ctx.attributes());
  const Shape *x = ctx.shape(0), *grid = ctx.shape(1);
  if (!x || !grid) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  ctx.check(x->size() >= 3 && grid->size() == x->size() &&
                !differ(grid->back(), Dim(std::ssize(*x) - 2)) && !differ(grid->at(0), x->at(0)),
            "expected an input [N,C,...] and a grid [N,...,", std::ssize(*x) - 2, "], found ",
            to_text(*x), " and ", to_text(*grid));
  Shape out = {x->at(0), x->at(1)};
  out.insert(out.end(), grid->begin() + 1, grid->end() - 1);
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

void infer_AffineGrid(InferContext& ctx) {
  expect_float(ctx, 0);
  const auto size = ctx.int_values(1);
  if (!size) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  ctx.check(size->size() >= 4, "input 1: expected a size [N,C,...] of 4 or more numbers, found ",
            size->size());
  const i64 rank = std::ssize(*size) - 2;
  const Shape* theta = ctx.shape(0);
  ctx.check(!theta || (theta->size() == 3 && !differ(theta->at(0), size->at(0)) &&
                       !differ(theta->at(1), Dim(rank)) && !differ(theta->at(2), Dim(rank + 1))),
            "input 0: expected [N,", rank, ",", rank + 1, "], found ",
            theta ? to_text(*theta) : "");
  Shape out = {size->at(0)};
  out.insert(out.end(), size->begin() + 2, size->end());
  out.emplace_back(rank);
  for (const Dim& d : out)
    ctx.check(!d.value() || *d.value() >= 0, "expected sizes of 0 or more, found ", to_text(out));
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

std::vector<Tensor> evaluate_GridSample(const EvalContext& ctx) {
  return through_float(ctx, grid_sample);
}
std::vector<Tensor> evaluate_AffineGrid(const EvalContext& ctx) {
  return through_float(ctx, affine_grid);
}

}  // namespace sinter
