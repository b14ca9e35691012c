// SPDX-License-Identifier: Apache-2.0
#include <cctype>
#include <cmath>

#include "graph/ops/detail/recurrent.h"

namespace sinter::detail {
namespace {

template <class T>
T sigmoid(T x) {
  const T e = std::exp(-std::fabs(x));
  return (x < 0 ? e : T(1)) / (T(1) + e);
}

// One struct an activation, so that a row of the table holds both element types.
struct Relu {
  template <class T>
  static T of(T x, T, T) {
    return x < 0 ? T(0) : x;
  }
};
struct Tanh {
  template <class T>
  static T of(T x, T, T) {
    return std::tanh(x);
  }
};
struct Sigmoid {
  template <class T>
  static T of(T x, T, T) {
    return sigmoid(x);
  }
};
struct Affine {
  template <class T>
  static T of(T x, T alpha, T beta) {
    return alpha * x + beta;
  }
};
struct LeakyRelu {
  template <class T>
  static T of(T x, T alpha, T) {
    return x < 0 ? alpha * x : x;
  }
};
struct ThresholdedRelu {
  template <class T>
  static T of(T x, T alpha, T) {
    return x < alpha ? T(0) : x;
  }
};
struct ScaledTanh {
  template <class T>
  static T of(T x, T alpha, T beta) {
    return alpha * std::tanh(beta * x);
  }
};
struct HardSigmoid {
  template <class T>
  static T of(T x, T alpha, T beta) {
    return std::min(T(1), std::max(T(0), alpha * x + beta));
  }
};
struct Elu {
  template <class T>
  static T of(T x, T alpha, T) {
    return x < 0 ? alpha * std::expm1(x) : x;
  }
};
struct Softsign {
  template <class T>
  static T of(T x, T, T) {
    return x / (T(1) + std::fabs(x));
  }
};
struct Softplus {
  template <class T>
  static T of(T x, T, T) {
    return std::max(x, T(0)) + std::log1p(std::exp(-std::fabs(x)));
  }
};

struct Row {
  const char* name;  ///< in lower case
  Activation activation;
  int parameters;  ///< how many of alpha, beta it takes
};

template <class A>
constexpr Activation make(float alpha = 0, float beta = 0) {
  return {A::template of<float>, A::template of<double>, alpha, beta};
}

constexpr Row kActivations[] = {
    {"relu", make<Relu>(), 0},
    {"tanh", make<Tanh>(), 0},
    {"sigmoid", make<Sigmoid>(), 0},
    {"affine", make<Affine>(1.f), 2},
    {"leakyrelu", make<LeakyRelu>(0.01f), 1},
    {"thresholdedrelu", make<ThresholdedRelu>(1.f), 1},
    {"scaledtanh", make<ScaledTanh>(1.f, 1.f), 2},
    {"hardsigmoid", make<HardSigmoid>(0.2f, 0.5f), 2},
    {"elu", make<Elu>(1.f), 1},
    {"softsign", make<Softsign>(), 0},
    {"softplus", make<Softplus>(), 0},
};

/// The list attribute, empty when there is none.
template <class T>
std::vector<T> list(const Attributes& attributes, std::string_view name) {
  for (const auto& [key, value] : attributes)
    if (key == name)
      if (const auto* values = std::get_if<std::vector<T>>(&value)) return *values;
  return {};
}

const Row& find_activation(const EvalContext& ctx, std::string name) {
  for (char& c : name) c = char(std::tolower(static_cast<unsigned char>(c)));
  for (const Row& row : kActivations)
    if (row.name == name) return row;
  fail(ErrorKind::bad_input, ctx.node, ": activation \"", name, "\" is not one");
}

}  // namespace

std::vector<Activation> read_activations(const EvalContext& ctx, i64 directions,
                                         const std::vector<std::string>& defaults) {
  std::vector<std::string> names = list<std::string>(ctx.attributes, "activations");
  if (names.empty())
    for (i64 d = 0; d < directions; ++d)
      names.insert(names.end(), defaults.begin(), defaults.end());
  ctx.check(names.size() == defaults.size() * size_t(directions), "activations: expected ",
            defaults.size() * size_t(directions), " names, found ", names.size());
  const std::vector<float> alphas = list<float>(ctx.attributes, "activation_alpha");
  const std::vector<float> betas = list<float>(ctx.attributes, "activation_beta");
  std::vector<Activation> all;
  size_t alpha = 0, beta = 0;
  for (const std::string& name : names) {
    const Row& row = find_activation(ctx, name);
    all.push_back(row.activation);
    if (row.parameters > 0 && alpha < alphas.size()) all.back().alpha = alphas[alpha++];
    if (row.parameters > 1 && beta < betas.size()) all.back().beta = betas[beta++];
  }
  return all;
}

}  // namespace sinter::detail
