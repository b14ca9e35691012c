// SPDX-License-Identifier: Apache-2.0
// MaxPool (with indices), AveragePool, GlobalAveragePool over one to three spatial axes.
//
// A window is cut to the input (MaxPool, AveragePool) or to the padded input (count_include_pad).
// A MaxPool window whose every tap falls into padding gives the least number and index -1.
#include <limits>

#include "graph/ops/detail/common.h"
#include "graph/ops/window.h"

namespace sinter {

using namespace detail;

void infer_MaxPool(InferContext&);
void infer_AveragePool(InferContext&);
void infer_GlobalAveragePool(InferContext&);

namespace {

std::optional<Shape> pooled_shape(const InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  if (!x) {
    ctx.check(ctx.attributes().has("kernel_shape"), "kernel_shape is required");
    return std::nullopt;
  }
  ctx.check(x->size() >= 3, "expected an input of rank 3 or more [N,C,spatial...], found ",
            to_text(*x));
  require(x->size() <= 5, ErrorKind::unsupported, ctx.node(),
          ": expected at most three spatial axes, found ", x->size() - 2);
  const i64 rank = std::ssize(*x) - 2;
  // The checks on pads are those of pool_window; sizes that always fit stand in for the input's.
  const WindowAttributes a = read_window(ctx.node(), ctx.attributes(), rank, {});
  for (size_t i = 0; i < a.pads.size(); ++i)
    ctx.check(a.pads[i] < a.kernel[i % size_t(rank)], "expected pads smaller than the kernel ",
              to_text(a.kernel), ", found ", to_text(a.pads));
  Shape out = *x;
  for (i64 i = 0; i < rank; ++i)
    out[size_t(i + 2)] = window_output(ctx.node(), a, i, x->at(size_t(i + 2)));
  return out;
}

/// Taps of one axis at one output position: input = start + tap * dilation for first <= tap < last.
struct Taps {
  i64 start, first, last;
};
Taps taps(const Window& w, size_t axis, i64 o) {
  const i64 start = o * w.strides[axis] - w.begin[axis], dilation = w.dilations[axis];
  const i64 first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
  const i64 room = w.in[axis] - start;
  return {start, first, std::min(w.kernel[axis], room <= 0 ? 0 : (room + dilation - 1) / dilation)};
}

/// Calls body(o0, o1, o2, position) for every output position of a plane.
template <class Body>
void for_each_position(const Window& w, const Body& body) {
  i64 position = 0;
  for (i64 o0 = 0; o0 < w.out[0]; ++o0)
    for (i64 o1 = 0; o1 < w.out[1]; ++o1)
      for (i64 o2 = 0; o2 < w.out[2]; ++o2) body(o0, o1, o2, position++);
}

/// Calls body(i0, i1, i2) for every input element of the window at (o0, o1, o2).
template <class Body>
void for_each_tap(const Window& w, i64 o0, i64 o1, i64 o2, const Body& body) {
  const Taps t0 = taps(w, 0, o0), t1 = taps(w, 1, o1), t2 = taps(w, 2, o2);
  for (i64 k0 = t0.first; k0 < t0.last; ++k0)
    for (i64 k1 = t1.first; k1 < t1.last; ++k1)
      for (i64 k2 = t2.first; k2 < t2.last; ++k2)
        body(t0.start + k0 * w.dilations[0], t1.start + k1 * w.dilations[1],
             t2.start + k2 * w.dilations[2]);
}

template <class T>
void max_pool_planes(const Window& w, std::span<const T> x, std::span<T> y, i64* indices,
                     bool column_major) {
  const i64 in = element_count(w.in), out = element_count(w.out);
  constexpr T kLeast = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity()
                                                   : std::numeric_limits<T>::lowest();
  for (i64 plane = 0; plane * out < std::ssize(y); ++plane) {
    const T* from = x.data() + plane * in;
    for_each_position(w, [&](i64 o0, i64 o1, i64 o2, i64 position) {
      T best = kLeast;
      i64 index = -1;
      for_each_tap(w, o0, o1, o2, [&](i64 i0, i64 i1, i64 i2) {
        const T v = from[(i0 * w.in[1] + i1) * w.in[2] + i2];
        if (index >= 0 && !(v > best)) return;
        best = v;
        index = plane * in + (column_major ? (i2 * w.in[1] + i1) * w.in[0] + i0
                                           : (i0 * w.in[1] + i1) * w.in[2] + i2);
      });
      y[size_t(plane * out + position)] = best;
      if (indices) indices[plane * out + position] = index;
    });
  }
}

std::vector<Tensor> max_pool(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<Dims> dims = output_dims(ctx, infer_MaxPool);
  const Window w = pool_window(ctx.node, ctx.attributes, x.dims()).in_3d();
  const bool column_major = ctx.attributes.integer("storage_order", 0) != 0;
  std::vector<Tensor> results = one(Tensor(x.dtype(), dims[0]));
  if (ctx.outputs > 1) results.emplace_back(DType::i64, dims[1]);
  i64* indices = ctx.outputs > 1 ? results[1].mutable_data<i64>().data() : nullptr;
  for_number(x.dtype(), "MaxPool", [&](auto t) {
    using T = decltype(t);
    max_pool_planes<T>(w, x.data<T>(), results[0].mutable_data<T>(), indices, column_major);
  });
  return results;
}

/// Elements of the window at output o that lie in the padded input. A double, because the product
/// over the axes of a hostile model does not fit an integer.
double padded_length(const Window& w, size_t axis, i64 o) {
  const i64 start = o * w.strides[axis] - w.begin[axis];
  return double(std::min(start + w.kernel[axis], w.in[axis] + w.end[axis]) - start);
}

std::vector<Tensor> average_pool(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_AveragePool)[0]);
  const Window w = pool_window(ctx.node, ctx.attributes, x.dims()).in_3d();
  const bool with_pads = ctx.attributes.integer("count_include_pad", 0) != 0;
  const i64 in = element_count(w.in), plane_out = element_count(w.out);
  for_float(x.dtype(), "AveragePool", [&](auto t) {
    using T = decltype(t);
    const std::span<T> y = out.template mutable_data<T>();
    for (i64 plane = 0; plane * plane_out < std::ssize(y); ++plane) {
      const T* from = x.data<T>().data() + plane * in;
      for_each_position(w, [&](i64 o0, i64 o1, i64 o2, i64 position) {
        T sum = 0;
        double count = 0;
        for_each_tap(w, o0, o1, o2, [&](i64 i0, i64 i1, i64 i2) {
          sum += from[(i0 * w.in[1] + i1) * w.in[2] + i2];
          ++count;
        });
        if (with_pads)
          count = padded_length(w, 0, o0) * padded_length(w, 1, o1) * padded_length(w, 2, o2);
        y[size_t(plane * plane_out + position)] = count > 0 ? sum / T(count) : T(0);
      });
    }
  });
  return one(std::move(out));
}

