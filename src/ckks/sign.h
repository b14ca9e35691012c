// SPDX-License-Identifier: Apache-2.0
// sgn(x) as a composition of odd minimax polynomials p_k(...p_2(p_1(x))), and what it gives: ReLU
// and maximum. p_1 is the best approximation of 1 on [least, 1]; its values there fill 1 +- e_1,
// which is divided by 1 + e_1 (in the coefficients) so that p_2 works on [(1 - e_1) / (1 + e_1),
// 1], and so on: the smallest argument grows by about 0.8 (degree + 1) per stage until one stage
// reaches 1 +- error.
//
// relu(x) = x (1 + sgn(x)) / 2 has the error |x| error / 2 outside `least` and less than about
// least / 8 inside, because x is small there. The two are equal at the best `least`: degrees 15,
// 15, 27 give 2^-13.16 with least = 2^-9.15, in 4 + 4 + 5 levels and one for the product.
//
// Source: Lee, Lee, No, Kim 2021 ("Minimax approximation of sign function by composite polynomial
// for homomorphic comparison"); the polynomials are computed here, by minimax_fit.
#pragma once
#include "ckks/polynomial.h"

namespace sinter::ckks {

/// A value; made once, then shared by every evaluation.
struct SignApproximation {
  std::vector<ChebyshevSeries> stages;  ///< odd, on [-1, 1]
  double least = 0;                     ///< the error below holds for least <= |x| <= 1
  double error = 0;                     ///< of sgn there
  double relu_error = 0;                ///< of relu on all of [-1, 1]
};

/// degrees  odd, 1 to 8 of them
/// least    in (0, 1)
/// cost     about 3 ms for 15, 15, 27; deterministic
/// throws   Error(bad_argument) for other arguments
SignApproximation minimax_sign(std::span<const int> degrees, double least);
/// The one whose `least` makes relu_error smallest (bisection, about 50 ms).
/// degrees  15, 15, 27 when left empty
SignApproximation minimax_sign_for_relu(std::span<const int> degrees = {});

/// The approximations as plain numbers, |x| <= bound.
double sign_value(const SignApproximation& sign, double x, double bound = 1);
double relu_value(const SignApproximation& sign, double x, double bound = 1);

/// Levels of evaluate_sign; evaluate_relu and evaluate_maximum take one more.
int sign_depth(const SignApproximation& sign, double bound = 1);

/// sgn(x) for slots with least <= |x| / bound <= 1; between -1 and 1 (+- error) below that.
///
/// x             as for evaluate_chebyshev; real slots, |x| <= bound
/// bound         > 0; one that is not within 2^(+-1/2) of 1 costs a level (chebyshev_depth)
/// target_scale  of the result; 0 = that of x
/// out           level x.level() - sign_depth(sign, bound), exactly target_scale
/// noise         that of x times the slope of the composition, at most about 1 / least at 0
/// cost          7 + 7 + 8 relinearisations for degrees 15, 15, 27
/// throws, keys, thread  as evaluate_chebyshev
Ciphertext evaluate_sign(const Context& context, const Ciphertext& x, const SignApproximation& sign,
                         double bound, double target_scale, const EvaluationKeys& keys,
                         ThreadPool& pool);
/// relu(x), error at most bound * relu_error. Level x.level() - sign_depth(sign, bound) - 1.
Ciphertext evaluate_relu(const Context& context, const Ciphertext& x, const SignApproximation& sign,
                         double bound, double target_scale, const EvaluationKeys& keys,
                         ThreadPool& pool);
/// max(x, y) slot by slot where |x - y| <= bound, error as relu; x and y agree in level and scale.
Ciphertext evaluate_maximum(const Context& context, const Ciphertext& x, const Ciphertext& y,
                            const SignApproximation& sign, double bound, double target_scale,
                            const EvaluationKeys& keys, ThreadPool& pool);

}  // namespace sinter::ckks
