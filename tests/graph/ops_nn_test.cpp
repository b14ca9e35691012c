// SPDX-License-Identifier: Apache-2.0
// Normalizations, quantized operators, Resize, recurrent networks, sampling and signals: properties
// and defining sums. Their numbers are checked by ONNX's own tests (tests/onnx/conformance_test).
#include <cmath>

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;
using I = std::vector<i64>;

std::string text(const char* s) { return s; }

void expect_close(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.dims(), b.dims());
  for (i64 i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a.as_double(i), b.as_double(i), tolerance) << "element " << i;
}

TEST(LayerNormalization, equals_the_definition_for_every_axis) {
  const u64 seed = seed_or(0xD0);
  Rng rng(seed);
  const Dims dims = {2, 3, 4};
  for (i64 axis = -3; axis < 3; ++axis) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " axis " << axis);
    const size_t first = size_t(axis < 0 ? axis + 3 : axis);
    const Dims block(dims.begin() + i64(first), dims.end());
    const Tensor x = normal_tensor(DType::f64, dims, rng);
    const Tensor scale = normal_tensor(DType::f64, block, rng),
                 bias = normal_tensor(DType::f64, block, rng);
    const auto y = run_all(Op::LayerNormalization, {&x, &scale, &bias}, {{"axis", axis}}, 3);
    const i64 length = element_count(block);
    for (i64 i = 0; i < x.size(); ++i) {
      double mean = 0, squares = 0;
      const i64 start = i / length * length;
      for (i64 k = 0; k < length; ++k) mean += x.as_double(start + k) / double(length);
      for (i64 k = 0; k < length; ++k) squares += std::pow(x.as_double(start + k) - mean, 2);
      const double factor = 1 / std::sqrt(squares / double(length) + 1e-5f);
      ASSERT_NEAR(y[0].as_double(i),
                  (x.as_double(i) - mean) * factor * scale.as_double(i % length) +
                      bias.as_double(i % length),
                  1e-12);
      ASSERT_NEAR(y[1].as_double(i / length), mean, 1e-6);  // float32 by stash_type
      ASSERT_NEAR(y[2].as_double(i / length), factor, 1e-5);
    }
  }
}

TEST(GroupNormalization, of_one_channel_a_group_is_instance_normalization) {
  Rng rng(seed_or(0xD1));
  const Tensor x = normal_tensor(DType::f64, {2, 4, 3, 2}, rng);
  const Tensor scale = normal_tensor(DType::f64, {4}, rng),
               bias = normal_tensor(DType::f64, {4}, rng);
  const Tensor group = run(Op::GroupNormalization, {&x, &scale, &bias}, {{"num_groups", i64(4)}});
  EXPECT_TRUE(identical(group, run(Op::InstanceNormalization, {&x, &scale, &bias})));
  expect_error(ErrorKind::bad_input, "3 groups", [&] {
    run(Op::GroupNormalization, {&x, &scale, &bias}, {{"num_groups", i64(3)}});
  });
}

TEST(BatchNormalization, in_training_uses_and_returns_the_statistics_of_the_batch) {
  Rng rng(seed_or(0xD2));
  const Tensor x = normal_tensor(DType::f64, {3, 2, 5}, rng);
  const Tensor ones = Tensor::of<double>({2}, {1, 1}), zeros = Tensor::of<double>({2}, {0, 0});
  const auto y = run_all(Op::BatchNormalization, {&x, &ones, &zeros, &ones, &ones},
                         {{"training_mode", i64(1)}, {"momentum", 0.f}}, 3);
  const Tensor again = run(Op::BatchNormalization, {&x, &ones, &zeros, &y[1], &y[2]});
  expect_close(y[0], again, 1e-12);
}

