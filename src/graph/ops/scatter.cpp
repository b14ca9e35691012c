// SPDX-License-Identifier: Apache-2.0
// ScatterElements (Scatter before opset 11) and ScatterND: a copy of the data with elements
// replaced or combined by index, in the order of the updates. A negative index counts from the end.
//   ScatterElements  y[.., index[a, b, ..], ..] = update[a, b, ..]   one element an index
//   ScatterND        y[index[i.., :], ..] = update[i.., ..]          an index tuple a slice
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_ScatterElements(InferContext&);
void infer_ScatterND(InferContext&);
std::vector<Tensor> evaluate_ScatterElements(const EvalContext&);

namespace {

enum class Reduction { none, add, mul, max, min };

Reduction read_reduction(std::string_view node, const Attributes& attributes) {
  constexpr std::pair<std::string_view, Reduction> kNames[] = {{"none", Reduction::none},
                                                               {"add", Reduction::add},
                                                               {"mul", Reduction::mul},
                                                               {"max", Reduction::max},
                                                               {"min", Reduction::min}};
  const std::string given = attributes.text("reduction", "none");
  for (const auto& [label, reduction] : kNames)
    if (given == label) return reduction;
  fail(ErrorKind::bad_input, node, ": reduction: expected none, add, mul, max or min, found ",
       given);
}

/// One step of a reduction. Booleans: add and max are or, mul and min are and.
template <class T>
T combine(Reduction reduction, T a, T b) {
  if constexpr (std::is_same_v<T, Half>) {
    return to_half(combine(reduction, to_float(a), to_float(b)));
  } else if constexpr (std::is_same_v<T, BFloat>) {
    return to_bfloat(combine(reduction, to_float(a), to_float(b)));
  } else if constexpr (std::is_same_v<T, bool>) {
    return reduction == Reduction::add || reduction == Reduction::max ? a || b : a && b;
  } else {
    switch (reduction) {
      case Reduction::add:
        return add(a, b);
      case Reduction::mul:
        return multiply(a, b);
      case Reduction::max:
        return a != a || a > b ? a : b;  // NaN stays
      case Reduction::min:
        return a != a || a < b ? a : b;
      case Reduction::none:
        break;
    }
    return b;
  }
}

/// Puts runs of `updates` into `out`, one after the other.
class Scatterer {
 public:
  Scatterer(const EvalContext& ctx, Tensor& out)
      : mover_(ctx.in(2), out),
        updates_(ctx.in(2)),
        out_(out),
        reduction_(read_reduction(ctx.node, ctx.attributes)) {}

  /// out[to + i] takes updates[from + i].
  void run(i64 to, i64 from, i64 count) const {
    if (reduction_ == Reduction::none) return mover_.row(to, from, 1, count);
    for_type(out_.dtype(), "scatter with a reduction", [&](auto t) {
      using T = decltype(t);
      const auto y = out_.mutable_data<T>().subspan(size_t(to), size_t(count));
      const auto u = updates_.data<T>().subspan(size_t(from), size_t(count));
      for (size_t i = 0; i < y.size(); ++i) y[i] = combine(reduction_, y[i], u[i]);
    });
  }

 private:
  Mover mover_;
  const Tensor& updates_;
  Tensor& out_;
  Reduction reduction_;
};

Tensor scatter_elements(const EvalContext& ctx, const Dims&) {
  Tensor out = ctx.in(0).clone();
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), out.rank());
  const std::vector<i64> steps = dense_steps(out.dims()), indices = ctx.in(1).as_ints();
  const Scatterer scatterer(ctx, out);
  for_each_position(ctx.in(1).dims(), [&](i64 i, const Dims& at) {
    i64 to = normalize_index(ctx, indices[size_t(i)], out.dim(axis)) * steps[size_t(axis)];
    for (i64 a = 0; a < out.rank(); ++a)
      if (a != axis) to += at[size_t(a)] * steps[size_t(a)];
    scatterer.run(to, i, 1);
  });
  return out;
}

