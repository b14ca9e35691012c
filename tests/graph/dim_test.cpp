// SPDX-License-Identifier: Apache-2.0
// Symbolic sizes: random expressions against their value for random numbers, and canonical form.
#include "graph/dim.h"

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

const Dim a = Dim::symbol("a"), b = Dim::symbol("b");

struct Sample {
  Dim dim;
  i64 value;
};

i64 floor_quotient(i64 x, i64 y) { return x / y - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0); }

Sample random_expression(Rng& rng, const std::map<std::string, i64>& symbols, int depth) {
  if (depth == 0) {
    const i64 kind = rng.below(3), number = rng.below(9) - 4;
    if (kind == 0) return {a, symbols.at("a")};
    if (kind == 1) return {b, symbols.at("b")};
    return {Dim(number), number};
  }
  const Sample x = random_expression(rng, symbols, depth - 1),
               y = random_expression(rng, symbols, depth - 1);
  const i64 divisor = 1 + rng.below(4);
  switch (rng.below(8)) {
    case 0:
      return {x.dim + y.dim, x.value + y.value};
    case 1:
      return {x.dim - y.dim, x.value - y.value};
    case 2:
      return {x.dim * y.dim, x.value * y.value};
    case 3:
      return {floor_div(x.dim, divisor), floor_quotient(x.value, divisor)};
    case 4:
      return {maximum(x.dim, y.dim), std::max(x.value, y.value)};
    case 5:
      return {minimum(x.dim, y.dim), std::min(x.value, y.value)};
    case 6:
      return {floor_mod(x.dim, divisor), x.value - divisor * floor_quotient(x.value, divisor)};
    default:
      return {ceil_div(x.dim, divisor), -floor_quotient(-x.value, divisor)};
  }
}

TEST(Dim, expressions_have_the_value_of_their_arithmetic) {
  const u64 seed = seed_or(0xD1);
  Rng rng(seed);
  for (int round = 0; round < 2000; ++round) {
    const std::map<std::string, i64> symbols = {{"a", rng.below(9)}, {"b", rng.below(9)}};
    const Sample s = random_expression(rng, symbols, 3);
    SCOPED_TRACE(testing::Message()
                 << "seed " << seed << " round " << round << " " << s.dim.text());
    ASSERT_TRUE(s.dim.is_known());
    ASSERT_EQ(DimValue(s.dim.text(), symbols)(), s.value);
    ASSERT_EQ(s.dim.evaluate(symbols), s.value);
    const DimRange range = range_of(s.dim);
    ASSERT_LE(range.low, s.value);
    ASSERT_GE(range.high, s.value);
  }
}

TEST(Dim, comparisons_are_answered_only_when_all_values_agree) {
  const u64 seed = seed_or(0xD2);
  Rng rng(seed);
  i64 answered = 0;
  for (int round = 0; round < 2000; ++round) {
    std::map<std::string, i64> symbols = {{"a", 0}, {"b", 0}};
    const Dim x = random_expression(rng, symbols, 2).dim,
              y = random_expression(rng, symbols, 2).dim;
    const i64 least = rng.below(2);
    const auto equal = is_equal(x, y, least), less = is_less(x, y, least);
    answered += equal || less;
    for (symbols["a"] = least; symbols["a"] < 6; ++symbols["a"])
      for (symbols["b"] = least; symbols["b"] < 6; ++symbols["b"]) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round << ": " << x.text()
                                        << " and " << y.text());
        const i64 u = *x.evaluate(symbols), v = *y.evaluate(symbols);
        ASSERT_EQ(equal.value_or(u == v), u == v);
        ASSERT_EQ(less.value_or(u < v), u < v);
      }
  }
  EXPECT_GT(answered, 600);
  EXPECT_EQ(is_equal(a, -1), false);
  EXPECT_EQ(is_less(a, a + 1), true);
  EXPECT_EQ(is_less(0, a), std::nullopt);
  EXPECT_EQ(is_less(0, a, 1), true);
  EXPECT_EQ(is_less(a, b), std::nullopt);
}

TEST(Dim, extremes_drop_what_is_dominated) {
  EXPECT_TRUE(same(maximum(a, 0), a));
  EXPECT_TRUE(same(maximum(a + b, a), a + b));
  EXPECT_TRUE(same(minimum(a + 1, a), a));
  EXPECT_TRUE(same(maximum(minimum(a, 9), a), a));
  EXPECT_EQ(is_less(a, minimum(a, 9)), false);
  EXPECT_EQ(is_less(minimum(a, 9), a), std::nullopt);
  EXPECT_TRUE(same(maximum(a, b), maximum(b, a)));
  EXPECT_TRUE(same(maximum(maximum(a, b), 3), maximum(a, maximum(3, maximum(b, 2)))));
  EXPECT_EQ(minimum(b, a).text(), "min(a, b)");
}