std::vector<Tensor> global_average_pool(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_GlobalAveragePool)[0]);
  const i64 plane = out.size() > 0 ? x.size() / out.size() : 0;
  ctx.check(out.size() == 0 || plane > 0, "expected spatial axes with elements, found ",
            to_text(x.dims()));
  for_float(x.dtype(), "GlobalAveragePool", [&](auto t) {
    using T = decltype(t);
    const T* from = x.data<T>().data();
    for (T& y : out.template mutable_data<T>()) {
      T sum = 0;
      for (i64 i = 0; i < plane; ++i) sum += *from++;
      y = sum / T(plane);
    }
  });
  return one(std::move(out));
}

}  // namespace

void infer_MaxPool(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  ctx.check(is_float(type) || type == DType::i8 || type == DType::u8,
            "input 0: expected a float, i8 or u8 element type, found ", name(type));
  const auto shape = pooled_shape(ctx);
  set_output(ctx, 0, type, shape);
  if (ctx.output_count() > 1) set_output(ctx, 1, DType::i64, shape);
}

void infer_AveragePool(InferContext& ctx) {
  expect_float(ctx, 0);
  set_output(ctx, 0, ctx.input(0).dtype, pooled_shape(ctx));
}

void infer_GlobalAveragePool(InferContext& ctx) {
  expect_float(ctx, 0);
  std::optional<Shape> shape = ctx.input(0).shape;
  ctx.check(!shape || shape->size() >= 2, "expected an input of rank 2 or more, found ",
            shape ? to_text(*shape) : "");
  if (shape) std::fill(shape->begin() + 2, shape->end(), Dim(1));
  set_output(ctx, 0, ctx.input(0).dtype, std::move(shape));
}

std::vector<Tensor> evaluate_MaxPool(const EvalContext& ctx) {
  return through_float(ctx, max_pool);
}
std::vector<Tensor> evaluate_AveragePool(const EvalContext& ctx) {
  return through_float(ctx, average_pool);
}
std::vector<Tensor> evaluate_GlobalAveragePool(const EvalContext& ctx) {
  return through_float(ctx, global_average_pool);
}

}  // namespace sinter
