// SPDX-License-Identifier: Apache-2.0
// Conv and ConvTranspose over any number of spatial axes, with groups. Plain loops over filters,
// channels and taps; the innermost loop runs along an output row, so it is a multiply-add over
// contiguous memory for stride 1. Axes beyond the last three are loops around that. The bias is
// added last.
#include "graph/ops/detail/common.h"
#include "graph/ops/detail/conv_planes.h"
#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/products.h"
#include "graph/ops/window.h"

namespace sinter {

using namespace detail;

void infer_Conv(InferContext&);
void infer_ConvTranspose(InferContext&);

namespace {

/// What both operators check: types, ranks, the bias. `filters` is the number of output channels.
void check_operands(const InferContext& ctx, const Shape& x, const Shape* w, const Dim& filters,
                    i64 bias) {
  ctx.check(x.size() >= 3, "expected an input of rank 3 or more [N,C,spatial...], found ",
            to_text(x));
  ctx.check(!w || w->size() == x.size(), "expected a filter of rank ", x.size(), ", found ",
            w ? to_text(*w) : std::string());
  if (const Shape* b = bias < 0 ? nullptr : ctx.shape(bias)) {
    ctx.check(b->size() == 1, "expected a bias of rank 1, found ", to_text(*b));
    ctx.check(!b->at(0).value() || !filters.value() || same(b->at(0), filters),
              "expected a bias of ", filters.text(), " elements, found ", to_text(*b));
  }
}

i64 read_group(const InferContext& ctx) {
  const i64 group = ctx.attributes().integer("group", 1);
  ctx.check(group >= 1 && group <= (i64(1) << 31), "expected group of 1 or more, found ", group);
  return group;
}

std::optional<std::vector<i64>> filter_size(const InferContext& ctx, const Shape* w) {
  if (w)
    if (auto dims = static_dims(Shape(w->begin() + 2, w->end()))) return dims;
  if (!ctx.attributes().has("kernel_shape")) return std::nullopt;
  return ctx.attributes().integers("kernel_shape");
}

/// The adjoint: every input element spreads over the output positions of its taps.
template <class T>
void conv_transpose_plane(const Window& v, const T* x, const T* w, T* y) {
  for (i64 k0 = 0; k0 < v.kernel[0]; ++k0)
    for (i64 k1 = 0; k1 < v.kernel[1]; ++k1)
      for (i64 k2 = 0; k2 < v.kernel[2]; ++k2) {
        const T weight = *w++;
        const i64 s0 = k0 * v.dilations[0] - v.begin[0], s1 = k1 * v.dilations[1] - v.begin[1],
                  s2 = k2 * v.dilations[2] - v.begin[2];
        const Range r0 = inside(s0, v.strides[0], v.out[0], v.in[0]),
                    r1 = inside(s1, v.strides[1], v.out[1], v.in[1]),
                    r2 = inside(s2, v.strides[2], v.out[2], v.in[2]);
        for (i64 i0 = r0.first; i0 < r0.last; ++i0)
          for (i64 i1 = r1.first; i1 < r1.last; ++i1) {
            const T* from = x + (i0 * v.in[1] + i1) * v.in[2];
            T* to = y + ((i0 * v.strides[0] + s0) * v.out[1] + i1 * v.strides[1] + s1) * v.out[2];
            for (i64 i2 = r2.first; i2 < r2.last; ++i2)
              to[i2 * v.strides[2] + s2] += weight * from[i2];
          }
      }
}

i64 plane_size(const std::vector<i64>& sizes) { return element_count(sizes); }

/// At least three axes.
Window three_or_more(Window v) { return v.rank() < 3 ? v.in_3d() : v; }

/// The last `count` axes.
Window last_axes(const Window& v, i64 count) {
  const auto cut = [&](const std::vector<i64>& all) {
    return std::vector<i64>(all.end() - count, all.end());
  };
  return {cut(v.in),    cut(v.kernel), cut(v.strides), cut(v.dilations),
          cut(v.begin), cut(v.end),    cut(v.out)};
}

/// Calls plane(window of three axes, x, w, y offset) for every pair of planes that a tap of the
/// leading axes brings together: x and y are sub-planes `x_of` of `v.in` and `v.out` elements.
/// `adjoint`: the taps go from input to output, as ConvTranspose has them.
template <class T, class Plane>
void over_leading_axes(const Window& v, bool adjoint, const T* x, const T* w, T* y,
                       const Plane& plane) {
  if (v.rank() == 3) return plane(v, x, w, y);
  const Window rest = last_axes(v, v.rank() - 1);
  const i64 x_step = plane_size(rest.in), w_step = plane_size(rest.kernel),
            y_step = plane_size(rest.out);
  for (i64 k = 0; k < v.kernel[0]; ++k) {
    const i64 shift = k * v.dilations[0] - v.begin[0];
    const Range r = adjoint ? inside(shift, v.strides[0], v.out[0], v.in[0])
                            : inside(shift, v.strides[0], v.in[0], v.out[0]);
    for (i64 o = r.first; o < r.last; ++o) {
      const i64 far = o * v.strides[0] + shift;
      over_leading_axes(rest, adjoint, x + (adjoint ? o : far) * x_step, w + k * w_step,
                        y + (adjoint ? far : o) * y_step, plane);
    }
  }
}

template <class T>
void add_bias(const EvalContext& ctx, i64 filters, i64 plane, std::span<T> y) {
  if (!ctx.has(2)) return;
  const auto bias = ctx.in(2).data<T>();
  for (i64 i = 0; i < std::ssize(y); ++i) y[size_t(i)] += bias[size_t(i / plane % filters)];
}

std::vector<Tensor> conv(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &w = ctx.in(1);
  const Dims dims = output_dims(ctx, infer_Conv)[0];
  Tensor out = convolve(ctx.node, ctx.attributes, x, w, dims);
  for_float(x.dtype(), "Conv", [&](auto t) {
    using T = decltype(t);
    add_bias<T>(ctx, w.dim(0), elements_from(dims, 2), out.mutable_data<T>());
  });
  return one(std::move(out));
}

std::vector<Tensor> conv_transpose(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &w = ctx.in(1);
  Tensor out(x.dtype(), output_dims(ctx, infer_ConvTranspose)[0]);
  const Window v =
      three_or_more(conv_transpose_window(ctx.node, ctx.attributes, x.dims(), w.dims()));
  const i64 channels = x.dim(1), group = ctx.attributes.integer("group", 1);
  const i64 group_filters = w.dim(1), filters = group_filters * group;
  const i64 x_plane = plane_size(v.in), w_plane = plane_size(v.kernel), y_plane = plane_size(v.out);
  for_float(x.dtype(), "ConvTranspose", [&](auto t) {
    using T = decltype(t);
    const std::span<T> y = out.template mutable_data<T>();
    for (i64 n = 0; n < x.dim(0); ++n)
      for (i64 c = 0; c < channels; ++c)
        for (i64 m = 0; m < group_filters; ++m) {
          const i64 filter = c / (channels / group) * group_filters + m;
          over_leading_axes(v, true, x.data<T>().data() + (n * channels + c) * x_plane,
                            w.data<T>().data() + (c * group_filters + m) * w_plane,
                            y.data() + (n * filters + filter) * y_plane, conv_transpose_plane<T>);
        }
    add_bias<T>(ctx, filters, y_plane, y);
  });
  return one(std::move(out));
}

}  // namespace

std::optional<Shape> detail::conv_shape(const InferContext& ctx, i64 x_input, i64 w_input,
                                        i64 bias) {
  const Shape *x = ctx.shape(x_input), *w = ctx.shape(w_input);
  const i64 group = read_group(ctx);
  if (!x) return std::nullopt;
  const Dim filters = w && !w->empty() ? w->at(0) : Dim::unknown();
  check_operands(ctx, *x, w, filters, bias);
  if (w) {
    ctx.check(!differ(w->at(1) * Dim(group), x->at(1)), "expected ", to_text(*w),
              " filters to read ", (w->at(1) * Dim(group)).text(), " channels in ", group,
              " groups, found input ", to_text(*x));
    ctx.check(!filters.value() || *filters.value() % group == 0, "expected ", filters.text(),
              " filters to divide into ", group, " groups");
  }
  Shape out = {x->at(0), filters};
  out.resize(x->size());
  if (const auto kernel = filter_size(ctx, w)) {
    const i64 rank = std::ssize(*x) - 2;
    const WindowAttributes a = read_window(ctx.node(), ctx.attributes(), rank, *kernel);
    for (i64 i = 0; i < rank; ++i)
      out[size_t(i + 2)] = window_output(ctx.node(), a, i, x->at(size_t(i + 2)));
  }
  return out;
}

Tensor detail::convolve(std::string_view node, const Attributes& attributes, const Tensor& x,
                        const Tensor& w, const Dims& dims) {
  Tensor out(x.dtype(), dims);
  const Window v = three_or_more(conv_window(node, attributes, x.dims(), w.dims()));
  const i64 filters = w.dim(0), group_channels = w.dim(1);
  const i64 group_filters = filters / attributes.integer("group", 1);
  const i64 x_plane = plane_size(v.in), w_plane = plane_size(v.kernel), y_plane = plane_size(v.out);
  const std::vector<Tap> taps = taps_of(v.rank() == 3 ? v : last_axes(v, 3));
  const auto loops = [&](auto t) {
    using T = decltype(t);
    const std::span<T> y = out.template mutable_data<T>();
    const auto plane = [&](const Window& last, const T* in, const T* filter, T* to) {
      conv_plane<T>(last, taps, in, filter, to);
    };
    const T *from = x.data<T>().data(), *by = w.data<T>().data();
    if (v.rank() == 3 && y_plane <= kSmallPlane && group_filters >= kManyFilters) {
      for (i64 n = 0; n < x.dim(0); ++n)
        for (i64 m = 0; m < filters; m += group_filters)
          conv_small_planes<T>(v, taps, {group_channels, group_filters},
                               from + (n * x.dim(1) + m / group_filters * group_channels) * x_plane,
                               by + m * group_channels * w_plane,
                               y.data() + (n * filters + m) * y_plane);
      return;
    }
    for (i64 n = 0; n < x.dim(0); ++n)
      for (i64 m = 0; m < filters; ++m)
        for (i64 c = 0; c < group_channels; ++c) {
          const i64 channel = m / group_filters * group_channels + c;
          over_leading_axes(v, false, from + (n * x.dim(1) + channel) * x_plane,
                            by + (m * group_channels + c) * w_plane,
                            y.data() + (n * filters + m) * y_plane, plane);
        }
  };
  if (x.dtype() == DType::i32)
    loops(i32{});
  else
    for_float(x.dtype(), "convolution", loops);
  return out;
}

void infer_Conv(InferContext& ctx) {
  expect_float(ctx, 0);
  expect_same_type(ctx, 0, ctx.input_count() - 1);
  set_output(ctx, 0, ctx.input(0).dtype, conv_shape(ctx, 0, 1, 2));
}

void infer_ConvTranspose(InferContext& ctx) {
  expect_float(ctx, 0);
  expect_same_type(ctx, 0, ctx.input_count() - 1);
  const Shape *x = ctx.shape(0), *w = ctx.shape(1);
  const i64 group = read_group(ctx);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const Dim filters = w && w->size() > 1 ? w->at(1) * Dim(group) : Dim::unknown();
  check_operands(ctx, *x, w, filters, 2);
  ctx.check(!w || !differ(w->at(0), x->at(1)), "expected filters and input to agree on channels, ",
            "found ", w ? to_text(*w) : std::string(), " and ", to_text(*x));
  ctx.check(!x->at(1).value() || *x->at(1).value() % group == 0, "expected ", x->at(1).text(),
            " channels to divide into ", group, " groups");
  Shape out = {x->at(0), filters};
  out.resize(x->size());
  if (const auto kernel = filter_size(ctx, w)) {
    // One axis at a time, so that a symbolic axis hides nothing of the others.
    const Attributes& attributes = ctx.attributes();
    const i64 rank = std::ssize(*x) - 2;
    const WindowAttributes a = read_window(ctx.node(), attributes, rank, *kernel);
    std::vector<i64> in(size_t(rank) + 2, 1), filter = {1, 1};
    filter.insert(filter.end(), a.kernel.begin(), a.kernel.end());
    const std::vector<i64> extra = attributes.integers("output_padding");
    const bool fixed = attributes.has("output_shape");
    const bool is_same = a.auto_pad == AutoPad::same_upper || a.auto_pad == AutoPad::same_lower;
    const bool all_known = static_dims(Shape(x->begin() + 2, x->end())).has_value();
    for (i64 i = 0; i < rank; ++i)
      in[size_t(i + 2)] = x->at(size_t(i + 2)).value().value_or(1 << 20);
    Window v;
    if (all_known || fixed || is_same)
      v = conv_transpose_window(ctx.node(), attributes, in, filter);
    for (i64 i = 0; i < rank; ++i) {
      const size_t s = size_t(i);
      const Dim& size = x->at(s + 2);
      if (all_known || fixed)
        out[s + 2] = v.out[s];
      else if (is_same)
        out[s + 2] = size * Dim(a.strides[s]);
      else
        out[s + 2] = (size - Dim(1)) * Dim(a.strides[s]) +
                     Dim((s < extra.size() ? extra[s] : 0) + a.extent(i) - a.pads[s] -
                         a.pads[s + size_t(rank)]);
    }
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

std::vector<Tensor> evaluate_Conv(const EvalContext& ctx) { return through_float(ctx, conv); }
std::vector<Tensor> evaluate_ConvTranspose(const EvalContext& ctx) {
  return through_float(ctx, conv_transpose);
}

}  // namespace sinter
