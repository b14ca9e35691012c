// SPDX-License-Identifier: Apache-2.0
// Loops of operators that map one element to one element.
#pragma once
#include "graph/ops/detail/common.h"

namespace sinter::detail {

/// Same float type, same shape.
inline void infer_float_unary(InferContext& ctx) {
  expect_float(ctx, 0);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

/// Same numeric type, same shape.
inline void infer_number_unary(InferContext& ctx) {
  expect_number(ctx, 0);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

template <class T, class Element>
Tensor map_elements(const Tensor& x, const Element& element) {
  Tensor out(x.dtype(), x.dims());
  const auto from = x.data<T>();
  const auto to = out.mutable_data<T>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = element(from[i]);
  return out;
}

/// element(v) for float and double.
template <class Element>
std::vector<Tensor> map_floats(const EvalContext& ctx, Infer infer, const Element& element) {
  output_dims(ctx, infer);
  return one(for_float(ctx.in(0).dtype(), ctx.node,
                       [&](auto t) { return map_elements<decltype(t)>(ctx.in(0), element); }));
}

/// element(v) for float, double and the integers.
template <class Element>
std::vector<Tensor> map_numbers(const EvalContext& ctx, Infer infer, const Element& element) {
  output_dims(ctx, infer);
  return one(for_number(ctx.in(0).dtype(), ctx.node,
                        [&](auto t) { return map_elements<decltype(t)>(ctx.in(0), element); }));
}

/// Elements as T: strings, bytes of any type (std::byte), or typed data.
template <class T>
const T* elements(const Tensor& t) {
  if constexpr (std::is_same_v<T, std::string>)
    return t.strings().data();
  else if constexpr (std::is_same_v<T, std::byte>)
    return t.raw().data();
  else
    return t.data<T>().data();
}

}  // namespace sinter::detail
