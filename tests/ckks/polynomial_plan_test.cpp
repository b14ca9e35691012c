// SPDX-License-Identifier: Apache-2.0
// Schedules on doubles, their counts, and the sums of products they are made of.
#include "ckks/detail/polynomial_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ckks/detail/product_sum.h"
#include "ckks/evaluate.h"
#include "polynomial_support.h"

namespace sinter::ckks {
namespace {

TEST(PolynomialPlan, the_depth_is_the_logarithm_of_the_degree_plus_one_for_every_degree) {
  const auto context = Context::create(CkksParams::check(small_options(10, 7, 2)));
  Rng rng(test_seed());
  for (int degree = 0; degree <= 127; ++degree) {
    int expected = 0;
    while ((1 << expected) < degree + 1) ++expected;
    EXPECT_EQ(chebyshev_depth(degree), expected);
    const ChebyshevSeries series = random_series(rng, degree);
    EXPECT_EQ(chebyshev_depth(series), expected) << degree;
    for (int level = expected; level <= 7; ++level)
      EXPECT_EQ(polynomial_cost(*context, series, level).levels, expected) << degree;
  }
}

/// A plan on doubles, checking that everything exists at the depth where it is read.
class PlanOnDoubles {
 public:
  PlanOnDoubles(const detail::PolynomialPlan& plan, double t) : plan_(plan) {
    values_[1] = {t, 0};
    values_[0] = {1, 0};
    for (const auto& p : plan.powers) {
      EXPECT_EQ(p.a + p.b, p.index);
      EXPECT_GE(p.depth, detail::ceil_log2(p.index));
      values_[p.index] = {
          2 * read(p.a, p.depth - 1) * read(p.b, p.depth - 1) - read(p.a - p.b, p.depth - 1),
          p.depth};
    }
  }
  double node(int index) {
    const auto& n = plan_.nodes[size_t(index)];
    EXPECT_GE(n.depth, 0);
    double sum = n.constant;
    for (const auto& term : n.terms) sum += term.coefficient * read(term.power, n.depth);
    for (const auto& product : n.products) {
      EXPECT_EQ(plan_.nodes[size_t(product.node)].depth, n.depth - 1);
      sum += node(product.node) * read(product.power, n.depth);
    }
    return sum;
  }

