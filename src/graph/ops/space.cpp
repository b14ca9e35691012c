// SPDX-License-Identifier: Apache-2.0
// Rearrangements between channels and space, and cutting to a size:
//   DepthToSpace   [N, b*b*C, H, W] to [N, C, b*H, b*W]; the channel is (row, column, c) in mode
//                  DCR and (c, row, column) in mode CRD
//   SpaceToDepth   the inverse of DCR
//   Col2Im         [N, C*taps, L]: L windows added up into an image
//   CenterCropPad  every axis cut or zero-padded around its middle; an odd one falls to the end
#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/mover.h"
#include "graph/ops/window.h"

namespace sinter {

using namespace detail;

void infer_DepthToSpace(InferContext&);
void infer_SpaceToDepth(InferContext&);
void infer_Col2Im(InferContext&);
void infer_CenterCropPad(InferContext&);

namespace {

i64 read_block(const InferContext& ctx) {
  const i64 block = ctx.attributes().integer("blocksize", 0);
  ctx.check(block >= 1 && block <= (1 << 20), "expected blocksize of 1 or more, found ", block);
  return block;
}

/// nullptr when the rank is unknown.
const Shape* image_shape(const InferContext& ctx) {
  const Shape* x = ctx.shape(0);
  ctx.check(!x || x->size() == 4, "expected an input of rank 4 [N,C,H,W], found ",
            x ? to_text(*x) : "");
  return x;
}

/// The quotient; a number must divide.
Dim divided(const InferContext& ctx, const Dim& d, i64 by) {
  ctx.check(!d.value() || *d.value() % by == 0, "expected ", d.text(), " to be a multiple of ", by);
  return floor_div(d, Dim(by));
}

/// x seen with dims `split`, its axes in the given order, copied to the output's shape.
std::vector<Tensor> rearrange(const EvalContext& ctx, const Dims& dims, const Dims& split,
                              const std::vector<i64>& order) {
  const std::vector<i64> steps = dense_steps(split);
  Dims turned;
  std::vector<i64> turned_steps;
  for (i64 a : order) {
    turned.push_back(split[size_t(a)]);
    turned_steps.push_back(steps[size_t(a)]);
  }
  Tensor out(ctx.in(0).dtype(), turned);
  copy_strided(ctx.in(0), 0, turned_steps, out);
  return one(std::move(out).reshaped(dims));
}

/// What Col2Im's attributes say of its windows: the image as input, one output a window.
struct Columns {
  std::vector<i64> image, block;
  WindowAttributes window;
};
std::optional<Columns> read_columns(const InferContext& ctx) {
  const auto image = static_values(ctx, 1), block = static_values(ctx, 2);
  if (!image || !block) return std::nullopt;
  ctx.check(!image->empty() && image->size() == block->size(),
            "expected image and block shapes of one rank, found ", to_text(*image), " and ",
            to_text(*block));
  i64 taps = 1;
  for (i64 b : *block) {
    ctx.check(b >= 1 && b <= kMaxElements / taps, "expected block sizes of 1 or more, found ",
              to_text(*block));
    taps *= b;
  }
  return Columns{*image, *block,
                 read_window(ctx.node(), ctx.attributes(), std::ssize(*image), *block)};
}

/// Adds the columns of one channel, [taps, L], into its image.
template <class T>
void add_columns(const Window& w, const T* columns, T* image) {
  const i64 taps = element_count(w.kernel), windows = element_count(w.out);
  for (i64 k = 0; k < taps; ++k)
    for (i64 l = 0; l < windows; ++l) {
      i64 tap = k, window = l, at = 0, step = 1;
      bool inside = true;
      for (i64 a = w.rank() - 1; inside && a >= 0; --a) {
        const size_t s = size_t(a);
        const i64 i =
            window % w.out[s] * w.strides[s] + tap % w.kernel[s] * w.dilations[s] - w.begin[s];
        inside = i >= 0 && i < w.in[s];
        tap /= w.kernel[s];
        window /= w.out[s];
        at += i * step;
        step *= w.in[s];
      }
      if (inside) image[at] += columns[k * windows + l];
    }
}

std::vector<Tensor> col2im(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_Col2Im)[0]);
  if (out.size() == 0) return one(std::move(out));
  const std::vector<i64> image = ctx.in(1).as_ints(), block = ctx.in(2).as_ints();
  const Window w = resolve_window(
      ctx.node, read_window(ctx.node, ctx.attributes, std::ssize(image), block), image);
  const i64 column = element_count(block) * x.dim(2), plane = element_count(image);
  for_float(x.dtype(), "Col2Im", [&](auto t) {
    using T = decltype(t);
    for (i64 c = 0; c * plane < out.size(); ++c)
      add_columns(w, x.data<T>().data() + c * column, out.mutable_data<T>().data() + c * plane);
  });
  return one(std::move(out));
}

