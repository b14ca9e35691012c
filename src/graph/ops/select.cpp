// SPDX-License-Identifier: Apache-2.0
// NonZero, Compress, Unique: which elements come out depends on the content, so the size of one
// axis is known only when the content is.
#include <functional>
#include <numeric>

#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_NonZero(InferContext&);
void infer_Compress(InferContext&);
void infer_Unique(InferContext&);

namespace {

/// Places of the elements other than zero, in memory order.
std::vector<i64> nonzero_places(const Tensor& x) {
  const Tensor truth = convert(x, DType::boolean);
  std::vector<i64> places;
  const auto values = truth.data<bool>();
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i]) places.push_back(i64(i));
  return places;
}

/// The rows along `axis` (or elements, when there is none) that the condition picks out of `size`.
std::vector<i64> picked(const Tensor& condition, i64 size) {
  std::vector<i64> places = nonzero_places(condition);
  places.erase(std::lower_bound(places.begin(), places.end(), size), places.end());
  return places;
}

/// Copies the slices of `x` along `axis` that `rows` names.
Tensor take_rows(const Tensor& x, i64 axis, const std::vector<i64>& rows) {
  Dims dims = x.dims();
  dims[size_t(axis)] = std::ssize(rows);
  Tensor out(x.dtype(), dims);
  if (out.size() == 0) return out;
  const i64 outer = outer_size(dims, axis), inner = inner_size(dims, axis);
  const Mover mover(x, out);
  i64 at = 0;
  for (i64 o = 0; o < outer; ++o)
    for (i64 row : rows) {
      mover.row(at, (o * x.dim(axis) + row) * inner, 1, inner);
      at += inner;
    }
  return out;
}

Tensor flat(const Tensor& x) { return x.clone().reshaped({x.size()}); }

/// -1, 0 or 1. NaN is above every number and equal to itself.
template <class T>
int compare(const T& a, const T& b) {
  if (a < b) return -1;
  if (b < a) return 1;
  return int(a != a) - int(b != b);
}

/// Order of element i and j of a tensor, strings included.
using Order = std::function<int(i64, i64)>;
Order element_order(const Tensor& x) {
  if (x.dtype() == DType::string)
    return [&x](i64 i, i64 j) { return compare(x.strings()[size_t(i)], x.strings()[size_t(j)]); };
  return for_type(x.dtype(), "Unique", [&x](auto t) -> Order {
    using T = decltype(t);
    const std::span<const T> v = x.data<T>();
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>)
      return [v](i64 i, i64 j) { return compare(to_float(v[size_t(i)]), to_float(v[size_t(j)])); };
    else
      return [v](i64 i, i64 j) { return compare(v[size_t(i)], v[size_t(j)]); };
  });
}

/// Unique slices: the row where each was met first, which of them each row is, and how often.
struct Groups {
  std::vector<i64> first, inverse, count;
};

/// Groups the slices of `x` along `axis`, in rising order or in the order of appearance.
Groups group(const Tensor& x, i64 axis, bool sorted) {
  const i64 rows = x.dim(axis), outer = outer_size(x.dims(), axis);
  const i64 inner = inner_size(x.dims(), axis);
  const Order order = element_order(x);
  const auto compare_rows = [&](i64 a, i64 b) {
    for (i64 o = 0; o < outer; ++o)
      for (i64 i = 0; i < inner; ++i)
        if (const int c = order((o * rows + a) * inner + i, (o * rows + b) * inner + i)) return c;
    return 0;
  };
  std::vector<i64> by_value(static_cast<size_t>(rows));
  std::iota(by_value.begin(), by_value.end(), 0);
  std::stable_sort(by_value.begin(), by_value.end(),
                   [&](i64 a, i64 b) { return compare_rows(a, b) < 0; });
  Groups groups;
  groups.inverse.resize(size_t(rows));
  for (size_t k = 0; k < by_value.size(); ++k) {
    const bool is_new = k == 0 || compare_rows(by_value[k - 1], by_value[k]) != 0;
    if (is_new) groups.first.push_back(by_value[k]);  // stable: the first of its kind
    if (is_new) groups.count.push_back(0);
    ++groups.count.back();
    groups.inverse[size_t(by_value[k])] = std::ssize(groups.first) - 1;
  }
  if (sorted) return groups;
  std::vector<i64> appearance(groups.first.size()), rank(groups.first.size());
  std::iota(appearance.begin(), appearance.end(), 0);
  std::sort(appearance.begin(), appearance.end(),
            [&](i64 a, i64 b) { return groups.first[size_t(a)] < groups.first[size_t(b)]; });
  Groups result;
  for (i64 g : appearance) {
    rank[size_t(g)] = std::ssize(result.first);
    result.first.push_back(groups.first[size_t(g)]);
    result.count.push_back(groups.count[size_t(g)]);
  }
  for (i64 g : groups.inverse) result.inverse.push_back(rank[size_t(g)]);
  return result;
}

