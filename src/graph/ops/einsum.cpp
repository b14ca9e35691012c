// SPDX-License-Identifier: Apache-2.0
// Einsum: sums of products over named axes. "bij,bjk->bik" names the axes of every operand and of
// the result; an axis that the result lacks is summed over; an axis named twice in one operand is
// its diagonal. "..." stands for any axes, lined up at their last one and broadcast. Without "->"
// the result has the axes of "..." and then, in alphabetical order, the letters that occur once.
// Sizes of 1 broadcast. The sums run in the order of the letters' first appearance.
#include <map>

#include "graph/ops/detail/broadcast.h"

namespace sinter {

using namespace detail;

void infer_Einsum(InferContext&);

namespace {

/// An axis is a letter or -k: the k-th axis of "..." from its end.
using Labels = std::vector<int>;

constexpr int kEllipsis = 0;

struct Equation {
  std::vector<Labels> operands;
  Labels result;
};

template <class Context>
Labels read_term(const Context& ctx, std::string_view term) {
  Labels labels;
  for (size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_ellipsis = term.substr(i, 3) == "...";
    const bool repeats =
        is_ellipsis && std::find(labels.begin(), labels.end(), kEllipsis) != labels.end();
    ctx.check((is_letter || is_ellipsis) && !repeats, "equation: unexpected \"", term.substr(i),
              "\"");
    labels.push_back(is_letter ? int(c) : kEllipsis);
    if (is_ellipsis) i += 2;
  }
  return labels;
}

/// `labels` with "..." as `count` axes.
Labels widened(const Labels& labels, i64 count) {
  Labels wide;
  for (int label : labels) {
    if (label != kEllipsis) wide.push_back(label);
    for (i64 k = label == kEllipsis ? count : 0; k > 0; --k) wide.push_back(-int(k));
  }
  return wide;
}

/// The letters that occur once, after the axes of "...".
Labels implied_result(const std::vector<Labels>& operands) {
  std::map<int, int> uses;
  for (const Labels& labels : operands)
    for (int label : labels) ++uses[label];
  Labels result;
  for (const auto& [label, count] : uses)
    if (label == kEllipsis || count == 1) result.push_back(label);
  return result;
}

/// `ranks` are those of the operands.
template <class Context>
Equation read_equation(const Context& ctx, std::string text, const std::vector<i64>& ranks) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = std::min(text.find("->"), text.size());
  Equation e;
  for (size_t at = 0; at <= arrow;) {
    const size_t comma = std::min(text.find(',', at), arrow);
    e.operands.push_back(read_term(ctx, std::string_view(text).substr(at, comma - at)));
    at = comma + 1;
  }
  ctx.check(e.operands.size() == ranks.size(), "equation \"", text, "\" names ", e.operands.size(),
            " operands, found ", ranks.size());
  e.result = arrow < text.size() ? read_term(ctx, std::string_view(text).substr(arrow + 2))
                                 : implied_result(e.operands);
  i64 most = 0;  // axes of "..." in the result
  for (size_t n = 0; n < ranks.size(); ++n) {
    Labels& labels = e.operands[n];
    const bool open = std::find(labels.begin(), labels.end(), kEllipsis) != labels.end();
    const i64 left = ranks[n] - std::ssize(labels) + i64(open);
    ctx.check(open ? left >= 0 : left == 0, "equation \"", text, "\": operand ", n, " has rank ",
              ranks[n]);
    labels = widened(labels, left);
    if (open) most = std::max(most, left);
  }
  e.result = widened(e.result, most);
  Labels sorted = e.result;
  std::sort(sorted.begin(), sorted.end());
  ctx.check(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(), "equation \"", text,
            "\": an axis of the result repeats");
  return e;
}

/// The size of every label.
template <class Context>
std::map<int, Dim> sizes_of(const Context& ctx, const Equation& e,
                            const std::vector<const Shape*>& shapes) {
  std::map<int, Dim> sizes;
  for (size_t n = 0; n < shapes.size(); ++n)
    for (size_t a = 0; a < shapes[n]->size(); ++a) {
      const auto [it, is_new] = sizes.emplace(e.operands[n][a], shapes[n]->at(a));
      if (!is_new) it->second = broadcast_shapes(ctx, {it->second}, {shapes[n]->at(a)})[0];
    }
  for (int label : e.result)
    ctx.check(sizes.count(label) > 0, "equation: axis \"", char(label),
              "\" of the result is in no operand");
  return sizes;
}

/// One axis of the loop with every operand's step in elements.
struct Axis {
  i64 size = 1;
  std::vector<i64> steps;
};

/// The axes of `labels`, outermost first.
std::vector<Axis> axes_of(const EvalContext& ctx, const Equation& e, const Labels& labels) {
  std::vector<Axis> axes;
  for (int label : labels) {
    Axis axis{1, std::vector<i64>(ctx.inputs.size(), 0)};
    for (size_t n = 0; n < ctx.inputs.size(); ++n) {
      const Dims& dims = ctx.inputs[n]->dims();
      i64 step = 1;
      for (i64 a = std::ssize(dims) - 1; a >= 0; --a) {
        const i64 size = dims[size_t(a)];
        if (e.operands[n][size_t(a)] == label && size != 1) axis.steps[n] += step, axis.size = size;
        step *= size;
      }
    }
    axes.push_back(std::move(axis));
  }
  return axes;
}

/// Calls body() for every index of the axes, the offsets moved to it; leaves them as they were.
template <class Body>
void walk(const std::vector<Axis>& axes, size_t depth, std::vector<i64>& offsets,
          const Body& body) {
  if (depth == axes.size()) return body();
  const Axis& axis = axes[depth];
  for (i64 i = 0; i < axis.size; ++i) {
    walk(axes, depth + 1, offsets, body);
    for (size_t n = 0; n < offsets.size(); ++n) offsets[n] += axis.steps[n];
  }
  for (size_t n = 0; n < offsets.size(); ++n) offsets[n] -= axis.size * axis.steps[n];
}

/// Labels that the result lacks, in the order of their first appearance.
Labels summed(const Equation& e) {
  Labels seen = e.result, rest;
  for (const Labels& labels : e.operands)
    for (int label : labels) {
      if (std::find(seen.begin(), seen.end(), label) != seen.end()) continue;
      seen.push_back(label);
      rest.push_back(label);
    }
  return rest;
}

std::vector<Tensor> sum_products(const EvalContext& ctx) {
  Tensor out(ctx.in(0).dtype(), output_dims(ctx, infer_Einsum)[0]);
  std::vector<i64> ranks;
  for (const Tensor* t : ctx.inputs) ranks.push_back(t->rank());
  const Equation e = read_equation(ctx, ctx.attributes.text("equation", ""), ranks);
  const std::vector<Axis> outer = axes_of(ctx, e, e.result), inner = axes_of(ctx, e, summed(e));
  for_number(out.dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    std::vector<const T*> from;
    for (const Tensor* operand : ctx.inputs) from.push_back(operand->data<T>().data());
    std::vector<i64> offsets(from.size(), 0);
    T* to = out.mutable_data<T>().data();
    walk(outer, 0, offsets, [&] {
      T sum = T(0);
      walk(inner, 0, offsets, [&] {
        T product = from[0][offsets[0]];
        for (size_t n = 1; n < from.size(); ++n) product = multiply(product, from[n][offsets[n]]);
        sum = add(sum, product);
      });
      *to++ = sum;
    });
  });
  return one(std::move(out));
}

}  // namespace

void infer_Einsum(InferContext& ctx) {
  ctx.check(ctx.attributes().has("equation"), "equation is required");
  const i64 count = ctx.input_count();
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, count - 1);
  std::vector<const Shape*> shapes;
  std::vector<i64> ranks;
  for (i64 i = 0; i < count; ++i) {
    if (!ctx.shape(i)) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
    shapes.push_back(ctx.shape(i));
    ranks.push_back(std::ssize(*ctx.shape(i)));
  }
  const Equation e = read_equation(ctx, ctx.attributes().text("equation", ""), ranks);
  const std::map<int, Dim> sizes = sizes_of(ctx, e, shapes);
  Shape out;
  for (int label : e.result) out.push_back(sizes.at(label));
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

std::vector<Tensor> evaluate_Einsum(const EvalContext& ctx) {
  return through_float(ctx, sum_products);
}

}  // namespace sinter
