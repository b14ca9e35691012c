// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/detail/content.h"

#include "graph/ops/detail/broadcast.h"

namespace sinter::detail {

Content content_of(const InferContext& ctx, i64 i) {
  if (const Tensor* t = ctx.constant(i); t && t->dtype() == DType::boolean) {
    if (t->rank() > 1 || t->size() > kMaxContent) return std::nullopt;
    std::vector<Dim> values;
    for (i64 v : t->as_ints()) values.emplace_back(v);
    return values;
  }
  return ctx.int_values(i);
}

Dim truncated_quotient(const Dim& a, const Dim& b) {
  if (b.is(0)) return Dim::unknown();
  if (a.value() && b.value()) return b.is(-1) ? Dim(0) - a : Dim(*a.value() / *b.value());
  const Dim q = floor_div(a, b);
  if (same(q * b, a)) return q;
  return is_never_negative(a) && is_never_negative(b) ? q : Dim::unknown();
}

void set_combined(InferContext& ctx, DType dtype, i64 first, i64 last,
                  Dim (*element)(const Dim&, const Dim&)) {
  std::optional<Shape> shape = broadcast_shape(ctx, first, last);
  Content content;
  if (!is_float(ctx.input(first).dtype) && shape && shape->size() <= 1) {
    content = content_of(ctx, first);
    for (i64 i = first + 1; content && i <= last; ++i) {
      const Content next = content_of(ctx, i);
      content = combine({content, next},
                        [&](size_t e) { return element(pick(*content, e), pick(*next, e)); });
    }
  }
  set_output(ctx, 0, dtype, std::move(shape), std::move(content));
}

}  // namespace sinter::detail
