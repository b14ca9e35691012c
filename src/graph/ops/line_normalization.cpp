// SPDX-License-Identifier: Apache-2.0
// Normalizations along axes of any place:
//   LRN                        y = x / (bias + alpha/size * S)^beta, S = sum of squares over the
//                              channels c - floor((size-1)/2) .. c + ceil((size-1)/2)
//   LpNormalization            y = x / (sum |x|^p)^(1/p) over one axis, p = 1 or 2; 0 where that is
//   0 MeanVarianceNormalization  y = (x - mean) / (sqrt(variance) + 1e-9) over `axes`
#include <cmath>

#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/mover.h"
#include "graph/ops/detail/unary.h"

namespace sinter {

using namespace detail;

void infer_LRN(InferContext&);
void infer_LpNormalization(InferContext&);
void infer_MeanVarianceNormalization(InferContext&);

namespace {

template <class T>
void lrn_line(const T* x, const Lines& lines, i64 size, T alpha, T beta, T bias, T* y) {
  const i64 before = (size - 1) / 2, after = size - 1 - before;
  for (i64 c = 0; c < lines.length; ++c) {
    T squares = 0;
    const i64 last = after < lines.length - c ? c + after : lines.length - 1;
    for (i64 i = std::max<i64>(0, c - before); i <= last; ++i)
      squares += x[i * lines.step] * x[i * lines.step];
    y[c * lines.step] = x[c * lines.step] / std::pow(bias + alpha / T(size) * squares, beta);
  }
}

std::vector<Tensor> lrn(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_LRN)[0]);
  if (out.size() == 0) return one(std::move(out));
  const Attributes& a = ctx.attributes;
  const Lines lines = lines_along(x.dims(), 1);
  for_float(x.dtype(), "LRN", [&](auto t) {
    using T = decltype(t);
    for (i64 l = 0; l < lines.count; ++l)
      lrn_line<T>(x.data<T>().data() + lines.first(l), lines, a.integer("size", 1),
                  T(a.real("alpha", 1e-4f)), T(a.real("beta", 0.75f)), T(a.real("bias", 1.f)),
                  out.mutable_data<T>().data() + lines.first(l));
  });
  return one(std::move(out));
}

std::vector<Tensor> lp_normalization(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_LpNormalization)[0]);
  if (out.size() == 0) return one(std::move(out));
  const bool squares = ctx.attributes.integer("p", 2) == 2;
  const Lines lines =
      lines_along(x.dims(), normalize_axis(ctx, ctx.attributes.integer("axis", -1), x.rank()));
  for_float(x.dtype(), "LpNormalization", [&](auto t) {
    using T = decltype(t);
    for (i64 l = 0; l < lines.count; ++l) {
      const T* from = x.data<T>().data() + lines.first(l);
      T* to = out.mutable_data<T>().data() + lines.first(l);
      T norm = 0;
      for (i64 i = 0; i < lines.length; ++i) {
        const T v = from[i * lines.step];
        norm += squares ? v * v : std::fabs(v);
      }
      if (squares) norm = std::sqrt(norm);
      for (i64 i = 0; i < lines.length; ++i)
        to[i * lines.step] = norm != 0 ? from[i * lines.step] / norm : T(0);
    }
  });
  return one(std::move(out));
}

std::vector<i64> read_axes(const Attributes& attributes) {
  return attributes.integers("axes", {0, 2, 3});
}

/// The normalized axes go last, so that a block is a run; then back.
std::vector<Tensor> mean_variance_normalization(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_MeanVarianceNormalization)[0]);
  if (out.size() == 0) return one(std::move(out));
  const std::vector<i64> axes = normalize_axes(ctx, read_axes(ctx.attributes), x.rank());
  std::vector<i64> order;
  for (i64 a = 0; a < x.rank(); ++a)
    if (!std::binary_search(axes.begin(), axes.end(), a)) order.push_back(a);
  const i64 kept = std::ssize(order);
  order.insert(order.end(), axes.begin(), axes.end());
  const std::vector<i64> x_steps = dense_steps(x.dims());
  Dims turned_dims;
  std::vector<i64> steps, back(order.size());
  for (i64 a : order) {
    turned_dims.push_back(x.dim(a));
    steps.push_back(x_steps[size_t(a)]);
  }
  Tensor turned(x.dtype(), turned_dims);
  copy_strided(x, 0, steps, turned);
  const std::vector<i64> turned_steps = dense_steps(turned_dims);
  for (size_t i = 0; i < order.size(); ++i) back[size_t(order[i])] = turned_steps[i];
  const i64 length = elements_from(turned_dims, kept);
  for_float(x.dtype(), "MeanVarianceNormalization", [&](auto t) {
    using T = decltype(t);
    const std::span<T> all = turned.mutable_data<T>();
    for (auto block = all.begin(); block != all.end(); block += length) {
      const std::span<T> v(block, size_t(length));
      T mean = 0, squares = 0;
      for (T e : v) mean += e;
      mean /= T(length);
      for (T e : v) squares += (e - mean) * (e - mean);
      const T deviation = std::sqrt(squares / T(length)) + T(1e-9);
      for (T& e : v) e = (e - mean) / deviation;
    }
  });
  copy_strided(turned, 0, back, out);
  return one(std::move(out));
}

}  // namespace

void infer_LRN(InferContext& ctx) {
  const i64 size = ctx.attributes().integer("size", 0);
  ctx.check(size >= 1 && size <= kMaxElements, "expected size of 1 or more, found ", size);
  const Shape* x = ctx.shape(0);
  ctx.check(!x || x->size() >= 2, "expected an input of rank 2 or more [N,C,...], found ",
            x ? to_text(*x) : "");
  infer_float_unary(ctx);
}

void infer_LpNormalization(InferContext& ctx) {
  const i64 p = ctx.attributes().integer("p", 2);
  ctx.check(p == 1 || p == 2, "expected p of 1 or 2, found ", p);
  if (const Shape* x = ctx.shape(0))
    normalize_axis(ctx, ctx.attributes().integer("axis", -1), std::ssize(*x));
  infer_float_unary(ctx);
}

void infer_MeanVarianceNormalization(InferContext& ctx) {
  if (const Shape* x = ctx.shape(0))
    normalize_axes(ctx, read_axes(ctx.attributes()), std::ssize(*x));
  infer_float_unary(ctx);
}

std::vector<Tensor> evaluate_LRN(const EvalContext& ctx) { return through_float(ctx, lrn); }
std::vector<Tensor> evaluate_LpNormalization(const EvalContext& ctx) {
  return through_float(ctx, lp_normalization);
}
std::vector<Tensor> evaluate_MeanVarianceNormalization(const EvalContext& ctx) {
  return through_float(ctx, mean_variance_normalization);
}

}  // namespace sinter
