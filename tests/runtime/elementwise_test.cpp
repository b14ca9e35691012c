// SPDX-License-Identifier: Apache-2.0
// Elementwise kernels: bits of the reference where one rounding is all there is, bounds elsewhere;
// sizes around the vector width, special values, writing over the input.
#include "runtime/kernels/elementwise.h"

#include "runtime/kernels/broadcast.h"
#include "tests/runtime/support.h"

namespace sinter {
namespace {

using namespace testing_support;

SINTER_ON_EVERY_ISA(ElementwiseOnIsa);

constexpr i64 kSizes[] = {1, 7, 8, 9, 15, 31, 33, 1024};

Tensor with_specials(Rng& rng, i64 size) {
  Tensor x = random_f32(rng, {size}, 3);
  const float specials[] = {NAN, INFINITY, -INFINITY, 0.f, -0.f, 1e-42f, -3e38f};
  for (i64 i = 0; i < size; i += 3)
    x.mutable_data<float>()[size_t(i)] = specials[size_t(i / 3) % 7];
  return x;
}

TEST_P(ElementwiseOnIsa, unary_operators_give_the_bits_of_the_reference) {
  const std::pair<Op, Attributes> all[] = {{Op::Relu, {}}, {Op::LeakyRelu, {{"alpha", 0.3f}}},
                                           {Op::Neg, {}},  {Op::Abs, {}},
                                           {Op::Sqrt, {}}, {Op::Exp, {}},
                                           {Op::Log, {}},  {Op::Sigmoid, {}},
                                           {Op::Tanh, {}}};
  for (const auto& [op, attributes] : all)
    for (i64 size : kSizes) {
      SCOPED_TRACE(std::string(name(op)) + " of " + std::to_string(size));
      Rng rng(u64(size) + base_seed());
      OpCase c{op, attributes};
      c.inputs.push_back(with_specials(rng, size));
      expect_identical(c, GetParam());
    }
}

TEST_P(ElementwiseOnIsa, clip_gives_the_bits_of_the_reference_with_any_bounds) {
  for (i64 size : kSizes)
    for (int bounds = 0; bounds < 5; ++bounds) {
      Rng rng(u64(size) + base_seed());
      OpCase c{Op::Clip, {}, {}, {false, true, true}};
      c.inputs.push_back(with_specials(rng, size));
      c.inputs.push_back(bounds == 1 || bounds == 0 ? Tensor() : Tensor::scalar(-0.5f));
      if (bounds >= 1) c.inputs.push_back(Tensor::scalar(bounds == 4 ? -1.f : 0.75f));
      SCOPED_TRACE(testing::Message() << "size " << size << " bounds " << bounds);
      expect_identical(c, GetParam());
    }
}

TEST_P(ElementwiseOnIsa, binary_operators_broadcast_as_the_reference_does) {
  const std::pair<Dims, Dims> shapes[] = {{{1}, {1}},
                                          {{33}, {33}},
                                          {{33}, {}},
                                          {{}, {33}},
                                          {{2, 3, 4, 9}, {3, 1, 1}},
                                          {{3, 1, 1}, {2, 3, 4, 9}},
                                          {{2, 3, 17}, {17}},
                                          {{17}, {2, 3, 17}},
                                          {{5, 1}, {1, 7}},
                                          {{2, 1, 3, 1}, {4, 1, 5}},
                                          {{2, 3, 4}, {2, 1, 4}},
                                          {{1, 1, 8, 16}, {1, 8, 1}},
                                          {{40, 50, 20}, {50, 1}}};
  for (Op op : {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Pow})
    for (const auto& [a, b] : shapes) {
      SCOPED_TRACE(std::string(name(op)) + " " + to_text(a) + " " + to_text(b));
      Rng rng(base_seed());
      OpCase c{op, {}};
      c.inputs.push_back(random_f32(rng, a));
      c.inputs.push_back(random_f32(rng, b));
      expect_identical(c, GetParam());
      expect_identical(c, GetParam(), 3);
    }
}

TEST_P(ElementwiseOnIsa, squares_are_exact_products) {
  for (bool integer : {false, true}) {
    Rng rng(base_seed());
    OpCase c{Op::Pow, {}, {}, {false, true}};
    c.inputs.push_back(with_specials(rng, 37));
    c.inputs.push_back(integer ? Tensor::scalar<i64>(2) : Tensor::scalar(2.f));
    expect_identical(c, GetParam());
  }
}

TEST_P(ElementwiseOnIsa, results_may_be_written_over_an_input) {
  for (i64 size : kSizes) {
    Rng rng{u64(size)};
    const Tensor a = random_f32(rng, {size}), b = random_f32(rng, {size});
    Tensor y(DType::f32, {size}), over_a = a.clone(), over_b = b.clone(), relu = a.clone();
    const auto run = [&](const Tensor& p, const Tensor& q, Tensor& out) {
      binary_f32(GetParam(), BinaryOp::sub, p.data<float>().data(), 1, q.data<float>().data(), 1,
                 size, out.mutable_data<float>().data());
    };
    run(a, b, y);
    run(over_a, b, over_a);
    run(a, over_b, over_b);
    EXPECT_TRUE(identical(y, over_a) && identical(y, over_b)) << "size " << size;
    unary_f32(GetParam(), UnaryOp::relu, relu.data<float>(), relu.mutable_data<float>());
    for (i64 i = 0; i < size; ++i) EXPECT_EQ(relu.as_double(i), std::max(a.as_double(i), 0.0));
  }
}

TEST_P(ElementwiseOnIsa, softmax_rows_are_within_their_bound) {
  for (const Dims& dims : {Dims{7}, Dims{3, 1}, Dims{5, 10}, Dims{2, 3, 129}, Dims{4, 9, 1}}) {
    Rng rng(base_seed());
    OpCase c{Op::Softmax, {{"axis", dims.back() == 1 ? i64(-2) : i64(-1)}}};
    c.inputs.push_back(random_f32(rng, dims, 4));
    const Tensor got = std::move(run_fast(c, GetParam())[0]), want = std::move(run_wide(c)[0]);
    const double n = double(dims.back() == 1 ? dims[dims.size() - 2] : dims.back());
    // Beside the stated n + 16, the rounding of x - max(x) counts as often as it is large.
    expect_within(got, want, want, n + 16 + 60);
  }
}

TEST(BroadcastLoop, visits_every_element_once_in_order) {
  for (u64 seed = base_seed(); seed < base_seed() + 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    Dims out, a, b;
    for (i64 axis = rng.below(5); axis > 0; --axis) {
      out.push_back(1 + rng.below(4));
      a.push_back(rng.below(3) == 0 ? 1 : out.back());
      b.push_back(rng.below(3) == 0 ? 1 : out.back());
    }
    const BroadcastLoop loop = broadcast_loop(out, {a, b});
    const i64 total = element_count(out), half = loop.runs / 2;
    std::vector<std::array<i64, 2>> seen(size_t(total), {-1, -1});
    const auto body = [&](i64 to, const std::array<i64, 3>& from) {
      for (i64 i = 0; i < loop.inner; ++i)
        seen[size_t(to + i)] = {from[0] + i * loop.inner_steps[0],
                                from[1] + i * loop.inner_steps[1]};
    };
    for_runs(loop, half, loop.runs, body);
    for_runs(loop, 0, half, body);
    for (i64 flat = 0; flat < total; ++flat) {
      i64 want_a = 0, want_b = 0, step_a = 1, step_b = 1, rest = flat;
      for (i64 axis = std::ssize(out) - 1; axis >= 0; --axis) {
        const size_t k = size_t(axis);
        const i64 index = rest % out[k];
        rest /= out[k];
        want_a += a[k] == 1 ? 0 : index * step_a, want_b += b[k] == 1 ? 0 : index * step_b;
        step_a *= a[k], step_b *= b[k];
      }
      ASSERT_EQ(seen[size_t(flat)], (std::array<i64, 2>{want_a, want_b})) << "element " << flat;
    }
  }
}

}  // namespace
}  // namespace sinter
