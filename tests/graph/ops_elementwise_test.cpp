// SPDX-License-Identifier: Apache-2.0
// Binary, unary, activation, normalisation, matrix and reduction operators.
#include <cmath>
#include <limits>

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

/// Two random shapes that broadcast, and what they broadcast to.
void random_broadcast(Rng& rng, Dims& a, Dims& b, Dims& out) {
  a.clear(), b.clear(), out.clear();
  const i64 rank = rng.below(5);
  const i64 missing = rng.below(rank + 1), from = rng.below(2);
  for (i64 i = 0; i < rank; ++i) {
    const i64 size = rng.below(8) == 0 ? 0 : 1 + rng.below(4), kind = rng.below(3);
    const i64 left = kind == 0 ? 1 : size, right = kind == 1 ? 1 : size;
    if (i >= missing || from == 1) a.push_back(left);
    if (i >= missing || from == 0) b.push_back(right);
    out.push_back(i >= missing ? (left == 1 ? right : left) : from == 0 ? right : left);
  }
}

double element(const Tensor& t, const Dims& at) {
  Dims index(at.end() - t.rank(), at.end());
  for (i64 a = 0; a < t.rank(); ++a)
    if (t.dim(a) == 1) index[size_t(a)] = 0;
  return t.as_double(position(t.dims(), index));
}

TEST(Binary, broadcasts_like_index_arithmetic) {
  const u64 seed = seed_or(0xB0);
  Rng rng(seed);
  const std::pair<Op, double (*)(double, double)> ops[] = {
      {Op::Add, [](double a, double b) { return a + b; }},
      {Op::Sub, [](double a, double b) { return a - b; }},
      {Op::Mul, [](double a, double b) { return a * b; }},
      {Op::Equal, [](double a, double b) { return double(a == b); }}};
  for (int round = 0; round < 300; ++round) {
    Dims da, db, out;
    random_broadcast(rng, da, db, out);
    const DType type = round % 3 == 0 ? DType::i64 : round % 3 == 1 ? DType::f32 : DType::f16;
    const Tensor a = random_tensor(type, da, rng), b = random_tensor(type, db, rng);
    for (const auto& [op, f] : ops) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round << " " << name(op)
                                      << to_text(da) << to_text(db));
      const Tensor y = run(op, {&a, &b});
      ASSERT_EQ(y.dims(), out);
      i64 i = 0;
      for_each_index(out, [&](const Dims& at) {
        ASSERT_EQ(y.as_double(i++), f(element(a, at), element(b, at))) << to_text(at);
      });
    }
    const Tensor choose = convert(random_tensor(DType::i64, {}, rng), DType::boolean);
    const Tensor picked = run(Op::Where, {&choose, &a, &b});
    ASSERT_EQ(picked.dims(), out);
    i64 i = 0;
    for_each_index(out, [&](const Dims& at) {
      ASSERT_EQ(picked.as_double(i++), element(choose.as_int(0) ? a : b, at));
    });
  }
}

TEST(Binary, integers_wrap_and_division_truncates) {
  const auto bytes = [](std::initializer_list<std::int8_t> v) {
    return Tensor::of<std::int8_t>({std::ssize(v)}, v);
  };
  const Tensor a = bytes({127, -128, -7, 7}), b = bytes({1, -1, 2, -2});
  expect_tensor<std::int8_t>(run(Op::Add, {&a, &b}), {4}, {-128, 127, -5, 5});
  expect_tensor<std::int8_t>(run(Op::Sub, {&a, &b}), {4}, {126, -127, -9, 9});
  expect_tensor<std::int8_t>(run(Op::Mul, {&a, &b}), {4}, {127, -128, -14, -14});
  expect_tensor<std::int8_t>(run(Op::Div, {&a, &b}), {4}, {127, -128, -3, -3});
  const i64 least = std::numeric_limits<i64>::min();
  const Tensor big = Tensor::of<i64>({2}, {least, -7}), minus = Tensor::scalar<i64>(-1);
  expect_tensor<i64>(run(Op::Div, {&big, &minus}), {2}, {least, 7});
  expect_tensor<i64>(run(Op::Neg, {&big}), {2}, {least, 7});
  const Tensor zero = Tensor::scalar<i64>(0), nothing(DType::i64, {0});
  expect_error(ErrorKind::bad_input, "by zero", [&] { run(Op::Div, {&big, &zero}); });
  expect_tensor<i64>(run(Op::Div, {&nothing, &zero}), {0}, {});
  const Tensor u = Tensor::of<u64>({1}, {~u64(0)}), two = Tensor::of<u64>({1}, {2});
  expect_tensor<u64>(run(Op::Div, {&u, &two}), {1}, {~u64(0) >> 1});
}

