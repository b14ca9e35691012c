// SPDX-License-Identifier: Apache-2.0
// Conv, ConvTranspose and the pools against their defining sums, over random settings.
#include <cmath>
#include <limits>

#include "graph/ops/window.h"
#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

struct Setting {
  Dims x, w;
  std::vector<i64> strides, dilations, pads;
  i64 group = 1;
  Attributes attributes() const {
    return {{"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"group", group}};
  }
  std::string text() const {
    return "x " + to_text(x) + " w " + to_text(w) + " strides " + to_text(strides) + " dilations " +
           to_text(dilations) + " pads " + to_text(pads) + " group " + std::to_string(group);
  }
};

/// A random setting whose window fits.
Setting random_setting(Rng& rng) {
  Setting s;
  const i64 rank = 1 + rng.below(rng.below(8) ? 3 : 4), channels = 1 + rng.below(3);
  s.group = 1 + rng.below(3);
  s.x = {rng.below(3), channels * s.group};
  s.w = {s.group * (1 + rng.below(rng.below(3) ? 3 : 12)), channels};
  std::vector<i64> ends;
  for (i64 a = 0; a < rank; ++a) {
    const i64 kernel = 1 + rng.below(4), dilation = 1 + rng.below(3);
    const i64 begin = rng.below(4), end = rng.below(4), extent = (kernel - 1) * dilation + 1;
    s.x.push_back(std::max<i64>(1, extent - begin - end + rng.below(6)));
    s.w.push_back(kernel);
    s.strides.push_back(1 + rng.below(3));
    s.dilations.push_back(dilation);
    s.pads.push_back(begin);
    ends.push_back(end);
  }
  s.pads.insert(s.pads.end(), ends.begin(), ends.end());
  return s;
}

/// The defining sum, index by index, in double.
double conv_element(const Setting& s, const Tensor& x, const Tensor& w, const Dims& at) {
  double sum = 0;
  const i64 per_group = s.w[0] / s.group;
  for_each_index(Dims(s.w.begin() + 1, s.w.end()), [&](const Dims& tap) {
    Dims from = {at[0], at[1] / per_group * s.w[1] + tap[0]}, weight = {at[1], tap[0]};
    for (size_t a = 2; a < s.x.size(); ++a) {
      const i64 i = at[a] * s.strides[a - 2] + tap[a - 1] * s.dilations[a - 2] - s.pads[a - 2];
      if (i < 0 || i >= s.x[a]) return;
      from.push_back(i);
      weight.push_back(tap[a - 1]);
    }
    sum += x.as_double(position(s.x, from)) * w.as_double(position(s.w, weight));
  });
  return sum;
}

TEST(Conv, equals_the_defining_sum_for_random_settings) {
  const u64 seed = seed_or(0xC0);
  Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    const Setting s = random_setting(rng);
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round) + " " +
                 s.text());
    const DType type = round % 2 ? DType::f32 : DType::f64;
    const Tensor x = random_tensor(type, s.x, rng), w = random_tensor(type, s.w, rng);
    const Tensor b = random_tensor(type, {s.w[0]}, rng);
    const Tensor y = run(Op::Conv, {&x, &w, round % 3 ? &b : nullptr}, s.attributes());
    for (size_t a = 2; a < s.x.size(); ++a) {
      const i64 extent = (s.w[a] - 1) * s.dilations[a - 2] + 1;
      const i64 room = s.x[a] + s.pads[a - 2] + s.pads[a - 2 + s.strides.size()] - extent;
      ASSERT_EQ(y.dims()[a], room / s.strides[a - 2] + 1);
    }
    i64 i = 0;
    for_each_index(y.dims(), [&](const Dims& at) {
      const double bias = round % 3 ? b.as_double(at[1]) : 0;
      ASSERT_EQ(y.as_double(i++), conv_element(s, x, w, at) + bias) << to_text(at);
    });
  }
}