TEST(Normalization, lines_and_blocks_of_any_place) {
  const Tensor x = Tensor::of<double>({2, 2}, {3, 4, 0, 0});
  expect_tensor<double>(run(Op::LpNormalization, {&x}), {2, 2}, {0.6, 0.8, 0, 0});
  expect_tensor<double>(run(Op::LpNormalization, {&x}, {{"axis", i64(0)}, {"p", i64(1)}}), {2, 2},
                        {1, 1, 0, 0});
  const Tensor mv = run(Op::MeanVarianceNormalization, {&x}, {{"axes", I{1}}});
  EXPECT_NEAR(mv.as_double(0), -1, 1e-8);
  EXPECT_NEAR(mv.as_double(1), 1, 1e-8);
  const Tensor plane = Tensor::of<double>({1, 3}, {1, 2, 4});
  const Tensor lrn = run(Op::LRN, {&plane}, {{"size", i64(2)}, {"alpha", 2.f}, {"beta", 1.f}});
  expect_tensor<double>(lrn, {1, 3}, {1. / 6, 2. / 21, 4. / 17});
}

TEST(Quantize, rounds_ties_to_even_and_saturates) {
  const Tensor x = Tensor::of<float>({6}, {0.5f, 1.5f, 2.5f, -300.f, 300.f, -0.5f});
  const Tensor scale = Tensor::scalar(1.f), zero = Tensor::scalar<std::int8_t>(10);
  const Tensor q = run(Op::QuantizeLinear, {&x, &scale, &zero});
  expect_tensor<std::int8_t>(q, {6}, {10, 12, 12, -128, 127, 10});
  expect_tensor<float>(run(Op::DequantizeLinear, {&q, &scale, &zero}), {6},
                       {0, 2, 2, -138, 117, 0});
  const Tensor rows = Tensor::of<float>({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor each = Tensor::of<float>({2}, {1, 2}),
               blocks = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  expect_tensor<u8>(run(Op::QuantizeLinear, {&rows, &each}, {{"axis", i64(0)}}), {2, 4},
                    {1, 2, 3, 4, 2, 3, 4, 4});
  expect_tensor<u8>(
      run(Op::QuantizeLinear, {&rows, &blocks}, {{"axis", i64(1)}, {"block_size", i64(2)}}), {2, 4},
      {1, 2, 2, 2, 2, 2, 2, 2});
}

TEST(QuantizedProducts, equal_the_float_operator_between_dequantize_and_quantize) {
  const u64 seed = seed_or(0xD3);
  Rng rng(seed);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round);
    const bool conv = round % 2;
    const Tensor a = random_tensor(DType::u8, conv ? Dims{1, 2, 5, 4} : Dims{3, 5}, rng);
    const Tensor b = random_tensor(DType::i8, conv ? Dims{3, 2, 2, 3} : Dims{5, 3}, rng);
    const Tensor a_scale = Tensor::scalar(0.02f), a_zero = Tensor::scalar<u8>(30);
    const Tensor b_scale = Tensor::of<float>({3}, {0.01f, 0.03f, 0.02f});
    const Tensor b_zero = Tensor::of<std::int8_t>({3}, {1, -2, 50});
    const Tensor y_scale = Tensor::scalar(0.05f), y_zero = Tensor::scalar<u8>(100);
    const Attributes pads = conv ? Attributes{{"pads", I{1, 0, 0, 1}}} : Attributes{};
    const Attributes axis = {{"axis", i64(conv ? 0 : 1)}};
    const Tensor y = run(conv ? Op::QLinearConv : Op::QLinearMatMul,
                         {&a, &a_scale, &a_zero, &b, &b_scale, &b_zero, &y_scale, &y_zero}, pads);
    const Tensor fa = run(Op::DequantizeLinear, {&a, &a_scale, &a_zero});
    const Tensor fb = run(Op::DequantizeLinear, {&b, &b_scale, &b_zero}, axis);
    const Tensor fy = run(conv ? Op::Conv : Op::MatMul, {&fa, &fb}, pads);
    const Tensor expected = run(Op::QuantizeLinear, {&fy, &y_scale, &y_zero});
    ASSERT_EQ(y.dims(), expected.dims());
    for (i64 i = 0; i < y.size(); ++i)  // a tie may fall either way in float
      ASSERT_LE(std::abs(y.as_int(i) - expected.as_int(i)), 1);
    const Tensor sums =
        run(conv ? Op::ConvInteger : Op::MatMulInteger, {&a, &b, &a_zero, &b_zero}, pads);
    const Tensor one = Tensor::scalar(1.f), ones = Tensor::of<float>({3}, {1, 1, 1});
    const Tensor ia = run(Op::DequantizeLinear, {&a, &one, &a_zero});
    const Tensor ib = run(Op::DequantizeLinear, {&b, &ones, &b_zero}, axis);
    const Tensor exact = run(conv ? Op::Conv : Op::MatMul, {&ia, &ib}, pads);
    EXPECT_TRUE(identical(sums, convert(exact, DType::i32)));
  }
}

