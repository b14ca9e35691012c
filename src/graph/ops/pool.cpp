// SPDX-License-Identifier: Apache-2.0
// MaxPool (with indices), AveragePool and LpPool over any number of spatial axes.
//
// A window is cut to the input; with count_include_pad the mean counts the taps in the padding too,
// not those that ceil_mode lets reach beyond it (as ONNX Runtime 1.30 and PyTorch have it). A
// window without elements gives the least finite number and index -1 (MaxPool) or 0. Which elements
// a window holds is the same for every plane, so positions are the outer loop and planes the inner
// one.
#include <cmath>
#include <limits>

#include "graph/ops/detail/common.h"
#include "graph/ops/window.h"

namespace sinter {

using namespace detail;

void infer_MaxPool(InferContext&);
void infer_AveragePool(InferContext&);
void infer_LpPool(InferContext&);

namespace {

std::optional<Shape> pooled_shape(const InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  if (!x) {
    ctx.check(ctx.attributes().has("kernel_shape"), "kernel_shape is required");
    return std::nullopt;
  }
  ctx.check(x->size() >= 3, "expected an input of rank 3 or more [N,C,spatial...], found ",
            to_text(*x));
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

/// Input coordinates of one axis that the window at output o holds.
std::vector<i64> taps(const Window& w, size_t axis, i64 o) {
  const i64 start = o * w.strides[axis] - w.begin[axis], dilation = w.dilations[axis];
  const i64 first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
  const i64 room = w.in[axis] - start;
  const i64 last = std::min(w.kernel[axis], room <= 0 ? 0 : (room + dilation - 1) / dilation);
  std::vector<i64> all;
  for (i64 k = first; k < last; ++k) all.push_back(start + k * dilation);
  return all;
}

/// How many taps of the window at output `at` lie in the input or its padding.
double padded_taps(const Window& w, const std::vector<i64>& at) {
  double count = 1;
  for (size_t a = 0; a < at.size(); ++a) {
    const i64 room = w.begin[a] + w.in[a] + w.end[a] - at[a] * w.strides[a];
    count *= double(std::min(w.kernel[a], (room + w.dilations[a] - 1) / w.dilations[a]));
  }
  return count;
}

/// Positions in a plane of the elements of the window at output `at`, in memory order.
void window_elements(const Window& w, const std::vector<i64>& at, std::vector<i64>& elements) {
  elements = {0};
  std::vector<i64> longer;
  for (size_t axis = 0; axis < at.size(); ++axis) {
    const std::vector<i64> coordinates = taps(w, axis, at[axis]);
    longer.clear();
    for (i64 outer : elements)
      for (i64 c : coordinates) longer.push_back(outer * w.in[axis] + c);
    elements.swap(longer);
  }
}

/// Calls body(position, at, elements) for every output position of a plane; there is a plane.
template <class Body>
void for_each_window(const Window& w, const Body& body) {
  std::vector<i64> at(w.out.size(), 0), elements;
  const i64 positions = element_count(w.out);
  for (i64 position = 0; position < positions; ++position) {
    window_elements(w, at, elements);
    body(position, at, std::span<const i64>(elements));
    for (i64 a = w.rank() - 1; a >= 0 && ++at[size_t(a)] == w.out[size_t(a)]; --a)
      at[size_t(a)] = 0;
  }
}

/// The position in a plane with the first spatial axis running fastest.
i64 column_major(const Window& w, i64 position) {
  i64 result = 0;
  std::vector<i64> at(w.in.size());
  for (i64 a = w.rank() - 1; a >= 0; --a) {
    at[size_t(a)] = position % w.in[size_t(a)];
    position /= w.in[size_t(a)];
  }
  for (i64 a = w.rank() - 1; a >= 0; --a) result = result * w.in[size_t(a)] + at[size_t(a)];
  return result;
}

std::vector<Tensor> max_pool(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<Dims> dims = output_dims(ctx, infer_MaxPool);
  const Window w = pool_window(ctx.node, ctx.attributes, x.dims());
  const bool turned = ctx.attributes.integer("storage_order", 0) != 0;
  std::vector<Tensor> results = one(Tensor(x.dtype(), dims[0]));
  if (ctx.outputs > 1) results.emplace_back(DType::i64, dims[1]);
  if (results[0].size() == 0) return results;
  i64* indices = ctx.outputs > 1 ? results[1].mutable_data<i64>().data() : nullptr;
  const i64 in = element_count(w.in), out = element_count(w.out);
  for_number(x.dtype(), "MaxPool", [&](auto t) {
    using T = decltype(t);
    constexpr T kLeast = std::numeric_limits<T>::lowest();
    const T* from = x.data<T>().data();
    const std::span<T> y = results[0].mutable_data<T>();
    for_each_window(w, [&](i64 position, const std::vector<i64>&, std::span<const i64> elements) {
      for (i64 plane = 0; plane * out < std::ssize(y); ++plane) {
        T best = kLeast;
        i64 index = -1;
        for (i64 e : elements) {
          const T v = from[plane * in + e];
          if (index >= 0 && !(v > best)) continue;
          best = v;
          index = e;
        }
        y[size_t(plane * out + position)] = best;
        if (indices && index >= 0) index = plane * in + (turned ? column_major(w, index) : index);
        if (indices) indices[plane * out + position] = index;
      }
    });
  });
  return results;
}

std::vector<Tensor> average_pool(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor result(x.dtype(), output_dims(ctx, infer_AveragePool)[0]);
  if (result.size() == 0) return one(std::move(result));
  const Window w = pool_window(ctx.node, ctx.attributes, x.dims());
  const bool with_pads = ctx.attributes.integer("count_include_pad", 0) != 0;
  const i64 in = element_count(w.in), out = element_count(w.out);
  for_float(x.dtype(), "AveragePool", [&](auto t) {
    using T = decltype(t);
    const T* from = x.data<T>().data();
    const std::span<T> y = result.mutable_data<T>();
    for_each_window(w,
                    [&](i64 position, const std::vector<i64>& at, std::span<const i64> elements) {
                      const double count = with_pads ? padded_taps(w, at) : double(elements.size());
                      for (i64 plane = 0; plane * out < std::ssize(y); ++plane) {
                        T sum = 0;
                        for (i64 e : elements) sum += from[plane * in + e];
                        y[size_t(plane * out + position)] = count > 0 ? sum / T(count) : T(0);
                      }
                    });
  });
  return one(std::move(result));
}

std::vector<Tensor> lp_pool(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor result(x.dtype(), output_dims(ctx, infer_LpPool)[0]);
  if (result.size() == 0) return one(std::move(result));
  const Window w = pool_window(ctx.node, ctx.attributes, x.dims());
  const i64 in = element_count(w.in), out = element_count(w.out);
  for_float(x.dtype(), "LpPool", [&](auto t) {
    using T = decltype(t);
    const T p = T(ctx.attributes.integer("p", 2));
    const T* from = x.data<T>().data();
    const std::span<T> y = result.mutable_data<T>();
    for_each_window(w, [&](i64 position, const std::vector<i64>&, std::span<const i64> elements) {
      for (i64 plane = 0; plane * out < std::ssize(y); ++plane) {
        T sum = 0;
        for (i64 e : elements) sum += std::pow(std::fabs(from[plane * in + e]), p);
        y[size_t(plane * out + position)] = std::pow(sum, T(1) / p);
      }
    });
  });
  return one(std::move(result));
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

void infer_LpPool(InferContext& ctx) {
  expect_float(ctx, 0);
  const i64 p = ctx.attributes().integer("p", 2);
  ctx.check(p >= 1, "expected p of 1 or more, found ", p);
  set_output(ctx, 0, ctx.input(0).dtype, pooled_shape(ctx));
}

std::vector<Tensor> evaluate_MaxPool(const EvalContext& ctx) {
  return through_float(ctx, max_pool);
}
std::vector<Tensor> evaluate_AveragePool(const EvalContext& ctx) {
  return through_float(ctx, average_pool);
}
std::vector<Tensor> evaluate_LpPool(const EvalContext& ctx) { return through_float(ctx, lp_pool); }

}  // namespace sinter