// Many filters over small planes are summed by another loop, in the same order.
TEST(Conv, gives_the_same_bits_for_many_filters_as_for_each_alone) {
  Rng rng(seed_or(6));
  const Tensor x = normal_tensor(DType::f32, {2, 5, 4, 3}, rng);
  const Tensor w = normal_tensor(DType::f32, {9, 5, 3, 2}, rng);
  const Attributes a = {{"pads", std::vector<i64>{1, 0, 2, 1}},
                        {"strides", std::vector<i64>{2, 1}}};
  const Tensor all = run(Op::Conv, {&x, &w}, a);
  const i64 plane = all.dim(2) * all.dim(3), filter = w.size() / 9;
  for (i64 m = 0; m < 9; ++m) {
    const Tensor alone = Tensor::of<float>(
        {1, 5, 3, 2}, w.data<float>().subspan(size_t(m * filter), size_t(filter)));
    const Tensor y = run(Op::Conv, {&x, &alone}, a);
    for (i64 i = 0; i < y.size(); ++i)
      ASSERT_EQ(y.as_double(i), all.as_double((i / plane * 9 + m) * plane + i % plane));
  }
}

TEST(Conv, rounds_half_precision_once) {
  Rng rng(seed_or(5));
  const Tensor x = normal_tensor(DType::f16, {1, 3, 5, 5}, rng);
  const Tensor w = normal_tensor(DType::f16, {2, 3, 3, 3}, rng);
  const Tensor wide_x = convert(x, DType::f32), wide_w = convert(w, DType::f32);
  const Tensor found = run(Op::Conv, {&x, &w});
  EXPECT_TRUE(identical(found, convert(run(Op::Conv, {&wide_x, &wide_w}), DType::f16)));
}

TEST(Conv, auto_pad_same_puts_the_odd_pad_at_the_end_or_the_beginning) {
  const Tensor x = Tensor::of<float>({1, 1, 4}, {1, 2, 3, 4});
  const Tensor w = Tensor::of<float>({1, 1, 2}, {1, 10});
  const auto padded = [&](const char* mode) {
    return run(Op::Conv, {&x, &w}, {{"auto_pad", std::string(mode)}});
  };
  expect_tensor<float>(padded("SAME_UPPER"), {1, 1, 4}, {21, 32, 43, 4});
  expect_tensor<float>(padded("SAME_LOWER"), {1, 1, 4}, {10, 21, 32, 43});
  expect_tensor<float>(padded("VALID"), {1, 1, 3}, {21, 32, 43});
}

/// <Conv(x), y> = <x, ConvTranspose(y)>: the transposed operator is the adjoint of the plain one.
TEST(ConvTranspose, is_the_adjoint_of_conv_for_random_settings) {
  const u64 seed = seed_or(0xC1);
  Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    const Setting s = random_setting(rng);
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round) + " " +
                 s.text());
    const Tensor x = random_tensor(DType::f64, s.x, rng), w = random_tensor(DType::f64, s.w, rng);
    const Tensor forward = run(Op::Conv, {&x, &w}, s.attributes());
    const Tensor y = random_tensor(DType::f64, forward.dims(), rng);
    // The filter [M, C/g, ...] of Conv is the filter [C', M'/g, ...] of the adjoint as it stands.
    Attributes attributes = s.attributes();
    std::vector<i64> lost;  // what the strides of Conv did not reach
    for (size_t a = 2; a < s.x.size(); ++a) {
      const i64 extent = (s.w[a] - 1) * s.dilations[a - 2] + 1;
      lost.push_back((s.x[a] + s.pads[a - 2] + s.pads[a - 2 + s.strides.size()] - extent) %
                     s.strides[a - 2]);
    }
    attributes.set("output_padding", lost);
    const Tensor back = run(Op::ConvTranspose, {&y, &w}, attributes);
    ASSERT_EQ(back.dims(), s.x);
    double left = 0, right = 0;
    for (i64 i = 0; i < y.size(); ++i) left += forward.as_double(i) * y.as_double(i);
    for (i64 i = 0; i < x.size(); ++i) right += x.as_double(i) * back.as_double(i);
    ASSERT_EQ(left, right);
  }
}

