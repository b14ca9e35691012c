// SPDX-License-Identifier: Apache-2.0
// BatchNormalization, and the two fused forms of domain "sinter":
//   BatchNormalization   y = (x - mean) * (scale / sqrt(var + epsilon)) + bias
//                        training: mean and var are the batch's own, and two more outputs are
//                        running = running * momentum + batch * (1 - momentum)
//   ChannelQuadratic     y = (a*x + b)*x + c
//   ChannelAffine        y = s*x + t
// The fused forms broadcast their parameters to x and never enlarge it.
#include <cmath>

#include "graph/ops/detail/broadcast.h"
#include "graph/ops/detail/lines.h"

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
    for (i64 i = 1; i <= last; ++i) expect_broadcast_to(ctx, i, *x);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

/// Calls body(channel, first element, elements) for every channel plane of x.
template <class Body>
void for_each_plane(const Tensor& x, const Body& body) {
  const i64 channels = x.rank() > 1 ? x.dim(1) : 1, plane = elements_from(x.dims(), 2);
  for (i64 row = 0; plane > 0 && row < x.size() / plane; ++row)
    body(size_t(row % channels), row * plane, plane);
}

/// Mean and variance of every channel over batch and plane.
template <class T>
void measure(const Tensor& x, std::span<T> mean, std::span<T> variance) {
  const T* from = x.data<T>().data();
  const T count = T(mean.empty() ? 0 : x.size() / std::ssize(mean));
  for_each_plane(x, [&](size_t c, i64 first, i64 plane) {
    for (i64 i = first; i < first + plane; ++i) mean[c] += from[i];
  });
  for (T& m : mean) m /= count;
  for_each_plane(x, [&](size_t c, i64 first, i64 plane) {
    for (i64 i = first; i < first + plane; ++i)
      variance[c] += (from[i] - mean[c]) * (from[i] - mean[c]);
  });
  for (T& v : variance) v /= count;
}

/// p: scale, bias, mean, variance, all in the type of x.
template <class T>
void apply_batch_normalization(const Tensor& x, const std::vector<Tensor>& p, float epsilon,
                               Tensor& out) {
  const T* from = x.data<T>().data();
  T* to = out.mutable_data<T>().data();
  for_each_plane(x, [&](size_t c, i64 first, i64 plane) {
    const T mean = p[2].data<T>()[c], bias = p[1].data<T>()[c];
    const T factor = p[0].data<T>()[c] / std::sqrt(p[3].data<T>()[c] + T(epsilon));
    for (i64 i = first; i < first + plane; ++i) to[i] = (from[i] - mean) * factor + bias;
  });
}

std::vector<Tensor> batch_normalization(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  std::vector<Tensor> all = one(Tensor(x.dtype(), output_dims(ctx, infer_BatchNormalization)[0]));
  std::vector<Tensor> parameters;  // scale, bias, mean, variance in the type of x
  for (i64 i = 1; i <= 4; ++i) parameters.push_back(convert(ctx.in(i), x.dtype()));
  for_float(x.dtype(), "BatchNormalization", [&](auto t) {
    using T = decltype(t);
    const T momentum = T(ctx.attributes.real("momentum", 0.9f));
    if (ctx.attributes.integer("training_mode", 0) != 0) {
      Tensor mean(x.dtype(), parameters[2].dims()), variance(x.dtype(), parameters[3].dims());
      measure<T>(x, mean.mutable_data<T>(), variance.mutable_data<T>());
      std::swap(parameters[2], mean);  // what is swapped out are the running statistics
      std::swap(parameters[3], variance);
      for (i64 i = 1; i < ctx.outputs; ++i) {
        Tensor running = (i == 1 ? mean : variance).clone();
        const std::span<T> r = running.mutable_data<T>();
        const auto batch = parameters[size_t(i + 1)].data<T>();
        for (size_t c = 0; c < r.size(); ++c) r[c] = r[c] * momentum + batch[c] * (T(1) - momentum);
        all.push_back(convert(running, ctx.in(i + 2).dtype()));
      }
    }
    apply_batch_normalization<T>(x, parameters, ctx.attributes.real("epsilon", 1e-5f), all[0]);
  });
  return all;
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
  const bool training = ctx.attributes().integer("training_mode", 0) != 0;
  ctx.check(training || ctx.output_count() == 1, "expected one output in inference, found ",
            ctx.output_count());
  std::optional<Shape> statistics;
  if (const Shape* x = ctx.shape(0)) {
    ctx.check(!x->empty(), "expected an input of rank 1 or more, found a scalar");
    statistics = {x->size() > 1 ? x->at(1) : Dim(1)};
    for (i64 i = 1; i < 5; ++i) expect_vector(ctx, i, statistics->at(0));
  }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
  for (i64 i = 1; i < ctx.output_count(); ++i)
    set_output(ctx, i, ctx.input(i + 2).dtype, statistics);
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