Tensor vector_of(const std::vector<i64>& values) {
  return Tensor::of<i64>({std::ssize(values)}, std::span<const i64>(values));
}

}  // namespace

void infer_NonZero(InferContext& ctx) {
  ctx.check(is_number(ctx.input(0).dtype) || ctx.input(0).dtype == DType::boolean,
            "expected numbers or booleans, found ", name(ctx.input(0).dtype));
  Shape out(2);
  if (const Shape* x = ctx.shape(0)) out[0] = std::ssize(*x);
  if (const Tensor* x = ctx.constant(0)) out[1] = std::ssize(nonzero_places(*x));
  set_output(ctx, 0, DType::i64, std::move(out));
}

void infer_Compress(InferContext& ctx) {
  ctx.check(ctx.input(1).dtype == DType::boolean, "input 1: expected element type bool, found ",
            name(ctx.input(1).dtype));
  const Shape *x = ctx.shape(0), *condition = ctx.shape(1);
  ctx.check(!condition || condition->size() == 1, "input 1: expected rank 1, found ",
            condition ? to_text(*condition) : "");
  const bool has_axis = ctx.attributes().has("axis");
  if (has_axis && !x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  Shape out(1);
  size_t axis = 0;
  Dim size = x ? element_count(*x) : Dim::unknown();
  if (has_axis) {
    axis = size_t(normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*x)));
    out = *x;
    size = x->at(axis);
  }
  const Tensor* known = ctx.constant(1);
  out[axis] =
      known && size.value() ? Dim(std::ssize(picked(*known, *size.value()))) : Dim::unknown();
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

void infer_Unique(InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  Dim rows = x ? element_count(*x) : Dim::unknown();
  std::optional<Shape> out = Shape(1);
  if (ctx.attributes().has("axis")) {
    out = ctx.input(0).shape;
    if (x) {
      const i64 axis = normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*x));
      rows = x->at(size_t(axis));
      out->at(size_t(axis)) = Dim::unknown();
    }
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
  for (i64 i = 1; i < ctx.output_count(); ++i)
    set_output(ctx, i, DType::i64, Shape{i == 2 ? rows : Dim::unknown()});
}

std::vector<Tensor> evaluate_NonZero(const EvalContext& ctx) {
  output_types(ctx, infer_NonZero);
  const Tensor& x = ctx.in(0);
  const std::vector<i64> places = nonzero_places(x), steps = dense_steps(x.dims());
  const i64 count = std::ssize(places);
  Tensor out(DType::i64, {x.rank(), count});
  const auto y = out.mutable_data<i64>();
  for (i64 a = 0; a < x.rank(); ++a)
    for (i64 i = 0; i < count; ++i)
      y[size_t(a * count + i)] = places[size_t(i)] / steps[size_t(a)] % x.dim(a);
  return one(std::move(out));
}

std::vector<Tensor> evaluate_Compress(const EvalContext& ctx) {
  output_types(ctx, infer_Compress);
  const Tensor& x = ctx.in(0);
  if (!ctx.attributes.has("axis")) {
    const Tensor all = flat(x);
    return one(take_rows(all, 0, picked(ctx.in(1), all.size())));
  }
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), x.rank());
  return one(take_rows(x, axis, picked(ctx.in(1), x.dim(axis))));
}

std::vector<Tensor> evaluate_Unique(const EvalContext& ctx) {
  output_types(ctx, infer_Unique);
  const bool has_axis = ctx.attributes.has("axis");
  const Tensor x = has_axis ? ctx.in(0).clone() : flat(ctx.in(0));
  const i64 axis = has_axis ? normalize_axis(ctx, ctx.attributes.integer("axis", 0), x.rank()) : 0;
  const Groups groups = group(x, axis, ctx.attributes.integer("sorted", 1) != 0);
  std::vector<Tensor> results = one(take_rows(x, axis, groups.first));
  for (const std::vector<i64>* more : {&groups.first, &groups.inverse, &groups.count})
    if (std::ssize(results) < ctx.outputs) results.push_back(vector_of(*more));
  return results;
}

}  // namespace sinter
