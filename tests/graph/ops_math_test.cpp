// SPDX-License-Identifier: Apache-2.0
// Unary functions, activations, comparisons, logic, bits, extrema and casts: against formulas in
// double on random numbers, then the corners (NaN, zeros, halves, overflow) one by one.
#include <cmath>
#include <limits>

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double between_0_and_1(double x) { return std::fmax(0, std::fmin(1, x)); }

struct Formula {
  Op op;
  double (*f)(double);
  double low = -4, high = 4;  ///< numbers tried
  Attributes attributes = {};
};

std::vector<Formula> formulas() {
  const auto alpha = [](float v) { return Attributes{{"alpha", v}}; };
  return {
      {Op::Sqrt, std::sqrt, 0},
      {Op::Exp, std::exp},
      {Op::Log, std::log, 0.01},
      {Op::Reciprocal, [](double x) { return 1 / x; }, 0.1},
      {Op::Sin, std::sin},
      {Op::Cos, std::cos},
      {Op::Tan, std::tan, -1, 1},
      {Op::Asin, std::asin, -1, 1},
      {Op::Acos, std::acos, -1, 1},
      {Op::Atan, std::atan},
      {Op::Sinh, std::sinh},
      {Op::Cosh, std::cosh},
      {Op::Asinh, std::asinh},
      {Op::Acosh, std::acosh, 1.1},
      {Op::Atanh, std::atanh, -0.9, 0.9},
      {Op::Ceil, std::ceil},
      {Op::Floor, std::floor},
      {Op::Round, std::nearbyint},
      {Op::Erf, std::erf},
      {Op::Abs, std::fabs},
      {Op::Neg, [](double x) { return -x; }},
      {Op::Sign, [](double x) { return double(x > 0) - double(x < 0); }},
      {Op::Relu, [](double x) { return std::fmax(x, 0); }},
      {Op::Sigmoid, logistic},
      {Op::Tanh, std::tanh},
      {Op::LeakyRelu, [](double x) { return x < 0 ? 0.25 * x : x; }, -4, 4, alpha(0.25f)},
      {Op::ThresholdedRelu, [](double x) { return x > 1.5 ? x : 0; }, -4, 4, alpha(1.5f)},
      {Op::Elu, [](double x) { return x < 0 ? 2 * std::expm1(x) : x; }, -4, 4, alpha(2)},
      {Op::Celu, [](double x) { return x < 0 ? 2 * std::expm1(x / 2) : x; }, -4, 4, alpha(2)},
      {Op::Selu,
       [](double x) { return 3 * (x < 0 ? 2 * std::expm1(x) : x); },
       -4,
       4,
       {{"alpha", 2.f}, {"gamma", 3.f}}},
      {Op::HardSigmoid,
       [](double x) { return between_0_and_1(x / 2 + 0.25); },
       -4,
       4,
       {{"alpha", 0.5f}, {"beta", 0.25f}}},
      {Op::HardSwish, [](double x) { return x * between_0_and_1(x / 6 + 0.5); }},
      {Op::Softplus, [](double x) { return std::log(1 + std::exp(x)); }},
      {Op::Softsign, [](double x) { return x / (1 + std::fabs(x)); }},
      {Op::Mish, [](double x) { return x * std::tanh(std::log(1 + std::exp(x))); }},
      {Op::Swish, [](double x) { return x * logistic(0.5 * x); }, -4, 4, alpha(0.5f)},
      {Op::Gelu, [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.))); }},
      {Op::Gelu,
       [](double x) {
         return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
       },
       -4,
       4,
       {{"approximate", std::string("tanh")}}},
      {Op::Shrink,
       [](double x) { return x < -1.5  ? x + 1
                             : x > 1.5 ? x - 1
                                       : 0; },
       -4,
       4,
       {{"lambd", 1.5f}, {"bias", 1.f}}},
  };
}

TEST(Math, functions_agree_with_their_formula_in_every_float_type) {
  const u64 seed = seed_or(0x5A);
  Rng rng(seed);
  for (const Formula& row : formulas())
    for (DType type : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " " << name(row.op) << name(type));
      Tensor wide(DType::f64, {40});
      for (double& v : wide.mutable_data<double>())
        v = row.low + (row.high - row.low) * double(rng.below(10001)) / 10000;
      const Tensor x = convert(wide, type), y = run(row.op, {&x}, row.attributes);
      ASSERT_EQ(y.dtype(), type);
      const double unit = type == DType::f64   ? 1e-13
                          : type == DType::f32 ? 1e-5
                          : type == DType::f16 ? 1e-3
                                               : 1e-2;
      for (i64 i = 0; i < x.size(); ++i) {
        const double expected = row.f(x.as_double(i));
        ASSERT_NEAR(y.as_double(i), expected, unit * (1 + std::fabs(expected))) << x.as_double(i);
      }
    }
}

