// SPDX-License-Identifier: Apache-2.0
// Polynomials of ciphertexts. A series of degree d takes ceil(log2(d + 1)) levels, its coefficients
// included, and the result has exactly the scale asked for.
//
// Scales. T_i comes from 2 T_a T_b - T_(a-b) with scale s_i = s_a s_b / q, whatever the primes make
// of it. The sum that ends at scale s after the rescale by q is formed at scale s q: a term c T_i
// by the integer round(c s q / s_i), a product q_j T_g with q_j evaluated to the scale s q / s_g,
// and so on down to the leaves. Nothing drifts; what is rounded is an integer of about the size of
// a prime.
//
// Interval. t = (2 x - low - high) / (high - low) costs no level while the factor can be left in
// the scale: T_1 then has the scale of x times h = (high - low) / 2, and the scale of T_(2^k) is
// off by h^(2^k). That is done while it stays within 2^4 for the highest power; otherwise one more
// level brings h t back to the scale of x. [-1, 1] is always free.
//
// Precision. polynomial_error_bound adds the worst case of every step; errors of x come out times
// sum |c_i| i^2 at most (T_i has the slope i^2 at +-1). docs/ckks.md has measured figures.
#pragma once
#include <span>
#include <vector>

#include "base/threads.h"
#include "ckks/chebyshev.h"
#include "ckks/keys.h"

namespace sinter::ckks {

/// ceil(log2(degree + 1)): levels of a series on [-1, 1].
int chebyshev_depth(int degree);
/// Levels of this series: that of its degree, and one more where its interval needs it.
int chebyshev_depth(const ChebyshevSeries& series);

/// The series at every slot of x.
///
/// x             two parts; scale near the primes below its level, because a factor f between them
///               is f^(2^(depth-1)) in the highest power. Slots that leave the interval by a factor
///               1 + e multiply T_n by up to about exp(n sqrt(2 e))
/// series        real coefficients, finite, degree at most 2047; the slots may be complex
/// target_scale  of the result; 0 = that of x
/// out           two parts, level x.level() - chebyshev_depth(series), scale == target_scale.
///               Degree 0: the constant on a zero ciphertext, which hides nothing
/// keys          relinearisation at x.level() (polynomial_manifest); unused below degree 2
/// cost          polynomial_cost; about 2 sqrt(degree) relinearisations
/// throws        Error(out_of_levels) saying how many levels are needed; Error(bad_argument) when a
///               scale leaves the range of the modulus or of useful precision
/// thread        safe; the result does not depend on the number of threads
///
/// Source: Paterson, Stockmeyer 1973; Bossuat et al. 2021; see detail/polynomial_plan.h.
Ciphertext evaluate_chebyshev(const Context& context, const Ciphertext& x,
                              const ChebyshevSeries& series, double target_scale,
                              const EvaluationKeys& keys, ThreadPool& pool);

/// Several series on one interval at one x, sharing the powers. Every result has the level that the
/// series of the highest degree gives. target_scales: one per series; 0 as above.
std::vector<Ciphertext> evaluate_chebyshev_many(const Context& context, const Ciphertext& x,
                                                std::span<const ChebyshevSeries> series,
                                                std::span<const double> target_scales,
                                                const EvaluationKeys& keys, ThreadPool& pool);

/// The keys of evaluate_chebyshev on a ciphertext of this level.
KeyManifest polynomial_manifest(int level);

/// What evaluate_chebyshev will do, for planners and reports.
struct PolynomialCost {
  int levels = 0;
  int relinearisations = 0;  ///< each with a rescale
  int products = 0;          ///< ciphertext by ciphertext
  int rescales = 0;          ///< those after relinearisations included
  double transforms = 0;     ///< of length N, everything else converted to them
};
/// throws  as evaluate_chebyshev and evaluate_chebyshev_many
PolynomialCost polynomial_cost(const Context& context, const ChebyshevSeries& series, int level);
PolynomialCost polynomial_cost(const Context& context, std::span<const ChebyshevSeries> series,
                               int level);

/// A bound on |slot of the result - series at the slot of x| when x is in the interval and its
/// slots are off by at most input_error; level, scale: of x. From the bounds of ckks/noise.h, each
/// step at its worst: measured errors are smaller by several bits.
double polynomial_error_bound(const Context& context, const ChebyshevSeries& series, int level,
                              double scale, double target_scale, double input_error);

}  // namespace sinter::ckks
