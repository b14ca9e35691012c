// SPDX-License-Identifier: Apache-2.0
// TopK: the k largest or smallest elements along an axis and where they were; equal elements keep
// their order. NaN counts as larger than every number.
#include <numeric>

#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_TopK(InferContext&);

namespace {

/// Fills places[0..k) with the positions along one row that come first.
template <class T>
std::vector<i64> best(std::span<const T> x, i64 first, i64 step, i64 size, i64 k, bool largest) {
  const auto before = [&](i64 i, i64 j) {
    const T a = x[size_t(first + i * step)], b = x[size_t(first + j * step)];
    if (a != a || b != b) return largest ? a != a && b == b : a == a && b != b;
    return largest ? a > b : a < b;
  };
  std::vector<i64> places(static_cast<size_t>(size));
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(), before);
  places.resize(size_t(k));
  return places;
}

template <class T>
std::vector<Tensor> top_k(const EvalContext& ctx, const Dims& dims) {
  const Tensor& x = ctx.in(0);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", -1), x.rank());
  const bool largest = ctx.attributes.integer("largest", 1) != 0;
  Tensor values(x.dtype(), dims), indices(DType::i64, dims);
  const i64 inner = inner_size(dims, axis), k = dims[size_t(axis)], size = x.dim(axis);
  if (values.size() > 0)
    for (i64 row = 0; row < outer_size(dims, axis) * inner; ++row) {
      const i64 from = row / inner * size * inner + row % inner;
      const i64 to = row / inner * k * inner + row % inner;
      const std::vector<i64> places = best(x.data<T>(), from, inner, size, k, largest);
      for (i64 i = 0; i < k; ++i) {
        values.mutable_data<T>()[size_t(to + i * inner)] =
            x.data<T>()[size_t(from + places[size_t(i)] * inner)];
        indices.mutable_data<i64>()[size_t(to + i * inner)] = places[size_t(i)];
      }
    }
  std::vector<Tensor> results = one(std::move(values));
  results.push_back(std::move(indices));
  return results;
}

std::vector<Tensor> evaluate_wide(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_TopK)[0];
  return for_number(ctx.in(0).dtype(), ctx.node,
                    [&](auto t) { return top_k<decltype(t)>(ctx, dims); });
}

}  // namespace

void infer_TopK(InferContext& ctx) {
  expect_number(ctx, 0);
  ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected element type i64, found ",
            name(ctx.input(1).dtype));
  const auto k = ctx.int_values(1);
  ctx.check(!k || k->size() == 1, "input 1: expected one element");
  std::optional<Shape> out = ctx.input(0).shape;
  if (out) {
    const i64 axis = normalize_axis(ctx, ctx.attributes().integer("axis", -1), std::ssize(*out));
    Dim& size = out->at(size_t(axis));
    if (k && k->at(0).value()) {
      const i64 count = *k->at(0).value();
      ctx.check(count >= 0 && (!size.value() || count <= *size.value()),
                "input 1: expected at most the ", size.text(), " elements of axis ", axis,
                ", found ", count);
    }
    size = k ? k->at(0) : Dim::unknown();
  }
  set_output(ctx, 0, ctx.input(0).dtype, out);
  if (ctx.output_count() > 1) set_output(ctx, 1, DType::i64, out);
}

std::vector<Tensor> evaluate_TopK(const EvalContext& ctx) {
  std::vector<Tensor> results = through_float(ctx, evaluate_wide);
  results.resize(size_t(ctx.outputs));
  return results;
}

}  // namespace sinter