TEST(Math, nan_stays_nan_where_no_branch_drops_it) {
  const Tensor x = Tensor::of<float>({1}, {float(kNaN)}), one = Tensor::scalar(1.f);
  for (const Formula& row : formulas())
    EXPECT_EQ(std::isnan(run(row.op, {&x}, row.attributes).as_double(0)),
              row.op != Op::Shrink && row.op != Op::ThresholdedRelu)
        << name(row.op);
  for (Op op : {Op::Max, Op::Min, Op::Clip}) {
    EXPECT_TRUE(std::isnan(run(op, {&x, &one}).as_double(0))) << name(op);
    EXPECT_TRUE(op == Op::Clip || std::isnan(run(op, {&one, &x, &one}).as_double(0))) << name(op);
  }
  for (Op op : {Op::Equal, Op::Less, Op::LessOrEqual, Op::Greater, Op::GreaterOrEqual})
    expect_tensor<bool>(run(op, {&x, &x}), {1}, {false});
}

TEST(Math, zeros_halves_and_infinities) {
  const Tensor x = Tensor::of<double>({6}, {-2.5, -0.5, 0.5, 1.5, 2.5, -0.0});
  expect_tensor<double>(run(Op::Round, {&x}), {6}, {-2, 0, 0, 2, 2, 0});
  EXPECT_TRUE(std::signbit(run(Op::Round, {&x}).as_double(5)));
  EXPECT_FALSE(std::signbit(run(Op::Sign, {&x}).as_double(5)));
  const Tensor ends = Tensor::of<float>({3}, {-float(kInfinity), float(kInfinity), float(kNaN)});
  expect_tensor<float>(run(Op::Softplus, {&ends}), {3}, {0, float(kInfinity), float(kNaN)});
  expect_tensor<float>(run(Op::Sigmoid, {&ends}), {3}, {0, 1, float(kNaN)});
  expect_tensor<bool>(run(Op::IsNaN, {&ends}), {3}, {false, false, true});
  expect_tensor<bool>(run(Op::IsInf, {&ends}), {3}, {true, true, false});
  expect_tensor<bool>(run(Op::IsInf, {&ends}, {{"detect_negative", i64(0)}}), {3},
                      {false, true, false});
  expect_tensor<bool>(run(Op::IsInf, {&ends}, {{"detect_positive", i64(0)}}), {3},
                      {true, false, false});
}

TEST(Math, integers_have_functions_too) {
  const Tensor x = Tensor::of<std::int8_t>({4}, {-128, -3, 0, 7});
  expect_tensor<std::int8_t>(run(Op::Abs, {&x}), {4}, {-128, 3, 0, 7});
  expect_tensor<std::int8_t>(run(Op::Sign, {&x}), {4}, {-1, -1, 0, 1});
  expect_tensor<std::int8_t>(run(Op::BitwiseNot, {&x}), {4}, {127, 2, -1, -8});
  expect_tensor<std::int8_t>(run(Op::Shrink, {&x}, {{"lambd", 1.5f}, {"bias", 1.f}}), {4},
                             {-127, -2, 0, 6});
  const Tensor b = Tensor::of<std::int8_t>({4}, {2, 5, -1, 7});
  expect_tensor<std::int8_t>(run(Op::Max, {&x, &b}), {4}, {2, 5, 0, 7});
  expect_tensor<std::int8_t>(run(Op::Min, {&x, &b}), {4}, {-128, -3, -1, 7});
  expect_tensor<std::int8_t>(run(Op::PRelu, {&x, &b}), {4}, {0, -15, 0, 7});
  const Tensor bytes = Tensor::of<u8>({3}, {0xF0, 0x81, 3}), by = Tensor::of<u8>({3}, {4, 1, 8});
  expect_tensor<u8>(run(Op::BitShift, {&bytes, &by}, {{"direction", std::string("LEFT")}}), {3},
                    {0, 2, 0});
  expect_tensor<u8>(run(Op::BitShift, {&bytes, &by}, {{"direction", std::string("RIGHT")}}), {3},
                    {15, 64, 0});
  expect_tensor<u8>(run(Op::BitwiseAnd, {&bytes, &by}), {3}, {0, 1, 0});
  expect_tensor<u8>(run(Op::BitwiseOr, {&bytes, &by}), {3}, {0xF4, 0x81, 11});
  expect_tensor<u8>(run(Op::BitwiseXor, {&bytes, &by}), {3}, {0xF4, 0x80, 11});
}

