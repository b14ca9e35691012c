// SPDX-License-Identifier: Apache-2.0
// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. Scores are [N,C,...], targets [N,...] are
// class numbers, weights [C] (default 1); a target equal to ignore_index counts for nothing.
//   loss[i] = -weight[target[i]] * x[i at class target[i]]
//   sum: the sum of all; mean: the sum divided by the sum of the weights used
// SoftmaxCrossEntropyLoss takes x = log(softmax(scores)) along the classes, its second output.
#include <cmath>

#include "graph/ops/detail/common.h"
#include "graph/ops/detail/lines.h"

namespace sinter {

using namespace detail;

void infer_NegativeLogLikelihoodLoss(InferContext&);
void infer_SoftmaxCrossEntropyLoss(InferContext&);

namespace {

enum class Reduction { none, sum, mean };

template <class Context>
Reduction read_reduction(const Context& ctx, const Attributes& attributes) {
  const std::string text = attributes.text("reduction", "mean");
  ctx.check(text == "none" || text == "sum" || text == "mean",
            "reduction: expected none, sum or mean, found ", text);
  return text == "none" ? Reduction::none : text == "sum" ? Reduction::sum : Reduction::mean;
}

void infer_loss(InferContext& ctx) {
  expect_float(ctx, 0);
  expect_index(ctx, 1);
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == ctx.input(0).dtype,
            "input 2: expected weights of the element type of input 0, ", name(ctx.input(0).dtype));
  const Shape *x = ctx.shape(0), *target = ctx.shape(1);
  std::optional<Shape> each = ctx.input(1).shape;
  if (x) {
    ctx.check(x->size() >= 2, "expected scores of rank 2 or more [N,C,...], found ", to_text(*x));
    expect_vector(ctx, 2, x->at(1));
    Shape expected = *x;
    expected.erase(expected.begin() + 1);
    bool fits = !target || target->size() == expected.size();
    for (size_t a = 0; target && fits && a < expected.size(); ++a)
      fits = !differ(expected[a], target->at(a));
    ctx.check(fits, "expected targets of shape ", to_text(expected), ", found ",
              target ? to_text(*target) : "");
    if (!each) each = expected;
  }
  const bool reduced = read_reduction(ctx, ctx.attributes()) != Reduction::none;
  set_output(ctx, 0, ctx.input(0).dtype, reduced ? Shape() : each);
}

template <class T>
void loss_values(const EvalContext& ctx, const T* x, const Lines& lines, std::span<T> out) {
  const Tensor& targets = ctx.in(1);
  const bool ignores = ctx.attributes.has("ignore_index");
  const i64 ignored = ctx.attributes.integer("ignore_index", 0);
  const Reduction reduction = read_reduction(ctx, ctx.attributes);
  T sum = 0, weights = 0;
  for (i64 i = 0; i < lines.count; ++i) {
    const i64 target = targets.as_int(i);
    const bool skip = ignores && target == ignored;
    ctx.check(skip || (target >= 0 && target < lines.length), "target ", target,
              ": expected a class from 0 to ", lines.length - 1);
    const T weight = skip ? T(0) : ctx.has(2) ? ctx.in(2).data<T>()[size_t(target)] : T(1);
    const T loss = skip ? T(0) : -weight * x[lines.first(i) + target * lines.step];
    if (reduction == Reduction::none) out[size_t(i)] = loss;
    sum += loss;
    weights += weight;
  }
  if (reduction != Reduction::none) out[0] = reduction == Reduction::sum ? sum : sum / weights;
}

template <class T>
void log_softmax(const T* x, const Lines& lines, T* y) {
  for (i64 l = 0; l < lines.count; ++l) {
    const T* from = x + lines.first(l);
    T largest = from[0], sum = 0;
    for (i64 c = 1; c < lines.length; ++c) largest = std::max(largest, from[c * lines.step]);
    for (i64 c = 0; c < lines.length; ++c) sum += std::exp(from[c * lines.step] - largest);
    const T log_sum = std::log(sum);
    for (i64 c = 0; c < lines.length; ++c)
      y[lines.first(l) + c * lines.step] = from[c * lines.step] - largest - log_sum;
  }
}

std::vector<Tensor> nll_loss(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_NegativeLogLikelihoodLoss)[0]);
  for_float(x.dtype(), "NegativeLogLikelihoodLoss", [&](auto t) {
    using T = decltype(t);
    loss_values<T>(ctx, x.data<T>().data(), lines_along(x.dims(), 1), out.mutable_data<T>());
  });
  return one(std::move(out));
}

std::vector<Tensor> cross_entropy_loss(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_SoftmaxCrossEntropyLoss)[0]);
  Tensor logs(x.dtype(), x.dims());
  const Lines lines = lines_along(x.dims(), 1);
  for_float(x.dtype(), "SoftmaxCrossEntropyLoss", [&](auto t) {
    using T = decltype(t);
    if (x.size() > 0) log_softmax(x.data<T>().data(), lines, logs.mutable_data<T>().data());
    loss_values<T>(ctx, logs.data<T>().data(), lines, out.mutable_data<T>());
  });
  std::vector<Tensor> all = one(std::move(out));
  if (ctx.outputs > 1) all.push_back(std::move(logs));
  return all;
}

}  // namespace

void infer_NegativeLogLikelihoodLoss(InferContext& ctx) { infer_loss(ctx); }

void infer_SoftmaxCrossEntropyLoss(InferContext& ctx) {
  infer_loss(ctx);
  if (ctx.output_count() > 1) set_output(ctx, 1, ctx.input(0).dtype, ctx.input(0).shape);
}

std::vector<Tensor> evaluate_NegativeLogLikelihoodLoss(const EvalContext& ctx) {
  return through_float(ctx, nll_loss);
}
std::vector<Tensor> evaluate_SoftmaxCrossEntropyLoss(const EvalContext& ctx) {
  return through_float(ctx, cross_entropy_loss);
}

}  // namespace sinter
