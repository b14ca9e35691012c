// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear. Rounding is to the nearest, ties to
// even.
//   quantize    y = saturate(round(x / scale) + zero_point)
//   dequantize  y = (x - zero_point) * scale
// scale and zero_point are one number, one a slice of `axis`, or one a block of block_size elements
// along `axis`. DynamicQuantizeLinear takes scale and zero point of u8 from the range of x and 0.
#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/quantized.h"

namespace sinter {

using namespace detail;

void infer_QuantizeLinear(InferContext&);
void infer_DequantizeLinear(InferContext&);
void infer_DynamicQuantizeLinear(InferContext&);

namespace {

/// Which scale element i of x has.
class ScaleIndex {
 public:
  ScaleIndex(const EvalContext& ctx, const Tensor& x, const Tensor& scale) {
    if (scale.size() == 1) return;
    const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 1), x.rank());
    const Lines lines = lines_along(x.dims(), axis);
    step_ = lines.step;
    length_ = lines.length;
    block_ = ctx.attributes.integer("block_size", 0);
    blocked_ = block_ > 0;
  }

  i64 operator()(i64 i) const {
    if (step_ == 0) return 0;
    const i64 along = i / step_ % length_;
    if (!blocked_) return along;
    const i64 blocks = (length_ + block_ - 1) / block_;
    return (i / step_ / length_ * blocks + along / block_) * step_ + i % step_;
  }

 private:
  i64 step_ = 0, length_ = 1, block_ = 1;
  bool blocked_ = false;
};

/// scale, input 1: one number, [size of axis], or the shape of x with the axis cut into blocks.
/// The zero point has the same shape.
void expect_scales(const InferContext& ctx) {
  const Shape *x = ctx.shape(0), *scale = ctx.shape(1), *zero = ctx.shape(2);
  if (scale && zero) {
    const Dim numbers = element_count(*scale), zeros = element_count(*zero);
    ctx.check(!differ(numbers, zeros), "expected as many zero points as scales, found shapes ",
              to_text(*zero), " and ", to_text(*scale));
  }
  if (!x || !scale || scale->empty() || element_count(*scale).is(1)) return;
  const size_t axis =
      size_t(normalize_axis(ctx, ctx.attributes().integer("axis", 1), std::ssize(*x)));
  const i64 block = ctx.attributes().integer("block_size", 0);
  ctx.check(block >= 0 && block <= kMaxElements, "expected block_size of 0 or more, found ", block);
  if (block == 0) return expect_vector(ctx, 1, x->at(axis));
  Shape expected = *x;
  expected[axis] = ceil_div(expected[axis], Dim(block));
  bool fits = scale->size() == expected.size();
  for (size_t a = 0; fits && a < expected.size(); ++a) fits = !differ(scale->at(a), expected[a]);
  ctx.check(fits, "input 1: expected scales ", to_text(expected), ", found ", to_text(*scale));
}

std::vector<Tensor> quantize_linear(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &scale = ctx.in(1);
  const Dims dims = output_dims(ctx, infer_QuantizeLinear)[0];
  const DType type = quantized_type(ctx.attributes, ctx.has(2) ? ctx.in(2).dtype() : DType::none);
  Tensor out(type, dims);
  const ScaleIndex index(ctx, x, scale);
  // An integer x is divided in the type of the scale.
  const Tensor numbers = convert(x, scale.dtype());
  for_float(scale.dtype(), "QuantizeLinear", [&](auto t) {
    using T = decltype(t);
    const auto from = numbers.data<T>();
    const auto scales = scale.data<T>();
    for_number(type, "QuantizeLinear", [&](auto q) {
      using Q = decltype(q);
      const std::span<Q> to = out.mutable_data<Q>();
      for (i64 i = 0; i < x.size(); ++i) {
        const i64 s = index(i);
        const Q zero = ctx.has(2) ? ctx.in(2).data<Q>()[size_t(s)] : Q(0);
        to[size_t(i)] = quantized<Q>(from[size_t(i)] / scales[size_t(s)], zero);
      }
    });
  });
  return one(std::move(out));
}

std::vector<Tensor> dequantize_linear(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &scale = ctx.in(1);
  Tensor out(scale.dtype(), output_dims(ctx, infer_DequantizeLinear)[0]);
  const ScaleIndex index(ctx, x, scale);
  for_float(scale.dtype(), "DequantizeLinear", [&](auto t) {
    using T = decltype(t);
    const auto scales = scale.data<T>();
    const std::span<T> to = out.mutable_data<T>();
    for_number(x.dtype(), "DequantizeLinear", [&](auto q) {
      using Q = decltype(q);
      const auto from = x.data<Q>();
      for (i64 i = 0; i < x.size(); ++i) {
        const i64 s = index(i);
        const i64 zero = ctx.has(2) ? i64(ctx.in(2).data<Q>()[size_t(s)]) : 0;
        to[size_t(i)] = T(i64(from[size_t(i)]) - zero) * scales[size_t(s)];
      }
    });
  });
  return one(std::move(out));
}

