// SPDX-License-Identifier: Apache-2.0
// The Reduce operators: every element of x is folded, in memory order and in the element type, into
// its place in the result. Axes are input 1 (opset 18).
//   op         start   step          finish
//   Sum        0       + v
//   Mean       0       + v           / count; integers truncate
//   SumSquare  0       + v*v
//   L1         0       + |v|
//   L2         0       + v*v         sqrt
//   LogSum     0       + v           log
//   LogSumExp  0       + e^(v - m)   log + m, m the largest element
//   Prod       1       * v
//   Max, Min   the least, the largest number; a NaN stays; bools as 0 and 1
// With noop_with_empty_axes and no axes the result is x, whatever the operator.
#include "graph/ops/detail/reduce.h"

#include <cmath>
#include <limits>

namespace sinter {

using namespace detail;

namespace {

bool is_wide_number(DType type) {
  return is_float(type) || type == DType::i32 || type == DType::i64 || type == DType::u32 ||
         type == DType::u64;
}

void infer_sum(InferContext& ctx, Dim (*combine)(const Dim&, const Dim&)) {
  ctx.check(is_wide_number(ctx.input(0).dtype),
            "input 0: expected a float or 32- or 64-bit integer element type, found ",
            name(ctx.input(0).dtype));
  set_reduced(ctx, combine);
}

void infer_extremum(InferContext& ctx, Dim (*combine)(const Dim&, const Dim&)) {
  const DType type = ctx.input(0).dtype;
  ctx.check(is_number(type) || type == DType::boolean,
            "input 0: expected a numeric or bool element type, found ", name(type));
  set_reduced(ctx, combine);
}

/// f(double) for integers, f(T) for floats.
template <class T, class F>
T through_double(T v, const F& f) {
  if constexpr (std::is_floating_point_v<T>)
    return f(v);
  else
    return from_double<T>(f(double(v)));
}

struct Sum {
  template <class T>
  static T start() {
    return T(0);
  }
  template <class T>
  static T step(T into, T v) {
    return add(into, v);
  }
  template <class T>
  static T finish(T v, i64) {
    return v;
  }
};

struct Mean : Sum {
  template <class T>
  static T finish(T v, i64 count) {
    if constexpr (std::is_floating_point_v<T>) return v / T(count);
    using Wide = std::conditional_t<std::is_signed_v<T>, i64, u64>;
    return T(Wide(v) / Wide(count));
  }
};

struct SumSquare : Sum {
  template <class T>
  static T step(T into, T v) {
    return add(into, multiply(v, v));
  }
};

struct L1 : Sum {
  template <class T>
  static T step(T into, T v) {
    if constexpr (std::is_floating_point_v<T>) return into + std::fabs(v);
    return v < T(0) ? subtract(into, v) : add(into, v);
  }
};

struct L2 : SumSquare {
  template <class T>
  static T finish(T v, i64) {
    return through_double(v, [](auto s) { return std::sqrt(s); });
  }
};

struct LogSum : Sum {
  template <class T>
  static T finish(T v, i64) {
    return through_double(v, [](auto s) { return std::log(s); });
  }
};

struct Prod : Sum {
  template <class T>
  static T start() {
    return T(1);
  }
  template <class T>
  static T step(T into, T v) {
    return multiply(into, v);
  }
};

struct Max : Sum {
  template <class T>
  static T start() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }
  template <class T>
  static T step(T into, T v) {
    return v > into || v != v ? v : into;
  }
};

struct Min : Sum {
  template <class T>
  static T start() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
  template <class T>
  static T step(T into, T v) {
    return v < into || v != v ? v : into;
  }
};

/// x folded over `axes`; the result has the dims `out`.
template <class Fold>
Tensor reduce(const EvalContext& ctx, const Tensor& x, const std::vector<i64>& axes, Dims dims) {
  const Dims kept = with_ones(x.dims(), axes);
  Tensor out(x.dtype(), std::move(dims));
  const i64 count = out.size() == 0 ? 0 : x.size() / out.size();
  for_number(x.dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    const std::span<T> y = out.mutable_data<T>();
    std::fill(y.begin(), y.end(), Fold::template start<T>());
    fold_into(x.data<T>().data(), x.dims(), y.data(), kept,
              [](T& into, T v) { into = Fold::template step<T>(into, v); });
    constexpr bool divides = std::is_same_v<Fold, Mean> && std::is_integral_v<T>;
    ctx.check(!divides || count > 0 || out.size() == 0, "mean of no elements");
    for (T& v : y) v = Fold::template finish<T>(v, count);
  });
  return out;
}

