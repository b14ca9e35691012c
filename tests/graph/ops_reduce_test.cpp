// SPDX-License-Identifier: Apache-2.0
// Reductions, ArgMax and ArgMin, CumSum, Size, Det, Einsum: against index arithmetic in double, and
// corner by corner.
#include <cmath>
#include <limits>

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

struct Reduction {
  Op op;
  double start;
  double (*step)(double, double);
  double (*finish)(double, double count);
};

const Reduction kReductions[] = {
    {Op::ReduceSum, 0, [](double a, double v) { return a + v; },
     [](double a, double) { return a; }},
    {Op::ReduceMean, 0, [](double a, double v) { return a + v; },
     [](double a, double n) { return a / n; }},
    {Op::ReduceProd, 1, [](double a, double v) { return a * v; },
     [](double a, double) { return a; }},
    {Op::ReduceL1, 0, [](double a, double v) { return a + std::fabs(v); },
     [](double a, double) { return a; }},
    {Op::ReduceL2, 0, [](double a, double v) { return a + v * v; },
     [](double a, double) { return std::sqrt(a); }},
    {Op::ReduceSumSquare, 0, [](double a, double v) { return a + v * v; },
     [](double a, double) { return a; }},
    {Op::ReduceLogSum, 0, [](double a, double v) { return a + v; },
     [](double a, double) { return std::log(a); }},
    {Op::ReduceLogSumExp, 0, [](double a, double v) { return a + std::exp(v); },
     [](double a, double) { return std::log(a); }},
    {Op::ReduceMax, -1e9, [](double a, double v) { return std::fmax(a, v); },
     [](double a, double) { return a; }},
    {Op::ReduceMin, 1e9, [](double a, double v) { return std::fmin(a, v); },
     [](double a, double) { return a; }}};

/// The reduction over the axes of `mask`, kept.
std::vector<double> expected_of(const Reduction& r, const Tensor& x, const Dims& kept) {
  std::vector<double> all(size_t(element_count(kept)), r.start);
  i64 i = 0;
  for_each_index(x.dims(), [&](const Dims& at) {
    Dims to = at;
    for (size_t a = 0; a < to.size(); ++a)
      if (kept[a] == 1) to[a] = 0;
    double& v = all[size_t(position(kept, to))];
    v = r.step(v, x.as_double(i++));
  });
  for (double& v : all) v = r.finish(v, double(x.size()) / double(all.size()));
  return all;
}

TEST(Reduce, every_operator_over_any_axes_agrees_with_index_arithmetic) {
  const u64 seed = seed_or(0x2E);
  Rng rng(seed);
  const Dims dims = {2, 3, 4};
  for (const Reduction& r : kReductions)
    for (DType type : {DType::f32, DType::f64, DType::i32, DType::i64, DType::f16})
      for (i64 mask = 1; mask < 8; ++mask) {
        SCOPED_TRACE(testing::Message()
                     << "seed " << seed << " " << name(r.op) << name(type) << " axes " << mask);
        Tensor x(DType::f64, dims);
        for (double& v : x.mutable_data<double>()) v = double(1 + rng.below(3));
        x = convert(x, type);
        std::vector<i64> axes;
        Dims kept = dims;
        for (i64 a = 0; a < 3; ++a)
          if (mask >> a & 1) axes.push_back(a == 1 ? a : a - 3), kept[size_t(a)] = 1;
        const std::vector<double> expected = expected_of(r, x, kept);
        const Tensor chosen = ints(axes), y = run(r.op, {&x, &chosen});
        ASSERT_EQ(y.dims(), kept);
        ASSERT_EQ(y.dtype(), type);
        const bool huge = type == DType::f16 && std::fabs(expected[0]) > 60000;
        for (i64 i = 0; i < y.size() && !huge; ++i) {
          const double e = expected[size_t(i)];
          if (is_integer(type))
            ASSERT_EQ(y.as_int(i), i64(std::fmod(e, 0x1p31))) << e;
          else
            ASSERT_NEAR(y.as_double(i), e, (type == DType::f16 ? 2e-3 : 1e-5) * (1 + std::fabs(e)));
        }
      }
}

