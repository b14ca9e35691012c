// SPDX-License-Identifier: Apache-2.0
// The function that takes a multiple of q_0 away. A raised coefficient is x = I + d in units of
// q_0, with |I| < K an integer and d small (the message: |d| <= 2^-b for a message ratio of 2^b).
// What is wanted is 2 pi d:
//
//   y_0 = cos(2 pi (x - 1/4) / 2^r)      a polynomial in t = x / K
//   y_(i+1) = 2 y_i^2 - 1                r times: y_r = cos(2 pi (x - 1/4)) = sin(2 pi d)
//   2 pi d = y_r + O(d^3)                or arcsin(y_r), an odd polynomial
//
// The polynomial agrees with the cosine at the 2K - 1 integers |I| < K, which is where x is: its
// degree is 2K - 2, and its error at I + d is d times the small factor
// (2 pi / 2^r)^(2K-1) (K-1+I)! (K-1-I)! / (2K-1)!. So the integers vanish to the last bit, and the
// message gets a relative error that is far below the noise.
//
// Sources: Han, Ki 2020, section 3 (nodes at the integers, double angles); Bossuat et al. 2021
// (arcsine); Bossuat, Troncoso-Pastoriza, Hubaux 2022 (K = 16 for a secret of weight 32).
#pragma once
#include "ckks/chebyshev.h"

namespace sinter::ckks {

struct SineOptions {
  int range = 16;           ///< K: 2 to 32
  int double_angles = 3;    ///< r: 0 to 6
  int arcsine_degree = 0;   ///< odd, 3 to 15; 0 = none
  double largest = 0x1p-8;  ///< of |d|, for the arcsine: at most 1/8

  bool operator==(const SineOptions&) const = default;
};

/// The polynomials. A value.
struct ScaledSine {
  SineOptions options;
  ChebyshevSeries cosine;   ///< of t in [-1, 1]: about cos(2 pi (K t - 1/4) / 2^r)
  ChebyshevSeries arcsine;  ///< of y in [-1, 1], right for |y| <= sin(2 pi largest); empty: none

  /// Levels: of the cosine, one per double angle, of the arcsine.
  int depth() const;
  /// The same arithmetic in double: about 2 pi d for t = (I + d) / K.
  double operator()(double t) const;
};

/// throws  Error(bad_argument): an option outside its range
ScaledSine make_scaled_sine(const SineOptions& options);

/// log2 of a bound for the probability that one of `coefficients` raised coefficients leaves
/// |I| < K under a secret of weight h: each is a sum of h + 1 values uniform in (-1/2, 1/2], so
///   P <= 2 coefficients (h/2 + 1 - K)^(h+1) / (h+1)!     for K - 1/2 >= (h+1)/2 - 1 ,
/// the volume of the corner of the cube beyond K - 1/2.
double log2_failure_probability(int range, int weight, double coefficients);

}  // namespace sinter::ckks