template <class Fold>
std::vector<Tensor> reduce_with(const EvalContext& ctx, Infer infer) {
  Dims dims = output_dims(ctx, infer)[0];
  if (reduces_nothing(ctx)) return one(ctx.in(0).clone());
  return one(reduce<Fold>(ctx, ctx.in(0), reduced_axes(ctx), std::move(dims)));
}

/// Max and Min: bools go through bytes.
template <class Fold>
std::vector<Tensor> extremum(const EvalContext& ctx, Infer infer) {
  if (ctx.in(0).dtype() != DType::boolean || reduces_nothing(ctx))
    return reduce_with<Fold>(ctx, infer);
  Dims dims = output_dims(ctx, infer)[0];
  const Tensor bytes = convert(ctx.in(0), DType::u8);
  const Tensor result = reduce<Fold>(ctx, bytes, reduced_axes(ctx), std::move(dims));
  return one(convert(result, DType::boolean));
}

/// log of the sum of e^v for floats: the largest element is taken out first.
Tensor log_sum_exp(const EvalContext& ctx, const Tensor& x, const std::vector<i64>& axes,
                   const Dims& dims) {
  const Dims kept = with_ones(x.dims(), axes);
  const Tensor most = reduce<Max>(ctx, x, axes, kept);
  Tensor out(x.dtype(), dims);
  for_float(x.dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    const auto shift = [&](T m) { return std::isfinite(m) ? m : T(0); };
    Tensor shifted(x.dtype(), x.dims());
    const T *from = x.data<T>().data(), *m = most.data<T>().data();
    T* to = shifted.mutable_data<T>().data();
    for_each_row<1>(x.dims(), {&kept},
                    [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
                      for (i64 i = 0; i < count; ++i)
                        to[at + i] = from[at + i] - shift(m[offsets[0] + i * steps[0]]);
                    });
    const std::span<T> y = out.mutable_data<T>();
    fold_into(to, x.dims(), y.data(), kept, [](T& into, T v) { into += std::exp(v); });
    for (size_t i = 0; i < y.size(); ++i) y[i] = std::log(y[i]) + shift(m[i]);
  });
  return out;
}

}  // namespace

// infer_<op> and evaluate_<op>.
#define SINTER_REDUCE(op, infer_by, combine, evaluate_by, fold)                                  \
  void infer_##op(InferContext& ctx) { infer_by(ctx, combine); }                                 \
  std::vector<Tensor> evaluate_##op(const EvalContext& ctx) {                                    \
    return through_float(ctx,                                                                    \
                         [](const EvalContext& c) { return evaluate_by<fold>(c, infer_##op); }); \
  }
SINTER_REDUCE(ReduceSum, infer_sum, sum, reduce_with, Sum)
SINTER_REDUCE(ReduceMean, infer_sum, nullptr, reduce_with, Mean)
SINTER_REDUCE(ReduceSumSquare, infer_sum, nullptr, reduce_with, SumSquare)
SINTER_REDUCE(ReduceL1, infer_sum, nullptr, reduce_with, L1)
SINTER_REDUCE(ReduceL2, infer_sum, nullptr, reduce_with, L2)
SINTER_REDUCE(ReduceLogSum, infer_sum, nullptr, reduce_with, LogSum)
SINTER_REDUCE(ReduceProd, infer_sum, product, reduce_with, Prod)
SINTER_REDUCE(ReduceMax, infer_extremum, maximum, extremum, Max)
SINTER_REDUCE(ReduceMin, infer_extremum, minimum, extremum, Min)
#undef SINTER_REDUCE

void infer_ReduceLogSumExp(InferContext& ctx) { infer_sum(ctx, nullptr); }

std::vector<Tensor> evaluate_ReduceLogSumExp(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const Dims dims = output_dims(c, infer_ReduceLogSumExp)[0];
    if (reduces_nothing(c)) return one(c.in(0).clone());
    const std::vector<i64> axes = reduced_axes(c);
    if (is_float(c.in(0).dtype())) return one(log_sum_exp(c, c.in(0), axes, dims));
    const Tensor wide = convert(c.in(0), DType::f64);
    return one(convert(log_sum_exp(c, wide, axes, dims), c.in(0).dtype()));
  });
}

}  // namespace sinter
