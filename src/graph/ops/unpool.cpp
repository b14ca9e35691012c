// SPDX-License-Identifier: Apache-2.0
// MaxUnpool: every element of x goes to the position that MaxPool's indices name; the rest is 0.
// Without an output shape an axis has (in - 1) * stride + kernel - begin - end elements, and the
// indices count in a tensor of that shape.
#include "graph/ops/detail/common.h"
#include "graph/ops/window.h"

namespace sinter {

using namespace detail;

void infer_MaxUnpool(InferContext&);

namespace {

/// The shape that the attributes tell; the indices refer to it.
Shape pooled_from(const InferContext& ctx, const Shape& x) {
  const i64 rank = std::ssize(x) - 2;
  const WindowAttributes a = read_window(ctx.node(), ctx.attributes(), rank, {});
  Shape out = x;
  for (i64 i = 0; i < rank; ++i) {
    const size_t s = size_t(i);
    Dim& d = out[s + 2];
    d = (d - Dim(1)) * Dim(a.strides[s]) + Dim(a.kernel[s] - a.pads[s] - a.pads[s + size_t(rank)]);
    ctx.check(!d.value() || *d.value() >= 0, "spatial axis ", i, ": the output would have size ",
              d.text());
  }
  return out;
}

}  // namespace

void infer_MaxUnpool(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  expect_float(ctx, 0);
  ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected indices of element type i64");
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == DType::i64,
            "input 2: expected a shape of element type i64");
  const Shape *x = ctx.shape(0), *indices = ctx.shape(1);
  if (!x) return set_output(ctx, 0, type, std::nullopt);
  ctx.check(x->size() >= 3, "expected an input of rank 3 or more [N,C,spatial...], found ",
            to_text(*x));
  bool fits = !indices || indices->size() == x->size();
  for (size_t a = 0; indices && fits && a < x->size(); ++a)
    fits = !differ(x->at(a), indices->at(a));
  ctx.check(fits, "expected indices of the input's shape ", to_text(*x), ", found ",
            indices ? to_text(*indices) : "");
  Shape out = pooled_from(ctx, *x);
  if (const auto given = ctx.int_values(2)) {
    ctx.check(given->size() == x->size(), "input 2: expected ", x->size(), " sizes, found ",
              given->size());
    out = *given;
  } else if (ctx.has(2)) {
    out.assign(x->size(), Dim::unknown());
  }
  for (const Dim& d : out)
    ctx.check(!d.value() || *d.value() >= 0, "expected sizes of 0 or more, found ", to_text(out));
  set_output(ctx, 0, type, std::move(out));
}

std::vector<Tensor> evaluate_MaxUnpool(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const Tensor& x = c.in(0);
    Tensor out(x.dtype(), output_dims(c, infer_MaxUnpool)[0]);
    // A larger output shape pads behind: positions are those of the shape the window tells.
    const i64 rank = x.rank() - 2;
    const WindowAttributes a = read_window(c.node, c.attributes, rank, {});
    Dims source = x.dims();
    for (i64 i = 0; i < rank; ++i)
      source[size_t(i + 2)] = (x.dim(i + 2) - 1) * a.strides[size_t(i)] + a.kernel[size_t(i)] -
                              a.pads[size_t(i)] - a.pads[size_t(i + rank)];
    for_float(x.dtype(), "MaxUnpool", [&](auto t) {
      using T = decltype(t);
      const auto to = out.mutable_data<T>();
      for (i64 i = 0; i < x.size(); ++i) {
        i64 rest = c.in(1).data<i64>()[size_t(i)], at = 0, step = 1;
        bool inside = rest >= 0;
        for (i64 axis = x.rank() - 1; inside && axis >= 0; --axis) {
          const i64 size = source[size_t(axis)];
          const i64 index = size > 0 ? rest % size : 0;
          inside = size > 0 && index < out.dim(axis);
          rest = size > 0 ? rest / size : 0;
          at += index * step;
          step *= out.dim(axis);
        }
        c.check(inside && rest == 0, "index ", c.in(1).data<i64>()[size_t(i)],
                " is outside the output ", to_text(out.dims()));
        to[size_t(at)] = x.data<T>()[size_t(i)];
      }
    });
    return one(std::move(out));
  });
}

}  // namespace sinter
