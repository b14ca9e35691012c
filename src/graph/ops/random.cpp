// SPDX-License-Identifier: Apache-2.0
// Random operators: RandomUniform, RandomNormal and their Like forms, Bernoulli, Multinomial. The
// numbers depend on `seed`, or on the node's name when there is none, and on nothing else; ONNX
// says only how they are distributed. They are not pure: no pass merges or folds them.
#include <bit>
#include <cmath>

#include "base/hash.h"
#include "base/random.h"
#include "graph/ops/detail/common.h"

namespace sinter {

using namespace detail;

void infer_RandomUniform(InferContext&);
void infer_RandomUniformLike(InferContext&);
void infer_Bernoulli(InferContext&);
void infer_Multinomial(InferContext&);

namespace {

Rng generator(const EvalContext& ctx) {
  if (!ctx.attributes.has("seed")) return Rng(short_hash(std::as_bytes(std::span(ctx.node))));
  return Rng(std::bit_cast<std::uint32_t>(ctx.attributes.real("seed", 0)));
}

DType read_float_type(const InferContext& ctx, DType absent) {
  const DType type = type_attribute(ctx, "dtype", absent);
  ctx.check(is_float(type), "dtype: expected a float type, found ", name(type));
  return type;
}

void infer_fresh(InferContext& ctx) {
  const std::vector<i64> shape = ctx.attributes().integers("shape");
  ctx.check(ctx.attributes().has("shape"), "shape is required");
  for (i64 d : shape) ctx.check(d >= 0, "shape: expected sizes, found ", to_text(shape));
  set_output(ctx, 0, read_float_type(ctx, DType::f32), to_shape(shape));
}

/// A tensor of the output's type filled with draw().
template <class Draw>
std::vector<Tensor> drawn(const EvalContext& ctx, Infer infer, const Draw& draw) {
  const DType type = output_types(ctx, infer)[0].dtype;
  Tensor wide(DType::f64, output_dims(ctx, infer)[0]);
  for (double& v : wide.mutable_data<double>()) v = draw();
  return one(convert(wide, type));
}

std::vector<Tensor> uniform(const EvalContext& ctx, Infer infer) {
  Rng rng = generator(ctx);
  const double low = ctx.attributes.real("low", 0), high = ctx.attributes.real("high", 1);
  return drawn(ctx, infer, [&] { return rng.uniform(low, high); });
}

std::vector<Tensor> normal(const EvalContext& ctx, Infer infer) {
  Rng rng = generator(ctx);
  const double mean = ctx.attributes.real("mean", 0), scale = ctx.attributes.real("scale", 1);
  return drawn(ctx, infer, [&] { return mean + scale * rng.normal(); });
}

/// Draws a class with a probability that is in proportion to exp(row[class]).
i64 draw_class(std::span<const double> row, Rng& rng) {
  const double top = *std::max_element(row.begin(), row.end());
  double total = 0;
  for (double v : row) total += std::exp(v - top);
  double left = rng.uniform() * total;
  for (size_t c = 0; c + 1 < row.size(); ++c)
    if ((left -= std::exp(row[c] - top)) < 0) return i64(c);
  return std::ssize(row) - 1;
}

}  // namespace

void infer_RandomUniform(InferContext& ctx) { infer_fresh(ctx); }
void infer_RandomNormal(InferContext& ctx) { infer_fresh(ctx); }

void infer_RandomUniformLike(InferContext& ctx) {
  set_output(ctx, 0, read_float_type(ctx, ctx.input(0).dtype), ctx.input(0).shape);
}
void infer_RandomNormalLike(InferContext& ctx) { infer_RandomUniformLike(ctx); }

void infer_Bernoulli(InferContext& ctx) {
  expect_float(ctx, 0);
  const DType type = type_attribute(ctx, "dtype", ctx.input(0).dtype);
  ctx.check(is_number(type) || type == DType::boolean, "dtype: expected a numeric type, found ",
            name(type));
  set_output(ctx, 0, type, ctx.input(0).shape);
}

void infer_Multinomial(InferContext& ctx) {
  expect_float(ctx, 0);
  const Shape* x = ctx.shape(0);
  ctx.check(!x || (x->size() == 2 && !x->at(1).is(0)), "expected [batch,classes], found ",
            x ? to_text(*x) : "");
  const DType type = type_attribute(ctx, "dtype", DType::i32);
  ctx.check(type == DType::i32 || type == DType::i64, "dtype: expected i32 or i64, found ",
            name(type));
  const i64 count = ctx.attributes().integer("sample_size", 1);
  ctx.check(count >= 0, "sample_size: expected 0 or more, found ", count);
  set_output(ctx, 0, type, Shape{x ? x->at(0) : Dim::unknown(), Dim(count)});
}

std::vector<Tensor> evaluate_RandomUniform(const EvalContext& ctx) {
  return uniform(ctx, infer_RandomUniform);
}
std::vector<Tensor> evaluate_RandomNormal(const EvalContext& ctx) {
  return normal(ctx, infer_RandomUniform);
}
std::vector<Tensor> evaluate_RandomUniformLike(const EvalContext& ctx) {
  return uniform(ctx, infer_RandomUniformLike);
}
std::vector<Tensor> evaluate_RandomNormalLike(const EvalContext& ctx) {
  return normal(ctx, infer_RandomUniformLike);
}

std::vector<Tensor> evaluate_Bernoulli(const EvalContext& ctx) {
  Rng rng = generator(ctx);
  i64 next = 0;
  return drawn(ctx, infer_Bernoulli,
               [&] { return double(rng.uniform() < ctx.in(0).as_double(next++)); });
}

std::vector<Tensor> evaluate_Multinomial(const EvalContext& ctx) {
  Rng rng = generator(ctx);
  const ValueType type = output_types(ctx, infer_Multinomial)[0];
  Tensor out(DType::i64, output_dims(ctx, infer_Multinomial)[0]);
  const Tensor logits = convert(ctx.in(0), DType::f64);
  const size_t classes = size_t(logits.dim(1)), count = size_t(out.dim(1));
  for (size_t i = 0; i < size_t(out.size()); ++i)
    out.mutable_data<i64>()[i] =
        draw_class(logits.data<double>().subspan(i / count * classes, classes), rng);
  return one(convert(out, type.dtype));
}

}  // namespace sinter