TEST(Dim, a_symbol_that_reads_like_an_expression_is_a_symbol) {
  const Dim quotient = floor_div(a + 1, 2), name = Dim::symbol(quotient.text());
  EXPECT_EQ(quotient.text(), name.text());
  EXPECT_FALSE(same(quotient, name));
  EXPECT_FALSE(same(a * 2, Dim::symbol("2*a")));
  EXPECT_EQ(name.symbol_name(), "floor((a + 1)/2)");
  EXPECT_EQ(quotient.symbol_name(), std::nullopt);
  EXPECT_EQ((name - quotient).evaluate({{"a", 4}, {"floor((a + 1)/2)", 7}}), 5);
}

TEST(Dim, evaluation_needs_every_symbol_and_a_divisor) {
  std::set<std::string> names;
  const Dim d = floor_div(a * a + 3, b);
  d.collect_symbols(names);
  EXPECT_EQ(names, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(d.evaluate({{"a", 3}, {"b", 5}}), 2);
  EXPECT_EQ(d.evaluate({{"a", 3}}), std::nullopt);
  EXPECT_EQ(d.evaluate({{"a", 3}, {"b", 0}}), std::nullopt);
  EXPECT_EQ(d.evaluate({{"a", i64(1) << 40}, {"b", 1}}), std::nullopt);
}

TEST(Dim, what_grows_without_end_is_unknown) {
  Dim product(1), nested = a;
  for (int i = 0; i < 64; ++i) {
    product = product * (Dim::symbol("s" + std::to_string(i)) + 1);
    nested = maximum(floor_div(nested * nested + 1, b), i);
  }
  EXPECT_FALSE(product.is_known());
  EXPECT_FALSE(nested.is_known());
}

TEST(Dim, equal_expressions_are_the_same) {
  EXPECT_TRUE(same(a + b, b + a));
  EXPECT_TRUE(same((a + 1) * (b + 2), a * b + a * 2 + b + 2));
  EXPECT_TRUE(same(a * b - b * a, Dim(0)));
  EXPECT_TRUE(same(floor_div(a * 4 + 2, 2), a * 2 + 1));
  EXPECT_TRUE(same(floor_div(a * 2 + 1, 2), a));
  EXPECT_TRUE(same(ceil_div(a * 2 + 1, 2), a + 1));
  EXPECT_TRUE(same(floor_div(a * b * 6, b * 2), a * 3));
  EXPECT_TRUE(same(floor_div(a + b, a + b), Dim(1)));
  EXPECT_TRUE(same(floor_div(a * 3 + 5, 2), a + 2 + floor_div(a + 1, 2)));
  EXPECT_TRUE(same(ceil_div(a, 2), floor_div(a - 1, 2) + 1));  // SAME and an explicit pad
  EXPECT_TRUE(same(floor_div(floor_div(a, 2), 3), floor_div(a, 6)));
  EXPECT_TRUE(same(floor_div(a * 2 + 5, 4), floor_div(a + 2, 2)));
  EXPECT_TRUE(same(floor_div((a + b) * (a + 1) * 3, a + b), a * 3 + 3));
  EXPECT_TRUE(same(floor_mod(a * 6 + 7, 3), Dim(1)));
  EXPECT_FALSE(same(a, b));
  EXPECT_FALSE(same(a, a + 1));
  EXPECT_FALSE(same(floor_div(a, 2), floor_div(a + 1, 2)));
}

TEST(Dim, unknown_is_equal_to_nothing_and_spreads) {
  const Dim u = Dim::unknown();
  EXPECT_FALSE(same(u, u));
  for (const Dim& d : {u + 1, a - u, u * 0, floor_div(u, 2), ceil_div(a, u), floor_div(a, 0)})
    EXPECT_FALSE(d.is_known());
  EXPECT_EQ(u.value(), std::nullopt);
  EXPECT_EQ(u.text(), "?");
}

TEST(Dim, overflow_is_unknown) {
  const Dim big(i64(1) << 62);
  EXPECT_FALSE((big + big).is_known());
  EXPECT_FALSE((big * 2).is_known());
  EXPECT_FALSE((a * big * 4).is_known());
}

TEST(Dim, reads_well) {
  EXPECT_EQ((a * 2 + 1).text(), "2*a + 1");
  EXPECT_EQ((Dim(0) - a).text(), "-a");
  EXPECT_EQ((a - b).text(), "-b + a");
  EXPECT_EQ(floor_div(a + 1, 2).text(), "floor((a + 1)/2)");
  EXPECT_EQ(Dim(0).text(), "0");
  EXPECT_EQ((a * a).text(), "a*a");
  EXPECT_EQ(to_text(Shape{a, 3, Dim()}), "[a,3,?]");
}

TEST(Dim, shapes_are_static_when_every_size_is_a_number) {
  EXPECT_EQ(static_dims(Shape{2, 3}), (std::vector<i64>{2, 3}));
  EXPECT_EQ(static_dims(Shape{2, a}), std::nullopt);
  EXPECT_TRUE(same(Shape{a, 2}, Shape{a, 2}));
  EXPECT_FALSE(same(Shape{a, 2}, Shape{a}));
  EXPECT_FALSE(same(Shape{Dim()}, Shape{Dim()}));
  EXPECT_TRUE(same(element_count(Shape{a, 2, b}), a * b * 2));
  EXPECT_TRUE(same(element_count(Shape{}), Dim(1)));
}

}  // namespace
}  // namespace sinter