TEST(Binary, refuses_types_and_shapes_that_differ) {
  const Tensor f(DType::f32, {2, 3}), i(DType::i64, {2, 3}), g(DType::f32, {2}),
      flag(DType::boolean, {1});
  expect_error(ErrorKind::bad_input, "expected element type f32", [&] { run(Op::Add, {&f, &i}); });
  expect_error(ErrorKind::bad_input, "do not broadcast", [&] { run(Op::Mul, {&f, &g}); });
  expect_error(ErrorKind::bad_input, "numeric", [&] { run(Op::Add, {&flag, &flag}); });
  expect_error(ErrorKind::bad_input, "bool", [&] { run(Op::Where, {&f, &f, &f}); });
  expect_error(ErrorKind::bad_input, "float", [&] { run(Op::Sqrt, {&i}); });
  expect_error(ErrorKind::bad_input, "2 inputs", [&] { run(Op::Add, {&f}); });
  expect_error(ErrorKind::bad_input, "is required", [&] { run(Op::Add, {&f, nullptr}); });
}

TEST(Binary, equal_compares_bools_and_nan_equals_nothing) {
  const Tensor a = Tensor::of<bool>({2}, {true, false}), b = Tensor::of<bool>({2}, {true, true});
  expect_tensor<bool>(run(Op::Equal, {&a, &b}), {2}, {true, false});
  const Tensor n = Tensor::of<float>({2}, {NAN, -0.f}), z = Tensor::of<float>({2}, {NAN, 0.f});
  expect_tensor<bool>(run(Op::Equal, {&n, &z}), {2}, {false, true});
}

TEST(Binary, where_takes_strings) {
  Tensor yes(DType::string, {2}), no(DType::string, {1});
  yes.mutable_strings() = {"a", "b"};
  no.mutable_strings() = {"z"};
  const Tensor choose = Tensor::of<bool>({2}, {false, true});
  expect_tensor<std::string>(run(Op::Where, {&choose, &yes, &no}), {2}, {"z", "b"});
}

TEST(Pow, mixes_types_and_keeps_the_type_of_the_base) {
  const Tensor f = Tensor::of<float>({3}, {2.f, -3.f, 0.5f});
  const Tensor i = Tensor::of<i32>({3}, {2, -3, 5});
  const Tensor two = Tensor::scalar<i64>(2), minus = Tensor::scalar<i64>(-1),
               half = Tensor::scalar<float>(0.5f), three = Tensor::scalar<float>(3.f),
               twenty = Tensor::scalar<u8>(20);
  expect_tensor<float>(run(Op::Pow, {&f, &two}), {3}, {4.f, 9.f, 0.25f});
  expect_tensor<float>(run(Op::Pow, {&f, &three}), {3}, {8.f, -27.f, 0.125f});
  expect_tensor<float>(run(Op::Pow, {&f, &minus}), {3}, {0.5f, -1.f / 3.f, 2.f});
  EXPECT_TRUE(std::isnan(run(Op::Pow, {&f, &half}).data<float>()[1]));
  expect_tensor<i32>(run(Op::Pow, {&i, &two}), {3}, {4, 9, 25});
  expect_tensor<i32>(run(Op::Pow, {&i, &three}), {3}, {8, -27, 125});
  expect_tensor<i32>(run(Op::Pow, {&i, &minus}), {3}, {0, 0, 0});
  expect_tensor<i32>(run(Op::Pow, {&i, &twenty}), {3},
                     {1 << 20, i32(3486784401u), i32(1977800241u)});
  const Tensor ones = Tensor::of<i64>({3}, {1, -1, -1}), e = Tensor::of<i64>({3}, {-5, -5, -4});
  expect_tensor<i64>(run(Op::Pow, {&ones, &e}), {3}, {1, -1, 1});
}

