// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/detail/broadcast.h"

namespace sinter::detail {
namespace {

/// `b` is never above `a` and, sizes not being empty, at least 1: then the result is `a`.
bool surely_wins(const Dim& a, const Dim& b) {
  return is_less(a, b) == false && range_of(b, 1).low >= 1;
}

Dim broadcast_dim(const InferContext& ctx, const Dim& a, const Dim& b, const Shape& sa,
                  const Shape& sb) {
  if (same(a, b) || b.is(1)) return a;
  if (a.is(1)) return b;
  const bool a_number = a.value().has_value(), b_number = b.value().has_value();
  ctx.check(!(a_number && b_number), "shapes ", to_text(sa), " and ", to_text(sb),
            " do not broadcast");
  if (a_number) return a;  // b is this number or 1
  if (b_number) return b;
  if (surely_wins(a, b)) return a;
  return surely_wins(b, a) ? b : Dim::unknown();
}

}  // namespace

Shape broadcast_shapes(const InferContext& ctx, const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const size_t shift = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i)
    result[shift + i] = broadcast_dim(ctx, longer[shift + i], shorter[i], a, b);
  return result;
}

std::optional<Shape> broadcast_shape(const InferContext& ctx, i64 first, i64 last) {
  Shape result;
  for (i64 i = first; i <= last; ++i) {
    if (ctx.shape(i) == nullptr) return std::nullopt;
    result = i == first ? *ctx.shape(i) : broadcast_shapes(ctx, result, *ctx.shape(i));
  }
  return result;
}

void expect_broadcast_to(const InferContext& ctx, i64 i, const Shape& seen, const Shape& x) {
  const Shape both = broadcast_shapes(ctx, x, seen);
  bool fits = both.size() == x.size();
  for (size_t d = 0; fits && d < x.size(); ++d) fits = !differ(x[d], both[d]);
  ctx.check(fits, "input ", i, ": shape ", to_text(seen), " does not broadcast to the input's ",
            to_text(x));
}

void expect_broadcast_to(const InferContext& ctx, i64 i, const Shape& x) {
  if (ctx.shape(i)) expect_broadcast_to(ctx, i, *ctx.shape(i), x);
}

}  // namespace sinter::detail
