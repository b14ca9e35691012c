// SPDX-License-Identifier: Apache-2.0
// Per-channel polynomials against the formula in double, at planes around the vector width.
#include "runtime/kernels/channel.h"

#include "tests/runtime/support.h"

namespace sinter {
namespace {

using namespace testing_support;

SINTER_ON_EVERY_ISA(ChannelOnIsa);

struct Data {
  i64 channels, plane;
  std::vector<float> x, coeffs, y;

  Data(i64 channel_count, i64 plane_size, u64 seed) : channels(channel_count), plane(plane_size) {
    Rng rng(seed);
    x.resize(size_t(2 * channels * plane)), coeffs.resize(size_t(3 * channels));
    for (float& v : x) v = float(3 * rng.normal());
    for (float& v : coeffs) v = float(3 * rng.normal());
    y.resize(x.size());
  }
  double coefficient(i64 row, size_t i) const {
    return coeffs[size_t(row * channels + i64(i) / plane % channels)];
  }
};

TEST_P(ChannelOnIsa, quadratic_matches_the_formula_for_every_tail_length) {
  for (i64 channels : {1, 3, 19})
    for (i64 plane : {1, 7, 8, 9, 15, 31, 33, 1024}) {
      SCOPED_TRACE(testing::Message() << channels << " channels, plane " << plane);
      Data d(channels, plane, base_seed() + u64(plane));
      channel_quadratic_f32(GetParam(), d.x, d.coeffs, channels, plane, d.y);
      for (size_t i = 0; i < d.x.size(); ++i) {
        const double t2 = d.coefficient(0, i) * d.x[i] * d.x[i], t1 = d.coefficient(1, i) * d.x[i],
                     t0 = d.coefficient(2, i);
        const double largest = std::max({std::fabs(t2), std::fabs(t1), std::fabs(t0)});
        ASSERT_NEAR(d.y[i], t2 + t1 + t0, 8 * 0x1p-24 * largest) << "element " << i;
      }
    }
}

TEST_P(ChannelOnIsa, affine_matches_the_formula_for_every_tail_length) {
  for (i64 channels : {1, 3, 19})
    for (i64 plane : {1, 7, 8, 9, 15, 31, 33, 1024}) {
      SCOPED_TRACE(testing::Message() << channels << " channels, plane " << plane);
      Data d(channels, plane, base_seed() + u64(plane));
      channel_affine_f32(GetParam(), d.x, d.coeffs, channels, plane, d.y);
      for (size_t i = 0; i < d.x.size(); ++i) {
        const double t1 = (d.x[i] - d.coefficient(0, i)) * d.coefficient(1, i),
                     t0 = d.coefficient(2, i);
        ASSERT_NEAR(d.y[i], t1 + t0, 4 * 0x1p-24 * std::max(std::fabs(t1), std::fabs(t0)))
            << "element " << i;
      }
    }
}

TEST_P(ChannelOnIsa, may_write_over_the_input) {
  std::vector<float> x = {1, -2, 3, -4, 5, -6, 7, -8, 9};
  const std::vector<float> square_minus_one = {1, 0, -1}, minus_one_doubled = {1, 2, 0};
  channel_quadratic_f32(GetParam(), x, square_minus_one, 1, 9, x);
  EXPECT_EQ(x, (std::vector<float>{0, 3, 8, 15, 24, 35, 48, 63, 80}));
  channel_affine_f32(GetParam(), x, minus_one_doubled, 1, 9, x);
  EXPECT_EQ(x, (std::vector<float>{-2, 4, 14, 28, 46, 68, 94, 124, 158}));
}

TEST_P(ChannelOnIsa, operators_go_through_the_program_for_every_rank) {
  for (const Dims& dims : {Dims{2, 5}, Dims{3, 5, 7}, Dims{2, 5, 3, 4}, Dims{1, 5, 2, 3, 2}}) {
    SCOPED_TRACE(to_text(dims));
    Rng rng(base_seed());
    Dims parameter(dims.size() - 1, 1);
    parameter[0] = 5;
    OpCase quadratic{Op::ChannelQuadratic, {}, {}, {false, true, true, true}};
    quadratic.inputs.push_back(random_f32(rng, dims));
    for (int i = 0; i < 3; ++i) quadratic.inputs.push_back(random_f32(rng, parameter));
    expect_linear(quadratic, GetParam(), 8);
    OpCase affine{Op::ChannelAffine, {}, {}, {false, true, true}};
    affine.inputs.push_back(random_f32(rng, dims));
    for (int i = 0; i < 2; ++i) affine.inputs.push_back(random_f32(rng, parameter));
    expect_linear(affine, GetParam(), 4);
  }
}

TEST_P(ChannelOnIsa, batch_normalization_keeps_its_digits_when_the_mean_is_large) {
  for (const Dims& dims : {Dims{2, 5}, Dims{2, 5, 9, 3}}) {
    Rng rng(base_seed());
    OpCase c{Op::BatchNormalization, {{"epsilon", 1e-3f}}, {}, {false, true, true, true, true}};
    c.inputs.push_back(random_f32(rng, dims));
    for (int i = 0; i < 4; ++i) c.inputs.push_back(random_f32(rng, {5}));
    for (float& v : c.inputs[0].mutable_data<float>()) v += 1000.f;
    for (float& v : c.inputs[3].mutable_data<float>()) v += 1000.f;
    for (float& v : c.inputs[4].mutable_data<float>()) v = v * v + 0.1f;
    const Tensor got = std::move(run_fast(c, GetParam())[0]), want = std::move(run_wide(c)[0]);
    for (i64 i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got.as_double(i), want.as_double(i),
                  8 * 0x1p-24 * (20 + std::fabs(want.as_double(i))));
  }
}

}  // namespace
}  // namespace sinter