TEST(Unary, computes_in_the_element_type) {
  const Tensor f = Tensor::of<float>({3}, {2.f, 0.25f, 9.f});
  expect_tensor<float>(run(Op::Sqrt, {&f}), {3}, {std::sqrt(2.f), 0.5f, 3.f});
  expect_tensor<float>(run(Op::Exp, {&f}), {3}, {std::exp(2.f), std::exp(0.25f), std::exp(9.f)});
  const Tensor d = convert(f, DType::f64);
  expect_tensor<double>(run(Op::Log, {&d}), {3}, {std::log(2.), std::log(.25), std::log(9.)});
  const Tensor n = Tensor::of<float>({4}, {-0.f, -2.f, NAN, -INFINITY});
  EXPECT_FALSE(std::signbit(run(Op::Abs, {&n}).data<float>()[0]));
  expect_tensor<float>(run(Op::Neg, {&n}), {4}, {0.f, 2.f, NAN, INFINITY});
  const Tensor h = convert(f, DType::bf16);
  EXPECT_TRUE(identical(run(Op::Sqrt, {&h}),
                        convert(Tensor::of<float>({3}, {std::sqrt(2.f), 0.5f, 3.f}), DType::bf16)));
}

TEST(Activation, keeps_nan_and_handles_the_ends) {
  const float inf = INFINITY;
  const Tensor x = Tensor::of<float>({5}, {-inf, -2.f, NAN, 3.f, inf});
  expect_tensor<float>(run(Op::Relu, {&x}), {5}, {0.f, 0.f, NAN, 3.f, inf});
  expect_tensor<float>(run(Op::LeakyRelu, {&x}, {{"alpha", 0.5f}}), {5},
                       {-inf, -1.f, NAN, 3.f, inf});
  expect_tensor<float>(run(Op::LeakyRelu, {&x}), {5}, {-inf, 0.01f * -2.f, NAN, 3.f, inf});
  const Tensor s = run(Op::Sigmoid, {&x});
  EXPECT_EQ(s.data<float>()[0], 0.f);
  EXPECT_EQ(s.data<float>()[4], 1.f);
  EXPECT_NEAR(s.data<float>()[1], 1 / (1 + std::exp(2.)), 1e-7);
  EXPECT_EQ(run(Op::Tanh, {&x}).data<float>()[3], std::tanh(3.f));
  const Tensor low = Tensor::scalar<float>(-1.f), high = Tensor::scalar<float>(2.f);
  expect_tensor<float>(run(Op::Clip, {&x, &low, &high}), {5}, {-1.f, -1.f, NAN, 2.f, 2.f});
  expect_tensor<float>(run(Op::Clip, {&x, nullptr, &high}), {5}, {-inf, -2.f, NAN, 2.f, 2.f});
  expect_tensor<float>(run(Op::Clip, {&x}), {5}, {-inf, -2.f, NAN, 3.f, inf});
  const Tensor ints8 = Tensor::of<std::int8_t>({3}, {-100, 0, 100});
  const Tensor five = Tensor::scalar<std::int8_t>(5);
  expect_tensor<std::int8_t>(run(Op::Clip, {&ints8, &five}), {3}, {5, 5, 100});
  expect_tensor<std::int8_t>(run(Op::Relu, {&ints8}), {3}, {0, 0, 100});
  expect_error(ErrorKind::bad_input, "scalar bound", [&] { run(Op::Clip, {&x, &x}); });
  expect_error(ErrorKind::bad_input, "element type", [&] { run(Op::Clip, {&x, &five}); });
}

