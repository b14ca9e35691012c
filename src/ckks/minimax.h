// SPDX-License-Identifier: Apache-2.0
// The polynomial of least largest error over a union of intervals, by Remez' exchange in long
// double. The best polynomial of n coefficients is the one whose error takes its largest magnitude,
// with alternating signs, at n + 1 points (Chebyshev); each step solves for the polynomial whose
// error is +-E at the current points and moves them to the extrema of that error. That holds on any
// closed set for all polynomials, for odd ones on sets of positive numbers, for even ones on
// sets of numbers >= 0 (each is a Haar system there): sgn on [-1, -a] and [a, 1] is 1 on [a, 1] for
// odd polynomials.
//
// Source: Remez 1934; for several intervals Lee, Lee, No, Kim 2021 ("Minimax approximation of sign
// function by composite polynomial for homomorphic comparison").
#pragma once
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "ckks/chebyshev.h"

namespace sinter::ckks {

enum class Parity { any, even, odd };

struct Minimax {
  ChebyshevSeries series;  ///< on [-high, high] for even and odd, on the hull of the intervals else
  double error = 0;        ///< largest |series - f| over the intervals, found on a fine grid
  int iterations = 0;
};

/// The best approximation of f.
///
/// f          continuous on the intervals, accurate to long double where the error is to be small
/// intervals  ascending, disjoint, low < high; above 0 for odd, at least 0 for even
/// degree     1 to 511, of the parity asked for; where the error falls below 2^-50 of the
///            coefficients, the exchange stops there
/// cost       about 2 ms at degree 27 (10 iterations); deterministic
/// throws     Error(bad_argument) for intervals or degrees outside these; Error(unsupported) when
///            the exchange does not settle
Minimax minimax_fit(const std::function<long double(long double)>& f,
                    std::span<const std::pair<double, double>> intervals, int degree,
                    Parity parity = Parity::any);

}  // namespace sinter::ckks