TEST(ConvTranspose, reaches_an_output_shape_by_padding) {
  const Tensor x = Tensor::of<float>({1, 1, 2}, {1, 10});
  const Tensor w = Tensor::of<float>({1, 1, 3}, {1, 2, 3});
  const auto shaped = [&](i64 size, const char* mode) {
    return run(Op::ConvTranspose, {&x, &w},
               {{"strides", std::vector<i64>{2}},
                {"output_shape", std::vector<i64>{size}},
                {"auto_pad", std::string(mode)}});
  };
  // Without padding: 1 2 13 20 30. One element goes: the first, or the last with SAME_UPPER.
  expect_tensor<float>(shaped(5, "NOTSET"), {1, 1, 5}, {1, 2, 13, 20, 30});
  expect_tensor<float>(shaped(4, "NOTSET"), {1, 1, 4}, {2, 13, 20, 30});
  expect_tensor<float>(shaped(4, "SAME_UPPER"), {1, 1, 4}, {1, 2, 13, 20});
  expect_tensor<float>(shaped(6, "NOTSET"), {1, 1, 6}, {1, 2, 13, 20, 30, 0});
  const Tensor same =
      run(Op::ConvTranspose, {&x, &w},
          {{"strides", std::vector<i64>{2}}, {"auto_pad", std::string("SAME_LOWER")}});
  expect_tensor<float>(same, {1, 1, 4}, {2, 13, 20, 30});
}

TEST(Conv, names_what_contradicts) {
  const Tensor x(DType::f32, {1, 4, 5, 5}), w(DType::f32, {6, 2, 3, 3}), b(DType::f32, {5});
  const Tensor bias(DType::f32, {6}), wide(DType::f64, {6, 4, 3, 3}), big(DType::f32, {6, 4, 6, 6});
  const auto fails = [&](const std::string& part, std::vector<const Tensor*> in,
                         const Attributes& attributes, Op op = Op::Conv) {
    expect_error(ErrorKind::bad_input, part, [&] { run(op, in, attributes); });
  };
  const auto list = [](std::vector<i64> v) { return v; };
  fails("channels in 1 groups", {&x, &w}, {});
  fails("bias of 6", {&x, &w, &b}, {{"group", i64(2)}});
  fails("4 groups", {&x, &w}, {{"group", i64(4)}});
  fails("expected element type f32", {&x, &wide}, {});
  fails("does not fit", {&x, &big}, {});
  fails("strides: expected 2 values", {&x, &w}, {{"group", i64(2)}, {"strides", list({1})}});
  fails("pads: expected values from 0", {&x, &w},
        {{"group", i64(2)}, {"pads", list({0, -1, 0, 0})}});
  fails("strides: expected values from 1", {&x, &w},
        {{"group", i64(2)}, {"strides", list({0, 1})}});
  fails("kernel_shape", {&x, &w}, {{"group", i64(2)}, {"kernel_shape", list({3, 2})}});
  fails("auto_pad", {&x, &w}, {{"group", i64(2)}, {"auto_pad", std::string("SAME")}});
  fails("group", {&x, &w}, {{"group", i64(0)}});
  fails("agree on channels", {&x, &w}, {}, Op::ConvTranspose);
  fails("rank 3 or more", {&bias, &bias}, {});
}

// -- pools ---------------------------------------------------------------------------------------

/// Input indices of the window at `at`, each with the memory position, by the definition.
std::vector<i64> window_positions(const Dims& x, const Window& v, const Dims& at) {
  std::vector<i64> positions;
  for_each_index(v.kernel, [&](const Dims& tap) {
    Dims from = {at[0], at[1]};
    for (size_t a = 0; a < tap.size(); ++a) {
      const i64 i = at[a + 2] * v.strides[a] + tap[a] * v.dilations[a] - v.begin[a];
      if (i < 0 || i >= v.in[a]) return;
      from.push_back(i);
    }
    positions.push_back(position(x, from));
  });
  return positions;
}