TEST(Activation, softmax_sums_to_one_along_any_axis_and_never_overflows) {
  const u64 seed = seed_or(0xB1);
  Rng rng(seed);
  for (i64 axis = -3; axis < 3; ++axis) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " axis " << axis);
    const Tensor x = normal_tensor(DType::f64, {2, 3, 4}, rng);
    const Tensor y = run(Op::Softmax, {&x}, {{"axis", axis}});
    const std::vector<i64> axes = {axis};
    const Tensor sums = run(Op::ReduceSum, {&y, std::make_unique<Tensor>(ints(axes)).get()});
    for (i64 i = 0; i < sums.size(); ++i) EXPECT_NEAR(sums.as_double(i), 1, 1e-15);
    const Tensor e = run(Op::Exp, {&x});
    const Tensor total = run(Op::ReduceSum, {&e, std::make_unique<Tensor>(ints(axes)).get()});
    const Tensor expected = run(Op::Div, {&e, &total});
    for (i64 i = 0; i < y.size(); ++i) EXPECT_NEAR(y.as_double(i), expected.as_double(i), 1e-15);
  }
  const Tensor big = Tensor::of<float>({2}, {1000.f, 1000.f});
  expect_tensor<float>(run(Op::Softmax, {&big}), {2}, {0.5f, 0.5f});
  const Tensor empty(DType::f32, {2, 0});
  expect_tensor<float>(run(Op::Softmax, {&empty}), {2, 0}, {});
  expect_error(ErrorKind::bad_input, "axis", [&] { run(Op::Softmax, {&big}, {{"axis", i64(1)}}); });
}

TEST(Activation, dropout_is_the_identity_in_inference) {
  const Tensor x = Tensor::of<float>({2}, {1.f, -2.f}), ratio = Tensor::scalar<float>(0.9f);
  const Tensor on = Tensor::scalar(true), off = Tensor::scalar(false);
  const auto both = run_all(Op::Dropout, {&x, &ratio, &off}, {}, 2);
  expect_tensor<float>(both[0], {2}, {1.f, -2.f});
  expect_tensor<bool>(both[1], {2}, {true, true});
  const auto trained = run_all(Op::Dropout, {&x, &ratio, &on}, {}, 2);
  for (i64 i = 0; i < 2; ++i)  // 1 - ratio = 0.1
    EXPECT_NEAR(trained[0].as_double(i), trained[1].as_int(i) * 10 * x.as_double(i), 1e-5);
}

TEST(Normalization, follows_the_formula_per_channel) {
  const u64 seed = seed_or(0xB2);
  Rng rng(seed);
  for (const Dims& dims : {Dims{2, 3}, Dims{2, 3, 5}, Dims{1, 3, 2, 2}, Dims{0, 3, 4}}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " " << to_text(dims));
    const Tensor x = normal_tensor(DType::f64, dims, rng);
    const Tensor scale = normal_tensor(DType::f64, {3}, rng),
                 bias = normal_tensor(DType::f64, {3}, rng),
                 mean = normal_tensor(DType::f64, {3}, rng), var = run(Op::Abs, {&scale});
    const Tensor y =
        run(Op::BatchNormalization, {&x, &scale, &bias, &mean, &var}, {{"epsilon", 0.5f}});
    i64 i = 0;
    for_each_index(dims, [&](const Dims& at) {
      const i64 c = at[1];
      const double expected = (x.as_double(i) - mean.as_double(c)) * scale.as_double(c) /
                                  std::sqrt(var.as_double(c) + 0.5) +
                              bias.as_double(c);
      ASSERT_NEAR(y.as_double(i++), expected, 1e-13);
    });
  }
  const Tensor x(DType::f32, {1, 2, 2}), p(DType::f32, {2}), q(DType::f32, {3});
  expect_error(ErrorKind::bad_input, "expected [2]", [&] {
    run(Op::BatchNormalization, {&x, &p, &p, &q, &p});
  });
}

