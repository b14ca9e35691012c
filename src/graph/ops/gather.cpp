// SPDX-License-Identifier: Apache-2.0
// Gather, GatherElements, GatherND: elements picked by index. A negative index counts from the end.
//   Gather          y[.., i.., ..] = x[.., index[i..], ..]      whole slices along `axis`
//   GatherElements  y[a, b, ..]    = x[.., index[a, b, ..], ..] one element an index
//   GatherND        y[b.., i.., ..] = x[b.., index[b.., i.., :], ..] an index tuple a slice
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Gather(InferContext&);
void infer_GatherElements(InferContext&);
void infer_GatherND(InferContext&);

namespace {

Tensor gather(const EvalContext& ctx, const Dims& dims) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), dims);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), x.rank());
  const i64 outer = outer_size(x.dims(), axis), inner = inner_size(x.dims(), axis);
  const i64 size = x.dim(axis);
  std::vector<i64> indices = ctx.in(1).as_ints();
  for (i64& i : indices) i = normalize_index(ctx, i, size);
  if (out.size() == 0) return out;
  const Mover mover(x, out);
  i64 at = 0;
  for (i64 o = 0; o < outer; ++o)
    for (i64 i : indices) {
      mover.row(at, (o * size + i) * inner, 1, inner);
      at += inner;
    }
  return out;
}

Tensor gather_elements(const EvalContext& ctx, const Dims& dims) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), dims);
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), x.rank());
  const std::vector<i64> steps = dense_steps(x.dims()), indices = ctx.in(1).as_ints();
  const Mover mover(x, out);
  for_each_position(dims, [&](i64 i, const Dims& at) {
    i64 from = normalize_index(ctx, indices[size_t(i)], x.dim(axis)) * steps[size_t(axis)];
    for (i64 a = 0; a < x.rank(); ++a)
      if (a != axis) from += at[size_t(a)] * steps[size_t(a)];
    mover.row(i, from, 1, 1);
  });
  return out;
}

Tensor gather_nd(const EvalContext& ctx, const Dims& dims) {
  const Tensor &x = ctx.in(0), &index = ctx.in(1);
  Tensor out(x.dtype(), dims);
  const i64 batch_dims = ctx.attributes.integer("batch_dims", 0);
  const i64 depth = index.dim(index.rank() - 1);
  const i64 batches = outer_size(x.dims(), batch_dims);
  const std::vector<i64> steps = dense_steps(x.dims()), indices = index.as_ints();
  const i64 run = element_count(std::span(x.dims()).subspan(size_t(batch_dims + depth)));
  const i64 picks = element_count(std::span(index.dims()).first(size_t(index.rank() - 1)));
  const i64 batch_size = element_count(std::span(x.dims()).subspan(size_t(batch_dims)));
  if (out.size() == 0) return out;
  const Mover mover(x, out);
  for (i64 p = 0; p < picks; ++p) {
    i64 from = p / std::max<i64>(picks / std::max<i64>(batches, 1), 1) * batch_size;
    for (i64 d = 0; d < depth; ++d)
      from += normalize_index(ctx, indices[size_t(p * depth + d)], x.dim(batch_dims + d)) *
              steps[size_t(batch_dims + d)];
    mover.row(p * run, from, 1, run);
  }
  return out;
}

}  // namespace

void infer_Gather(InferContext& ctx) {
  expect_index(ctx, 1);
  const Shape *x = ctx.shape(0), *indices = ctx.shape(1);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  ctx.check(!x->empty(), "input 0: expected rank 1 or more, found a scalar");
  const i64 axis = normalize_axis(ctx, ctx.attributes().integer("axis", 0), std::ssize(*x));
  if (const auto values = static_values(ctx, 1); values && x->at(size_t(axis)).value()) {
    const i64 size = *x->at(size_t(axis)).value();
    for (i64 v : *values)
      ctx.check(v >= -size && v < size, "expected indices from ", -size, " to ", size - 1,
                ", found ", v);
  }
  if (!indices) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  Shape out(x->begin(), x->begin() + axis);
  out.insert(out.end(), indices->begin(), indices->end());
  out.insert(out.end(), x->begin() + axis + 1, x->end());
  set_moved(ctx, {0}, gather, std::move(out));
}

void infer_GatherElements(InferContext& ctx) {
  expect_index(ctx, 1);
  const Shape *x = ctx.shape(0), *indices = ctx.shape(1);
  if (x && indices) {
    const i64 rank = std::ssize(*x);
    ctx.check(indices->size() == x->size() && rank > 0, "input 1: expected rank ", rank,
              " of input 0 and at least 1, found ", to_text(*indices));
    const i64 axis = normalize_axis(ctx, ctx.attributes().integer("axis", 0), rank);
    for (i64 a = 0; a < rank; ++a) {
      const Dim &have = x->at(size_t(a)), &want = indices->at(size_t(a));
      ctx.check(a == axis || !have.value() || !want.value() || *want.value() <= *have.value(),
                "input 1: expected sizes of at most ", to_text(*x), ", found ", to_text(*indices));
    }
  }
  set_moved(ctx, {0}, gather_elements, x && indices ? std::optional(*indices) : std::nullopt);
}

void infer_GatherND(InferContext& ctx) {
  expect_index(ctx, 1);
  const Shape *x = ctx.shape(0), *indices = ctx.shape(1);
  if (!x || !indices) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const i64 rank = std::ssize(*x), index_rank = std::ssize(*indices);
  const i64 batch_dims = ctx.attributes().integer("batch_dims", 0);
  ctx.check(rank >= 1 && index_rank >= 1, "expected inputs of rank 1 or more");
  ctx.check(batch_dims >= 0 && batch_dims < std::min(rank, index_rank),
            "batch_dims: expected 0 to ", std::min(rank, index_rank) - 1, ", found ", batch_dims);
  for (i64 a = 0; a < batch_dims; ++a)
    ctx.check(may_equal(x->at(size_t(a)), indices->at(size_t(a))),
              "batch axes differ: ", to_text(*x), " and ", to_text(*indices));
  const auto depth = indices->back().value();
  if (!depth) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  ctx.check(*depth >= 1 && *depth <= rank - batch_dims, "input 1: expected a last axis of 1 to ",
            rank - batch_dims, ", found ", *depth);
  Shape out(indices->begin(), indices->end() - 1);
  out.insert(out.end(), x->begin() + batch_dims + *depth, x->end());
  set_moved(ctx, {0}, gather_nd, std::move(out));
}

std::vector<Tensor> evaluate_Gather(const EvalContext& ctx) {
  return moved(ctx, infer_Gather, gather);
}
std::vector<Tensor> evaluate_GatherElements(const EvalContext& ctx) {
  return moved(ctx, infer_GatherElements, gather_elements);
}
std::vector<Tensor> evaluate_GatherND(const EvalContext& ctx) {
  return moved(ctx, infer_GatherND, gather_nd);
}

}  // namespace sinter