Tensor scatter_nd(const EvalContext& ctx, const Dims&) {
  Tensor out = ctx.in(0).clone();
  const Tensor& index = ctx.in(1);
  const i64 depth = index.dim(index.rank() - 1);
  const std::vector<i64> steps = dense_steps(out.dims()), indices = index.as_ints();
  const i64 run = element_count(std::span(out.dims()).subspan(size_t(depth)));
  const Scatterer scatterer(ctx, out);
  const i64 picks = element_count(std::span(index.dims()).first(size_t(index.rank() - 1)));
  for (i64 p = 0; run > 0 && p < picks; ++p) {
    i64 to = 0;
    for (i64 d = 0; d < depth; ++d)
      to += normalize_index(ctx, indices[size_t(p * depth + d)], out.dim(d)) * steps[size_t(d)];
    scatterer.run(to, p * run, run);
  }
  return out;
}

void check_scatter(const InferContext& ctx) {
  expect_index(ctx, 1);
  ctx.check(ctx.input(2).dtype == ctx.input(0).dtype, "input 2: expected element type ",
            name(ctx.input(0).dtype), " of input 0, found ", name(ctx.input(2).dtype));
  const Reduction reduction = read_reduction(ctx.node(), ctx.attributes());
  ctx.check(reduction == Reduction::none || ctx.input(0).dtype != DType::string,
            "strings cannot be reduced");
}

/// Small content moves along when updates replace; a sum of expressions is not followed.
void set_scattered(InferContext& ctx, Move move) {
  const auto shape = ctx.input(0).shape;
  if (read_reduction(ctx.node(), ctx.attributes()) == Reduction::none)
    set_moved(ctx, {0, 2}, move, shape);
  else
    set_output(ctx, 0, ctx.input(0).dtype, shape);
}

}  // namespace

void infer_ScatterElements(InferContext& ctx) {
  check_scatter(ctx);
  const Shape *x = ctx.shape(0), *indices = ctx.shape(1), *updates = ctx.shape(2);
  const Shape* known = x ? x : indices ? indices : updates;
  if (known) {
    ctx.check(!known->empty(), "expected inputs of rank 1 or more");
    normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*known));
  }
  for (const Shape* other : {indices, updates})
    ctx.check(!other || !known || other->size() == known->size(), "expected inputs of one rank");
  const auto axis =
      known ? normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*known)) : 0;
  for (size_t a = 0; known && a < known->size(); ++a) {
    ctx.check(!indices || !updates || may_equal(indices->at(a), updates->at(a)),
              "expected updates of the shape of the indices");
    ctx.check(i64(a) == axis || !x || !indices || !x->at(a).value() || !indices->at(a).value() ||
                  *indices->at(a).value() <= *x->at(a).value(),
              "input 1: expected sizes of at most those of input 0");
  }
  set_scattered(ctx, scatter_elements);
}

void infer_ScatterND(InferContext& ctx) {
  check_scatter(ctx);
  const Shape *x = ctx.shape(0), *indices = ctx.shape(1), *updates = ctx.shape(2);
  ctx.check((!x || !x->empty()) && (!indices || !indices->empty()),
            "expected inputs 0 and 1 of rank 1 or more");
  if (x && indices && indices->back().value()) {
    const i64 depth = *indices->back().value();
    ctx.check(depth >= 1 && depth <= std::ssize(*x), "input 1: expected a last axis of 1 to ",
              x->size(), ", found ", depth);
    Shape wanted(indices->begin(), indices->end() - 1);
    wanted.insert(wanted.end(), x->begin() + depth, x->end());
    bool fits = !updates || updates->size() == wanted.size();
    for (size_t a = 0; fits && updates && a < wanted.size(); ++a)
      fits = may_equal(wanted[a], updates->at(a));
    ctx.check(fits, "input 2: expected updates of shape ", to_text(wanted), ", found ",
              updates ? to_text(*updates) : "");
  }
  set_scattered(ctx, scatter_nd);
}

void infer_Scatter(InferContext& ctx) { infer_ScatterElements(ctx); }

std::vector<Tensor> evaluate_ScatterElements(const EvalContext& ctx) {
  return moved(ctx, infer_ScatterElements, scatter_elements);
}
std::vector<Tensor> evaluate_Scatter(const EvalContext& ctx) {
  return evaluate_ScatterElements(ctx);
}
std::vector<Tensor> evaluate_ScatterND(const EvalContext& ctx) {
  return moved(ctx, infer_ScatterND, scatter_nd);
}

}  // namespace sinter