TEST(Math, modulus_takes_the_sign_that_fmod_says) {
  const Tensor a = ints({7, -7, 7, -7, 6}), b = ints({3, 3, -3, -3, -3});
  const Attributes fmod = {{"fmod", i64(1)}};
  expect_tensor<i64>(run(Op::Mod, {&a, &b}), {5}, {1, 2, -2, -1, 0});
  expect_tensor<i64>(run(Op::Mod, {&a, &b}, fmod), {5}, {1, -1, 1, -1, 0});
  const Tensor least = ints({std::numeric_limits<i64>::min()}), minus = ints({-1}), no = ints({0});
  for (const Attributes& attributes : {Attributes(), fmod}) {
    expect_tensor<i64>(run(Op::Mod, {&least, &minus}, attributes), {1}, {0});
    expect_error(ErrorKind::bad_input, "by zero", [&] { run(Op::Mod, {&a, &no}, attributes); });
  }
  const Tensor x = Tensor::of<float>({2}, {-5.5f, 5.5f}), y = Tensor::scalar(2.f);
  expect_tensor<float>(run(Op::Mod, {&x, &y}, fmod), {2}, {-1.5f, 1.5f});
  expect_error(ErrorKind::bad_input, "fmod is 0", [&] { run(Op::Mod, {&x, &y}); });
}

TEST(Math, comparisons_and_logic_follow_their_tables) {
  const Tensor a = ints({1, 2, 3}), two = Tensor::scalar<i64>(2);
  expect_tensor<bool>(run(Op::Less, {&a, &two}), {3}, {true, false, false});
  expect_tensor<bool>(run(Op::LessOrEqual, {&a, &two}), {3}, {true, true, false});
  expect_tensor<bool>(run(Op::Greater, {&a, &two}), {3}, {false, false, true});
  expect_tensor<bool>(run(Op::GreaterOrEqual, {&a, &two}), {3}, {false, true, true});
  const Tensor p = Tensor::of<bool>({4}, {false, false, true, true}),
               q = Tensor::of<bool>({4}, {false, true, false, true});
  expect_tensor<bool>(run(Op::And, {&p, &q}), {4}, {false, false, false, true});
  expect_tensor<bool>(run(Op::Or, {&p, &q}), {4}, {false, true, true, true});
  expect_tensor<bool>(run(Op::Xor, {&p, &q}), {4}, {false, true, true, false});
  expect_tensor<bool>(run(Op::Equal, {&p, &q}), {4}, {true, false, false, true});
  expect_tensor<bool>(run(Op::Not, {&p}), {4}, {true, true, false, false});
  Tensor s(DType::string, {2}), t(DType::string, {1});
  s.mutable_strings() = {"cat", "dog"}, t.mutable_strings() = {"dog"};
  expect_tensor<bool>(run(Op::Equal, {&s, &t}), {2}, {false, true});
}

TEST(Math, many_operands_are_combined_with_broadcasting) {
  const Tensor a = Tensor::of<float>({3}, {1, 5, -2}), b = Tensor::of<float>({2, 1}, {0, 3}),
               c = Tensor::scalar(2.f);
  expect_tensor<float>(run(Op::Max, {&a, &b, &c}), {2, 3}, {2, 5, 2, 3, 5, 3});
  expect_tensor<float>(run(Op::Min, {&a, &b, &c}), {2, 3}, {0, 0, -2, 1, 2, -2});
  expect_tensor<float>(run(Op::Sum, {&a, &b, &c}), {2, 3}, {3, 7, 0, 6, 10, 3});
  expect_tensor<float>(run(Op::Mean, {&c, &a}), {3}, {1.5f, 3.5f, 0});
  expect_tensor<float>(run(Op::Mean, {&a}), {3}, {1, 5, -2});
}

TEST(Math, lines_are_normalised_along_the_axis) {
  const Tensor x = Tensor::of<float>({2, 2}, {1, 1000, 1, 1000});
  expect_tensor<float>(run(Op::LogSoftmax, {&x}), {2, 2}, {-999, 0, -999, 0});
  expect_tensor<float>(run(Op::Hardmax, {&x}), {2, 2}, {0, 1, 0, 1});
  expect_tensor<float>(run(Op::Hardmax, {&x}, {{"axis", i64(0)}}), {2, 2}, {1, 1, 0, 0});
}

