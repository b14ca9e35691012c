// SPDX-License-Identifier: Apache-2.0
// Matrix products and convolutions of 8-bit numbers, exact in i32:
//   MatMulInteger, ConvInteger    y = (a - a_zero) . (b - b_zero)
//   QLinearMatMul, QLinearConv    y = saturate(round(that * (a_scale * b_scale / y_scale)) +
//   y_zero)
// The padding of a convolution is the zero point. A bias of QLinearConv is in units of
// a_scale * b_scale. The factor is computed in the type of the scales.
#include "graph/ops/detail/broadcast.h"
#include "graph/ops/detail/products.h"
#include "graph/ops/detail/quantized.h"

namespace sinter {

using namespace detail;

void infer_MatMulInteger(InferContext&);
void infer_ConvInteger(InferContext&);
void infer_QLinearMatMul(InferContext&);
void infer_QLinearConv(InferContext&);

namespace {

/// Dims of a parameter (scale or zero point) lined up with an operand of `rank` axes: one number,
/// one number per index of `axis`, or a tensor that broadcasts as it stands.
template <class D>
std::vector<D> lined_up(const std::vector<D>& dims, i64 rank, i64 axis) {
  if (dims.size() != 1 || rank < 1 || axis < 0) return dims;
  std::vector<D> out(size_t(rank - axis), D(1));
  out[0] = dims[0];
  return out;
}

/// Parameter i fits operand x along `axis`.
void expect_parameter(const InferContext& ctx, i64 i, const Shape* x, i64 axis) {
  const Shape* p = ctx.shape(i);
  if (!p || !x || element_count(*p).is(1)) return;
  expect_broadcast_to(ctx, i, lined_up(*p, std::ssize(*x), axis), *x);
}

void expect_bytes(const InferContext& ctx, i64 i) {
  const DType type = ctx.input(i).dtype;
  ctx.check(type == DType::u8 || type == DType::i8, "input ", i,
            ": expected element type u8 or i8, found ", name(type));
}

void expect_zero_point(const InferContext& ctx, i64 i, i64 of) {
  ctx.check(!ctx.has(i) || ctx.input(i).dtype == ctx.input(of).dtype, "input ", i,
            ": expected the element type of input ", of, ", ", name(ctx.input(of).dtype));
}

/// The axis of rows of a matrix operand, -1 for a vector.
i64 row_axis(i64 rank) { return rank - 2; }

/// x - zero as i32; zero may be nullptr.
Tensor centred(const Tensor& x, const Tensor* zero, i64 axis) {
  Tensor out = convert(x, DType::i32);
  if (!zero) return out;
  const Tensor z = convert(*zero, DType::i32);
  const Dims dims = z.size() == 1 ? Dims{1} : lined_up(z.dims(), x.rank(), axis);
  const auto to = out.mutable_data<i32>();
  for_each_row<1>(out.dims(), {&dims}, [&](i64 at, i64 count, const auto& o, const auto& step) {
    for (i64 i = 0; i < count; ++i) to[size_t(at + i)] -= z.data<i32>()[size_t(o[0] + i * step[0])];
  });
  return out;
}

/// One scale or zero point with the dims that it has beside the result.
struct Parameter {
  const Tensor* tensor;
  Dims dims;
};
Parameter beside(const Tensor& t, i64 rank, i64 axis) {
  return {&t, t.size() == 1 ? Dims{1} : lined_up(t.dims(), rank, axis)};
}

/// sums * (a * b / y) rounded into the type of `zero`.
Tensor requantize(const Tensor& sums, const Parameter& a, const Parameter& b, const Parameter& y,
                  const Parameter& zero) {
  Tensor out(zero.tensor->dtype(), sums.dims());
  const auto from = sums.data<i32>();
  const auto loops = [&](auto t, auto q) {
    using T = decltype(t);
    using Q = decltype(q);
    const T *pa = a.tensor->data<T>().data(), *pb = b.tensor->data<T>().data(),
            *py = y.tensor->data<T>().data();
    const Q* pz = zero.tensor->data<Q>().data();
    Q* to = out.mutable_data<Q>().data();
    for_each_row<4>(
        sums.dims(), {&a.dims, &b.dims, &y.dims, &zero.dims},
        [&](i64 at, i64 count, const auto& o, const auto& s) {
          for (i64 i = 0; i < count; ++i) {
            const T factor = pa[o[0] + i * s[0]] * pb[o[1] + i * s[1]] / py[o[2] + i * s[2]];
            to[at + i] = quantized<Q>(T(from[size_t(at + i)]) * factor, pz[o[3] + i * s[3]]);
          }
        });
  };
  for_float(a.tensor->dtype(), "quantized product", [&](auto t) {
    if (out.dtype() == DType::u8)
      loops(t, u8{});
    else
      loops(t, std::int8_t{});
  });
  return out;
}

std::vector<Tensor> matmul_integer(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_MatMulInteger)[0];
  const Tensor &a = ctx.in(0), &b = ctx.in(1);
  return one(matmul(centred(a, ctx.has(2) ? &ctx.in(2) : nullptr, row_axis(a.rank())),
                    centred(b, ctx.has(3) ? &ctx.in(3) : nullptr, b.rank() - 1), dims));
}

std::vector<Tensor> conv_integer(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_ConvInteger)[0];
  return one(convolve(ctx.node, ctx.attributes,
                      centred(ctx.in(0), ctx.has(2) ? &ctx.in(2) : nullptr, 0),
                      centred(ctx.in(1), ctx.has(3) ? &ctx.in(3) : nullptr, 0), dims));
}

