// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <map>

#include "base/error.h"
#include "ckks/chebyshev.h"
#include "ckks/detail/polynomial_plan.h"

namespace sinter::ckks::detail {
namespace {

constexpr int kMaxBabies = 64;

int degree_of(std::span<const double> p) {
  int degree = int(p.size()) - 1;
  while (degree > 0 && p[size_t(degree)] == 0) --degree;
  return degree;
}

/// Nodes of one choice of m.
class Divider {
 public:
  Divider(PolynomialPlan& plan, int babies) : plan_(plan), babies_(babies) {}

  /// Index of the new node. p has a degree below 2^(depth + 1).
  int add(std::vector<double> p, int depth) {
    PolynomialPlan::Node node;
    node.depth = depth;
    while (!is_leaf(p, depth)) {
      const int giant = choose_giant(degree_of(p), depth);
      p.resize(size_t(degree_of(p)) + 1);
      ChebyshevQuotient q = chebyshev_divide(p, giant);
      if (degree_of(q.quotient) == 0)
        node.terms.push_back({giant, q.quotient[0]});
      else
        node.products.push_back({giant, add(std::move(q.quotient), depth - 1)});
      p = std::move(q.remainder);
    }
    for (size_t i = 1; i < p.size(); ++i)
      if (p[i] != 0) node.terms.push_back({int(i), p[i]});
    node.constant = p[0];
    plan_.nodes.push_back(std::move(node));
    return int(plan_.nodes.size()) - 1;
  }

 private:
  bool is_leaf(std::span<const double> p, int depth) const {
    const int degree = degree_of(p);
    if (degree > 1 && degree >= babies_) return false;
    for (int i = 2; i <= degree; ++i)
      if (p[size_t(i)] != 0 && ceil_log2(i) > depth) return false;
    return true;
  }

  /// The largest m 2^j that exists here and leaves a quotient that fits one depth less; a power of
  /// two where there is none.
  int choose_giant(int degree, int depth) const {
    int best = 0;
    for (i64 g = babies_; g <= degree; g *= 2)
      if (ceil_log2(int(g)) <= depth && ceil_log2(degree - int(g) + 1) <= depth) best = int(g);
    return best > 1 ? best : int(std::bit_floor(unsigned(degree)));
  }

  PolynomialPlan& plan_;
  int babies_;
};

/// Powers needed -> depth at which the highest use reads them.
class PowerSet {
 public:
  void use(int power, int depth) {
    if (power < 2) return;
    const auto [it, is_new] = depth_.emplace(power, depth);
    if (!is_new) it->second = std::min(it->second, depth);
  }

  /// From the largest down: every power asks for the ones it is made of, one depth above.
  std::vector<PolynomialPlan::Power> close() {
    std::vector<PolynomialPlan::Power> powers;
    for (int index = depth_.empty() ? 1 : depth_.rbegin()->first; index >= 2; --index) {
      const auto it = depth_.find(index);
      if (it == depth_.end()) continue;
      const int depth = it->second, b = cheapest_split(index);
      powers.push_back({index, index - b, b, depth});
      for (int part : {index - b, b, index - 2 * b}) use(part, depth - 1);
    }
    std::reverse(powers.begin(), powers.end());
    return powers;
  }

 private:
  bool is_new(int power) const { return power >= 2 && !depth_.contains(power); }

  /// The smaller part of the split that needs the fewest powers that nothing else needs. Both
  /// parts, and so their difference, exist one depth above the power. The most balanced one wins.
  int cheapest_split(int index) const {
    int best = 0, best_new = 4;
    for (int b = index / 2; b >= 1; --b) {
      const int a = index - b;
      if (ceil_log2(a) >= ceil_log2(index)) break;
      const int count = is_new(a) + (b != a && is_new(b)) + is_new(a - b);
      if (count < best_new) best = b, best_new = count;
    }
    return best;
  }

  std::map<int, int> depth_;
};

void add_costs(PolynomialPlan& plan, const PolynomialCosts& costs) {
  const auto relinearised = [&](int depth) {
    ++plan.relinearisations;
    ++plan.rescales;
    plan.cost += costs.relinearise_and_rescale(depth);
  };
  for (const PolynomialPlan::Power& power : plan.powers) {
    ++plan.products;
    plan.cost += costs.product(power.depth - 1) + costs.term(power.depth - 1);
    relinearised(power.depth - 1);
  }
  for (const PolynomialPlan::Node& node : plan.nodes) {
    plan.products += int(node.products.size());
    plan.cost += double(node.products.size()) * costs.product(node.depth) +
                 double(node.terms.size()) * costs.term(node.depth);
    if (!node.products.empty()) {
      relinearised(node.depth);
    } else {
      ++plan.rescales;
      plan.cost += costs.rescale(node.depth);
    }
  }
}

}  // namespace

int ceil_log2(int count) {
  SINTER_ASSERT(count >= 1);
  return std::bit_width(unsigned(count) - 1);
}

PolynomialPlan plan_polynomials(std::span<const std::vector<double>> series, int depth,
                                const PolynomialCosts& costs) {
  SINTER_ASSERT(depth >= 1 && !series.empty());
  int degree = 0;
  for (const std::vector<double>& p : series) {
    SINTER_ASSERT(!p.empty());
    degree = std::max(degree, degree_of(p));
  }
  SINTER_ASSERT(ceil_log2(degree + 1) <= depth);
  PolynomialPlan best;
  for (int babies = 2; babies <= std::clamp(degree + 1, 2, kMaxBabies); ++babies) {
    PolynomialPlan plan;
    plan.depth = depth;
    Divider divider(plan, babies);
    for (const std::vector<double>& p : series) plan.roots.push_back(divider.add(p, depth - 1));
    PowerSet powers;
    for (const PolynomialPlan::Node& node : plan.nodes) {
      for (const PolynomialPlan::Term& term : node.terms) powers.use(term.power, node.depth);
      for (const PolynomialPlan::Product& product : node.products)
        powers.use(product.power, node.depth);
    }
    plan.powers = powers.close();
    add_costs(plan, costs);
    if (best.roots.empty() || plan.cost < best.cost) best = std::move(plan);
  }
  return best;
}

}  // namespace sinter::ckks::detail
