// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/detail/reduce.h"

namespace sinter::detail {
namespace {

bool is_noop(const Attributes& attributes) {
  return attributes.integer("noop_with_empty_axes", 0) != 0;
}

/// Which of the axes of a value of this rank are reduced.
template <class Context>
std::vector<bool> reduced(const Context& ctx, const std::vector<i64>& axes, i64 rank, bool noop) {
  std::vector<bool> is_reduced(size_t(rank), axes.empty() && !noop);
  for (i64 a : normalize_axes(ctx, axes, rank)) is_reduced[size_t(a)] = true;
  return is_reduced;
}

/// When the axes are not known yet: the rank, as far as keepdims or the number of axes tells it.
std::optional<Shape> shape_of_unknown_axes(const InferContext& ctx, bool keep) {
  if (ctx.shape(0) == nullptr) return std::nullopt;
  i64 rank = std::ssize(*ctx.shape(0));
  if (!keep) {
    const auto count = ctx.shape(1) ? element_count(*ctx.shape(1)).value() : std::nullopt;
    if (!count || *count == 0 || *count > rank) return std::nullopt;
    rank -= *count;
  }
  return Shape(size_t(rank), Dim::unknown());
}

}  // namespace

void set_reduced(InferContext& ctx, Dim (*combine)(const Dim&, const Dim&)) {
  const DType type = ctx.input(0).dtype;
  const bool keep = ctx.attributes().integer("keepdims", 1) != 0;
  std::vector<i64> axes;
  if (ctx.has(1)) {
    ctx.check(ctx.input(1).dtype == DType::i64,
              "input 1: expected axes of element type i64, found ", name(ctx.input(1).dtype));
    const auto known = static_values(ctx, 1);
    if (!known) return set_output(ctx, 0, type, shape_of_unknown_axes(ctx, keep));
    axes = *known;
  }
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, type, std::nullopt);
  const std::vector<bool> is_reduced =
      reduced(ctx, axes, std::ssize(*x), is_noop(ctx.attributes()));
  Shape out;
  for (size_t a = 0; a < x->size(); ++a) {
    if (!is_reduced[a]) out.push_back(x->at(a));
    if (is_reduced[a] && keep) out.emplace_back(1);
  }
  Content content = combine && x->size() <= 1 ? content_of(ctx, 0) : std::nullopt;
  if (content && x->size() == 1 && is_reduced[0]) {
    if (content->empty()) return set_output(ctx, 0, type, std::move(out));
    Dim all = content->front();
    for (size_t i = 1; i < content->size(); ++i) all = combine(all, (*content)[i]);
    content = {all};
  }
  set_output(ctx, 0, type, std::move(out), std::move(content));
}

bool reduces_nothing(const EvalContext& ctx) {
  return is_noop(ctx.attributes) && (!ctx.has(1) || ctx.in(1).size() == 0);
}

std::vector<i64> reduced_axes(const EvalContext& ctx) {
  const std::vector<i64> given = ctx.has(1) ? ctx.in(1).as_ints() : std::vector<i64>();
  const std::vector<bool> is_reduced =
      reduced(ctx, given, ctx.in(0).rank(), is_noop(ctx.attributes));
  std::vector<i64> axes;
  for (size_t a = 0; a < is_reduced.size(); ++a)
    if (is_reduced[a]) axes.push_back(i64(a));
  return axes;
}

}  // namespace sinter::detail
