// SPDX-License-Identifier: Apache-2.0
// One step of a gradient method, of domain ai.onnx.preview.training: Adagrad, Adam, Momentum.
//   inputs   R (rate), T (steps so far), then for n tensors: X..., G (gradients)..., history...
//   outputs  X..., history...
#include <cmath>
#include <functional>

#include "graph/ops/detail/common.h"

namespace sinter {

using namespace detail;

void infer_Adagrad(InferContext&);
void infer_Adam(InferContext&);
void infer_Momentum(InferContext&);

namespace {

/// X, G and `histories` more tensors each; all but G come out again.
void infer_step(InferContext& ctx, i64 histories) {
  expect_float(ctx, 0);
  ctx.check(ctx.input(1).dtype == DType::i64, "input 1: expected element type i64, found ",
            name(ctx.input(1).dtype));
  for (i64 i : {0, 1})
    ctx.check(!ctx.shape(i) || may_equal(element_count(*ctx.shape(i)), Dim(1)), "input ", i,
              ": expected one element");
  const i64 group = (ctx.input_count() - 2) / (2 + histories);
  ctx.check(group >= 1 && ctx.input_count() == 2 + group * (2 + histories) &&
                ctx.output_count() == group * (1 + histories),
            "expected R, T and ", 2 + histories, " inputs and ", 1 + histories,
            " outputs a tensor, found ", ctx.input_count(), " and ", ctx.output_count());
  for (i64 i = 2; i < ctx.input_count(); ++i) {
    ctx.check(ctx.has(i), "input ", i, " is absent");
    expect_float(ctx, i);
    const i64 first = 2 + (i - 2) % group;
    const auto &x = ctx.input(first).shape, &y = ctx.input(i).shape;
    bool fits = !x || !y || x->size() == y->size();
    for (size_t a = 0; fits && x && y && a < x->size(); ++a) fits = may_equal(x->at(a), y->at(a));
    ctx.check(fits && ctx.input(i).dtype == ctx.input(first).dtype, "input ", i,
              ": expected type and shape of input ", first);
  }
  for (i64 i = 0; i < ctx.output_count(); ++i) {
    const ValueType& x = ctx.input(2 + i % group);
    set_output(ctx, i, x.dtype, x.shape);
  }
}

/// One element: `x` and its history change.
template <class T>
using Step = std::function<void(T& x, T gradient, T* history)>;

template <class T>
std::vector<Tensor> run_steps(const EvalContext& ctx, i64 histories, const Step<T>& step) {
  const i64 group = (std::ssize(ctx.inputs) - 2) / (2 + histories);
  const auto in = [&](i64 part, i64 i) -> const Tensor& { return ctx.in(2 + part * group + i); };
  std::vector<Tensor> outputs;
  for (i64 part = 0; part <= histories; ++part)
    for (i64 i = 0; i < group; ++i) outputs.push_back(in(part == 0 ? 0 : part + 1, i).clone());
  for (i64 i = 0; i < group; ++i)
    for (size_t e = 0; e < size_t(in(0, i).size()); ++e) {
      std::vector<T> history;
      for (i64 h = 1; h <= histories; ++h)
        history.push_back(outputs[size_t(h * group + i)].data<T>()[e]);
      step(outputs[size_t(i)].mutable_data<T>()[e], in(1, i).template data<T>()[e], history.data());
      for (i64 h = 1; h <= histories; ++h)
        outputs[size_t(h * group + i)].mutable_data<T>()[e] = history[size_t(h - 1)];
    }
  return outputs;
}

template <class T>
Step<T> adagrad(const Attributes& a, double rate, i64 steps) {
  const T norm = T(a.real("norm_coefficient", 0)), epsilon = T(a.real("epsilon", 1e-6f));
  const T r = T(rate / (1 + double(steps) * a.real("decay_factor", 0)));
  return [=](T& x, T gradient, T* h) {
    const T g = norm * x + gradient;
    h[0] += g * g;
    x -= r * g / (std::sqrt(h[0]) + epsilon);
  };
}

template <class T>
Step<T> adam(const Attributes& a, double rate, i64 steps) {
  const T alpha = T(a.real("alpha", 0.9f)), beta = T(a.real("beta", 0.999f));
  const T norm = T(a.real("norm_coefficient", 0)), epsilon = T(a.real("epsilon", 1e-6f));
  const T after = T(1) - T(a.real("norm_coefficient_post", 0));
  const double t = double(steps);
  const T r =
      steps > 0
          ? T(rate * std::sqrt(1 - std::pow(double(beta), t)) / (1 - std::pow(double(alpha), t)))
          : T(rate);
  return [=](T& x, T gradient, T* h) {
    const T g = norm * x + gradient;
    h[0] = alpha * h[0] + (1 - alpha) * g;
    h[1] = beta * h[1] + (1 - beta) * (g * g);
    x = after * (x - r * h[0] / (std::sqrt(h[1]) + epsilon));
  };
}

template <class T>
Step<T> momentum(const Attributes& a, double rate, i64 steps) {
  const T alpha = T(a.real("alpha", 0)), beta = steps > 0 ? T(a.real("beta", 0)) : T(1);
  const T norm = T(a.real("norm_coefficient", 0)), r = T(rate);
  const bool looks_ahead = a.text("mode", "") == "nesterov";
  return [=](T& x, T gradient, T* h) {
    const T g = norm * x + gradient;
    h[0] = alpha * h[0] + beta * g;
    x -= r * (looks_ahead ? g + alpha * h[0] : h[0]);
  };
}

/// All tensors of one node are of the type of the first; see infer_step.
template <class Make>
std::vector<Tensor> evaluate_step(const EvalContext& ctx, Infer infer, i64 histories,
                                  const Make& make) {
  output_dims(ctx, infer);
  const double rate = ctx.in(0).as_double(0);
  const i64 steps = ctx.in(1).as_int(0);
  for (i64 i = 3; i < std::ssize(ctx.inputs); ++i)
    ctx.check(ctx.in(i).dtype() == ctx.in(2).dtype(), "input ", i,
              ": expected the element type of input 2");
  return for_float(ctx.in(2).dtype(), ctx.node, [&](auto t) {
    using T = decltype(t);
    return run_steps<T>(ctx, histories, make(t, rate, steps));
  });
}

}  // namespace

void infer_Adagrad(InferContext& ctx) { infer_step(ctx, 1); }
void infer_Adam(InferContext& ctx) { infer_step(ctx, 2); }
void infer_Momentum(InferContext& ctx) {
  const std::string mode = ctx.attributes().text("mode", "");
  ctx.check(mode == "standard" || mode == "nesterov", "mode: expected standard or nesterov, found ",
            mode);
  infer_step(ctx, 1);
}

std::vector<Tensor> evaluate_Adagrad(const EvalContext& ctx) {
  return evaluate_step(ctx, infer_Adagrad, 1, [&](auto t, double rate, i64 steps) {
    return adagrad<decltype(t)>(ctx.attributes, rate, steps);
  });
}
std::vector<Tensor> evaluate_Adam(const EvalContext& ctx) {
  return evaluate_step(ctx, infer_Adam, 2, [&](auto t, double rate, i64 steps) {
    return adam<decltype(t)>(ctx.attributes, rate, steps);
  });
}
std::vector<Tensor> evaluate_Momentum(const EvalContext& ctx) {
  return evaluate_step(ctx, infer_Momentum, 1, [&](auto t, double rate, i64 steps) {
    return momentum<decltype(t)>(ctx.attributes, rate, steps);
  });
}

}  // namespace sinter