 private:
  double read(int power, int depth) {
    EXPECT_TRUE(values_.contains(power)) << power;
    EXPECT_LE(values_[power].second, depth) << power;
    return values_[power].first;
  }
  const detail::PolynomialPlan& plan_;
  std::map<int, std::pair<double, int>> values_;
};

TEST(PolynomialPlan, plans_compute_every_series_of_degrees_1_to_255_within_their_depth) {
  Rng rng(test_seed());
  const auto unit = [](int) { return 1.0; };
  const auto key_switch = [](int depth) { return 200.0 - depth; };
  const detail::PolynomialCosts costs{key_switch, [](int) { return 40.0; }, unit, unit};
  for (int degree = 1; degree <= 255; ++degree) {
    for (int parity : {-1, 0, 1}) {  // any, even, odd
      ChebyshevSeries series = random_series(rng, degree);
      for (int i = 0; i <= degree; ++i)
        if (parity >= 0 && i % 2 != parity) series.coefficients[size_t(i)] = 0;
      if (series.degree() == 0) continue;
      series.coefficients.resize(size_t(series.degree()) + 1);
      const int depth = chebyshev_depth(series) + int(rng.below(2));
      const auto plan = detail::plan_polynomials({&series.coefficients, 1}, depth, costs);
      const double t = rng.uniform(-1, 1);
      EXPECT_NEAR(PlanOnDoubles(plan, t).node(plan.roots[0]), chebyshev_value(series, t), 1e-11)
          << "degree " << degree << " parity " << parity;
      EXPECT_EQ(plan.nodes[size_t(plan.roots[0])].depth, depth - 1);
      EXPECT_LE(plan.relinearisations, 2 * std::sqrt(degree) + 4) << degree;
    }
  }
}

TEST(PolynomialPlan, relinearisations_stay_as_few_as_they_are) {
  const auto context = Context::create(CkksParams::check(small_options(10, 23, 5)));
  Rng rng(test_seed());
  struct Case {
    int degree, parity, most;
  };
  const Case cases[] = {{1, -1, 0},   {2, -1, 1},  {3, -1, 2},   {7, -1, 4},
                        {15, -1, 7},  {15, 1, 7},  {27, 1, 8},   {30, 0, 8},
                        {31, -1, 10}, {31, 1, 10}, {63, -1, 15}, {127, -1, 20}};
  for (const Case& k : cases) {
    ChebyshevSeries series = random_series(rng, k.degree);
    for (int i = 0; i <= k.degree; ++i)
      if (k.parity >= 0 && i % 2 != k.parity) series.coefficients[size_t(i)] = 0;
    const PolynomialCost cost = polynomial_cost(*context, series, 23);
    EXPECT_LE(cost.relinearisations, k.most) << "degree " << k.degree << " parity " << k.parity;
  }
}

/// The sum by the single operations.
Ciphertext plain_sum(const Context& c, const detail::ProductSum& sum, ThreadPool& pool) {
  const auto at = [&](const Ciphertext* x) { return drop_to_level(c, *x, sum.level); };
  const double half = sum.doubles_products ? 0.5 : 1;
  Ciphertext out;
  for (const auto& product : sum.products) {
    const Ciphertext xy = multiply(c, at(product.x), at(product.y), pool);
    out = out.empty() ? xy.clone() : add(c, out, xy);
  }
  for (const auto& term : sum.terms) {
    const Ciphertext scaled =
        multiply_by_constant(c, at(term.x), term.coefficient * half, sum.scale / term.x->scale());
    out = out.empty() ? scaled.clone() : add(c, out, scaled);
  }
  add_constant_inplace(c, out, sum.constant * half);
  if (sum.doubles_products) add_inplace(c, out, out.clone());
  return out;
}

TEST(PolynomialPlan, sums_of_products_equal_the_single_operations_bit_for_bit) {
  for (int special : {1, 2, 3}) {
    Party party(small_options(11, 4, special));
    Rng rng(test_seed());
    const Context& c = party.c();
    const EvaluationKeys keys = party.keys(polynomial_manifest(4));
    std::vector<Ciphertext> x;
    for (int i = 0; i < 5; ++i)
      x.push_back(party.encrypt(random_values(rng, c.slots()), 4 - i % 2));
    using Product = detail::ProductSum::Product;
    const std::vector<Product> products[] = {
        {}, {{&x[0], &x[1]}}, {{&x[0], &x[1]}, {&x[2], &x[2]}, {&x[4], &x[3]}}};
    for (int run = 0; run < 24; ++run) {
      detail::ProductSum sum;
      sum.level = run % 2 == 0 ? 3 : 1;
      sum.scale = 0x1p80;
      sum.constant = run % 4 < 2 ? -0.3 : 0;
      sum.products = products[run % 3];
      sum.doubles_products = run >= 12;
      sum.terms = {{&x[3], 0.7}, {&x[4], -123.5}, {&x[0], 0}};
      if (run % 5 == 0 && !sum.products.empty()) sum.terms.clear();
      const Ciphertext expected = plain_sum(c, sum, party.pool);
      const Ciphertext switched = expected.parts() == 3
                                      ? relinearise_rescale(c, expected, keys, party.pool)
                                      : rescale(c, expected, party.pool);
      for (i64 threads : {1, 2}) {
        ThreadPool pool(threads);
        const Ciphertext found = detail::evaluate_sum(c, sum, pool);
        ASSERT_EQ(found.parts(), sum.products.empty() ? 2 : 3);
        EXPECT_EQ(found.scale(), 0x1p80);
        EXPECT_EQ(save_ciphertext(c, found), save_ciphertext(c, expected)) << "run " << run;
        EXPECT_EQ(save_ciphertext(c, detail::evaluate_sum_rescaled(c, sum, keys, pool)),
                  save_ciphertext(c, switched))
            << "run " << run;
      }
    }
  }
}

}  // namespace
}  // namespace sinter::ckks
