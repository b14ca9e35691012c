// SPDX-License-Identifier: Apache-2.0
// Constant and ConstantOfShape.
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Constant(InferContext&);
void infer_ConstantOfShape(InferContext&);

namespace {

std::optional<std::vector<Dim>> content_of(const Tensor& t) {
  if (!is_integer(t.dtype()) || t.rank() > 1 || t.size() > kMaxContent) return std::nullopt;
  std::vector<Dim> values;
  for (i64 v : t.as_ints()) values.emplace_back(v);
  return values;
}

}  // namespace

void infer_Constant(InferContext& ctx) {
  const TensorPtr value = ctx.attributes().tensor("value");
  ctx.check(value != nullptr, "value is required");
  set_output(ctx, 0, value->dtype(), to_shape(value->dims()), content_of(*value));
}

void infer_ConstantOfShape(InferContext& ctx) {
  ctx.check(ctx.input(0).dtype == DType::i64, "input 0: expected element type i64, found ",
            name(ctx.input(0).dtype));
  const Shape* s = ctx.shape(0);
  ctx.check(!s || s->size() == 1, "input 0: expected rank 1, found ", s ? to_text(*s) : "");
  const TensorPtr value = ctx.attributes().tensor("value");
  ctx.check(!value || value->size() == 1, "value: expected one element, found ",
            value ? to_text(value->dims()) : "");
  const DType type = value ? value->dtype() : DType::f32;
  std::optional<Shape> out;
  if (const auto sizes = ctx.int_values(0)) {
    for (const Dim& d : *sizes)
      ctx.check(!d.value() || *d.value() >= 0, "expected sizes, found ", to_text(*sizes));
    out = *sizes;
  } else if (s && s->at(0).value() && *s->at(0).value() <= kMaxContent) {
    out = Shape(size_t(*s->at(0).value()));
  }
  std::optional<std::vector<Dim>> content;
  if (out && out->size() <= 1 && value && is_integer(type)) {
    const auto count = element_count(*out).value();
    if (count && *count <= kMaxContent) content.emplace(size_t(*count), Dim(value->as_int(0)));
  }
  set_output(ctx, 0, type, std::move(out), std::move(content));
}

std::vector<Tensor> evaluate_Constant(const EvalContext& ctx) {
  output_dims(ctx, infer_Constant);
  return one(ctx.attributes.tensor("value")->clone());
}

std::vector<Tensor> evaluate_ConstantOfShape(const EvalContext& ctx) {
  const TensorPtr value = ctx.attributes.tensor("value");
  const Dims dims = output_dims(ctx, infer_ConstantOfShape)[0];
  Tensor out(value ? value->dtype() : DType::f32, dims);
  if (value) Mover(*value, out).row(0, 0, 0, out.size());
  return one(std::move(out));
}

}  // namespace sinter
