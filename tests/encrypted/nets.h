// SPDX-License-Identifier: Apache-2.0
// Small random networks and ways to compile and compare them, for the tests of this folder.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/random.h"
#include "encrypted/client.h"
#include "encrypted/compile.h"
#include "encrypted/simulate.h"
#include "graph/evaluate.h"

namespace sinter::encrypted::testing {

inline Tensor random_tensor(Dims dims, Rng& rng, double scale = 1) {
  Tensor t(DType::f32, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = float(rng.normal() * scale);
  return t;
}

inline Tensor filled(Dims dims, float value) {
  Tensor t(DType::f32, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = value;
  return t;
}

/// Adds operators with random weights of a size that keeps activations near one.
struct NetBuilder {
  Graph graph;
  Rng rng;
  ValueId at;

  explicit NetBuilder(u64 seed, Dims input) : rng(seed) {
    at = graph.add_input("x", DType::f32, to_shape(input));
  }
  Dims dims(ValueId v) const { return *static_dims(*graph.shape(v)); }
  Dims dims() const { return dims(at); }

  ValueId weight(Dims d, double scale) {
    return graph.add_constant(random_tensor(std::move(d), rng, scale));
  }
  ValueId conv(ValueId x, i64 channels, i64 kernel, i64 stride, i64 pad, i64 group = 1,
               i64 dilation = 1) {
    const i64 in = dims(x)[1];
    const double scale = 1 / std::sqrt(double(in / group * kernel * kernel));
    return graph.add(
        Op::Conv,
        {x, weight({channels, in / group, kernel, kernel}, scale), weight({channels}, 0.1)},
        {{"strides", std::vector<i64>{stride, stride}},
         {"pads", std::vector<i64>{pad, pad, pad, pad}},
         {"dilations", std::vector<i64>{dilation, dilation}},
         {"group", group}});
  }
  /// A fused HerPN activation with coefficients near the Hermite ones.
  ValueId quadratic(ValueId x) {
    const Dims d = dims(x);
    Dims p(d.size() - 1, 1);
    p[0] = d[1];
    Tensor a(DType::f32, p), b(DType::f32, p), c(DType::f32, p);
    for (i64 i = 0; i < d[1]; ++i) {
      a.mutable_data<float>()[size_t(i)] =
          float(rng.uniform(0.1, 0.3)) * (rng.below(4) == 0 ? -1.f : 1.f);
      b.mutable_data<float>()[size_t(i)] = float(rng.normal() * 0.5);
      c.mutable_data<float>()[size_t(i)] = float(rng.normal() * 0.2);
    }
    return graph.add(Op::ChannelQuadratic,
                     {x, graph.add_constant(std::move(a)), graph.add_constant(std::move(b)),
                      graph.add_constant(std::move(c))});
  }
  /// h = HerPN(x); conv(HerPN(conv(h))) + shortcut(h), as in the PatchCNN.
  ValueId block(ValueId x, i64 channels, i64 stride) {
    const ValueId h = quadratic(x);
    const ValueId y = conv(quadratic(conv(h, channels, 3, stride, 1)), channels, 3, 1, 1);
    const ValueId shortcut =
        stride == 1 && dims(x)[1] == channels ? h : conv(h, channels, 1, stride, 0);
    return graph.add(Op::Add, {y, shortcut});
  }
  ValueId gemm(ValueId x, i64 outputs) {
    const i64 in = dims(x)[1];
    return graph.add(Op::Gemm,
                     {x, weight({outputs, in}, 1 / std::sqrt(double(in))), weight({outputs}, 0.1)},
                     {{"transB", i64(1)}});
  }
  ValueId flatten(ValueId x) { return graph.add(Op::Flatten, {x}); }
  ValueId average_pool(ValueId x, i64 kernel, i64 stride) {
    return graph.add(Op::AveragePool, {x},
                     {{"kernel_shape", std::vector<i64>{kernel, kernel}},
                      {"strides", std::vector<i64>{stride, stride}}});
  }
  ValueId slice(ValueId x, i64 y, i64 xx, i64 size) {
    const auto ints = [this](std::vector<i64> v) {
      return graph.add_constant(Tensor::of<i64>({std::ssize(v)}, v));
    };
    return graph.add(Op::Slice, {x, ints({y, xx}), ints({y + size, xx + size}), ints({2, 3})});
  }
  Graph finish(ValueId out) {
    graph.add_output("y", out);
    return graph.clone();
  }
};

/// grid x grid patches of size/grid, one backbone each, the results summed.
inline Graph patch_net(u64 seed, i64 size, i64 channels, i64 classes, i64 grid = 2) {
  const i64 side = size / grid;
  NetBuilder b(seed, {1, 1, size, size});
  ValueId sum;
  for (i64 patch = 0; patch < grid * grid; ++patch) {
    ValueId v = b.slice(b.at, patch / grid * side, patch % grid * side, side);
    v = b.conv(v, channels, 3, 1, 1);
    v = b.block(v, channels, 1);
    v = b.block(v, 2 * channels, 2);
    v = b.gemm(b.flatten(b.average_pool(b.quadratic(v), side / 4, side / 4)), classes);
    sum = sum.valid() ? b.graph.add(Op::Add, {sum, v}) : v;
  }
  return b.finish(sum);
}

inline ValueId sum_of_squares(NetBuilder& b, ValueId x) {
  const ValueId axes = b.graph.add_constant(Tensor::of<i64>({1}, std::vector<i64>{1}));
  return b.graph.add(Op::ReduceSumSquare, {x, axes}, {{"keepdims", i64(1)}});
}

/// x (a y^2 + b y + c), y = |x|^2.
inline ValueId normalised(NetBuilder& b, ValueId x, float a) {
  const auto scalar = [&](float v) { return b.graph.add_constant(filled({1}, v)); };
  const ValueId factor = b.graph.add(
      Op::ChannelQuadratic, {sum_of_squares(b, x), scalar(a), scalar(-0.6f), scalar(1.2f)});
  return b.graph.add(Op::Mul, {x, factor});
}

/// The same behind a Gemm of `outputs`.
inline Graph normalising_net(u64 seed, float a, i64 outputs = 8) {
  NetBuilder b(seed, {1, 2, 4, 4});
  const ValueId x = b.gemm(b.flatten(b.quadratic(b.conv(b.at, 3, 3, 1, 1))), outputs);
  return b.finish(normalised(b, x, a));
}

/// HerPN as three BatchNormalizations, the way it is trained.
inline ValueId unfused_herpn(NetBuilder& b, ValueId x) {
  const i64 channels = b.dims(x)[1];
  const auto constant = [&](float v) { return b.graph.add_constant(filled({1}, v)); };
  const auto norm = [&](ValueId v, float mean, float var) {
    const auto c = [&](float f) { return b.graph.add_constant(filled({channels}, f)); };
    return b.graph.add(Op::BatchNormalization, {v, c(1), c(0), c(mean), c(var)});
  };
  const ValueId square = b.graph.add(Op::Mul, {x, x});
  const ValueId h2 =
      b.graph.add(Op::Div, {b.graph.add(Op::Sub, {square, constant(1)}), constant(1.41421356f)});
  const ValueId one = b.graph.add(Op::Mul, {norm(x, 0.1f, 0.8f), constant(0.5f)});
  const ValueId two = b.graph.add(Op::Mul, {norm(h2, 0.2f, 1.1f), constant(0.28f)});
  const ValueId sum = b.graph.add(Op::Add, {b.graph.add(Op::Add, {one, two}), constant(0.4f)});
  return b.graph.add(Op::Mul, {sum, b.weight({channels, 1, 1}, 1)});
}

/// Two convolutions with such activations and a Gemm.
inline Graph herpn_net(u64 seed) {
  NetBuilder b(seed, {1, 1, 6, 6});
  ValueId v = unfused_herpn(b, b.conv(b.at, 2, 3, 1, 1));
  v = unfused_herpn(b, b.conv(v, 2, 3, 1, 1));
  return b.finish(b.gemm(b.flatten(v), 3));
}

inline CompileOptions test_options(i64 log_n) {
  CompileOptions options;
  options.scheme.log_n = log_n;
  options.scheme.security = ckks::Security::none_for_tests;
  options.margin = 1;
  return options;
}

inline std::vector<Tensor> inputs_for(const Graph& g, u64 seed, i64 count = 2) {
  Rng rng(seed ^ 0xABCDEF);
  std::vector<Tensor> all;
  for (i64 n = 0; n < count; ++n)
    all.push_back(random_tensor(*static_dims(*g.shape(g.inputs()[0])), rng, 0.5));
  return all;
}

/// Largest difference of the simulated program to the graph in float64, relative to the largest
/// value.
inline double simulated_error(const Graph& g, const EncryptedProgram& program,
                              const Tensor& input) {
  std::vector<Tensor> one;
  one.push_back(input.clone());
  const Tensor expected = std::move(evaluate(g, one, Precision::widened)[0]);
  const std::vector<double> slots = simulate(program, pack_input(program, input));
  double error = 0, largest = 1e-30;
  for (i64 e = 0; e < expected.size(); ++e) {
    const double want = expected.as_double(e);
    largest = std::max(largest, std::abs(want));
    error = std::max(error, std::abs(slots[size_t(program.output_slots[size_t(e)])] - want));
  }
  return error / largest;
}

inline u64 test_seed(u64 fallback) {
  const char* given = std::getenv("SINTER_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : fallback;
}

}  // namespace sinter::encrypted::testing
