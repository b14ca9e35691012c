// SPDX-License-Identifier: Apache-2.0
// Random networks for property tests: convolutions, normalisations, Hermite activations, channel
// arithmetic, shape changes, residuals, in the ways exporters write them.
#pragma once
#include <cmath>
#include <numbers>

#include "base/random.h"
#include "graph/graph.h"

namespace sinter::testing_graphs {

inline Tensor normal_tensor(Rng& rng, Dims dims, double mean = 0, double spread = 1) {
  Tensor t(DType::f32, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = float(mean + spread * rng.normal());
  return t;
}
inline Tensor uniform_tensor(Rng& rng, Dims dims, double low, double high) {
  Tensor t(DType::f32, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = float(rng.uniform(low, high));
  return t;
}
inline Tensor filled_tensor(Dims dims, float value) {
  Tensor t(DType::f32, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = value;
  return t;
}
inline Tensor ints(std::vector<i64> values) {
  return Tensor::of<i64>({std::ssize(values)}, std::span<const i64>(values));
}

/// The numbers of one Hermite activation, as stored in float32.
struct Hermite {
  std::vector<float> mean[3], var[3], gamma, beta;
  float epsilon = 1e-5f;
  bool has_gamma = true, has_beta = true;

  /// w2, w1, w0 of channel c.
  std::array<double, 3> coefficients(size_t c) const {
    using std::numbers::pi;
    const double eps = epsilon, g = has_gamma ? double(gamma[c]) : 1.0;
    const double m0 = mean[0][c], m1 = mean[1][c], m2 = mean[2][c];
    const double v0 = var[0][c], v1 = var[1][c], v2 = var[2][c];
    const double w2 = g / std::sqrt(8 * pi * (v2 + eps)), w1 = g / (2 * std::sqrt(v1 + eps));
    const double w0 =
        (has_beta ? double(beta[c]) : 0.0) +
        g * ((1 - m0) / std::sqrt(2 * pi * (v0 + eps)) - m1 / (2 * std::sqrt(v1 + eps)) -
             (1 + std::numbers::sqrt2 * m2) / std::sqrt(8 * pi * (v2 + eps)));
    return {w2, w1, w0};
  }
};

inline Hermite random_hermite(Rng& rng, i64 channels) {
  Hermite h;
  const auto fill = [&](std::vector<float>& v, double mean, double spread) {
    for (i64 i = 0; i < channels; ++i) v.push_back(float(mean + spread * rng.normal()));
  };
  for (int i = 0; i < 3; ++i) {
    fill(h.mean[i], i == 0 ? 0.5 : 0.0, 0.3);
    for (i64 c = 0; c < channels; ++c) h.var[i].push_back(float(rng.uniform(0.5, 1.5)));
  }
  fill(h.gamma, 1, 0.3);
  fill(h.beta, 0, 0.5);
  return h;
}

/// Builds graphs with every free choice of an exporter taken at random.
class Builder {
 public:
  Builder(Graph& graph, Rng& rng) : g(graph), rng(rng) {}

  bool coin() { return rng.below(2) == 0; }
  /// As an initializer or as a Constant node.
  ValueId constant(Tensor t) {
    if (!constant_nodes || coin()) return g.add_constant(std::move(t));
    return g.add(Op::Constant, {},
                 {{"value", TensorPtr(std::make_shared<const Tensor>(std::move(t)))}});
  }
  ValueId scalar(double v) { return constant(filled_tensor(coin() ? Dims{} : Dims{1}, float(v))); }
  ValueId commuted(Op op, ValueId a, ValueId b) {
    return coin() ? g.add(op, {a, b}) : g.add(op, {b, a});
  }
  i64 rank(ValueId v) const { return std::ssize(*g.shape(v)); }
  i64 channels(ValueId v) const { return *(*g.shape(v))[1].value(); }
  /// Dims of a channel constant beside x: [C,1,..] or [1,C,1,..].
  Dims channel_dims(ValueId x) {
    Dims dims(size_t(rank(x) - 1), 1);
    dims[0] = channels(x);
    if (coin()) dims.insert(dims.begin(), 1);
    return dims;
  }
  ValueId channel_constant(ValueId x, double mean, double spread) {
    return constant(normal_tensor(rng, channel_dims(x), mean, spread));
  }
  ValueId per_channel(ValueId x, const std::vector<float>& values) {
    Tensor t(DType::f32, channel_dims(x));
    std::copy(values.begin(), values.end(), t.mutable_data<float>().begin());
    return constant(std::move(t));
  }

  ValueId batch_normalization(ValueId x) {
    const i64 c = channels(x);
    return g.add(
        Op::BatchNormalization,
        {x, constant(normal_tensor(rng, {c}, 1, 0.3)), constant(normal_tensor(rng, {c}, 0, 0.3)),
         constant(normal_tensor(rng, {c}, 0, 0.3)), constant(uniform_tensor(rng, {c}, 0.5, 1.5))},
        {{"epsilon", 1e-5f}});
  }

  /// A tensor of ones with the shape of x.
  ValueId ones_like(ValueId x) {
    const std::optional<Dims> dims = static_dims(*g.shape(x));
    const i64 way = rng.below(dims ? 3 : 2);
    if (way == 2) return constant(filled_tensor(*dims, 1));
    const ValueId shape = g.add(Op::Shape, {x});
    if (way == 1) return g.add(Op::Expand, {scalar(1), shape});
    return g.add(Op::ConstantOfShape, {shape},
                 {{"value", TensorPtr(std::make_shared<const Tensor>(filled_tensor({1}, 1)))}});
  }

  /// gamma * (f0 BN0(1) + f1 BN1(x) + f2 BN2((x^2 - 1)/sqrt 2)) + beta, written at random.
  ValueId hermite(ValueId x, const Hermite& h) {
    using std::numbers::pi;
    const i64 c = channels(x);
    const auto norm = [&](ValueId v, int i) {
      return g.add(Op::BatchNormalization,
                   {v, constant(filled_tensor({c}, 1)), constant(filled_tensor({c}, 0)),
                    constant(Tensor::of<float>({c}, std::span<const float>(h.mean[i]))),
                    constant(Tensor::of<float>({c}, std::span<const float>(h.var[i])))},
                   {{"epsilon", h.epsilon}});
    };
    const auto times = [&](ValueId v, double factor) {
      return coin() ? commuted(Op::Mul, v, scalar(factor))
                    : g.add(Op::Div, {v, scalar(1 / factor)});
    };
    const ValueId square = coin() ? g.add(Op::Mul, {x, x}) : g.add(Op::Pow, {x, scalar(2)});
    const ValueId minus =
        coin() ? g.add(Op::Sub, {square, scalar(1)}) : commuted(Op::Add, square, scalar(-1));
    std::vector<ValueId> terms = {
        times(norm(ones_like(x), 0), 1 / std::sqrt(2 * pi)), times(norm(x, 1), 0.5),
        times(norm(times(minus, 1 / std::numbers::sqrt2), 2), 1 / std::sqrt(4 * pi))};
    const bool distributed = h.has_gamma && coin();  // gamma times each term or times the sum
    const ValueId gamma = h.has_gamma ? per_channel(x, h.gamma) : ValueId{};
    if (distributed)
      for (ValueId& t : terms) t = commuted(Op::Mul, t, gamma);
    for (size_t i = 3; i > 1; --i) std::swap(terms[i - 1], terms[size_t(rng.below(i64(i)))]);
    ValueId y = commuted(Op::Add, commuted(Op::Add, terms[0], terms[1]), terms[2]);
    if (h.has_gamma && !distributed) y = commuted(Op::Mul, y, gamma);
    if (h.has_beta) y = commuted(Op::Add, y, per_channel(x, h.beta));
    return y;
  }

  Graph& g;
  Rng& rng;
  bool constant_nodes = true;
};

/// A network on x [N,C,H,W] (N a number or "batch") of `steps` random steps.
class RandomNetwork : public Builder {
 public:
  RandomNetwork(Graph& graph, Rng& rng) : Builder(graph, rng) {}

  void build(i64 steps) {
    const Dim batch = coin() ? Dim::symbol("batch") : Dim(1 + rng.below(3));
    const i64 c = 2 * (1 + rng.below(3));
    ValueId x = g.add_input("x", DType::f32, Shape{batch, c, 5 + rng.below(3), 5 + rng.below(3)});
    std::vector<ValueId> seen;
    for (i64 i = 0; i < steps; ++i) {
      x = step(x, seen);
      seen.push_back(x);
    }
    if (coin()) x = head(x);
    g.add_output("y", x);
    if (rng.below(4) == 0) g.add_output("inside", seen[size_t(rng.below(std::ssize(seen)))]);
  }

 private:
  ValueId conv(ValueId x, i64 kernel, bool pads) {
    const i64 c = channels(x), group = c % 2 == 0 && coin() ? 2 : 1;
    const i64 filters = 2 * (1 + rng.below(3));
    const double spread = 1 / std::sqrt(double(c / group * kernel * kernel));
    std::vector<ValueId> inputs = {
        x, constant(normal_tensor(rng, {filters, c / group, kernel, kernel}, 0, spread))};
    if (coin()) inputs.push_back(constant(normal_tensor(rng, {filters}, 0, 0.3)));
    Attributes attributes = {{"group", group}};
    if (pads) attributes.set("pads", std::vector<i64>(4, kernel / 2));
    return g.add(Op::Conv, std::move(inputs), std::move(attributes));
  }

  ValueId conv_transpose(ValueId x) {
    const i64 c = channels(x), group = c % 2 == 0 && coin() ? 2 : 1;
    const i64 per_group = 1 + rng.below(3);
    std::vector<ValueId> inputs = {x, constant(normal_tensor(rng, {c, per_group, 2, 2}, 0, 0.4))};
    if (coin()) inputs.push_back(constant(normal_tensor(rng, {group * per_group}, 0, 0.3)));
    return g.add(Op::ConvTranspose, std::move(inputs), {{"group", group}});
  }

  ValueId affine(ValueId x) {
    switch (rng.below(6)) {
      case 0:
        return commuted(Op::Mul, x, channel_constant(x, 1, 0.3));
      case 1:
        return commuted(Op::Add, x, channel_constant(x, 0, 0.5));
      case 2:
        return coin() ? g.add(Op::Sub, {x, channel_constant(x, 0, 0.5)})
                      : g.add(Op::Sub, {channel_constant(x, 0, 0.5), x});
      case 3:
        return g.add(Op::Div, {x, constant(uniform_tensor(rng, channel_dims(x), 0.5, 2))});
      case 4:
        return g.add(Op::Neg, {x});
      default:
        return commuted(Op::Mul, x, scalar(rng.uniform(0.5, 1.5)));
    }
  }

  /// Nodes that change nothing, or undo each other.
  ValueId idle(ValueId x) {
    const std::optional<Dims> dims = static_dims(*g.shape(x));
    switch (rng.below(7)) {
      case 0:
        return g.add(Op::Identity, {x});
      case 1:
        return g.add(Op::Dropout, {x});
      case 2:
        return commuted(Op::Mul, x, scalar(1));
      case 3: {
        const ValueId t = g.add(Op::Transpose, {x}, {{"perm", std::vector<i64>{0, 2, 3, 1}}});
        return g.add(Op::Transpose, {t}, {{"perm", std::vector<i64>{0, 3, 1, 2}}});
      }
      case 4: {
        const ValueId shape = g.add(Op::Shape, {x});
        return g.add(Op::Reshape, {g.add(Op::Flatten, {x}), shape});
      }
      case 5: {
        const ValueId u = g.add(Op::Unsqueeze, {x, constant(ints({1}))});
        return g.add(Op::Squeeze, {u, constant(ints({1}))});
      }
      default:
        return g.add(Op::Pad, {x, constant(ints(std::vector<i64>(8, 0)))});
    }
  }

  ValueId residual(ValueId x, const std::vector<ValueId>& seen) {
    for (auto it = seen.rbegin(); it != seen.rend(); ++it)
      if (same(*g.shape(*it), *g.shape(x)) && coin()) return commuted(Op::Add, x, *it);
    return g.add(Op::Relu, {x});
  }

  ValueId step(ValueId x, const std::vector<ValueId>& seen) {
    const Shape& shape = *g.shape(x);
    const bool large = *shape[2].value() >= 3 && *shape[3].value() >= 3;
    switch (rng.below(12)) {
      case 0:
        return large ? conv(x, 3, false) : conv(x, 1, false);
      case 1:
        return conv(x, 3, true);
      case 2: {
        std::vector<i64> pads(8, 0);
        for (size_t i : {2, 3, 6, 7}) pads[i] = 1 + rng.below(2);
        return conv(g.add(Op::Pad, {x, constant(ints(pads))}), 3, coin());
      }
      case 3:
        return conv_transpose(x);
      case 4:
      case 5:
        return batch_normalization(x);
      case 6:
        return affine(x);
      case 7:
        return affine(affine(x));
      case 8: {
        Hermite h = random_hermite(rng, channels(x));
        h.has_gamma = coin();
        h.has_beta = coin();
        return hermite(x, h);
      }
      case 9:
        return idle(x);
      case 10:
        return large ? g.add(Op::AveragePool, {x}, {{"kernel_shape", std::vector<i64>{2, 2}}})
                     : g.add(Op::Relu, {x});
      default:
        return residual(x, seen);
    }
  }

  /// Flatten, BatchNormalization, product, bias.
  ValueId head(ValueId x) {
    if (coin()) x = batch_normalization(x);
    x = g.add(Op::Flatten, {x});
    if (coin()) x = batch_normalization(x);
    const i64 k = channels(x), n = 1 + rng.below(5);
    const double spread = 1 / std::sqrt(double(k));
    switch (rng.below(3)) {
      case 0:
        x = g.add(
            Op::Gemm,
            {x, constant(normal_tensor(rng, {n, k}, 0, spread)), constant(normal_tensor(rng, {n}))},
            {{"transB", i64(1)}, {"alpha", 0.5f}, {"beta", 2.0f}});
        break;
      case 1:
        x = g.add(Op::MatMul, {x, constant(normal_tensor(rng, {k, n}, 0, spread))});
        break;
      default:
        x = g.add(Op::MatMul, {x, constant(normal_tensor(rng, {k, n}, 0, spread))});
        x = commuted(Op::Add, x, constant(normal_tensor(rng, {n})));
    }
    return coin() ? batch_normalization(x) : x;
  }
};

}  // namespace sinter::testing_graphs