TEST(Resize, keeps_a_constant_in_every_mode) {
  const Tensor x = Tensor::of<float>({1, 3, 2}, {7, 7, 7, 7, 7, 7});
  const Tensor roi = Tensor::of<float>({6}, {0, 0, 0, 1, 1, 1});
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* place : {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                              "align_corners", "asymmetric", "tf_crop_and_resize"})
      for (i64 antialias : {0, 1})
        for (const std::vector<float>& s : {std::vector<float>{1, 2, 2.5f}, {1, 0.67f, 1.5f}}) {
          SCOPED_TRACE(testing::Message() << mode << " " << place << " " << antialias);
          const Tensor scales = Tensor::of<float>({3}, std::span<const float>(s));
          const Tensor y = run(Op::Resize, {&x, &roi, &scales},
                               {{"mode", text(mode)},
                                {"coordinate_transformation_mode", text(place)},
                                {"antialias", antialias}});
          EXPECT_EQ(y.dims(), (Dims{1, i64(3 * s[1]), i64(2 * s[2])}));
          for (i64 i = 0; i < y.size(); ++i) ASSERT_NEAR(y.as_double(i), 7, 1e-5);
        }
}

TEST(Resize, sizes_axes_and_aspect) {
  const Tensor x = Tensor::of<u8>({1, 2, 4}, {0, 100, 200, 250, 10, 20, 30, 40});
  const Tensor two = ints({4, 8}), one_axis = ints({2});
  const auto dims = [&](const char* policy) {
    return run(Op::Resize, {&x, nullptr, nullptr, &two},
               {{"axes", I{1, 2}}, {"keep_aspect_ratio_policy", text(policy)}})
        .dims();
  };
  EXPECT_EQ(dims("stretch"), (Dims{1, 4, 8}));
  const Tensor wide = ints({10, 8});
  const Tensor y = run(Op::Resize, {&x, nullptr, nullptr, &wide},
                       {{"axes", I{-2, -1}}, {"keep_aspect_ratio_policy", text("not_larger")}});
  EXPECT_EQ(y.dims(), (Dims{1, 4, 8}));
  const Tensor half = run(Op::Resize, {&x, nullptr, nullptr, &one_axis},
                          {{"axes", I{2}}, {"mode", text("linear")}});
  expect_tensor<u8>(half, {1, 2, 2}, {50, 225, 15, 35});
  expect_error(ErrorKind::bad_input, "neither", [&] { run(Op::Resize, {&x}); });
  expect_error(ErrorKind::bad_input, "axes repeat", [&] {
    run(Op::Resize, {&x, nullptr, nullptr, &two}, {{"axes", I{1, 1}}});
  });
}

struct Recurrent {
  Op op;
  i64 gates;
};
class RecurrentNetwork : public testing::TestWithParam<Recurrent> {};
INSTANTIATE_TEST_SUITE_P(, RecurrentNetwork,
                         testing::Values(Recurrent{Op::RNN, 1}, Recurrent{Op::GRU, 3},
                                         Recurrent{Op::LSTM, 4}),
                         [](const auto& param) { return std::string(name(param.param.op)); });

