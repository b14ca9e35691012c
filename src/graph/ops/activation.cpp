// SPDX-License-Identifier: Apache-2.0
// Activations: Relu and its relatives, Clip, the sigmoids, Gelu, Mish, Swish, Shrink; and Identity.
// None overflows on the way to a finite result: only numbers <= 0 are exponentiated. A NaN stays
// NaN, but Shrink and ThresholdedRelu give 0 for what is neither above nor below.
#include <cmath>
#include <numbers>

#include "graph/ops/detail/content.h"
#include "graph/ops/detail/unary.h"

namespace sinter {

using namespace detail;

namespace {

template <class T>
T sigmoid(T v) {
  const T e = std::exp(-std::fabs(v));
  return (v < 0 ? e : T(1)) / (T(1) + e);
}

/// log(1 + e^v)
template <class T>
T softplus(T v) {
  return (v < 0 ? T(0) : v) + std::log1p(std::exp(-std::fabs(v)));
}

template <class T>
T clamp_to_one(T v) {
  return v < 0 ? T(0) : v > 1 ? T(1) : v;
}

/// x times the normal distribution function of x.
template <class T>
T gelu(T x) {
  return x / T(2) * (T(1) + std::erf(x / std::numbers::sqrt2_v<T>));
}

template <class T>
T gelu_by_tanh(T x) {
  const T scale = T(std::sqrt(2 / std::numbers::pi));
  return x / T(2) * (T(1) + std::tanh(scale * (x + T(0.044715) * x * x * x)));
}

bool approximates(const Attributes& attributes) {
  return attributes.text("approximate", "none") == "tanh";
}

}  // namespace

// infer_<op> and evaluate_<op>: y = formula of v, of type T, with up to two float attributes a, b
// and their defaults.
#define SINTER_ACTIVATION(op, first, first_default, second, second_default, formula) \
  void infer_##op(InferContext& ctx) { infer_float_unary(ctx); }                     \
  std::vector<Tensor> evaluate_##op(const EvalContext& ctx) {                        \
    return through_float(ctx, [](const EvalContext& c) {                             \
      const float alpha = c.attributes.real(first, first_default);                   \
      const float beta = c.attributes.real(second, second_default);                  \
      return map_floats(c, infer_##op, [alpha, beta]<class T>(T v) -> T {            \
        [[maybe_unused]] const T a(alpha), b(beta);                                  \
        return formula;                                                              \
      });                                                                            \
    });                                                                              \
  }
SINTER_ACTIVATION(Sigmoid, "", 0, "", 0, sigmoid(v))
SINTER_ACTIVATION(Tanh, "", 0, "", 0, std::tanh(v))
SINTER_ACTIVATION(LeakyRelu, "alpha", 0.01f, "", 0, v < 0 ? a * v : v)
SINTER_ACTIVATION(ThresholdedRelu, "alpha", 1.f, "", 0, v > a ? v : T(0))
SINTER_ACTIVATION(Elu, "alpha", 1.f, "", 0, v < 0 ? a * (std::exp(v) - T(1)) : v)
SINTER_ACTIVATION(Celu, "alpha", 1.f, "", 0, v < 0 ? a * (std::exp(v / a) - T(1)) : v)
SINTER_ACTIVATION(Selu, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f,
                  b*(v > 0 ? v : a * std::exp(v) - a))
SINTER_ACTIVATION(HardSigmoid, "alpha", 0.2f, "beta", 0.5f, clamp_to_one(a* v + b))
SINTER_ACTIVATION(HardSwish, "", 0, "", 0, v* clamp_to_one(v / T(6) + T(0.5)))
SINTER_ACTIVATION(Softplus, "", 0, "", 0, softplus(v))
SINTER_ACTIVATION(Softsign, "", 0, "", 0, v / (T(1) + std::fabs(v)))
SINTER_ACTIVATION(Mish, "", 0, "", 0, v* std::tanh(softplus(v)))
SINTER_ACTIVATION(Swish, "alpha", 1.f, "", 0, v* sigmoid(a* v))
#undef SINTER_ACTIVATION

void infer_Relu(InferContext& ctx) { infer_number_unary(ctx); }
void infer_Shrink(InferContext& ctx) { infer_number_unary(ctx); }

void infer_Gelu(InferContext& ctx) {
  const std::string how = ctx.attributes().text("approximate", "none");
  ctx.check(how == "none" || how == "tanh", "approximate: expected none or tanh, found \"", how,
            "\"");
  infer_float_unary(ctx);
}

void infer_Clip(InferContext& ctx) {
  expect_number(ctx, 0);
  expect_same_type(ctx, 0, 2 < ctx.input_count() ? 2 : ctx.input_count() - 1);
  for (i64 i = 1; i <= 2; ++i)
    if (const Shape* bound = ctx.shape(i))
      ctx.check(element_count(*bound).is(1) || !element_count(*bound).value(), "input ", i,
                ": expected a scalar bound, found shape ", to_text(*bound));
  Content content = is_float(ctx.input(0).dtype) ? std::nullopt : ctx.int_values(0);
  for (i64 i = 1; content && i <= 2; ++i) {
    if (!ctx.has(i)) continue;
    const Content bound = ctx.int_values(i);
    for (Dim& d : *content)
      d = bound ? (i == 1 ? maximum : minimum)(d, bound->at(0)) : Dim::unknown();
  }
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape, std::move(content));
}

void infer_Identity(InferContext& ctx) {
  const bool whole = is_integer(ctx.input(0).dtype);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape,
             whole ? ctx.int_values(0) : ctx.input(0).dims);
  ctx.output(0).element = ctx.input(0).element;
}

std::vector<Tensor> evaluate_Relu(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return map_numbers(c, infer_Relu, [](auto v) { return v < 0 ? decltype(v)(0) : v; });
  });
}

std::vector<Tensor> evaluate_Gelu(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    if (approximates(c.attributes))
      return map_floats(c, infer_Gelu, [](auto v) { return gelu_by_tanh(v); });
    return map_floats(c, infer_Gelu, [](auto v) { return gelu(v); });
  });
}

std::vector<Tensor> evaluate_Shrink(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const float lambd = c.attributes.real("lambd", 0.5f), bias = c.attributes.real("bias", 0);
    return map_numbers(c, infer_Shrink, [lambd, bias]<class T>(T v) -> T {
      if constexpr (std::is_floating_point_v<T>)
        return v < -T(lambd) ? v + T(bias) : v > T(lambd) ? v - T(bias) : T(0);
      const double wide = double(v);
      if (wide < -double(lambd)) return from_double<T>(wide + double(bias));
      return wide > double(lambd) ? from_double<T>(wide - double(bias)) : T(0);
    });
  });
}

std::vector<Tensor> evaluate_Clip(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    output_dims(c, infer_Clip);
    return one(for_number(c.in(0).dtype(), "Clip", [&](auto t) {
      using T = decltype(t);
      const bool has_low = c.has(1), has_high = c.has(2);
      const T low = has_low ? c.in(1).data<T>()[0] : T();
      const T high = has_high ? c.in(2).data<T>()[0] : T();
      // The upper bound wins when they cross, as in numpy.
      return map_elements<T>(c.in(0), [=](T v) {
        if (has_low && v < low) v = low;
        return has_high && v > high ? high : v;
      });
    }));
  });
}

std::vector<Tensor> evaluate_Identity(const EvalContext& ctx) { return one(ctx.in(0).clone()); }

}  // namespace sinter
