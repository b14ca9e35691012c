// SPDX-License-Identifier: Apache-2.0
// Bounds on the noise that operations add, as docs/ckks.md derives them: each is seven standard
// deviations of one coefficient, which N = 2^16 coefficients exceed together with probability below
// 2^-22. In the slots, noise of coefficient bound B at scale S is at most sqrt(N) B / S.
//
// A SlotEstimate travels beside a computation and says what its slots hold without opening them:
// one function per operation, with the standard deviations behind the bounds. A coefficient error
// of deviation s at scale S is sqrt(N / 2) s / S in the real part of a slot, and as much in the
// imaginary part. Errors of different origin add in squares; those of one origin add.
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
/// The switch to the ephemeral sparse secret: 7 sigma sqrt(N/12) q_0 / P' + 7 sqrt((1 + 32) / 12),
/// P' the product of the special primes of that key. throws  Error(bad_argument) without special
/// primes
double sparse_switch_noise(const CkksParams& params);
/// What relinearise_rescale adds to the noise divided by q_level, level >= 1: the same with the
/// first term divided by q_level, rounded once.
double fused_switch_noise(const CkksParams& params, int level);
/// A coefficient bound at a scale as a bound on every slot.
double slot_noise(const CkksParams& params, double coefficient_bound, double scale);

/// What the slots of a ciphertext hold. A value.
struct SlotEstimate {
  double magnitude = 0;  ///< |value| of every slot is at most this
  double error = 0;      ///< standard deviation of the error in the real part of a slot
};

/// log2(magnitude / error): bits of the largest values that are right. 60 without error.
double precision_estimate(const SlotEstimate& x);

/// A fresh symmetric encryption of an encoded vector; a public one has public_noise.
SlotEstimate estimate_fresh(const CkksParams& params, double magnitude, double scale);
SlotEstimate estimate_public(const CkksParams& params, double magnitude, double scale);
/// x + y of independent errors; the sum of a value with itself has twice its error.
SlotEstimate estimate_add(const SlotEstimate& x, const SlotEstimate& y);
/// x y, relinearised at `level`, at the product's scale.
SlotEstimate estimate_multiply(const CkksParams& params, int level, double scale,
                               const SlotEstimate& x, const SlotEstimate& y);
SlotEstimate estimate_square(const CkksParams& params, int level, double scale,
                             const SlotEstimate& x);
/// x times a plaintext of at most `magnitude`, encoded at `plain_scale`.
SlotEstimate estimate_multiply_plain(const CkksParams& params, double magnitude, double plain_scale,
                                     const SlotEstimate& x);
/// A rotation, conjugation or switch to the main secret at `level`; scale: the ciphertext's.
SlotEstimate estimate_key_switch(const CkksParams& params, int level, double scale,
                                 const SlotEstimate& x);
/// A rescale; scale: of the result.
SlotEstimate estimate_rescale(const CkksParams& params, double scale, const SlotEstimate& x);

/// A linear map by diagonals with double hoisting, before its rescale.
struct LinearGain {
  i64 diagonals = 0, giants = 0;
  double row_norm = 0;  ///< largest Euclidean norm of a row: what errors grow by
  double row_sum = 0;   ///< largest sum of |entries| of a row: what values grow by
  double plain_scale = 0;
};
/// scale: the ciphertext's, before the map.
SlotEstimate estimate_linear(const CkksParams& params, int level, double scale,
                             const LinearGain& gain, const SlotEstimate& x);
/// A polynomial p with |p| <= magnitude and |p'| <= slope on the values, whose evaluation ends in a
/// rescale to `scale`: the error through p, and one multiplication's own for each of its `depth`
/// steps.
SlotEstimate estimate_polynomial(const CkksParams& params, double scale, double magnitude,
                                 double slope, int depth, const SlotEstimate& x);
/// A bootstrap whose preset was measured to keep `preset_bits` of values up to x.magnitude.
SlotEstimate estimate_bootstrap(double preset_bits, const SlotEstimate& x);

}  // namespace sinter::ckks
