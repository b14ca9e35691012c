// SPDX-License-Identifier: Apache-2.0
// ReverseSequence: in every batch entry the first `length` steps of the time axis change direction,
// the rest stay.
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_ReverseSequence(InferContext&);

namespace {

Tensor reverse(const EvalContext& ctx, const Dims& dims) {
  const Tensor& x = ctx.in(0);
  Tensor out = x.clone();
  const std::vector<i64> lengths = ctx.in(1).as_ints();
  const bool time_first = ctx.attributes.integer("time_axis", 0) == 0;
  const i64 batches = dims[time_first ? 1 : 0], times = dims[time_first ? 0 : 1];
  const i64 run = inner_size(dims, 1);
  const i64 batch_step = time_first ? run : times * run,
            time_step = time_first ? batches * run : run;
  const Mover mover(x, out);
  for (i64 b = 0; b < batches; ++b) {
    const i64 length = lengths[size_t(b)];
    ctx.check(length >= 0 && length <= times, "input 1: expected lengths from 0 to ", times,
              ", found ", length);
    for (i64 t = 0; run > 0 && t < length; ++t)
      mover.row(b * batch_step + t * time_step, b * batch_step + (length - 1 - t) * time_step, 1,
                run);
  }
  return out;
}

}  // namespace

void infer_ReverseSequence(InferContext& ctx) {
  ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected element type i64, found ",
            name(ctx.input(1).dtype));
  const i64 batch_axis = ctx.attributes().integer("batch_axis", 1);
  const i64 time_axis = ctx.attributes().integer("time_axis", 0);
  ctx.check((batch_axis == 0 && time_axis == 1) || (batch_axis == 1 && time_axis == 0),
            "batch_axis and time_axis: expected 0 and 1 or 1 and 0, found ", batch_axis, " and ",
            time_axis);
  const Shape *x = ctx.shape(0), *lengths = ctx.shape(1);
  ctx.check(!x || x->size() >= 2, "input 0: expected rank 2 or more, found ", x ? to_text(*x) : "");
  ctx.check(!lengths || lengths->size() == 1, "input 1: expected rank 1, found ",
            lengths ? to_text(*lengths) : "");
  ctx.check(!x || !lengths || may_equal(x->at(size_t(batch_axis)), lengths->at(0)),
            "expected one length a batch entry");
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

std::vector<Tensor> evaluate_ReverseSequence(const EvalContext& ctx) {
  return moved(ctx, infer_ReverseSequence, reverse);
}

}  // namespace sinter
