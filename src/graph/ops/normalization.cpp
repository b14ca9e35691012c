// SPDX-License-Identifier: Apache-2.0
// BatchNormalization in inference, and the two fused forms of domain "sinter":
//   BatchNormalization   y = (x - mean) * (scale / sqrt(var + epsilon)) + bias
//   ChannelQuadratic     y = (a*x + b)*x + c
//   ChannelAffine        y = s*x + t
// The fused forms broadcast their parameters to x and never enlarge it.
#include <cmath>

#include "graph/ops/detail/broadcast.h"

namespace sinter {

using namespace detail;

void infer_BatchNormalization(InferContext&);
void infer_ChannelQuadratic(InferContext&);
void infer_ChannelAffine(InferContext&);

namespace {

/// x of float type; parameters of the same type that broadcast to the shape of x.
void infer_channelwise(InferContext& ctx) {
  expect_float(ctx, 0);
  const i64 last = ctx.input_count() - 1;
  expect_same_type(ctx, 0, last);
  if (const Shape* x = ctx.shape(0))
    for (i64 i = 1; i <= last; ++i) {
      if (!ctx.shape(i)) continue;
      const Shape both = broadcast_shapes(ctx, *x, *ctx.shape(i));
      bool fits = both.size() == x->size();
      for (size_t d = 0; fits && d < x->size(); ++d)
        fits = !x->at(d).value() || !both[d].value() || same(x->at(d), both[d]);
      ctx.check(fits, "input ", i, ": shape ", to_text(*ctx.shape(i)),
                " does not broadcast to the input's ", to_text(*x));
    }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

std::vector<Tensor> batch_normalization(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_BatchNormalization)[0]);
  const float epsilon = ctx.attributes.real("epsilon", 1e-5f);
  const i64 channels = x.rank() > 1 ? x.dim(1) : 1;
  i64 plane = 1;
  for (i64 a = 2; a < x.rank(); ++a) plane *= x.dim(a);
  std::vector<Tensor> parameters;  // scale, bias, mean, variance in the type of x
  for (i64 i = 1; i <= 4; ++i) parameters.push_back(convert(ctx.in(i), x.dtype()));
  for_float(x.dtype(), "BatchNormalization", [&](auto t) {
    using T = decltype(t);
    const T* from = x.data<T>().data();
    T* to = out.template mutable_data<T>().data();
    for (i64 row = 0; plane > 0 && row < x.size() / plane; ++row) {
      const size_t c = size_t(row % channels);
      const T mean = parameters[2].data<T>()[c], bias = parameters[1].data<T>()[c];
      const T factor =
          parameters[0].data<T>()[c] / std::sqrt(parameters[3].data<T>()[c] + T(epsilon));
      for (i64 i = 0; i < plane; ++i, ++from, ++to) *to = (*from - mean) * factor + bias;
    }
  });
  return one(std::move(out));
}

std::vector<Tensor> channel_quadratic(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &a = ctx.in(1), &b = ctx.in(2), &c = ctx.in(3);
  Tensor out(x.dtype(), output_dims(ctx, infer_ChannelQuadratic)[0]);
  for_float(x.dtype(), "ChannelQuadratic", [&](auto t) {
    using T = decltype(t);
    const T *px = x.data<T>().data(), *pa = a.data<T>().data(), *pb = b.data<T>().data(),
            *pc = c.data<T>().data();
    T* y = out.template mutable_data<T>().data();
    for_each_row<4>(out.dims(), {&x.dims(), &a.dims(), &b.dims(), &c.dims()},
                    [&](i64 at, i64 count, const auto& o, const auto& s) {
                      for (i64 i = 0; i < count; ++i) {
                        const T v = px[o[0] + i * s[0]];
                        y[at + i] = (pa[o[1] + i * s[1]] * v + pb[o[2] + i * s[2]]) * v +
                                    pc[o[3] + i * s[3]];
                      }
                    });
  });
  return one(std::move(out));
}

std::vector<Tensor> channel_affine(const EvalContext& ctx) {
  const Tensor &x = ctx.in(0), &scale = ctx.in(1), &shift = ctx.in(2);
  Tensor out(x.dtype(), output_dims(ctx, infer_ChannelAffine)[0]);
  for_float(x.dtype(), "ChannelAffine", [&](auto t) {
    using T = decltype(t);
    const T *px = x.data<T>().data(), *ps = scale.data<T>().data(), *pt = shift.data<T>().data();
    T* y = out.template mutable_data<T>().data();
    for_each_row<3>(out.dims(), {&x.dims(), &scale.dims(), &shift.dims()},
                    [&](i64 at, i64 count, const auto& o, const auto& s) {
                      for (i64 i = 0; i < count; ++i)
                        y[at + i] = ps[o[1] + i * s[1]] * px[o[0] + i * s[0]] + pt[o[2] + i * s[2]];
                    });
  });
  return one(std::move(out));
}

}  // namespace

void infer_BatchNormalization(InferContext& ctx) {
  for (i64 i = 0; i < 5; ++i) expect_float(ctx, i);
  require(ctx.attributes().integer("training_mode", 0) == 0, ErrorKind::unsupported, ctx.node(),
          ": training_mode is set; only inference is supported");
  ctx.check(ctx.output_count() == 1, "expected one output in inference, found ",
            ctx.output_count());
  if (const Shape* x = ctx.shape(0)) {
    ctx.check(!x->empty(), "expected an input of rank 1 or more, found a scalar");
    const Dim channels = x->size() > 1 ? x->at(1) : Dim(1);
    for (i64 i = 1; i < 5; ++i) {
      const Shape* p = ctx.shape(i);
      ctx.check(!p || (p->size() == 1 &&
                       (!p->at(0).value() || !channels.value() || same(p->at(0), channels))),
                "input ", i, ": expected [", channels.text(), "], found ", p ? to_text(*p) : "");
    }
  }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

void infer_ChannelQuadratic(InferContext& ctx) { infer_channelwise(ctx); }
void infer_ChannelAffine(InferContext& ctx) { infer_channelwise(ctx); }

std::vector<Tensor> evaluate_BatchNormalization(const EvalContext& ctx) {
  return through_float(ctx, batch_normalization);
}
std::vector<Tensor> evaluate_ChannelQuadratic(const EvalContext& ctx) {
  return through_float(ctx, channel_quadratic);
}
std::vector<Tensor> evaluate_ChannelAffine(const EvalContext& ctx) {
  return through_float(ctx, channel_affine);
}

}  // namespace sinter
