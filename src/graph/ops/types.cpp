// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/detail/types.h"

namespace sinter::detail {
namespace {

Dim either(const Dim& a, const Dim& b) { return same(a, b) ? a : Dim::unknown(); }

std::optional<std::vector<Dim>> either(const std::optional<std::vector<Dim>>& a,
                                       const std::optional<std::vector<Dim>>& b) {
  if (!a || !b || a->size() != b->size()) return std::nullopt;
  std::vector<Dim> dims;
  for (size_t i = 0; i < a->size(); ++i) dims.push_back(either(a->at(i), b->at(i)));
  return dims;
}

ValueType container_of(DType kind, ValueType element) {
  ValueType type;
  type.dtype = kind;
  if (element.dtype != DType::none)
    type.element = std::make_shared<const ValueType>(std::move(element));
  return type;
}

}  // namespace

ValueType sequence_of(ValueType element) {
  return container_of(DType::sequence, std::move(element));
}
ValueType optional_of(ValueType element) {
  return container_of(DType::optional, std::move(element));
}

ValueType type_of(const Tensor& t) {
  ValueType type;
  type.dtype = t.dtype();
  if (!is_container(t.dtype())) {
    type.shape = to_shape(t.dims());
    return type;
  }
  std::optional<ValueType> element;
  for (size_t i = 0; i < t.items().size(); ++i) {
    element = i == 0 ? type_of(t.items()[0]) : covering(*element, type_of(t.items()[i]));
    if (!element) return type;
  }
  return container_of(t.dtype(), element.value_or(ValueType()));
}

std::optional<ValueType> covering(const ValueType& a, const ValueType& b) {
  if (a.dtype == DType::unknown || b.dtype == DType::unknown)
    return ValueType{DType::unknown, std::nullopt, std::nullopt};
  if (a.dtype != b.dtype) {
    if (b.dtype == DType::optional) return covering(b, a);
    if (a.dtype != DType::optional) return std::nullopt;
    return covering(a, optional_of(b));
  }
  ValueType type;
  type.dtype = a.dtype;
  type.shape = either(a.shape, b.shape);
  type.dims = type.shape ? either(a.dims, b.dims) : std::nullopt;
  if (!a.element || !b.element) return type;
  const auto element = covering(*a.element, *b.element);
  if (!element) return std::nullopt;
  type.element = std::make_shared<const ValueType>(*element);
  return type;
}

void expect_container(const InferContext& ctx, i64 i, DType kind) {
  ctx.check(ctx.input(i).dtype == kind, "input ", i, ": expected a value of type ", name(kind),
            ", found ", name(ctx.input(i).dtype));
}

ValueType element_of(const InferContext& ctx, i64 i) {
  if (ctx.input(i).element) return *ctx.input(i).element;
  return {DType::unknown, std::nullopt, std::nullopt};
}

}  // namespace sinter::detail
