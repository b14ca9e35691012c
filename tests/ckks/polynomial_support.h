// SPDX-License-Identifier: Apache-2.0
// What the tests of polynomials share.
#pragma once
#include "ckks/polynomial.h"
#include "support.h"

namespace sinter::ckks {

/// Coefficients in [-1, 1] divided by their number, so that values stay in [-1, 1].
inline ChebyshevSeries random_series(Rng& rng, int degree, double low = -1, double high = 1) {
  ChebyshevSeries s{random_values(rng, degree + 1), low, high};
  for (double& c : s.coefficients) c /= degree + 1;
  if (s.coefficients.back() == 0) s.coefficients.back() = 1;
  return s;
}

}  // namespace sinter::ckks