std::vector<Tensor> qlinear_matmul(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_QLinearMatMul)[0];
  const Tensor &a = ctx.in(0), &b = ctx.in(3);
  const i64 rank = std::ssize(dims), rows = row_axis(a.rank()), columns = b.rank() - 1;
  const Tensor sums = matmul(centred(a, &ctx.in(2), rows), centred(b, &ctx.in(5), columns), dims);
  return one(requantize(sums, beside(ctx.in(1), rank, row_axis(rank)),
                        beside(ctx.in(4), rank, rank - 1), beside(ctx.in(6), rank, row_axis(rank)),
                        beside(ctx.in(7), rank, row_axis(rank))));
}

std::vector<Tensor> qlinear_conv(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_QLinearConv)[0];
  const i64 rank = std::ssize(dims);
  Tensor sums = convolve(ctx.node, ctx.attributes, centred(ctx.in(0), &ctx.in(2), 0),
                         centred(ctx.in(3), &ctx.in(5), 0), dims);
  if (ctx.has(8)) {
    Dims channels(size_t(rank - 1), 1);
    channels[0] = dims[1];
    const auto to = sums.mutable_data<i32>();
    const auto bias = ctx.in(8).data<i32>();
    for_each_row<1>(dims, {&channels}, [&](i64 at, i64 count, const auto& o, const auto& s) {
      for (i64 i = 0; i < count; ++i)
        to[size_t(at + i)] = add(to[size_t(at + i)], bias[size_t(o[0] + i * s[0])]);
    });
  }
  return one(requantize(sums, beside(ctx.in(1), rank, 1), beside(ctx.in(4), rank, 1),
                        beside(ctx.in(6), rank, 1), beside(ctx.in(7), rank, 1)));
}

/// Element types of the eight inputs that both QLinear operators begin with.
void expect_qlinear_types(const InferContext& ctx) {
  for (i64 operand : {0, 3}) {
    expect_bytes(ctx, operand);
    expect_zero_point(ctx, operand + 2, operand);
  }
  for (i64 scale : {1, 4, 6}) {
    expect_float(ctx, scale);
    ctx.check(ctx.input(scale).dtype == ctx.input(1).dtype, "input ", scale,
              ": expected the element type of input 1, ", name(ctx.input(1).dtype));
  }
  expect_bytes(ctx, 7);
}

}  // namespace

void infer_MatMulInteger(InferContext& ctx) {
  for (i64 i : {0, 1}) {
    expect_bytes(ctx, i);
    expect_zero_point(ctx, i + 2, i);
  }
  if (const Shape* a = ctx.shape(0)) expect_parameter(ctx, 2, a, row_axis(std::ssize(*a)));
  if (const Shape* b = ctx.shape(1)) expect_parameter(ctx, 3, b, std::ssize(*b) - 1);
  set_output(ctx, 0, DType::i32, matmul_shape(ctx, 0, 1));
}

void infer_ConvInteger(InferContext& ctx) {
  for (i64 i : {0, 1}) {
    expect_bytes(ctx, i);
    expect_zero_point(ctx, i + 2, i);
  }
  expect_single(ctx, 2);
  expect_parameter(ctx, 3, ctx.shape(1), 0);
  set_output(ctx, 0, DType::i32, conv_shape(ctx, 0, 1, -1));
}

void infer_QLinearMatMul(InferContext& ctx) {
  expect_qlinear_types(ctx);
  const auto out = matmul_shape(ctx, 0, 3);
  if (const Shape* a = ctx.shape(0)) expect_parameter(ctx, 2, a, row_axis(std::ssize(*a)));
  if (const Shape* b = ctx.shape(3)) expect_parameter(ctx, 5, b, std::ssize(*b) - 1);
  if (out) {
    const i64 rank = std::ssize(*out);
    for (i64 i : {1, 6, 7}) expect_parameter(ctx, i, &*out, row_axis(rank));
    expect_parameter(ctx, 4, &*out, rank - 1);
  }
  set_output(ctx, 0, ctx.input(7).dtype, out);
}

void infer_QLinearConv(InferContext& ctx) {
  expect_qlinear_types(ctx);
  ctx.check(!ctx.has(8) || ctx.input(8).dtype == DType::i32,
            "input 8: expected a bias of element type i32");
  for (i64 i : {1, 2, 6, 7}) expect_single(ctx, i);
  expect_parameter(ctx, 5, ctx.shape(3), 0);
  const auto out = conv_shape(ctx, 0, 3, 8);
  if (out) expect_parameter(ctx, 4, &*out, 1);
  set_output(ctx, 0, ctx.input(7).dtype, out);
}

std::vector<Tensor> evaluate_MatMulInteger(const EvalContext& ctx) { return matmul_integer(ctx); }
std::vector<Tensor> evaluate_ConvInteger(const EvalContext& ctx) { return conv_integer(ctx); }
std::vector<Tensor> evaluate_QLinearMatMul(const EvalContext& ctx) {
  return through_float(ctx, qlinear_matmul);
}
std::vector<Tensor> evaluate_QLinearConv(const EvalContext& ctx) {
  return through_float(ctx, qlinear_conv);
}

}  // namespace sinter
