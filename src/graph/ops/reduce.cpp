// SPDX-License-Identifier: Apache-2.0
// ReduceSum and ReduceMean. Elements are added in memory order; integer means truncate.
#include "graph/ops/detail/broadcast.h"

namespace sinter {

using namespace detail;

void infer_ReduceSum(InferContext&);
void infer_ReduceMean(InferContext&);

namespace {

void expect_reducible(const InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  ctx.check(is_float(type) || type == DType::i32 || type == DType::i64 || type == DType::u32 ||
                type == DType::u64,
            "input 0: expected a float or 32- or 64-bit integer element type, found ", name(type));
}

/// `axes` as given; empty = all of them.
void set_reduced(InferContext& ctx, std::vector<i64> axes) {
  const bool keep = ctx.attributes().integer("keepdims", 1) != 0;
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  axes = normalize_axes(ctx, std::move(axes), std::ssize(*x));
  Shape out;
  for (i64 a = 0; a < std::ssize(*x); ++a) {
    const bool reduced = axes.empty() || std::binary_search(axes.begin(), axes.end(), a);
    if (!reduced) out.push_back(x->at(size_t(a)));
    if (reduced && keep) out.emplace_back(1);
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

/// Adds x into its dims with the reduced axes set to 1, then divides by the count for a mean.
std::vector<Tensor> reduce(const EvalContext& ctx, Infer infer, std::vector<i64> axes, bool mean) {
  const Tensor& x = ctx.in(0);
  const Dims dims = output_dims(ctx, infer)[0];
  axes = normalize_axes(ctx, std::move(axes), x.rank());
  Dims kept = x.dims();
  for (i64 a = 0; a < x.rank(); ++a)
    if (axes.empty() || std::binary_search(axes.begin(), axes.end(), a)) kept[size_t(a)] = 1;
  Tensor out(x.dtype(), dims);
  for_number(x.dtype(), info(mean ? Op::ReduceMean : Op::ReduceSum).name, [&](auto t) {
    using T = decltype(t);
    const T* from = x.data<T>().data();
    const std::span<T> y = out.template mutable_data<T>();
    for_each_row<1>(x.dims(), {&kept},
                    [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
                      for (i64 i = 0; i < count; ++i) {
                        T& into = y[size_t(offsets[0] + i * steps[0])];
                        into = add(into, from[at + i]);
                      }
                    });
    if (!mean || out.size() == 0) return;
    const i64 count = x.size() / out.size();
    ctx.check(count > 0 || std::is_floating_point_v<T>, "mean of no elements");
    using Wide = std::conditional_t<std::is_floating_point_v<T>, T,
                                    std::conditional_t<std::is_signed_v<T>, i64, u64>>;
    for (T& v : y) v = T(Wide(v) / Wide(count));
  });
  return one(std::move(out));
}

}  // namespace

void infer_ReduceMean(InferContext& ctx) {
  expect_reducible(ctx);
  set_reduced(ctx, ctx.attributes().integers("axes"));
}

void infer_ReduceSum(InferContext& ctx) {
  expect_reducible(ctx);
  const bool noop = ctx.attributes().integer("noop_with_empty_axes", 0) != 0;
  if (ctx.has(1)) {
    ctx.check(ctx.input(1).dtype == DType::i64,
              "input 1: expected axes of element type i64, found ", name(ctx.input(1).dtype));
    const auto axes = static_values(ctx, 1);
    if (!axes) {  // the rank stays with keepdims; which axes is unknown
      std::optional<Shape> shape = ctx.input(0).shape;
      if (shape) std::fill(shape->begin(), shape->end(), Dim::unknown());
      if (ctx.attributes().integer("keepdims", 1) == 0) shape.reset();
      return set_output(ctx, 0, ctx.input(0).dtype, std::move(shape));
    }
    if (!axes->empty()) return set_reduced(ctx, *axes);
  }
  if (noop) return set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
  set_reduced(ctx, {});
}

std::vector<Tensor> evaluate_ReduceMean(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return reduce(c, infer_ReduceMean, c.attributes.integers("axes"), true);
  });
}

std::vector<Tensor> evaluate_ReduceSum(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const std::vector<i64> axes = c.has(1) ? c.in(1).as_ints() : std::vector<i64>();
    if (axes.empty() && c.attributes.integer("noop_with_empty_axes", 0) != 0)
      return one(c.in(0).clone());
    return reduce(c, infer_ReduceSum, axes, false);
  });
}

}  // namespace sinter