template <class T>
void dynamic_quantize(const Tensor& x, Tensor& y, Tensor& scale, Tensor& zero) {
  T low = 0, high = 0;  // the range always holds 0
  for (T v : x.data<T>()) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const T step = low == high ? T(1) : (high - low) / T(255);
  const u8 offset = quantized<u8>(-low / step, 0);
  for (i64 i = 0; i < x.size(); ++i)
    y.mutable_data<u8>()[size_t(i)] = quantized<u8>(x.data<T>()[size_t(i)] / step, offset);
  scale.mutable_data<T>()[0] = step;
  zero.mutable_data<u8>()[0] = offset;
}

/// through_float rounds to the type of input 0, which here is the quantized one.
Tensor widened(const Tensor& t) {
  return convert(t, t.dtype() == DType::f64 ? DType::f64 : DType::f32);
}

}  // namespace

void infer_QuantizeLinear(InferContext& ctx) {
  const DType x = ctx.input(0).dtype;
  ctx.check(is_float(x) || x == DType::i32, "input 0: expected a float or i32 element type, found ",
            name(x));
  expect_float(ctx, 1);
  const DType type =
      quantized_type(ctx.attributes(), ctx.has(2) ? ctx.input(2).dtype : DType::none);
  require(is_quantized(type), ErrorKind::unsupported, ctx.node(),
          ": expected an 8- or 16-bit integer result, found ", name(type));
  expect_scales(ctx);
  set_output(ctx, 0, type, ctx.input(0).shape);
}

void infer_DequantizeLinear(InferContext& ctx) {
  const DType x = ctx.input(0).dtype;
  require(is_quantized(x) || x == DType::i32, ErrorKind::unsupported, ctx.node(),
          ": input 0: expected an 8- or 16-bit integer or i32, found ", name(x));
  expect_float(ctx, 1);
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == x, "input 2: expected the element type of ",
            "input 0, ", name(x));
  expect_scales(ctx);
  set_output(ctx, 0, ctx.input(1).dtype, ctx.input(0).shape);
}

void infer_DynamicQuantizeLinear(InferContext& ctx) {
  expect_float(ctx, 0);
  set_output(ctx, 0, DType::u8, ctx.input(0).shape);
  if (ctx.output_count() > 1) set_output(ctx, 1, ctx.input(0).dtype, Shape());
  if (ctx.output_count() > 2) set_output(ctx, 2, DType::u8, Shape());
}

std::vector<Tensor> evaluate_QuantizeLinear(const EvalContext& ctx) {
  std::vector<const Tensor*> inputs(ctx.inputs.begin(), ctx.inputs.end());
  const Tensor x = is_float(ctx.in(0).dtype()) ? widened(ctx.in(0)) : ctx.in(0).clone();
  const Tensor scale = widened(ctx.in(1));
  inputs[0] = &x;
  inputs[1] = &scale;
  return quantize_linear({ctx.node, ctx.attributes, inputs, ctx.outputs});
}

std::vector<Tensor> evaluate_DequantizeLinear(const EvalContext& ctx) {
  std::vector<const Tensor*> inputs(ctx.inputs.begin(), ctx.inputs.end());
  const Tensor scale = widened(ctx.in(1));
  inputs[1] = &scale;
  const std::vector<Tensor> y = dequantize_linear({ctx.node, ctx.attributes, inputs, ctx.outputs});
  return one(convert(y[0], ctx.in(1).dtype()));
}

std::vector<Tensor> evaluate_DynamicQuantizeLinear(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const Tensor& x = c.in(0);
    output_dims(c, infer_DynamicQuantizeLinear);
    Tensor y(DType::u8, x.dims()), scale(x.dtype(), {}), zero(DType::u8, {});
    for_float(x.dtype(), "DynamicQuantizeLinear",
              [&](auto t) { dynamic_quantize<decltype(t)>(x, y, scale, zero); });
    std::vector<Tensor> all = one(std::move(y));
    if (c.outputs > 1) all.push_back(std::move(scale));
    if (c.outputs > 2) all.push_back(std::move(zero));
    return all;
  });
}

}  // namespace sinter
