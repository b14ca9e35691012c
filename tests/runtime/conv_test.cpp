// SPDX-License-Identifier: Apache-2.0
// Both ways of convolving against the reference in float64, at awkward sizes.
#include "runtime/kernels/conv.h"

#include "tests/runtime/support.h"

namespace sinter {
namespace {

using namespace testing_support;

SINTER_ON_EVERY_ISA(ConvOnIsa);

struct Setting {
  i64 batch, groups, channels, filters, h, w, kh, kw, sh, sw, dh, dw;
  std::vector<i64> pads;  ///< top, left, bottom, right
  bool bias;
};

Setting random_setting(Rng& rng) {
  Setting s{};
  s.batch = 1 + rng.below(3), s.groups = 1 + rng.below(3);
  s.channels = 1 + rng.below(6), s.filters = 1 + rng.below(9);
  s.kh = 1 + rng.below(4), s.kw = 1 + rng.below(4);
  s.sh = 1 + rng.below(3), s.sw = 1 + rng.below(3);
  s.dh = 1 + rng.below(2), s.dw = 1 + rng.below(3);
  for (int i = 0; i < 4; ++i) s.pads.push_back(rng.below(5));
  s.h = (s.kh - 1) * s.dh + 1 + rng.below(20), s.w = (s.kw - 1) * s.dw + 1 + rng.below(40);
  s.bias = rng.below(2) == 0;
  return s;
}

std::ostream& operator<<(std::ostream& out, const Setting& s) {
  return out << "n" << s.batch << " g" << s.groups << " " << s.channels << "->" << s.filters << " "
             << s.h << "x" << s.w << " kernel " << s.kh << "x" << s.kw << " stride " << s.sh << ","
             << s.sw << " dilation " << s.dh << "," << s.dw << " pads " << to_text(s.pads)
             << (s.bias ? " bias" : "");
}

OpCase conv_case(const Setting& s, Rng& rng) {
  OpCase c{Op::Conv,
           {{"pads", s.pads},
            {"strides", std::vector<i64>{s.sh, s.sw}},
            {"dilations", std::vector<i64>{s.dh, s.dw}},
            {"group", s.groups}},
           {},
           {false, true, true}};
  c.inputs.push_back(random_f32(rng, {s.batch, s.groups * s.channels, s.h, s.w}));
  c.inputs.push_back(random_f32(rng, {s.groups * s.filters, s.channels, s.kh, s.kw}));
  if (s.bias) c.inputs.push_back(random_f32(rng, {s.groups * s.filters}));
  return c;
}

ConvShape shape_of(const Setting& s, const Dims& y) {
  ConvShape shape;
  shape.batch = s.batch, shape.groups = s.groups;
  shape.channels = s.channels, shape.filters = s.filters;
  shape.in_h = s.h, shape.in_w = s.w, shape.kernel_h = s.kh, shape.kernel_w = s.kw;
  shape.out_h = y[2], shape.out_w = y[3], shape.stride_h = s.sh, shape.stride_w = s.sw;
  shape.dilation_h = s.dh, shape.dilation_w = s.dw;
  shape.pad_top = s.pads[0], shape.pad_left = s.pads[1];
  return shape;
}

Tensor run_plan(const ConvPlan& plan, const OpCase& c, const Dims& dims, i64 threads) {
  ThreadPool pool(threads);
  const i64 stride = (plan.scratch_bytes() + 63) / 64 * 64;
  Tensor scratch(DType::u8, {stride * threads}), y(DType::f32, dims);
  // Scratch and result begin as NaN: nothing may depend on what was there.
  for (std::byte& b : scratch.mutable_raw()) b = std::byte{0xff};
  for (std::byte& b : y.mutable_raw()) b = std::byte{0xff};
  plan.run(pool, c.inputs[0].data<float>().data(), c.inputs[1].data<float>().data(),
           c.inputs.size() > 2 ? c.inputs[2].data<float>().data() : nullptr,
           y.mutable_data<float>().data(), scratch.mutable_raw().data(), stride);
  return y;
}

void check_both_ways(const Setting& s, Rng& rng, Isa isa) {
  const OpCase c = conv_case(s, rng);
  const Tensor want = std::move(run_wide(c)[0]), size = std::move(run_wide(c, true)[0]);
  const ConvShape shape = shape_of(s, want.dims());
  const double units = double(shape.depth() + 2);
  const auto direct = plan_conv_direct(shape, c.inputs[1].data<float>().data(), isa);
  const auto columns = plan_conv_im2col(shape);
  for (const ConvPlan* plan : {direct.get(), columns.get()}) {
    SCOPED_TRACE(plan == direct.get() ? "direct" : "im2col");
    const Tensor one = run_plan(*plan, c, want.dims(), 1);
    expect_within(one, want, size, units);
    EXPECT_TRUE(identical(one, run_plan(*plan, c, want.dims(), 3))) << "3 threads differ";
  }
}

TEST_P(ConvOnIsa, random_settings_match_the_reference_both_ways) {
  for (u64 seed = base_seed(); seed < base_seed() + 150; ++seed) {
    Rng rng(seed);
    const Setting s = random_setting(rng);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ": " << s);
    check_both_ways(s, rng, GetParam());
    if (HasFatalFailure()) return;
  }
}

// 1x1, real layer sizes, many bands, depthwise, large pads, one column.
TEST_P(ConvOnIsa, special_settings_match_the_reference_both_ways) {
  const Setting all[] = {
      {2, 1, 16, 24, 9, 13, 1, 1, 1, 1, 1, 1, {0, 0, 0, 0}, true},
      {2, 1, 16, 8, 9, 13, 1, 1, 2, 2, 1, 1, {0, 0, 0, 0}, true},
      {3, 1, 8, 16, 16, 16, 3, 3, 2, 2, 1, 1, {1, 1, 1, 1}, true},
      {1, 1, 40, 20, 33, 70, 3, 3, 1, 1, 1, 1, {1, 1, 1, 1}, true},
      {2, 17, 1, 1, 30, 31, 5, 5, 1, 1, 1, 1, {2, 2, 2, 2}, true},
      {1, 3, 1, 2, 12, 12, 3, 3, 2, 1, 1, 1, {1, 1, 1, 1}, false},
      {1, 1, 2, 5, 1, 1, 3, 3, 1, 1, 1, 1, {9, 9, 9, 9}, true},
      {1, 1, 2, 5, 2, 1, 2, 1, 4, 4, 1, 1, {0, 9, 0, 0}, true},
      {1, 1, 3, 4, 40, 1, 7, 1, 1, 1, 2, 1, {3, 0, 3, 0}, true},
  };
  for (const Setting& s : all) {
    Rng rng(7);
    SCOPED_TRACE(testing::Message() << s);
    check_both_ways(s, rng, GetParam());
    if (HasFatalFailure()) return;
  }
}

TEST_P(ConvOnIsa, one_spatial_axis_and_auto_pad_go_through_the_program) {
  Rng rng(3);
  OpCase c{Op::Conv, {{"auto_pad", std::string("SAME_LOWER")}, {"strides", std::vector<i64>{2}}}};
  c.inputs.push_back(random_f32(rng, {2, 3, 21}));
  c.inputs.push_back(random_f32(rng, {5, 3, 4}));
  c.inputs.push_back(random_f32(rng, {5}));
  for (bool constant : {false, true}) {
    c.constant = {false, constant, constant};
    expect_linear(c, GetParam(), 14);
  }
}

TEST_P(ConvOnIsa, infinities_in_the_input_reach_only_the_outputs_that_read_them) {
  Rng rng(4);
  Setting s{1, 1, 2, 3, 6, 11, 3, 3, 1, 1, 1, 1, {1, 1, 1, 1}, true};
  OpCase c = conv_case(s, rng);
  c.inputs[0].mutable_data<float>()[25] = INFINITY;  // channel 0, row 2, column 3
  const Tensor y = std::move(run_fast(c, GetParam())[0]);
  for (i64 o = 0; o < 3; ++o)
    for (i64 row = 0; row < 6; ++row)
      for (i64 column = 0; column < 11; ++column)
        EXPECT_EQ(std::isfinite(y.as_double((o * 6 + row) * 11 + column)),
                  std::abs(row - 2) > 1 || std::abs(column - 3) > 1);
}

}  // namespace
}  // namespace sinter