TEST(Pool, equals_the_definition_for_random_settings) {
  const u64 seed = seed_or(0xC2);
  Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    Setting s = random_setting(rng);
    const size_t rank = s.strides.size();
    for (size_t a = 0; a < 2 * rank; ++a) {
      s.x[2 + a % rank] += 3;  // pads shrink to below the kernel, the input makes up for it
      s.pads[a] = std::min(s.pads[a], s.w[2 + a % rank] - 1);
    }
    const bool ceil_mode = rng.below(2), with_pads = rng.below(2), columns = rng.below(2);
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round) + " " +
                 s.text() + (ceil_mode ? " ceil" : ""));
    Attributes attributes = {{"strides", s.strides},
                             {"pads", s.pads},
                             {"kernel_shape", std::vector<i64>(s.w.begin() + 2, s.w.end())},
                             {"ceil_mode", i64(ceil_mode)}};
    const Tensor x = random_tensor(DType::f64, s.x, rng);
    attributes.set("count_include_pad", i64(with_pads));
    const Tensor mean = run(Op::AveragePool, {&x}, attributes);
    const Window plain = pool_window("", attributes, s.x);
    i64 i = 0;
    for_each_index(mean.dims(), [&](const Dims& at) {
      double sum = 0;
      const std::vector<i64> from = window_positions(s.x, plain, at);
      for (i64 p : from) sum += x.as_double(p);
      i64 count = std::ssize(from);
      if (with_pads) {
        count = 1;
        for (size_t a = 0; a < rank; ++a) {
          const i64 start = at[a + 2] * plain.strides[a];  // in padded coordinates
          count *= std::min(plain.kernel[a], plain.begin[a] + plain.in[a] + plain.end[a] - start);
        }
      }
      ASSERT_DOUBLE_EQ(mean.as_double(i++), count ? sum / double(count) : 0) << to_text(at);
    });

    attributes.erase("count_include_pad");
    attributes.set("dilations", s.dilations);
    attributes.set("storage_order", i64(columns));
    const auto both = run_all(Op::MaxPool, {&x}, attributes, 2);
    const Window v = pool_window("", attributes, s.x);
    i = 0;
    for_each_index(both[0].dims(), [&](const Dims& at) {
      double best = std::numeric_limits<double>::lowest();
      for (i64 p : window_positions(s.x, v, at)) best = std::max(best, x.as_double(p));
      ASSERT_EQ(both[0].as_double(i), best) << to_text(at);
      i64 index = both[1].as_int(i++);
      if (best == std::numeric_limits<double>::lowest()) {
        ASSERT_EQ(index, -1);
        return;
      }
      if (columns) {  // the first spatial axis runs fastest: back to row-major
        const i64 plane = element_count(v.in);
        i64 rest = index % plane;
        Dims spatial;
        for (i64 size : v.in) {
          spatial.push_back(rest % size);
          rest /= size;
        }
        index = index / plane * plane + position(v.in, spatial);
      }
      ASSERT_EQ(x.as_double(index), best) << to_text(at);
    });
  }
}