TEST(Reduce, without_axes_all_are_reduced_or_none) {
  const Tensor x = Tensor::of<float>({2, 2}, {1, -2, 3, -4});
  for (const Reduction& r : kReductions) {
    SCOPED_TRACE(name(r.op));
    const Tensor none = ints({});
    EXPECT_EQ(run(r.op, {&x}).dims(), (Dims{1, 1}));
    EXPECT_EQ(run(r.op, {&x, &none}, {{"keepdims", i64(0)}}).dims(), (Dims{}));
    EXPECT_TRUE(identical(run(r.op, {&x, &none}, {{"noop_with_empty_axes", i64(1)}}), x));
  }
}

TEST(Reduce, corners) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::of<float>({3}, {1, nan, 2}), empty(DType::f32, {0});
  for (const Reduction& r : kReductions)
    EXPECT_TRUE(std::isnan(run(r.op, {&x}).as_double(0))) << name(r.op);
  expect_tensor<float>(run(Op::ReduceMax, {&empty}), {1}, {-infinity});
  expect_tensor<float>(run(Op::ReduceMin, {&empty}), {1}, {infinity});
  expect_tensor<float>(run(Op::ReduceProd, {&empty}), {1}, {1});
  expect_tensor<float>(run(Op::ReduceLogSumExp, {&empty}), {1}, {-infinity});
  const Tensor large = Tensor::of<float>({2}, {1000, 1000});
  EXPECT_NEAR(run(Op::ReduceLogSumExp, {&large}).as_double(0), 1000 + std::log(2.), 1e-4);
  const Tensor bools = Tensor::of<bool>({2, 2}, {true, false, false, false}), last = ints({1});
  expect_tensor<bool>(run(Op::ReduceMax, {&bools, &last}), {2, 1}, {true, false});
  expect_tensor<bool>(run(Op::ReduceMin, {&bools, &last}), {2, 1}, {false, false});
  const Tensor none(DType::i64, {0});
  expect_error(ErrorKind::bad_input, "no elements", [&] { run(Op::ReduceMean, {&none}); });
  expect_error(ErrorKind::bad_input, "i64", [&] { run(Op::ReduceMax, {&x, &x}); });
}

TEST(Reduce, arg_picks_the_first_or_the_last_of_equals) {
  const Tensor x = Tensor::of<float>({2, 3}, {2, 5, 5, 1, 0, 0});
  const Attributes last = {{"axis", i64(1)}, {"select_last_index", i64(1)}};
  expect_tensor<i64>(run(Op::ArgMax, {&x}), {1, 3}, {0, 0, 0});
  expect_tensor<i64>(run(Op::ArgMin, {&x}, {{"axis", i64(-1)}, {"keepdims", i64(0)}}), {2}, {0, 1});
  expect_tensor<i64>(run(Op::ArgMax, {&x}, last), {2, 1}, {2, 0});
  expect_tensor<i64>(run(Op::ArgMin, {&x}, last), {2, 1}, {0, 2});
  const Tensor empty(DType::f32, {0});
  expect_error(ErrorKind::bad_input, "no elements", [&] { run(Op::ArgMax, {&empty}); });
}

TEST(Reduce, running_sums_go_either_way_with_or_without_the_element) {
  const Tensor x = ints({1, 2, 3}), axis = Tensor::scalar<i64>(0);
  const auto sum = [&](i64 exclusive, i64 reverse) {
    return run(Op::CumSum, {&x, &axis}, {{"exclusive", exclusive}, {"reverse", reverse}});
  };
  expect_tensor<i64>(sum(0, 0), {3}, {1, 3, 6});
  expect_tensor<i64>(sum(1, 0), {3}, {0, 1, 3});
  expect_tensor<i64>(sum(0, 1), {3}, {6, 5, 3});
  expect_tensor<i64>(sum(1, 1), {3}, {5, 3, 0});
  const Tensor matrix = Tensor::of<float>({2, 2}, {1, 2, 3, 4}), minus = Tensor::scalar<i32>(-2);
  expect_tensor<float>(run(Op::CumSum, {&matrix, &minus}), {2, 2}, {1, 2, 4, 6});
}

TEST(Reduce, determinants) {
  const Tensor x = Tensor::of<double>({3, 2, 2}, {1, 2, 3, 4, 0, 1, 1, 0, 2, 4, 1, 2});
  const Tensor y = run(Op::Det, {&x});
  ASSERT_EQ(y.dims(), (Dims{3}));
  const double expected[] = {-2, -1, 0};
  for (i64 i = 0; i < 3; ++i) EXPECT_NEAR(y.as_double(i), expected[i], 1e-14);
  const Tensor wrong(DType::f32, {2, 3});
  expect_error(ErrorKind::bad_input, "square", [&] { run(Op::Det, {&wrong}); });
}

