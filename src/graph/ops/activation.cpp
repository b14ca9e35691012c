// SPDX-License-Identifier: Apache-2.0
// Relu, LeakyRelu, Clip, Sigmoid, Tanh, Softmax, and the two that pass their input on in inference:
// Identity and Dropout. Sigmoid and Softmax never overflow: they exponentiate numbers <= 0 only.
#include <cmath>
#include <limits>

#include "graph/ops/detail/unary.h"

namespace sinter {

using namespace detail;

void infer_Relu(InferContext& ctx) {
  expect_number(ctx, 0);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}
void infer_LeakyRelu(InferContext& ctx) { infer_float_unary(ctx); }
void infer_Sigmoid(InferContext& ctx) { infer_float_unary(ctx); }
void infer_Tanh(InferContext& ctx) { infer_float_unary(ctx); }

void infer_Clip(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, 2 < ctx.input_count() ? 2 : ctx.input_count() - 1);
  for (i64 i = 1; i <= 2; ++i)
    if (const Shape* bound = ctx.shape(i))
      ctx.check(element_count(*bound).is(1) || !element_count(*bound).value(), "input ", i,
                ": expected a scalar bound, found shape ", to_text(*bound));
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

void infer_Softmax(InferContext& ctx) {
  expect_float(ctx, 0);
  if (const Shape* x = ctx.shape(0))
    normalize_axis(ctx, ctx.attributes().integer("axis", -1), std::ssize(*x));
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

void infer_Identity(InferContext& ctx) {
  const bool whole = is_integer(ctx.input(0).dtype);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape,
             whole ? ctx.int_values(0) : ctx.input(0).dims);
}

void infer_Dropout(InferContext& ctx) {
  expect_float(ctx, 0);
  ctx.check(!ctx.has(1) || is_float(ctx.input(1).dtype),
            "input 1: expected a float ratio, found element type ",
            name(ctx.has(1) ? ctx.input(1).dtype : DType::none));
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == DType::boolean,
            "input 2: expected training_mode of element type bool");
  if (const Tensor* training = ctx.constant(2)) {
    ctx.check(training->size() == 1, "input 2: expected one element, found ", training->size());
    require(training->as_int(0) == 0, ErrorKind::unsupported, ctx.node(),
            ": training_mode is set; only inference is supported");
  }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
  if (ctx.output_count() > 1) set_output(ctx, 1, DType::boolean, ctx.input(0).shape);
}

std::vector<Tensor> evaluate_Relu(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    // A NaN compares false and is kept.
    return map_numbers(c, infer_Relu, [](auto v) { return v < 0 ? decltype(v)(0) : v; });
  });
}

std::vector<Tensor> evaluate_LeakyRelu(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const float alpha = c.attributes.real("alpha", 0.01f);
    return map_floats(c, infer_LeakyRelu,
                      [=](auto v) { return v < 0 ? decltype(v)(alpha) * v : v; });
  });
}

std::vector<Tensor> evaluate_Sigmoid(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_floats(c, infer_Sigmoid, [](auto v) {
      using T = decltype(v);
      const T e = std::exp(-std::fabs(v));
      return (v < 0 ? e : T(1)) / (T(1) + e);
    });
  });
}

std::vector<Tensor> evaluate_Tanh(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_floats(c, infer_Tanh, [](auto v) { return std::tanh(v); });
  });
}

std::vector<Tensor> evaluate_Clip(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    output_dims(c, infer_Clip);
    return one(for_number(c.in(0).dtype(), "Clip", [&](auto t) {
      using T = decltype(t);
      const bool has_low = c.has(1), has_high = c.has(2);
      const T low = has_low ? c.in(1).data<T>()[0] : T();
      const T high = has_high ? c.in(2).data<T>()[0] : T();
      // The upper bound wins when they cross, as in numpy.
      return map_elements<T>(c.in(0), [=](T v) {
        if (has_low && v < low) v = low;
        return has_high && v > high ? high : v;
      });
    }));
  });
}

std::vector<Tensor> evaluate_Softmax(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const Tensor& x = c.in(0);
    Tensor out(x.dtype(), output_dims(c, infer_Softmax)[0]);
    const i64 axis = normalize_axis(c, c.attributes.integer("axis", -1), x.rank());
    const i64 length = x.dim(axis);
    i64 step = 1;  // elements between neighbours along the axis
    for (i64 a = axis + 1; a < x.rank(); ++a) step *= x.dim(a);
    for_float(x.dtype(), "Softmax", [&](auto t) {
      using T = decltype(t);
      const T* from = x.data<T>().data();
      T* to = out.template mutable_data<T>().data();
      if (x.size() == 0) return;
      for (i64 line = 0; line < x.size() / length; ++line) {
        const i64 first = line / step * step * length + line % step;
        T largest = from[first], sum = 0;
        for (i64 i = 1; i < length; ++i) largest = std::max(largest, from[first + i * step]);
        for (i64 i = 0; i < length; ++i)
          sum += to[first + i * step] = std::exp(from[first + i * step] - largest);
        for (i64 i = 0; i < length; ++i) to[first + i * step] /= sum;
      }
    });
    return one(std::move(out));
  });
}

std::vector<Tensor> evaluate_Identity(const EvalContext& ctx) { return one(ctx.in(0).clone()); }

std::vector<Tensor> evaluate_Dropout(const EvalContext& ctx) {
  output_dims(ctx, infer_Dropout);
  std::vector<Tensor> all = one(ctx.in(0).clone());
  if (ctx.outputs > 1) {
    Tensor mask(DType::boolean, ctx.in(0).dims());
    for (bool& kept : mask.mutable_data<bool>()) kept = true;
    all.push_back(std::move(mask));
  }
  return all;
}

}  // namespace sinter