template <class Context>
std::vector<i64> read_axes(const Context& ctx, const Attributes& attributes, i64 rank) {
  std::vector<i64> axes = attributes.integers("axes");
  if (!attributes.has("axes"))
    for (i64 a = 0; a < rank; ++a) axes.push_back(a);
  normalize_axes(ctx, axes, rank);  // none repeats
  for (i64& a : axes) a = normalize_axis(ctx, a, rank);
  return axes;
}

}  // namespace

void infer_DepthToSpace(InferContext& ctx) {
  const i64 block = read_block(ctx);
  const std::string mode = ctx.attributes().text("mode", "DCR");
  ctx.check(mode == "DCR" || mode == "CRD", "mode: expected DCR or CRD, found ", mode);
  const Shape* x = image_shape(ctx);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  set_output(ctx, 0, ctx.input(0).dtype,
             Shape{x->at(0), divided(ctx, x->at(1), block * block), x->at(2) * Dim(block),
                   x->at(3) * Dim(block)});
}

void infer_SpaceToDepth(InferContext& ctx) {
  const i64 block = read_block(ctx);
  const Shape* x = image_shape(ctx);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  set_output(ctx, 0, ctx.input(0).dtype,
             Shape{x->at(0), x->at(1) * Dim(block * block), divided(ctx, x->at(2), block),
                   divided(ctx, x->at(3), block)});
}

void infer_Col2Im(InferContext& ctx) {
  expect_float(ctx, 0);
  expect_index(ctx, 1);
  expect_index(ctx, 2);
  const Shape* x = ctx.shape(0);
  ctx.check(!x || x->size() == 3, "expected an input of rank 3 [N,C*taps,L], found ",
            x ? to_text(*x) : "");
  const auto columns = read_columns(ctx);
  if (!columns) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const Window w = resolve_window(ctx.node(), columns->window, columns->image);
  const i64 windows = element_count(w.out);
  ctx.check(!x || !differ(x->at(2), Dim(windows)), "expected ", windows, " columns, found ",
            x ? to_text(*x) : "");
  Shape out = {x ? x->at(0) : Dim(),
               x ? divided(ctx, x->at(1), element_count(columns->block)) : Dim()};
  for (i64 size : columns->image) out.emplace_back(size);
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

void infer_CenterCropPad(InferContext& ctx) {
  expect_index(ctx, 1);
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const std::vector<i64> axes = read_axes(ctx, ctx.attributes(), std::ssize(*x));
  const auto sizes = ctx.int_values(1);
  ctx.check(!sizes || sizes->size() == axes.size(), "input 1: expected ", axes.size(),
            " sizes, found ", sizes ? sizes->size() : 0);
  Shape out = *x;
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim size = sizes ? sizes->at(i) : Dim::unknown();
    ctx.check(!size.value() || *size.value() >= 0, "expected sizes of 0 or more, found ",
              size.text());
    out[size_t(axes[i])] = size;
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

std::vector<Tensor> evaluate_DepthToSpace(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_DepthToSpace)[0];
  const i64 b = ctx.attributes.integer("blocksize", 1);
  const i64 n = dims[0], c = dims[1], h = ctx.in(0).dim(2), w = ctx.in(0).dim(3);
  if (ctx.attributes.text("mode", "DCR") == "DCR")
    return rearrange(ctx, dims, {n, b, b, c, h, w}, {0, 3, 4, 1, 5, 2});
  return rearrange(ctx, dims, {n, c, b, b, h, w}, {0, 1, 4, 2, 5, 3});
}

std::vector<Tensor> evaluate_SpaceToDepth(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_SpaceToDepth)[0];
  const i64 b = ctx.attributes.integer("blocksize", 1);
  const i64 n = dims[0], c = ctx.in(0).dim(1), h = dims[2], w = dims[3];
  return rearrange(ctx, dims, {n, c, h, b, w, b}, {0, 3, 5, 1, 2, 4});
}

std::vector<Tensor> evaluate_Col2Im(const EvalContext& ctx) { return through_float(ctx, col2im); }

std::vector<Tensor> evaluate_CenterCropPad(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_CenterCropPad)[0]);
  // The part that both have: `count` elements an axis from `from` in x, from `to` in the output.
  const std::vector<i64> steps = dense_steps(x.dims()), out_steps = dense_steps(out.dims());
  std::vector<LoopAxis<2>> axes(static_cast<size_t>(x.rank()));
  i64 from = 0, to = 0;
  for (size_t a = 0; a < axes.size(); ++a) {
    const i64 in = x.dims()[a], size = out.dims()[a];
    axes[a] = {std::min(in, size), {steps[a], out_steps[a]}};
    from += std::max<i64>(in - size, 0) / 2 * steps[a];
    to += std::max<i64>(size - in, 0) / 2 * out_steps[a];
  }
  const Mover mover(x, out);
  walk_rows<2>(axes, {from, to}, [&](i64, i64 count, const auto& first, const auto& step) {
    if (step[1] == 1) return mover.row(first[1], first[0], step[0], count);
    for (i64 i = 0; i < count; ++i) mover.row(first[1] + i * step[1], first[0] + i * step[0], 1, 1);
  });
  return one(std::move(out));
}

}  // namespace sinter