Tensor einsum(const std::string& equation, std::vector<const Tensor*> inputs) {
  return run(Op::Einsum, std::move(inputs), {{"equation", equation}});
}

TEST(Einsum, agrees_with_other_operators) {
  const u64 seed = seed_or(0xE1);
  Rng rng(seed);
  const Tensor a = random_tensor(DType::f32, {2, 3, 4}, rng),
               b = random_tensor(DType::f32, {2, 4, 5}, rng),
               m = random_tensor(DType::f32, {3, 3}, rng), axis = ints({1});
  EXPECT_TRUE(identical(einsum("bij, bjk -> bik", {&a, &b}), run(Op::MatMul, {&a, &b})));
  EXPECT_TRUE(identical(einsum("...ij,...jk", {&a, &b}), run(Op::MatMul, {&a, &b})));
  EXPECT_TRUE(identical(einsum("bij->bji", {&a}),
                        run(Op::Transpose, {&a}, {{"perm", std::vector<i64>{0, 2, 1}}})));
  EXPECT_TRUE(identical(einsum("b...j->bj", {&a}),
                        run(Op::ReduceSum, {&a, &axis}, {{"keepdims", i64(0)}})));
  EXPECT_TRUE(identical(einsum("...,...->...", {&a, &a}), run(Op::Mul, {&a, &a})));
  EXPECT_EQ(einsum("ii", {&m}).as_double(0), m.as_double(0) + m.as_double(4) + m.as_double(8));
  expect_tensor<float>(einsum("ii->i", {&m}), {3},
                       {float(m.as_double(0)), float(m.as_double(4)), float(m.as_double(8))});
  const Tensor v = Tensor::of<i64>({2}, {3, 4}), w = Tensor::of<i64>({2}, {5, 6});
  expect_tensor<i64>(einsum("a,a", {&v, &w}), {}, {39});
  expect_tensor<i64>(einsum("b,a", {&v, &w}), {2, 2}, {15, 20, 18, 24});
  expect_tensor<i64>(einsum("a,a,a->", {&v, &w, &v}), {}, {141});
}

TEST(Einsum, equations_that_do_not_fit_are_refused) {
  const Tensor a(DType::f32, {2, 3});
  for (const char* equation : {"", "i", "ijk", "ij,ij", "i1", "ij->ik", "ij->ii", "ij...k", "i..j",
                               "......", "ij->->", ","})
    expect_error(ErrorKind::bad_input, "equation", [&] { einsum(equation, {&a}); });
  expect_error(ErrorKind::bad_input, "do not broadcast", [&] { einsum("ii", {&a}); });
}

TEST(Reduce, symbolic_shapes_and_contents) {
  Graph g;
  const Dim batch = Dim::symbol("batch");
  const ValueId x = g.add_input("x", DType::f32, Shape{batch, 3, 4});
  const auto text = [&](ValueId v) { return to_text(*g.shape(v)); };
  const ValueId unknown = g.add_input("axes", DType::i64, Shape{2});
  EXPECT_EQ(text(g.add(Op::ReduceMax, {x, unknown})), "[?,?,?]");
  EXPECT_EQ(text(g.add(Op::ReduceMax, {x, unknown}, {{"keepdims", i64(0)}})), "[?]");
  EXPECT_EQ(text(g.add(Op::ArgMax, {x}, {{"axis", i64(1)}, {"keepdims", i64(0)}})), "[batch,4]");
  EXPECT_EQ(text(g.add(Op::Einsum, {x, x}, {{"equation", std::string("bij,bkj->bik")}})),
            "[batch,3,3]");
  const ValueId shape = g.add(Op::Shape, {x});
  const auto content = [&](ValueId v) { return g.value(v).type.dims.value().at(0).text(); };
  EXPECT_EQ(content(g.add(Op::ReduceProd, {shape}, {{"keepdims", i64(0)}})), "12*batch");
  EXPECT_EQ(content(g.add(Op::ReduceSum, {shape})), "batch + 7");
  EXPECT_EQ(content(g.add(Op::Size, {x})), "12*batch");
}

}  // namespace
}  // namespace sinter
