// SPDX-License-Identifier: Apache-2.0
// Tensors: ownership, views, conversions; half precision against exhaustive arithmetic.
#include "graph/tensor.h"

#include <bit>
#include <cmath>

#include "graph/attributes.h"
#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

TEST(Tensor, starts_as_aligned_zeros) {
  for (const Dims& dims : {Dims{}, Dims{0}, Dims{3, 5}}) {
    const Tensor t(DType::f32, dims);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.raw().data()) % 64, 0u);
    EXPECT_EQ(t.size(), element_count(dims));
    EXPECT_EQ(t.byte_size(), 4 * t.size());
    for (float v : t.data<float>()) EXPECT_EQ(v, 0.f);
  }
  EXPECT_EQ(Tensor(DType::string, {2}).strings(), (std::vector<std::string>{"", ""}));
}

TEST(Tensor, refuses_sizes_that_do_not_fit) {
  expect_error(ErrorKind::bad_input, "size", [] { Tensor(DType::u8, {-1}); });
  const i64 big = i64(1) << 40;
  expect_error(ErrorKind::bad_input, "size", [&] { Tensor(DType::u8, {big, big}); });
  expect_error(ErrorKind::bad_input, "size", [&] { Tensor(DType::f64, {big, 1 << 20}); });
  expect_error(ErrorKind::bad_argument, "2 values", [] { Tensor::of<float>({2}, {1.f}); });
}

TEST(Tensor, views_share_bytes_and_keep_their_owner) {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  const std::weak_ptr<std::vector<float>> watch = owner;
  const auto bytes = std::as_bytes(std::span(*owner));
  Tensor t = Tensor::view(DType::f32, {2, 2}, bytes, owner);
  EXPECT_TRUE(t.is_view());
  EXPECT_EQ(t.raw().data(), bytes.data());
  owner.reset();
  EXPECT_FALSE(watch.expired());
  expect_tensor<float>(t.clone(), {2, 2}, {1, 2, 3, 4});
  EXPECT_FALSE(t.clone().is_view());
  Tensor flat = std::move(t).reshaped({4});
  EXPECT_TRUE(flat.is_view());
  flat = Tensor();
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, a_view_of_unaligned_bytes_is_a_copy_and_wrong_sizes_are_refused) {
  alignas(8) std::byte bytes[9] = {};
  bytes[1] = std::byte(1);
  const Tensor t = Tensor::view(DType::i32, {1}, std::span(bytes).subspan(1, 4), nullptr);
  EXPECT_FALSE(t.is_view());
  expect_tensor<i32>(t, {1}, {1});
  expect_error(ErrorKind::bad_input, "4 bytes expected, found 5",
               [&] { Tensor::view(DType::i32, {1}, std::span(bytes).first(5), nullptr); });
  expect_error(ErrorKind::bad_input, "string",
               [&] { Tensor::view(DType::string, {0}, std::span(bytes).first(0), nullptr); });
}

TEST(Tensor, identical_compares_type_shape_and_bytes) {
  const Tensor x = Tensor::of<float>({2}, {0.f, NAN}), y = Tensor::of<float>({2}, {-0.f, NAN});
  EXPECT_TRUE(identical(x, x.clone()));
  EXPECT_FALSE(identical(x, y));
  EXPECT_FALSE(identical(x, x.clone().reshaped({2, 1})));
  EXPECT_FALSE(identical(x, Tensor(DType::i32, {2})));
}

TEST(Convert, follows_the_rules_of_the_language_and_never_traps) {
  const Tensor f = Tensor::of<double>({6}, {-1.9, 2.9, 1e30, -1e30, NAN, 0});
  expect_tensor<i32>(convert(f, DType::i32), {6}, {-1, 2, 0, 0, 0, 0});
  expect_tensor<bool>(convert(f, DType::boolean), {6}, {true, true, true, true, true, false});
  const Tensor n = Tensor::of<i64>({3}, {-1, 300, i64(1) << 32});
  expect_tensor<u8>(convert(n, DType::u8), {3}, {255, 44, 0});
  expect_tensor<float>(convert(n, DType::f32), {3}, {-1.f, 300.f, 0x1p32f});
  expect_error(ErrorKind::unsupported, "string", [&] { convert(n, DType::string); });
  EXPECT_EQ(n.as_ints(), (std::vector<i64>{-1, 300, i64(1) << 32}));
}

TEST(Half, widening_and_narrowing_again_is_the_identity) {
  for (int bits = 0; bits < 65536; ++bits) {
    const Half h{u16(bits)};
    const BFloat b{u16(bits)};
    const float f = to_float(h), g = to_float(b);
    if (std::isnan(f))
      EXPECT_TRUE(std::isnan(to_float(to_half(f))));
    else
      ASSERT_EQ(to_half(f).bits, h.bits);
    if (std::isnan(g))
      EXPECT_TRUE(std::isnan(to_float(to_bfloat(g))));
    else
      ASSERT_EQ(to_bfloat(g).bits, b.bits);
  }
}

TEST(Half, rounds_to_the_nearest_and_ties_to_even) {
  const u64 seed = seed_or(0xF16);
  Rng rng(seed);
  for (int round = 0; round < 20000; ++round) {
    const float v = float(rng.normal() * std::exp2(double(rng.below(44)) - 28));
    const u16 magnitude = to_half(std::fabs(v)).bits;
    if (std::fabs(v) >= 65520.f) {
      ASSERT_EQ(magnitude, 0x7C00);
      continue;
    }
    ASSERT_EQ(to_half(v).bits, magnitude | (std::signbit(v) ? 0x8000 : 0));
    const double error = std::fabs(to_float(Half{magnitude}) - std::fabs(double(v)));
    for (int step : {-1, 1}) {
      const int bits = magnitude + step;
      if (bits < 0 || bits >= 0x7C00) continue;
      const double other = std::fabs(to_float(Half{u16(bits)}) - std::fabs(double(v)));
      ASSERT_TRUE(error < other || (error == other && magnitude % 2 == 0))
          << "seed " << seed << " value " << v;
    }
  }
}

}  // namespace
}  // namespace sinter