TEST_P(RecurrentNetwork, directions_and_layouts_agree) {
  Rng rng(seed_or(0xD4));
  const i64 rows = GetParam().gates * 3;
  const Tensor x = normal_tensor(DType::f64, {4, 2, 5}, rng);
  const Tensor w = normal_tensor(DType::f64, {1, rows, 5}, rng),
               r = normal_tensor(DType::f64, {1, rows, 3}, rng),
               b = normal_tensor(DType::f64, {1, 2 * rows}, rng);
  const auto direction = [&](const char* d) { return Attributes{{"direction", text(d)}}; };
  const auto forward = run_all(GetParam().op, {&x, &w, &r, &b}, direction("forward"), 2);
  const auto reverse = run_all(GetParam().op, {&x, &w, &r, &b}, direction("reverse"), 2);
  const auto doubled = [](const Tensor& t) {
    return run(Op::Concat, {&t, &t}, {{"axis", i64(0)}});
  };
  const Tensor w2 = doubled(w), r2 = doubled(r), b2 = doubled(b);
  const auto both = run_all(GetParam().op, {&x, &w2, &r2, &b2}, direction("bidirectional"), 2);
  const Tensor together = run(Op::Concat, {&forward[0], &reverse[0]}, {{"axis", i64(1)}});
  EXPECT_TRUE(identical(both[0], together));
  const Tensor turned = run(Op::Transpose, {&x}, {{"perm", I{1, 0, 2}}});
  const auto batch_first = run_all(GetParam().op, {&turned, &w, &r, &b}, {{"layout", i64(1)}}, 2);
  EXPECT_TRUE(
      identical(batch_first[0], run(Op::Transpose, {&forward[0]}, {{"perm", I{2, 0, 1, 3}}})));
  // A length cuts: what lies behind is 0, and the last state is that of the cut sequence.
  const Tensor lengths = Tensor::of<i32>({2}, {2, 4});
  const auto cut = run_all(GetParam().op, {&x, &w, &r, &b, &lengths}, {}, 2);
  for (i64 u = 0; u < 3; ++u) {
    EXPECT_EQ(cut[0].as_double((2 * 2 + 0) * 3 + u), 0);
    EXPECT_EQ(cut[1].as_double(u), forward[0].as_double((1 * 2 + 0) * 3 + u));
    EXPECT_EQ(cut[1].as_double(3 + u), forward[1].as_double(3 + u));
  }
  expect_error(ErrorKind::bad_input, "activation", [&] {
    run_all(GetParam().op, {&x, &w, &r}, {{"activations", std::vector<std::string>{"Tanh", "f"}}},
            2);
  });
}

TEST(GridSample, at_the_identity_grid_gives_the_input) {
  Rng rng(seed_or(0xD5));
  for (const Dims& dims : {Dims{1, 2, 3, 4}, Dims{2, 1, 2, 3, 4}}) {
    const i64 rank = std::ssize(dims) - 2;
    const Tensor x = normal_tensor(DType::f64, dims, rng), size = ints(dims);
    Tensor theta(DType::f64, {dims[0], rank, rank + 1});
    for (i64 i = 0; i < dims[0] * rank; ++i)
      theta.mutable_data<double>()[size_t(i * (rank + 1) + i % rank)] = 1;
    for (i64 align : {0, 1})
      for (const char* mode : {"linear", "nearest", "cubic"})
        for (const char* padding : {"zeros", "border", "reflection"}) {
          SCOPED_TRACE(testing::Message() << mode << " " << padding << " " << align);
          const Tensor grid = run(Op::AffineGrid, {&theta, &size}, {{"align_corners", align}});
          const Tensor y = run(
              Op::GridSample, {&x, &grid},
              {{"mode", text(mode)}, {"padding_mode", text(padding)}, {"align_corners", align}});
          expect_close(y, x, 1e-9);
        }
  }
}

TEST(Space, rearrangements_undo_each_other) {
  Rng rng(seed_or(0xD6));
  const Tensor x = random_tensor(DType::i16, {2, 3, 4, 6}, rng);
  const Attributes block = {{"blocksize", i64(2)}};
  const Tensor deep = run(Op::SpaceToDepth, {&x}, block);
  EXPECT_EQ(deep.dims(), (Dims{2, 12, 2, 3}));
  EXPECT_TRUE(identical(run(Op::DepthToSpace, {&deep}, block), x));
  const Tensor size = ints({2, 5, 3, 7}), back = ints({2, 3, 4, 6});
  const Tensor moved = run(Op::CenterCropPad, {&x, &size});
  EXPECT_EQ(moved.dims(), (Dims{2, 5, 3, 7}));
  EXPECT_EQ(moved.as_int(position({2, 5, 3, 7}, {1, 2, 1, 3})),
            x.as_int(position({2, 3, 4, 6}, {1, 1, 1, 3})));
  expect_error(ErrorKind::bad_input, "multiple of 4", [&] {
    run(Op::SpaceToDepth, {&x}, {{"blocksize", i64(4)}});
  });
}

