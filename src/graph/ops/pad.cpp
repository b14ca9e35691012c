// SPDX-License-Identifier: Apache-2.0
// Pad: elements added (or, by a negative pad, cut off) before and after each axis. What is added is
// a constant, the nearest element (edge), the mirror image without the border (reflect) or the
// other end (wrap). Pads are begins and ends of all axes, or of those that input 3 names.
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Pad(InferContext&);

namespace {

constexpr i64 kMaxPad = i64(1) << 40;

enum class PadMode { constant, reflect, edge, wrap };

PadMode read_pad_mode(std::string_view node, const Attributes& attributes) {
  const std::string mode = attributes.text("mode", "constant");
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "edge") return PadMode::edge;
  if (mode == "wrap") return PadMode::wrap;
  require(mode == "constant", ErrorKind::bad_input, node,
          ": mode: expected constant, reflect, edge or wrap, found ", mode);
  return PadMode::constant;
}

/// For each output index of one axis the input index it reads, -1 for the constant. What negative
/// pads cut off is not reflected or repeated.
std::vector<i64> pad_sources(const EvalContext& ctx, PadMode mode, i64 size, i64 begin, i64 end) {
  const i64 first = std::max<i64>(-begin, 0), length = size - first - std::max<i64>(-end, 0);
  std::vector<i64> sources;
  const i64 count = size + begin + end;
  ctx.check(mode == PadMode::constant || length > 0 || count == 0,
            "cannot reflect or repeat an empty axis");
  for (i64 o = 0; o < count; ++o) {
    i64 i = o - begin - first;  // position in the kept part
    if (i < 0 || i >= length) {
      if (mode == PadMode::constant) i = -1 - first;
      if (mode == PadMode::edge) i = i < 0 ? 0 : length - 1;
      if (mode == PadMode::wrap) i = ((i % length) + length) % length;
      if (mode == PadMode::reflect) {
        const i64 period = std::max<i64>(2 * (length - 1), 1);
        i = ((i % period) + period) % period;
        if (i >= length) i = period - i;
      }
    }
    sources.push_back(i + first);
  }
  return sources;
}

/// Begins and ends of every axis, from those that the node gives. `axes` = input 3 when it is
/// there.
template <class Context, class Number>
std::vector<Number> all_pads(const Context& ctx, const std::vector<Number>& given,
                             const std::optional<std::vector<i64>>& axes, i64 rank) {
  const i64 count = axes ? std::ssize(*axes) : rank;
  ctx.check(std::ssize(given) == 2 * count, "expected ", 2 * count, " pads, found ", given.size());
  if (!axes) return given;
  normalize_axes(ctx, *axes, rank);  // repeats
  std::vector<Number> pads(size_t(2 * rank), Number(0));
  for (size_t i = 0; i < axes->size(); ++i) {
    const size_t axis = size_t(normalize_axis(ctx, axes->at(i), rank));
    pads[axis] = given[i];
    pads[axis + size_t(rank)] = given[i + axes->size()];
  }
  return pads;
}

Tensor pad(const EvalContext& ctx, const Dims& dims) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), dims);
  const PadMode mode = read_pad_mode(ctx.node, ctx.attributes);
  if (mode == PadMode::constant && ctx.has(2)) Mover(ctx.in(2), out).row(0, 0, 0, out.size());
  if (out.size() == 0) return out;
  const auto axes = ctx.has(3) ? std::optional(ctx.in(3).as_ints()) : std::nullopt;
  const std::vector<i64> pads = all_pads(ctx, ctx.in(1).as_ints(), axes, x.rank());
  const std::vector<i64> steps = dense_steps(x.dims());
  std::vector<std::vector<i64>> sources;
  for (i64 a = 0; a < x.rank(); ++a)
    sources.push_back(
        pad_sources(ctx, mode, x.dim(a), pads[size_t(a)], pads[size_t(a + x.rank())]));
  const Mover mover(x, out);
  for_each_position(dims, [&](i64 o, const Dims& at) {
    i64 from = 0;
    bool inside = true;
    for (size_t a = 0; a < at.size(); ++a) {
      const i64 source = sources[a][size_t(at[a])];
      inside = inside && source >= 0;
      from += source * steps[a];
    }
    if (inside) mover.row(o, from, 1, 1);
  });
  return out;
}

}  // namespace

void infer_Pad(InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  read_pad_mode(ctx.node(), ctx.attributes());
  ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected pads of element type i64, found ",
            name(ctx.input(1).dtype));
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == type, "input 2: expected element type ",
            name(type), " of input 0, found ", name(ctx.has(2) ? ctx.input(2).dtype : type));
  if (const Shape* constant = ctx.shape(2))
    ctx.check(!element_count(*constant).value() || element_count(*constant).is(1),
              "input 2: expected one element, found ", to_text(*constant));
  if (ctx.has(3)) expect_index(ctx, 3);
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, type, std::nullopt);
  const auto given = ctx.int_values(1);
  const auto axes = static_values(ctx, 3);
  if (!given || (ctx.has(3) && !axes)) return set_output(ctx, 0, type, Shape(x->size()));
  const std::vector<Dim> pads = all_pads(ctx, *given, axes, std::ssize(*x));
  Shape out(x->size());
  for (const Dim& d : pads)
    ctx.check(!d.value() || (*d.value() >= -kMaxPad && *d.value() <= kMaxPad),
              "expected pads of at most 2^40, found ", d.text());
  for (size_t a = 0; a < x->size(); ++a) {
    out[a] = x->at(a) + pads[a] + pads[a + x->size()];
    ctx.check(!out[a].value() || *out[a].value() >= 0, "pads ", to_text(pads), " cut ", to_text(*x),
              " below zero at axis ", a);
  }
  set_moved(ctx, {0, 2}, pad, std::move(out));
}

std::vector<Tensor> evaluate_Pad(const EvalContext& ctx) { return moved(ctx, infer_Pad, pad); }

}  // namespace sinter
