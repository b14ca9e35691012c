// SPDX-License-Identifier: Apache-2.0
// Operators that move elements carry small symbolic content along: the same code that moves
// elements moves numbers that stand for the expressions, and what arrives where is read off. Number
// 0 is the expression 0, which is what an untouched output element holds.
#include "graph/ops/detail/mover.h"

namespace sinter::detail {

namespace {

/// Parts of `runs` elements each, one per outer index, behind one another.
Tensor interleaved(const EvalContext& ctx, std::span<const Tensor> parts, const Dims& dims,
                   i64 outer) {
  check_output_size(ctx, dims);
  Tensor out(parts[0].dtype(), dims);
  const i64 row = outer > 0 ? out.size() / outer : 0;
  i64 at = 0;
  for (const Tensor& part : parts) {
    const Mover mover(part, out);
    const i64 run = outer > 0 ? part.size() / outer : 0;
    for (i64 o = 0; run > 0 && o < outer; ++o) mover.row(o * row + at, o * run, 1, run);
    at += run;
  }
  return out;
}

}  // namespace

Tensor joined(const EvalContext& ctx, std::span<const Tensor> parts, i64 axis) {
  Dims dims = parts[0].dims();
  const i64 a = normalize_axis(ctx, axis, std::ssize(dims));
  i64 total = 0;
  for (const Tensor& part : parts) {
    Dims expected = dims;
    if (part.rank() == std::ssize(dims)) expected[size_t(a)] = part.dim(a);
    ctx.check(part.dtype() == parts[0].dtype() && part.dims() == expected, "expected ",
              name(parts[0].dtype()), to_text(dims), " but for axis ", a, ", found ",
              name(part.dtype()), to_text(part.dims()));
    total += part.dim(a);
  }
  dims[size_t(a)] = total;
  return interleaved(ctx, parts, dims, outer_size(dims, a));
}

Tensor stacked(const EvalContext& ctx, std::span<const Tensor> parts, i64 axis) {
  Dims dims = parts[0].dims();
  for (const Tensor& part : parts)
    ctx.check(part.dtype() == parts[0].dtype() && part.dims() == dims, "expected ",
              name(parts[0].dtype()), to_text(dims), " each time, found ", name(part.dtype()),
              to_text(part.dims()));
  dims.insert(dims.begin() + axis, std::ssize(parts));
  return interleaved(ctx, parts, dims, outer_size(dims, axis));
}

std::vector<Tensor> moved(const EvalContext& ctx, Infer infer, Move move) {
  return one(move(ctx, output_dims(ctx, infer)[0]));
}

namespace {

bool is_whole(DType type) { return is_integer(type) || type == DType::boolean; }

std::optional<std::vector<Dim>> moved_content(const InferContext& ctx,
                                              std::initializer_list<i64> data_inputs, Move move,
                                              const Dims& out) {
  std::vector<Dim> pool = {Dim(0)};
  std::vector<Tensor> made;
  made.reserve(size_t(ctx.input_count()));
  std::vector<const Tensor*> inputs(size_t(ctx.input_count()), nullptr);
  for (i64 i = 0; i < ctx.input_count(); ++i) {
    if (!ctx.has(i)) continue;
    const bool is_data = std::count(data_inputs.begin(), data_inputs.end(), i) > 0;
    inputs[size_t(i)] = ctx.constant(i);
    if (!is_data && ctx.constant(i)) continue;
    const auto content = ctx.int_values(i);
    const auto dims = ctx.shape(i) ? static_dims(*ctx.shape(i)) : std::nullopt;
    if (!content || !dims || element_count(*dims) != std::ssize(*content)) return std::nullopt;
    Tensor numbers(DType::i64, *dims);
    for (size_t k = 0; k < content->size(); ++k) {
      const Dim& d = content->at(k);
      if (!is_data && !d.value()) return std::nullopt;
      numbers.mutable_data<i64>()[k] = is_data ? std::ssize(pool) : *d.value();
      if (is_data) pool.push_back(d);
    }
    made.push_back(is_data ? std::move(numbers) : convert(numbers, ctx.input(i).dtype));
    inputs[size_t(i)] = &made.back();
  }
  const Tensor result = move({ctx.node(), ctx.attributes(), inputs, ctx.output_count()}, out);
  std::vector<Dim> content;
  for (i64 number : result.data<i64>()) content.push_back(pool[size_t(number)]);
  return content;
}

}  // namespace

void set_moved(InferContext& ctx, std::initializer_list<i64> data_inputs, Move move,
               std::optional<Shape> shape) {
  const DType type = ctx.input(0).dtype;
  const auto dims = shape && shape->size() <= 1 ? static_dims(*shape) : std::nullopt;
  std::optional<std::vector<Dim>> content;
  if (dims && is_whole(type) && element_count(*dims) <= kMaxContent)
    content = moved_content(ctx, data_inputs, move, *dims);
  set_output(ctx, 0, type, std::move(shape), std::move(content));
}

}  // namespace sinter::detail