/// Columns of ones count the windows that hold each element: the transposed convolution of ones.
TEST(Col2Im, adds_the_windows_up) {
  const Tensor image = ints({4, 5}), block = ints({2, 3});
  const Attributes window = {{"pads", I{1, 0, 0, 1}}, {"strides", I{1, 2}}, {"dilations", I{2, 1}}};
  const Tensor ones = convert(Tensor::scalar(1.f), DType::f32), dims = ints({1, 6, 6});
  const Tensor columns = run(Op::Expand, {&ones, &dims});
  const Tensor found = run(Op::Col2Im, {&columns, &image, &block}, window);
  const Tensor one_dims = ints({1, 1, 3, 2}), kernel_dims = ints({1, 1, 2, 3});
  const Tensor x = run(Op::Expand, {&ones, &one_dims}), w = run(Op::Expand, {&ones, &kernel_dims});
  Attributes adjoint = window;
  adjoint.set("output_padding", I{0, 1});
  expect_close(found, run(Op::ConvTranspose, {&x, &w}, adjoint), 0);
}

TEST(Unpool, puts_the_maxima_back) {
  Rng rng(seed_or(0xD7));
  const Tensor x = normal_tensor(DType::f32, {2, 2, 4, 6}, rng);
  const Attributes window = {{"kernel_shape", I{2, 2}}, {"strides", I{2, 2}}};
  const auto pooled = run_all(Op::MaxPool, {&x}, window, 2);
  const Tensor back = run(Op::MaxUnpool, {&pooled[0], &pooled[1]}, window);
  ASSERT_EQ(back.dims(), x.dims());
  for (i64 i = 0; i < x.size(); ++i)
    EXPECT_TRUE(back.as_double(i) == 0 || back.as_double(i) == x.as_double(i));
  const Tensor far = Tensor::of<i64>({1, 1, 1}, {9}), v = Tensor::of<float>({1, 1, 1}, {1});
  expect_error(ErrorKind::bad_input, "index 9", [&] {
    run(Op::MaxUnpool, {&v, &far}, {{"kernel_shape", I{2}}});
  });
}

TEST(Signal, the_inverse_transform_undoes_the_transform) {
  Rng rng(seed_or(0xD8));
  const Tensor x = normal_tensor(DType::f64, {2, 7, 3, 2}, rng), axis = Tensor::scalar<i64>(1);
  const Tensor y = run(Op::DFT, {&x, nullptr, &axis});
  expect_close(run(Op::DFT, {&y, nullptr, &axis}, {{"inverse", i64(1)}}), x, 1e-12);
  const Tensor real = normal_tensor(DType::f64, {1, 8, 1}, rng), step = Tensor::scalar<i64>(8);
  const Tensor length = Tensor::scalar<i64>(8);
  const Tensor frames = run(Op::STFT, {&real, &step, nullptr, &length});
  const Tensor half = run(Op::DFT, {&real}, {{"onesided", i64(1)}});
  EXPECT_EQ(frames.dims(), (Dims{1, 1, 5, 2}));
  for (i64 i = 0; i < half.size(); ++i) EXPECT_EQ(frames.as_double(i), half.as_double(i));
}

TEST(Loss, means_weigh_and_skip) {
  const Tensor x = Tensor::of<float>({3, 2}, {-1, -2, -3, -4, -5, -6});
  const Tensor target = Tensor::of<i64>({3}, {0, 1, -1}), w = Tensor::of<float>({2}, {1, 3});
  const auto loss = [&](const char* reduction) {
    return run(Op::NegativeLogLikelihoodLoss, {&x, &target, &w},
               {{"ignore_index", i64(-1)}, {"reduction", text(reduction)}});
  };
  expect_tensor<float>(loss("none"), {3}, {1, 12, 0});
  expect_tensor<float>(loss("sum"), {}, {13});
  expect_tensor<float>(loss("mean"), {}, {3.25f});
  expect_error(ErrorKind::bad_input, "target -1", [&] {
    run(Op::NegativeLogLikelihoodLoss, {&x, &target, &w});
  });
}

}  // namespace
}  // namespace sinter