TEST(Normalization, the_fused_forms_equal_their_parts) {
  const u64 seed = seed_or(0xB3);
  Rng rng(seed);
  for (const Dims& dims : {Dims{2, 3}, Dims{2, 3, 5}, Dims{2, 3, 2, 4}}) {
    Dims per_channel(dims.size() - 1, 1);
    per_channel[0] = 3;
    const Tensor x = random_tensor(DType::f32, dims, rng),
                 a = random_tensor(DType::f32, per_channel, rng),
                 b = random_tensor(DType::f32, per_channel, rng),
                 c = random_tensor(DType::f32, {}, rng);
    const Tensor ax = run(Op::Mul, {&a, &x}), axb = run(Op::Add, {&ax, &b}),
                 q = run(Op::Mul, {&axb, &x}), expected = run(Op::Add, {&q, &c});
    EXPECT_TRUE(identical(run(Op::ChannelQuadratic, {&x, &a, &b, &c}), expected))
        << "seed " << seed;
    EXPECT_TRUE(identical(run(Op::ChannelAffine, {&x, &a, &b}), axb)) << "seed " << seed;
  }
  const Tensor x(DType::f32, {1, 2}), big(DType::f32, {3, 2}), longer(DType::f32, {1, 1, 2});
  expect_error(ErrorKind::bad_input, "does not broadcast to", [&] {
    run(Op::ChannelAffine, {&x, &big, &x});
  });
  expect_error(ErrorKind::bad_input, "does not broadcast to", [&] {
    run(Op::ChannelAffine, {&x, &x, &longer});
  });
}

TEST(Matrix, gemm_equals_the_sum_for_every_transposition_and_c) {
  const u64 seed = seed_or(0xB4);
  Rng rng(seed);
  const i64 m = 3, n = 4, k = 5;
  for (i64 ta = 0; ta < 2; ++ta)
    for (i64 tb = 0; tb < 2; ++tb)
      for (const Dims& dc : {Dims{}, Dims{1}, Dims{n}, Dims{m, 1}, Dims{1, n}, Dims{m, n}}) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << " " << ta << tb << to_text(dc));
        const Tensor a = random_tensor(DType::f32, ta ? Dims{k, m} : Dims{m, k}, rng),
                     b = random_tensor(DType::f32, tb ? Dims{n, k} : Dims{k, n}, rng),
                     c = random_tensor(DType::f32, dc, rng);
        const Tensor y = run(Op::Gemm, {&a, &b, &c},
                             {{"transA", ta}, {"transB", tb}, {"alpha", 0.5f}, {"beta", 2.f}});
        ASSERT_EQ(y.dims(), (Dims{m, n}));
        for_each_index({m, n}, [&](const Dims& at) {
          double sum = 0;
          for (i64 i = 0; i < k; ++i)
            sum += a.as_double(ta ? i * m + at[0] : at[0] * k + i) *
                   b.as_double(tb ? at[1] * k + i : i * n + at[1]);
          EXPECT_EQ(y.as_double(at[0] * n + at[1]), 0.5 * sum + 2 * element(c, at));
        });
      }
  const Tensor a(DType::f32, {2, 3}), b(DType::f32, {4, 2}), c(DType::f32, {3, 2});
  const Tensor ok(DType::f32, {3, 2});
  expect_error(ErrorKind::bad_input, "inner sizes", [&] { run(Op::Gemm, {&a, &b}); });
  const Tensor longer(DType::f32, {1, 2, 2});
  expect_error(ErrorKind::bad_input, "does not broadcast", [&] {
    run(Op::Gemm, {&a, &ok, &longer});
  });
  expect_error(ErrorKind::bad_input, "do not broadcast", [&] { run(Op::Gemm, {&a, &ok, &c}); });
}

