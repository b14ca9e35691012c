// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/detail/common.h"

#include <limits>

#include "graph/ops/detail/types.h"

namespace sinter::detail {
namespace {

bool fits(DType type, i64 v) {
  return for_type(type, "content", [&](auto t) -> bool {
    using T = decltype(t);
    if constexpr (std::is_integral_v<T> && sizeof(T) < 8)
      return v >= i64(std::numeric_limits<T>::min()) && v <= i64(std::numeric_limits<T>::max());
    else
      return !std::is_unsigned_v<T> || v >= 0;
  });
}

bool is_half(DType type) { return type == DType::f16 || type == DType::bf16; }

}  // namespace

std::vector<ValueType> output_types(const EvalContext& ctx, Infer infer) {
  std::vector<ValueType> in(ctx.inputs.size()), out(static_cast<size_t>(ctx.outputs));
  for (size_t i = 0; i < in.size(); ++i)
    if (ctx.inputs[i] != nullptr) in[i] = type_of(*ctx.inputs[i]);
  InferContext context(ctx.node, ctx.attributes, in, ctx.inputs, out);
  infer(context);
  return out;
}

void check_output_size(const EvalContext& ctx, const Dims& dims) {
  require(element_count(dims) <= kMaxElements, ErrorKind::unsupported, ctx.node,
          ": expected an output of at most 2^33 elements, found ", to_text(dims));
}

std::vector<Dims> output_dims(const EvalContext& ctx, Infer infer) {
  std::vector<Dims> dims;
  for (const ValueType& type : output_types(ctx, infer)) {
    const auto known = type.shape ? static_dims(*type.shape) : std::nullopt;
    ctx.check(known.has_value(), "the output shape cannot be told from the inputs");
    check_output_size(ctx, *known);
    dims.push_back(*known);
  }
  return dims;
}

std::vector<Tensor> through_float(const EvalContext& ctx, Evaluate evaluate) {
  const bool any = std::any_of(ctx.inputs.begin(), ctx.inputs.end(),
                               [](const Tensor* t) { return t && is_half(t->dtype()); });
  if (!any) return evaluate(ctx);
  std::vector<Tensor> wide;
  wide.reserve(ctx.inputs.size());
  std::vector<const Tensor*> inputs(ctx.inputs.begin(), ctx.inputs.end());
  for (const Tensor*& t : inputs) {
    if (t == nullptr || !is_half(t->dtype())) continue;
    wide.push_back(convert(*t, DType::f32));
    t = &wide.back();
  }
  std::vector<Tensor> results = evaluate({ctx.node, ctx.attributes, inputs, ctx.outputs});
  const DType narrow = ctx.in(0).dtype();
  for (Tensor& t : results)
    if (t.dtype() == DType::f32 && is_half(narrow)) t = convert(t, narrow);
  return results;
}

void expect_float(const InferContext& ctx, i64 input) {
  ctx.check(is_float(ctx.input(input).dtype), "input ", input,
            ": expected a float element type, found ", name(ctx.input(input).dtype));
}

void expect_number(const InferContext& ctx, i64 input) {
  ctx.check(is_number(ctx.input(input).dtype), "input ", input,
            ": expected a numeric element type, found ", name(ctx.input(input).dtype));
}

void expect_index(const InferContext& ctx, i64 input) {
  const DType type = ctx.input(input).dtype;
  ctx.check(type == DType::i64 || type == DType::i32, "input ", input,
            ": expected element type i64 or i32, found ", name(type));
}

void expect_same_type(const InferContext& ctx, i64 first, i64 last) {
  const DType expected = ctx.input(first).dtype;
  for (i64 i = first + 1; i <= last; ++i)
    ctx.check(!ctx.has(i) || ctx.input(i).dtype == expected, "input ", i,
              ": expected element type ", name(expected), " of input ", first, ", found ",
              name(ctx.input(i).dtype));
}

void expect_vector(const InferContext& ctx, i64 i, const Dim& size) {
  const Shape* p = ctx.shape(i);
  ctx.check(!p || (p->size() == 1 && !differ(p->at(0), size)), "input ", i, ": expected [",
            size.text(), "], found ", p ? to_text(*p) : "");
}

void expect_single(const InferContext& ctx, i64 i) {
  const Shape* p = ctx.shape(i);
  ctx.check(!p || !differ(element_count(*p), Dim(1)), "input ", i,
            ": expected one element, found shape ", p ? to_text(*p) : "");
}

void set_output(InferContext& ctx, i64 i, DType dtype, std::optional<Shape> shape,
                std::optional<std::vector<Dim>> content) {
  const bool small = !shape || std::ssize(*shape) <= 1;
  const bool whole = is_integer(dtype) || dtype == DType::boolean;
  if (!small || !whole || (content && std::ssize(*content) > kMaxContent)) content.reset();
  if (content)
    for (Dim& d : *content)
      if (d.value() && !fits(dtype, *d.value())) d = Dim::unknown();
  ctx.output(i) = {dtype, std::move(shape), std::move(content)};
}

DType type_attribute(const InferContext& ctx, std::string_view attribute, DType absent) {
  const i64 code = ctx.attributes().integer(attribute, i64(absent));
  const bool is_known = code > 0 && code < i64(DType::sequence) && name(DType(code)) != "unknown";
  require(is_known, ErrorKind::unsupported, ctx.node(), ": ", attribute, ": element type number ",
          code, " is not supported");
  return DType(code);
}

std::optional<std::vector<i64>> static_values(const InferContext& ctx, i64 input) {
  const auto values = ctx.int_values(input);
  return values ? static_dims(*values) : std::nullopt;
}

}  // namespace sinter::detail
