// SPDX-License-Identifier: Apache-2.0
// GlobalAveragePool, GlobalMaxPool, GlobalLpPool: every plane [N,C,...] becomes one number.
#include <cmath>

#include "graph/ops/detail/common.h"
#include "graph/ops/detail/lines.h"

namespace sinter {

using namespace detail;

void infer_GlobalAveragePool(InferContext&);

namespace {

void infer_global(InferContext& ctx) {
  expect_float(ctx, 0);
  std::optional<Shape> shape = ctx.input(0).shape;
  ctx.check(!shape || shape->size() >= 2, "expected an input of rank 2 or more, found ",
            shape ? to_text(*shape) : "");
  if (shape) std::fill(shape->begin() + 2, shape->end(), Dim(1));
  set_output(ctx, 0, ctx.input(0).dtype, std::move(shape));
}

/// reduce(first, count) gives the number of a plane.
template <class Reduce>
std::vector<Tensor> pool_planes(const EvalContext& ctx, const Reduce& reduce) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_GlobalAveragePool)[0]);
  const i64 plane = elements_from(x.dims(), 2);
  ctx.check(out.size() == 0 || plane > 0, "expected spatial axes with elements, found ",
            to_text(x.dims()));
  for_float(x.dtype(), "global pooling", [&](auto t) {
    using T = decltype(t);
    const T* from = x.data<T>().data();
    for (T& y : out.template mutable_data<T>()) {
      y = reduce(from, plane);
      from += plane;
    }
  });
  return one(std::move(out));
}

}  // namespace

void infer_GlobalAveragePool(InferContext& ctx) { infer_global(ctx); }
void infer_GlobalMaxPool(InferContext& ctx) { infer_global(ctx); }
void infer_GlobalLpPool(InferContext& ctx) {
  const i64 p = ctx.attributes().integer("p", 2);
  ctx.check(p >= 1, "expected p of 1 or more, found ", p);
  infer_global(ctx);
}

std::vector<Tensor> evaluate_GlobalAveragePool(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return pool_planes(c, [](const auto* x, i64 count) {
      auto sum = *x;
      for (i64 i = 1; i < count; ++i) sum += x[i];
      return sum / decltype(sum)(count);
    });
  });
}

std::vector<Tensor> evaluate_GlobalMaxPool(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return pool_planes(c, [](const auto* x, i64 count) { return *std::max_element(x, x + count); });
  });
}

std::vector<Tensor> evaluate_GlobalLpPool(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const i64 power = c.attributes.integer("p", 2);
    c.check(power >= 1, "expected p of 1 or more, found ", power);
    return pool_planes(c, [=](const auto* x, i64 count) {
      using T = std::remove_cvref_t<decltype(*x)>;
      T sum = 0;
      for (i64 i = 0; i < count; ++i) sum += std::pow(std::fabs(x[i]), T(power));
      return std::pow(sum, T(1) / T(power));
    });
  });
}

}  // namespace sinter
