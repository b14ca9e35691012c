// SPDX-License-Identifier: Apache-2.0
// sum_j x_j y_j + sum_i c_i z_i + c of ciphertexts in one pass over memory: tiles that stay in the
// first-level cache, the sums in registers. Operands may have more
// primes than the sum; their further limbs are not read, so nothing is dropped by copying.
#pragma once
#include <vector>

#include "base/threads.h"
#include "ckks/ciphertext.h"
#include "ckks/context.h"
#include "ckks/keys.h"

namespace sinter::ckks::detail {

struct ProductSum {
  struct Product {
    const Ciphertext *x, *y;  ///< two parts each
  };
  struct Term {
    const Ciphertext* x;  ///< two parts
    double coefficient;   ///< carried as the integer round(coefficient * scale / x->scale())
  };
  std::vector<Product> products;  ///< x.scale() * y.scale() == scale, up to rounding
  std::vector<Term> terms;
  double constant = 0;
  bool doubles_products = false;  ///< 2 sum_j x_j y_j + ...; the other integers are then even
  int level = 0;
  double scale = 0;
  const char* operation = "evaluate_chebyshev";  ///< for errors: what the caller was asked to do
};

/// out     three parts when there are products, otherwise two; level and scale as the sum says
/// noise   1/2 per integer (1 when products are doubled) times the operand, in units of 1 / scale
/// cost    2 products of residues per term, 4 per product, per coefficient
/// throws  Error(bad_argument) when an integer does not fit the level
/// checked by the caller: parts and levels of the operands
Ciphertext evaluate_sum(const Context& context, const ProductSum& sum, ThreadPool& pool);

/// The sum relinearised (where it has products) and rescaled, in one division; the same bytes as
/// relinearise_rescale or rescale of evaluate_sum, without the three parts ever lying in memory.
/// throws  Error(bad_argument) as above, or when the keys are of other parameters or end below
/// checked by the caller: sum.level >= 1
Ciphertext evaluate_sum_rescaled(const Context& context, const ProductSum& sum,
                                 const EvaluationKeys& keys, ThreadPool& pool);

}  // namespace sinter::ckks::detail
