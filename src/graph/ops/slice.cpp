// SPDX-License-Identifier: Apache-2.0
// Slice: start, end and step per axis, counted from the end when negative, clamped to the axis.
// A step below zero walks backwards from start, and end is then clamped to -1 (before the first).
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Slice(InferContext&);

namespace {

struct Cut {
  i64 start, count, step;
};

Cut resolve(i64 start, i64 end, i64 step, i64 size) {
  const auto clamped = [&](i64 v, i64 low, i64 high) {
    if (v < 0) v += size;
    return std::max(std::min(v, high), low);
  };
  if (step > 0) {
    const i64 first = clamped(start, 0, size), last = clamped(end, 0, size);
    return {first, last > first ? (last - first - 1) / step + 1 : 0, step};
  }
  // The least i64 has no negative; sizes are far below it, so the next one does as well.
  step = std::max(step, -(i64(1) << 62));
  if (size == 0) return {0, 0, step};
  const i64 first = clamped(start, 0, size - 1), last = clamped(end, -1, size - 1);
  return {first, first > last ? (first - last - 1) / -step + 1 : 0, step};
}

/// Axes that the node cuts, in the order of its starts. `count` is the number of starts.
template <class Context>
std::vector<i64> cut_axes(const Context& ctx, const std::optional<std::vector<i64>>& given,
                          i64 count, i64 rank) {
  std::vector<i64> axes;
  if (given) {
    axes = *given;
    for (i64& a : axes) a = normalize_axis(ctx, a, rank);
    normalize_axes(ctx, axes, rank);  // repeats
  } else {
    for (i64 a = 0; a < count; ++a) axes.push_back(a);
  }
  ctx.check(std::ssize(axes) == count && count <= rank, "expected ", count, " axes below rank ",
            rank, ", found ", to_text(axes));
  return axes;
}

/// A bound counted from the front and clamped to the axis; unknown when its sign is.
Dim clamped(const Dim& bound, const Dim& size) {
  if (is_never_negative(bound)) return minimum(bound, size);
  return is_never_negative(Dim(-1) - bound) ? maximum(size + bound, 0) : Dim::unknown();
}

/// The size left of a size that is an expression; exact or unknown.
Dim symbolic_count(const Dim& start, const Dim& end, i64 step, const Dim& size) {
  constexpr i64 kFar = (i64(1) << 31) - 1;  // exporters write "to the end" as this or more
  const bool to_end = same(end, size) || (end.value() && *end.value() >= kFar);
  if (step > 0 && start.is(0) && to_end) return ceil_div(size, Dim(step));
  const bool from_end = start.is(-1) || (start.value() && *start.value() >= kFar) ||
                        same(start, size) || same(start, size - Dim(1));
  const bool to_begin = end.value() && *end.value() <= -kFar;
  if (step < 0 && step > -kFar && from_end && to_begin) return ceil_div(size, Dim(-step));
  if (step != 1) return Dim::unknown();
  const Dim last = to_end ? size : clamped(end, size);
  return maximum(last - clamped(start, size), 0);
}

}  // namespace

void infer_Slice(InferContext& ctx) {
  for (i64 i = 1; i < ctx.input_count(); ++i) {
    if (!ctx.has(i)) continue;
    expect_index(ctx, i);
    ctx.check(!ctx.shape(i) || ctx.shape(i)->size() == 1, "input ", i, ": expected rank 1, found ",
              ctx.shape(i) ? to_text(*ctx.shape(i)) : "");
  }
  const Shape* x = ctx.shape(0);
  const DType type = ctx.input(0).dtype;
  if (!x) return set_output(ctx, 0, type, std::nullopt);
  const auto starts = ctx.int_values(1), ends = ctx.int_values(2);
  const auto given_axes = static_values(ctx, 3), given_steps = static_values(ctx, 4);
  Shape out = *x;
  if (!starts || !ends || (ctx.has(3) && !given_axes))
    return set_output(ctx, 0, type, Shape(x->size()));
  const i64 count = std::ssize(*starts);
  const std::vector<i64> axes = cut_axes(ctx, given_axes, count, std::ssize(*x));
  ctx.check(std::ssize(*ends) == count, "expected ", count, " ends, found ", ends->size());
  ctx.check(!given_steps || std::ssize(*given_steps) == count, "expected ", count, " steps, found ",
            given_steps ? given_steps->size() : 0);
  const bool steps_known = given_steps || !ctx.has(4);
  std::optional<std::vector<Dim>> content;
  for (size_t i = 0; i < axes.size(); ++i) {
    const i64 step = given_steps ? given_steps->at(i) : 1;
    ctx.check(step != 0, "expected steps other than 0");
    Dim& size = out[size_t(axes[i])];
    const Dim &start = starts->at(i), &end = ends->at(i);
    if (!steps_known) {
      size = Dim::unknown();
    } else if (size.value() && start.value() && end.value()) {
      const Cut cut = resolve(*start.value(), *end.value(), step, *size.value());
      size = cut.count;
      if (const auto from = ctx.int_values(0); from && x->size() == 1) {
        content.emplace();
        for (i64 k = 0; k < cut.count; ++k)
          content->push_back(from->at(size_t(cut.start + k * cut.step)));
      }
    } else {
      size = symbolic_count(start, end, step, size);
    }
  }
  if (axes.empty()) content = ctx.int_values(0);
  set_output(ctx, 0, type, std::move(out), std::move(content));
}

std::vector<Tensor> evaluate_Slice(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_Slice)[0]);
  const std::vector<i64> starts = ctx.in(1).as_ints(), ends = ctx.in(2).as_ints();
  const auto given_axes = ctx.has(3) ? std::optional(ctx.in(3).as_ints()) : std::nullopt;
  const auto given_steps = ctx.has(4) ? std::optional(ctx.in(4).as_ints()) : std::nullopt;
  const std::vector<i64> axes = cut_axes(ctx, given_axes, std::ssize(starts), x.rank());
  std::vector<i64> steps = dense_steps(x.dims());
  i64 offset = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t a = size_t(axes[i]);
    const Cut cut = resolve(starts[i], ends[i], given_steps ? given_steps->at(i) : 1, x.dims()[a]);
    offset += cut.start * steps[a];
    steps[a] = cut.count > 1 ? steps[a] * cut.step : 0;  // an unused step may be huge
  }
  if (out.size() > 0) copy_strided(x, offset, steps, out);
  return one(std::move(out));
}

}  // namespace sinter
