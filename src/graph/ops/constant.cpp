// SPDX-License-Identifier: Apache-2.0
// Constant, ConstantOfShape, Cast.
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Constant(InferContext&);
void infer_ConstantOfShape(InferContext&);
void infer_Cast(InferContext&);

namespace {

/// Integer content of a small tensor; a float one has its values truncated, as a Cast does.
std::optional<std::vector<Dim>> content_of(const Tensor& t) {
  if (t.dtype() == DType::string || t.rank() > 1 || t.size() > kMaxContent) return std::nullopt;
  std::vector<Dim> values;
  for (i64 v : t.as_ints()) values.emplace_back(v);
  return values;
}

DType target_type(const InferContext& ctx) {
  ctx.check(ctx.attributes().has("to"), "to is required");
  const i64 code = ctx.attributes().integer("to", 0);
  const bool known = code > 0 && code < 256 && name(DType(code)) != "unknown";
  require(known, ErrorKind::unsupported, ctx.node(), ": to: element type number ", code,
          " is not supported");
  return DType(code);
}

}  // namespace

void infer_Constant(InferContext& ctx) {
  const TensorPtr value = ctx.attributes().tensor("value");
  ctx.check(value != nullptr, "value is required");
  set_output(ctx, 0, value->dtype(), to_shape(value->dims()),
             is_integer(value->dtype()) ? content_of(*value) : std::nullopt);
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

void infer_Cast(InferContext& ctx) {
  const DType to = target_type(ctx);
  std::optional<std::vector<Dim>> content = ctx.input(0).dims;
  if (const Tensor* t = ctx.constant(0)) content = content_of(*t);
  if (content && to == DType::boolean)
    for (Dim& d : *content) d = d.value() ? Dim(i64(!d.is(0))) : Dim::unknown();
  set_output(ctx, 0, to, ctx.input(0).shape, std::move(content));
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

std::vector<Tensor> evaluate_Cast(const EvalContext& ctx) {
  output_dims(ctx, infer_Cast);
  const DType from = ctx.in(0).dtype(), to = DType(ctx.attributes.integer("to", 0));
  if (from == to) return one(ctx.in(0).clone());
  require(from != DType::string && to != DType::string, ErrorKind::unsupported, ctx.node,
          ": conversion from ", name(from), " to ", name(to), " is not supported");
  return one(convert(ctx.in(0), to));
}

}  // namespace sinter