TEST(Pool, drops_a_last_window_that_would_start_behind_the_input) {
  const Tensor x = Tensor::of<float>({1, 1, 4}, {4, 3, 2, 1});
  const auto pooled = [&](std::vector<i64> kernel, std::vector<i64> strides,
                          std::vector<i64> pads) {
    return run(
        Op::MaxPool, {&x},
        {{"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}, {"ceil_mode", i64(1)}});
  };
  expect_tensor<float>(pooled({2}, {3}, {0, 0}), {1, 1, 2}, {4, 1});
  expect_tensor<float>(pooled({3}, {2}, {0, 0}), {1, 1, 2}, {4, 2});
  expect_tensor<float>(pooled({2}, {4}, {0, 1}), {1, 1, 1}, {4});  // ceil says 2 windows
}

// The numbers are those of ONNX Runtime 1.30, optimisations off, on 1, 2, 3, ...
TEST(Pool, rounds_sizes_up_as_onnx_runtime_does) {
  const auto pooled = [](Op op, i64 size, std::vector<i64> kernel, std::vector<i64> strides,
                         std::vector<i64> pads, i64 with_pads) {
    std::vector<float> values;
    for (i64 i = 1; i <= size; ++i) values.push_back(float(i));
    const Tensor x = Tensor::of<float>({1, 1, size}, std::span<const float>(values));
    Attributes a = {
        {"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}, {"ceil_mode", i64(1)}};
    if (op == Op::AveragePool) a.set("count_include_pad", with_pads);
    return run(op, {&x}, a);
  };
  const Op mean = Op::AveragePool;
  expect_tensor<float>(pooled(mean, 4, {3}, {2}, {0, 0}, 1), {1, 1, 2}, {2, 3.5f});
  expect_tensor<float>(pooled(mean, 4, {3}, {2}, {1, 0}, 1), {1, 1, 2}, {1, 3});
  expect_tensor<float>(pooled(mean, 5, {4}, {3}, {1, 1}, 1), {1, 1, 2}, {1.5f, 3});
  expect_tensor<float>(pooled(mean, 6, {4}, {3}, {1, 0}, 1), {1, 1, 2}, {1.5f, 4.5f});
  expect_tensor<float>(pooled(mean, 6, {4}, {3}, {1, 0}, 0), {1, 1, 2}, {2, 4.5f});
  expect_tensor<float>(pooled(Op::MaxPool, 4, {1}, {2}, {0, 0}, 0), {1, 1, 2}, {1, 3});
}

TEST(Pool, takes_bytes_and_refuses_what_it_cannot_pool) {
  const Tensor x = Tensor::of<u8>({1, 1, 3}, {3, 200, 7});
  expect_tensor<u8>(run(Op::MaxPool, {&x}, {{"kernel_shape", std::vector<i64>{2}}}), {1, 1, 2},
                    {200, 200});
  const Tensor wide(DType::i64, {1, 1, 3}), y(DType::f32, {1, 1, 3});
  expect_error(ErrorKind::bad_input, "element type", [&] {
    run(Op::MaxPool, {&wide}, {{"kernel_shape", std::vector<i64>{2}}});
  });
  expect_error(ErrorKind::bad_input, "kernel_shape is required", [&] { run(Op::MaxPool, {&y}); });
  expect_error(ErrorKind::bad_input, "pads smaller", [&] {
    run(Op::AveragePool, {&y},
        {{"kernel_shape", std::vector<i64>{2}}, {"pads", std::vector<i64>{2, 0}}});
  });
  const Tensor empty(DType::f32, {1, 2, 0});
  expect_error(ErrorKind::bad_input, "spatial", [&] { run(Op::GlobalAveragePool, {&empty}); });
}

TEST(Pool, global_average_is_the_mean_of_each_plane) {
  const Tensor x = Tensor::of<float>({1, 2, 1, 2, 2}, {1, 2, 3, 4, 10, 20, 30, 60});
  expect_tensor<float>(run(Op::GlobalAveragePool, {&x}), {1, 2, 1, 1, 1}, {2.5f, 30.f});
}

TEST(Window, in_three_axes_means_the_same) {
  const Window w = resolve_window("", read_window("", {}, 1, {3}), std::vector<i64>{7}).in_3d();
  EXPECT_EQ(w.in, (std::vector<i64>{1, 1, 7}));
  EXPECT_EQ(w.kernel, (std::vector<i64>{1, 1, 3}));
  EXPECT_EQ(w.out, (std::vector<i64>{1, 1, 5}));
  EXPECT_EQ(w.strides, (std::vector<i64>{1, 1, 1}));
  EXPECT_EQ(w.begin, (std::vector<i64>{0, 0, 0}));
}

}  // namespace
}  // namespace sinter
