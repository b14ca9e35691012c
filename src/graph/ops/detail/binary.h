// SPDX-License-Identifier: Apache-2.0
// The loop of operators that combine two broadcast operands element by element.
#pragma once
#include "graph/ops/detail/broadcast.h"
#include "graph/ops/detail/unary.h"

namespace sinter::detail {

/// out = element(a, b), broadcast to the dims of out. Bool operands are read as std::byte: a file
/// may hold any byte for true.
template <class A, class B, class Out, class Element>
void loop(const Tensor& a, const Tensor& b, Tensor& out, const Element& element) {
  const A* x = elements<A>(a);
  const B* y = elements<B>(b);
  Out* z = out.mutable_data<Out>().data();
  for_each_row<2>(out.dims(), {&a.dims(), &b.dims()},
                  [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
                    const A* p = x + offsets[0];
                    const B* q = y + offsets[1];
                    for (i64 i = 0; i < count; ++i, p += steps[0], q += steps[1])
                      z[at + i] = element(*p, *q);
                  });
}

/// Same-typed numeric operands, a result of their type: out = operation(a, b).
template <class Operation>
std::vector<Tensor> arithmetic(const EvalContext& ctx, Infer infer, const Operation& operation) {
  Tensor out(ctx.in(0).dtype(), output_dims(ctx, infer)[0]);
  for_number(out.dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    loop<T, T, T>(ctx.in(0), ctx.in(1), out, operation);
  });
  return one(std::move(out));
}

/// throws  Error(bad_input) when the second operand is of integers and holds a zero that is used
inline void check_divisors(const EvalContext& ctx) {
  if (!is_integer(ctx.in(1).dtype())) return;
  for_number(ctx.in(1).dtype(), ctx.node, [&](auto zero) {
    const auto values = ctx.in(1).data<decltype(zero)>();
    const bool any = std::find(values.begin(), values.end(), zero) != values.end();
    ctx.check(!any || ctx.in(0).size() == 0, "integer division by zero");
  });
}

}  // namespace sinter::detail