TEST(Matrix, matmul_treats_vectors_and_batches_as_numpy_does) {
  const u64 seed = seed_or(0xB5);
  Rng rng(seed);
  struct Case {
    Dims a, b, out;
  };
  for (const Case& c : {Case{{3}, {3}, {}}, Case{{3}, {3, 2}, {2}}, Case{{4, 3}, {3}, {4}},
                        Case{{2, 1, 4, 3}, {5, 3, 2}, {2, 5, 4, 2}}, Case{{3}, {2, 3, 4}, {2, 4}},
                        Case{{2, 4, 3}, {3}, {2, 4}}, Case{{2, 0}, {0, 3}, {2, 3}},
                        Case{{0, 2, 3}, {3, 2}, {0, 2, 2}}}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << to_text(c.a) << to_text(c.b));
    for (DType type : {DType::f64, DType::i32}) {
      const Tensor a = random_tensor(type, c.a, rng), b = random_tensor(type, c.b, rng);
      const Tensor y = run(Op::MatMul, {&a, &b});
      ASSERT_EQ(y.dims(), c.out);
      const i64 inner = c.a.back();
      const bool va = c.a.size() == 1, vb = c.b.size() == 1;
      i64 i = 0;
      for_each_index(c.out, [&](const Dims& at) {
        Dims full = at;  // with the missing row and column back
        if (va) full.insert(full.end() - (vb ? 0 : 1), 0);
        if (vb) full.push_back(0);
        double sum = 0;
        for (i64 k = 0; k < inner; ++k) {
          Dims ia = full, ib = full;
          ia.back() = k;
          ib[ib.size() - 2] = k;
          if (va) ia = {k};
          if (vb) ib = {k};
          sum += element(a, ia) * element(b, ib);
        }
        ASSERT_EQ(y.as_double(i++), sum) << to_text(at);
      });
    }
  }
  const Tensor s(DType::f32, {}), a(DType::f32, {2, 3});
  expect_error(ErrorKind::bad_input, "rank 1", [&] { run(Op::MatMul, {&s, &a}); });
  expect_error(ErrorKind::bad_input, "inner sizes", [&] { run(Op::MatMul, {&a, &a}); });
}

TEST(Reduce, sums_and_means_over_any_axes) {
  const u64 seed = seed_or(0xB6);
  Rng rng(seed);
  const Dims dims = {2, 3, 4};
  const Tensor x = random_tensor(DType::f64, dims, rng);
  for (int mask = 0; mask < 8; ++mask)
    for (i64 keep = 0; keep < 2; ++keep) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " mask " << mask << " keep " << keep);
      std::vector<i64> axes;
      Dims kept, out;
      i64 count = 1;
      for (i64 a = 0; a < 3; ++a) {
        const bool reduced = mask == 0 || (mask >> a & 1);
        if (mask >> a & 1) axes.push_back(a % 2 ? a : a - 3);
        kept.push_back(reduced ? 1 : dims[size_t(a)]);
        if (!reduced || keep) out.push_back(kept.back());
        if (reduced) count *= dims[size_t(a)];
      }
      std::vector<double> expected(size_t(element_count(kept)), 0);
      i64 i = 0;
      for_each_index(dims, [&](const Dims& at) {
        Dims to = at;
        for (size_t a = 0; a < 3; ++a)
          if (kept[a] == 1) to[a] = 0;
        expected[size_t(position(kept, to))] += x.as_double(i++);
      });
      const Tensor axes_tensor = ints(axes);
      expect_tensor<double>(run(Op::ReduceSum, {&x, &axes_tensor}, {{"keepdims", keep}}), out,
                            expected);
      for (double& v : expected) v /= double(count);
      expect_tensor<double>(run(Op::ReduceMean, {&x, &axes_tensor}, {{"keepdims", keep}}), out,
                            expected);
    }
  const Tensor none = ints({});
  const Tensor same = run(Op::ReduceSum, {&x, &none}, {{"noop_with_empty_axes", i64(1)}});
  EXPECT_TRUE(identical(same, x));
  EXPECT_TRUE(identical(run(Op::ReduceSum, {&x}, {{"noop_with_empty_axes", i64(1)}}), x));
  const Tensor n = Tensor::of<i32>({3}, {-1, -2, -5});
  expect_tensor<i32>(run(Op::ReduceMean, {&n}), {1}, {-2});
  const Tensor twice = ints({0, -3});
  expect_error(ErrorKind::bad_input, "repeat", [&] { run(Op::ReduceSum, {&x, &twice}); });
  const Tensor empty(DType::f32, {0});
  expect_tensor<float>(run(Op::ReduceSum, {&empty}), {1}, {0.f});
  EXPECT_TRUE(std::isnan(run(Op::ReduceMean, {&empty}).data<float>()[0]));
}

}  // namespace
}  // namespace sinter