Tensor words(std::vector<std::string> values) {
  Tensor t(DType::string, {std::ssize(values)});
  t.mutable_strings() = std::move(values);
  return t;
}

Tensor cast(const Tensor& x, DType to) { return run(Op::Cast, {&x}, {{"to", i64(to)}}); }

TEST(Math, casts_to_strings_and_back) {
  const std::vector<float> values = {0.1f, -2.5f, 100, 1e-7f, 3e20f, float(kInfinity), 0};
  const Tensor x = Tensor::of<float>({7}, std::span<const float>(values));
  const std::vector<std::string> texts = {"0.1", "-2.5", "100", "1e-07", "3e+20", "INF", "0"};
  expect_tensor<std::string>(cast(x, DType::string), {7}, texts);
  expect_tensor<float>(cast(words(texts), DType::f32), {7}, values);
  const Tensor odd = words({"+INF", "-inf", "nan", "1E3", "+5", "1e300", "-1e-300"});
  expect_tensor<float>(
      cast(odd, DType::f32), {7},
      {float(kInfinity), -float(kInfinity), float(kNaN), 1000, 5, float(kInfinity), 0});
  expect_tensor<i32>(cast(words({"12", "-7", "3.9"}), DType::i32), {3}, {12, -7, 3});
  expect_tensor<u64>(cast(words({"18446744073709551615"}), DType::u64), {1}, {~u64(0)});
  expect_tensor<std::string>(cast(ints({-12}), DType::string), {1}, {"-12"});
  for (const char* wrong : {"", "word", "1 ", "--1", "0x10", "+-1"})
    expect_error(ErrorKind::bad_input, "expected a number",
                 [&] { cast(words({wrong}), DType::f32); });
  const Tensor half = Tensor::of<float>({2}, {-2.5f, 100}), like = Tensor::scalar<i64>(0);
  expect_tensor<i64>(run(Op::CastLike, {&half, &like}), {2}, {-2, 100});
}

/// The content of `build(shape of x)` for x [batch, 6].
std::vector<std::string> content(const std::function<ValueId(Graph&, ValueId)>& build) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{Dim::symbol("batch"), 6});
  const auto& dims = g.value(build(g, g.add(Op::Shape, {x}))).type.dims;
  std::vector<std::string> texts;
  for (const Dim& d : dims.value_or(std::vector<Dim>())) texts.push_back(d.text());
  return texts;
}

TEST(Math, contents_of_shapes_are_followed) {
  const auto with = [](Op op, std::vector<i64> other, Attributes attributes = {}) {
    return content([&](Graph& g, ValueId s) {
      return g.add(op, {s, g.add_constant(ints(other))}, attributes);
    });
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(with(Op::Greater, {-1}), (Texts{"1", "1"}));
  EXPECT_EQ(with(Op::Less, {7}), (Texts{"?", "1"}));
  EXPECT_EQ(with(Op::GreaterOrEqual, {0, 7}), (Texts{"1", "0"}));
  EXPECT_EQ(with(Op::Equal, {-1, 6}), (Texts{"0", "1"}));
  EXPECT_EQ(with(Op::Max, {0, 9}), (Texts{"batch", "9"}));
  EXPECT_EQ(with(Op::Min, {-2, 9}), (Texts{"-2", "6"}));
  EXPECT_EQ(with(Op::Mod, {1, 4}), (Texts{"0", "2"}));
  EXPECT_EQ(with(Op::Mod, {1, 4}, {{"fmod", i64(1)}}), (Texts{"0", "2"}));
  EXPECT_EQ(content([](Graph& g, ValueId s) { return g.add(Op::Neg, {s}); }),
            (Texts{"-batch", "-6"}));
  EXPECT_EQ(content([](Graph& g, ValueId s) { return g.add(Op::Abs, {g.add(Op::Neg, {s})}); }),
            (Texts{"batch", "6"}));
  EXPECT_EQ(content([](Graph& g, ValueId s) {
              const ValueId less = g.add(Op::Less, {s, g.add_constant(ints({0}))});
              return g.add(Op::Or, {g.add(Op::Not, {less}), less});
            }),
            (Texts{"1", "1"}));
}

}  // namespace
}  // namespace sinter
