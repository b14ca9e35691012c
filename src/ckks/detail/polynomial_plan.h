// SPDX-License-Identifier: Apache-2.0
// How to evaluate Chebyshev series with few key switches: the schedule, without any ciphertext.
//
// A polynomial becomes a node
//   p = sum_j q_j T_(g_j) + sum_i c_i T_i + c_0
// by dividing by giants g = m 2^j, largest first (Paterson, Stockmeyer 1973, in the Chebyshev
// basis); the q_j are nodes again. All products of a node are added before one relinearisation and
// one rescale, so that a division costs a key switch only where its quotient is not a plain
// combination of powers.
//
// Depth. A node of depth e is summed e primes below x and rescaled to depth e + 1. T_i exists from
// depth ceil(log2 i) on, q_j is a node of depth e - 1 or less, hence a node of depth e holds
// degrees below 2^(e+1): a leaf of degree 2^(e+1) - 1 whose top power does not exist yet is divided
// by powers of two down to c_1 T_1 + c_0. That is what makes the depth ceil(log2(d + 1)) without a
// level for the coefficients.
//
// The number of babies m is the one of least cost among all; powers and their levels are what the
// nodes ask for, so an odd series computes odd powers only, and no power sits higher than its uses.
//
// Source: Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux 2021 ("Efficient bootstrapping for
// approximate homomorphic encryption with non-sparse keys") for the depth and the scales.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter::ckks::detail {

struct PolynomialPlan {
  struct Term {
    int power;
    double coefficient;
  };
  struct Product {
    int power, node;
  };
  struct Node {
    int depth = 0;
    double constant = 0;
    std::vector<Term> terms;
    std::vector<Product> products;
  };
  /// T_index = 2 T_a T_b - T_(a-b), a >= b, a + b = index; at `depth` primes below x.
  struct Power {
    int index, a, b, depth;
  };

  std::vector<Node> nodes;
  std::vector<int> roots;     ///< one per series, of depth depth - 1
  std::vector<Power> powers;  ///< ascending index, from T_2 on
  int depth = 0;
  int relinearisations = 0, products = 0, rescales = 0;
  double cost = 0;
};

/// Costs in any unit of the steps at a depth below x.
struct PolynomialCosts {
  std::function<double(int depth)> relinearise_and_rescale, rescale, product, term;
};

/// series: coefficients of degree below 2^depth each; depth >= 1.
PolynomialPlan plan_polynomials(std::span<const std::vector<double>> series, int depth,
                                const PolynomialCosts& costs);

/// ceil(log2(count)), count >= 1.
int ceil_log2(int count);

}  // namespace sinter::ckks::detail
