// SPDX-License-Identifier: Apache-2.0
// Optional, OptionalHasElement, OptionalGetElement. A tensor or sequence where an optional could
// stand is an optional that holds it (opset 18). `type` keeps the type that the file names for an
// empty optional, as the file has it.
#include "graph/ops/detail/types.h"

namespace sinter {

using namespace detail;

void infer_Optional(InferContext&);
void infer_OptionalHasElement(InferContext&);
void infer_OptionalGetElement(InferContext&);

void infer_Optional(InferContext& ctx) {
  ctx.check(ctx.has(0) || ctx.attributes().has("type"), "expected an input or a type");
  ValueType element = ctx.has(0) ? ctx.input(0) : ValueType();
  element.dims.reset();
  ctx.output(0) = optional_of(std::move(element));
}

void infer_OptionalHasElement(InferContext& ctx) {
  std::optional<std::vector<Dim>> content;
  if (!ctx.has(0) || ctx.input(0).dtype != DType::optional)
    content.emplace(1, Dim(i64(ctx.has(0))));
  set_output(ctx, 0, DType::boolean, Shape(), std::move(content));
}

void infer_OptionalGetElement(InferContext& ctx) {
  ctx.output(0) = ctx.input(0).dtype == DType::optional ? element_of(ctx, 0) : ctx.input(0);
}

std::vector<Tensor> evaluate_Optional(const EvalContext& ctx) {
  output_types(ctx, infer_Optional);
  return one(Tensor::optional(ctx.has(0) ? one(ctx.in(0).clone()) : std::vector<Tensor>()));
}

std::vector<Tensor> evaluate_OptionalHasElement(const EvalContext& ctx) {
  const bool is_optional = ctx.has(0) && ctx.in(0).dtype() == DType::optional;
  return one(Tensor::scalar(is_optional ? !ctx.in(0).items().empty() : ctx.has(0)));
}

std::vector<Tensor> evaluate_OptionalGetElement(const EvalContext& ctx) {
  if (ctx.in(0).dtype() != DType::optional) return one(ctx.in(0).clone());
  ctx.check(!ctx.in(0).items().empty(), "expected an optional that is not empty");
  return one(ctx.in(0).items()[0].clone());
}

}  // namespace sinter
