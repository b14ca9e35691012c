// SPDX-License-Identifier: Apache-2.0
// Bounds on the noise that operations add, as docs/ckks.md derives them: each is seven standard
// deviations of one coefficient, which N = 2^16 coefficients exceed together with probability below
// 2^-22. In the slots, noise of coefficient bound B at scale S is at most sqrt(N) B / S.
#pragma once
#include "ckks/params.h"

namespace sinter::ckks {

/// A fresh symmetric encryption: 7 sigma.
double fresh_noise(const CkksParams& params);
/// A fresh encryption under the public key: 7 sigma sqrt(1 + 2N/3 + |s|^2).
double public_noise(const CkksParams& params);
/// Rounding by rescale or by the division by P: 7 sqrt((1 + |s|^2) / 12).
double rounding_noise(const CkksParams& params);
/// One key switch at `level`: 7 sigma sqrt(N/12 sum_j (D_j / P)^2) + rounding_noise, D_j the
/// product of the primes of digit j. throws  Error(bad_argument) without special primes or for a
/// level outside the parameters
double key_switch_noise(const CkksParams& params, int level);
/// A coefficient bound at a scale as a bound on every slot.
double slot_noise(const CkksParams& params, double coefficient_bound, double scale);

}  // namespace sinter::ckks
