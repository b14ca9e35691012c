// SPDX-License-Identifier: Apache-2.0
// Normalizations over blocks of neighbouring elements, each block by itself:
//   y = (x - mean) / sqrt(variance + epsilon) * scale + bias
//
//   LayerNormalization     block = the axes from `axis` on; scale and bias broadcast to x
//   RMSNormalization       the same with mean = 0 and the mean square for the variance, no bias
//   InstanceNormalization  block = one channel plane; scale and bias one number a channel
//   GroupNormalization     block = the planes of C / num_groups channels; the same parameters
//
// The variance is the mean square of x - mean, so a large mean costs no digits. float16 and
// bfloat16 are computed in float32.
#include <cmath>

#include "graph/ops/detail/broadcast.h"
#include "graph/ops/detail/lines.h"

namespace sinter {

using namespace detail;

void infer_LayerNormalization(InferContext&);
void infer_RMSNormalization(InferContext&);
void infer_InstanceNormalization(InferContext&);
void infer_GroupNormalization(InferContext&);

namespace {

bool is_half(DType type) { return type == DType::f16 || type == DType::bf16; }
DType computing_type(DType type) { return is_half(type) ? DType::f32 : type; }

struct Normalized {
  Tensor y;                         ///< not yet scaled, in the computing type
  std::vector<double> mean, scale;  ///< of each block; scale = 1 / sqrt(variance + epsilon)
};

/// Every run of `length` elements of x by itself. `centred`: the mean is taken off first.
Normalized normalize_blocks(const Tensor& x, i64 length, float epsilon, bool centred) {
  Normalized out{Tensor(x.dtype(), x.dims()), {}, {}};
  if (x.size() == 0) return out;
  for_float(x.dtype(), "normalization", [&](auto t) {
    using T = decltype(t);
    const T* from = x.data<T>().data();
    T* to = out.y.mutable_data<T>().data();
    for (i64 block = 0; block < x.size() / length; ++block, from += length, to += length) {
      T mean = 0, squares = 0;
      for (i64 i = 0; centred && i < length; ++i) mean += from[i];
      mean /= T(length);
      for (i64 i = 0; i < length; ++i) squares += (from[i] - mean) * (from[i] - mean);
      const T factor = T(1) / std::sqrt(squares / T(length) + T(epsilon));
      for (i64 i = 0; i < length; ++i) to[i] = (from[i] - mean) * factor;
      out.mean.push_back(double(mean));
      out.scale.push_back(double(factor));
    }
  });
  return out;
}

/// y * scale + bias, both seen as tensors of the given dims; bias may be nullptr.
void scale_and_shift(Tensor& y, const Tensor& scale, const Dims& scale_dims, const Tensor* bias,
                     const Dims& bias_dims) {
  const Tensor s = convert(scale, y.dtype());
  const Tensor b = bias ? convert(*bias, y.dtype()) : Tensor(y.dtype(), {1});
  const Dims none = {1};
  for_float(y.dtype(), "normalization", [&](auto t) {
    using T = decltype(t);
    const T *ps = s.data<T>().data(), *pb = b.data<T>().data();
    T* to = y.mutable_data<T>().data();
    for_each_row<2>(y.dims(), {&scale_dims, bias ? &bias_dims : &none},
                    [&](i64 at, i64 count, const auto& o, const auto& step) {
                      for (i64 i = 0; i < count; ++i)
                        to[at + i] = to[at + i] * ps[o[0] + i * step[0]] + pb[o[1] + i * step[1]];
                    });
  });
}

std::vector<Tensor> layer_normalization(const EvalContext& ctx, Infer infer, bool centred) {
  const Tensor& x = ctx.in(0);
  const std::vector<Dims> dims = output_dims(ctx, infer);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", -1), x.rank());
  const float epsilon = ctx.attributes.real("epsilon", 1e-5f);
  Normalized n = normalize_blocks(convert(x, computing_type(x.dtype())),
                                  elements_from(x.dims(), axis), epsilon, centred);
  const Tensor* bias = ctx.has(2) ? &ctx.in(2) : nullptr;
  scale_and_shift(n.y, ctx.in(1), ctx.in(1).dims(), bias, bias ? bias->dims() : Dims());
  std::vector<Tensor> all = one(convert(n.y, x.dtype()));
  const DType stash = DType(ctx.attributes.integer("stash_type", i64(DType::f32)));
  for (i64 i = 1; i < ctx.outputs; ++i) {
    std::vector<double>& values = i == 1 ? n.mean : n.scale;
    values.resize(size_t(element_count(dims[size_t(i)])), std::nan(""));  // blocks of no elements
    all.push_back(convert(Tensor::of<double>(dims[size_t(i)], std::span(values)), stash));
  }
  return all;
}

/// Blocks of `planes` channel planes; one scale and bias a channel.
std::vector<Tensor> channel_normalization(const EvalContext& ctx, Infer infer, i64 planes) {
  const Tensor& x = ctx.in(0);
  output_dims(ctx, infer);
  const float epsilon = ctx.attributes.real("epsilon", 1e-5f);
  Normalized n = normalize_blocks(convert(x, computing_type(x.dtype())),
                                  planes * elements_from(x.dims(), 2), epsilon, true);
  Dims parameter(size_t(x.rank() - 1), 1);  // [C,1,...,1]
  parameter[0] = x.dim(1);
  scale_and_shift(n.y, ctx.in(1), parameter, &ctx.in(2), parameter);
  return one(convert(n.y, x.dtype()));
}

void infer_over_trailing_axes(InferContext& ctx) {
  for (i64 i = 0; i < ctx.input_count(); ++i)
    if (ctx.has(i)) expect_float(ctx, i);
  const DType stash = DType(ctx.attributes().integer("stash_type", i64(DType::f32)));
  ctx.check(is_float(stash), "stash_type: expected a float element type, found ", i64(stash));
  const Shape* x = ctx.shape(0);
  std::optional<Shape> reduced;
  if (x) {
    const i64 rank = std::ssize(*x);
    const i64 axis = normalize_axis(ctx, ctx.attributes().integer("axis", -1), rank);
    reduced = *x;
    std::fill(reduced->begin() + axis, reduced->end(), Dim(1));
    for (i64 i = 1; i < ctx.input_count(); ++i) expect_broadcast_to(ctx, i, *x);
  }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
  for (i64 i = 1; i < ctx.output_count(); ++i) set_output(ctx, i, stash, reduced);
}

void infer_over_planes(InferContext& ctx, i64 groups) {
  for (i64 i = 0; i < 3; ++i) expect_float(ctx, i);
  if (const Shape* x = ctx.shape(0)) {
    ctx.check(x->size() >= 2, "expected an input of rank 2 or more [N,C,...], found ", to_text(*x));
    const Dim& channels = x->at(1);
    ctx.check(!channels.value() || *channels.value() % groups == 0, "expected ", channels.text(),
              " channels to divide into ", groups, " groups");
    for (i64 i = 1; i < 3; ++i) expect_vector(ctx, i, channels);
  }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

template <class Context>
i64 read_groups(const Context& ctx, const Attributes& attributes) {
  const i64 groups = attributes.integer("num_groups", 0);
  ctx.check(groups >= 1 && groups <= kMaxElements, "expected num_groups of 1 or more, found ",
            groups);
  return groups;
}

}  // namespace

void infer_LayerNormalization(InferContext& ctx) { infer_over_trailing_axes(ctx); }
void infer_RMSNormalization(InferContext& ctx) { infer_over_trailing_axes(ctx); }
void infer_InstanceNormalization(InferContext& ctx) { infer_over_planes(ctx, 1); }
void infer_GroupNormalization(InferContext& ctx) {
  infer_over_planes(ctx, read_groups(ctx, ctx.attributes()));
}

std::vector<Tensor> evaluate_LayerNormalization(const EvalContext& ctx) {
  return layer_normalization(ctx, infer_LayerNormalization, true);
}
std::vector<Tensor> evaluate_RMSNormalization(const EvalContext& ctx) {
  return layer_normalization(ctx, infer_RMSNormalization, false);
}
std::vector<Tensor> evaluate_InstanceNormalization(const EvalContext& ctx) {
  return channel_normalization(ctx, infer_InstanceNormalization, 1);
}
std::vector<Tensor> evaluate_GroupNormalization(const EvalContext& ctx) {
  output_dims(ctx, infer_GroupNormalization);
  const i64 planes = ctx.in(0).dim(1) / read_groups(ctx, ctx.attributes);
  return channel_normalization(ctx, infer_GroupNormalization, planes);
}

}  // namespace sinter
