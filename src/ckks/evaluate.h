// SPDX-License-Identifier: Apache-2.0
// Operations on ciphertexts. None of them needs a secret. Each states what it does to level and
// scale; noise bounds are named as in docs/ckks.md.
//
// Common to all:
//   checked  that every operand belongs to `context`, that levels agree, and that scales agree to a
//            relative 2^-20 where values are added (the result then carries the left scale)
//   throws   Error(bad_argument) saying what was expected and what was found
//   thread   safe; results do not depend on the number of threads of `pool`
#pragma once
#include <span>
#include <vector>

#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks {

/// Largest relative difference of scales that are taken as equal.
inline constexpr double kScaleTolerance = 0x1p-20;

/// x + y, x - y, -x slot by slot. 2 or 3 parts each; level and scale as x.
/// noise  the sum of the operands' noises
Ciphertext add(const Context& context, const Ciphertext& x, const Ciphertext& y);
Ciphertext add(const Context& context, const Ciphertext& x, const Ciphertext& y, ThreadPool& pool);
Ciphertext sub(const Context& context, const Ciphertext& x, const Ciphertext& y);
Ciphertext negate(const Context& context, const Ciphertext& x);
void add_inplace(const Context& context, Ciphertext& x, const Ciphertext& y);
void add_inplace(const Context& context, Ciphertext& x, const Ciphertext& y, ThreadPool& pool);
void sub_inplace(const Context& context, Ciphertext& x, const Ciphertext& y);

/// x + p, x - p; the plaintext's level is at least x's (its extra primes are not read).
Ciphertext add_plain(const Context& context, const Ciphertext& x, const Plaintext& p);
Ciphertext add_plain(const Context& context, const Ciphertext& x, const Plaintext& p,
                     ThreadPool& pool);
Ciphertext sub_plain(const Context& context, const Ciphertext& x, const Plaintext& p);
void add_plain_inplace(const Context& context, Ciphertext& x, const Plaintext& p);

/// x + value in every slot: round(value * scale) is added to the constant coefficient.
/// cost  one addition per residue of one part
Ciphertext add_constant(const Context& context, const Ciphertext& x, double value);
void add_constant_inplace(const Context& context, Ciphertext& x, double value);

/// x * p slot by slot; scale x.scale * p.scale, level as x. Not rescaled.
/// noise  |p| * noise(x) + B_round(p) * |x|
Ciphertext multiply_plain(const Context& context, const Ciphertext& x, const Plaintext& p);
/// sum += x * p; sum has the scale x.scale * p.scale.
void multiply_plain_accumulate(const Context& context, Ciphertext& sum, const Ciphertext& x,
                               const Plaintext& p);

/// x * value, value carried as the integer round(value * plain_scale); scale x.scale * plain_scale.
/// plain_scale = 1 multiplies by an integer and keeps the scale; plain_scale = q(level) makes the
/// following rescale restore the scale exactly.
Ciphertext multiply_by_constant(const Context& context, const Ciphertext& x, double value,
                                double plain_scale);

/// x * y: three parts, level as both, scale x.scale * y.scale. Operands have two parts.
/// noise  |x| noise(y) + |y| noise(x) + noise(x) noise(y)
Ciphertext multiply(const Context& context, const Ciphertext& x, const Ciphertext& y,
                    ThreadPool& pool);
Ciphertext square(const Context& context, const Ciphertext& x, ThreadPool& pool);

/// Three parts to two with the relinearisation key; two parts come back as a copy.
/// noise  adds B_ks
/// cost   one key switch: (l+1) inverse, dnum * (l+1+k) forward, 2 * (l+1) + 2k more transforms
Ciphertext relinearise(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                       ThreadPool& pool);
Ciphertext multiply_relinearise(const Context& context, const Ciphertext& x, const Ciphertext& y,
                                const EvaluationKeys& keys, ThreadPool& pool);
Ciphertext square_relinearise(const Context& context, const Ciphertext& x,
                              const EvaluationKeys& keys, ThreadPool& pool);

/// The same followed by rescale(), in one division by P q_level: level l - 1, scale S / q_l.
/// noise   divided by q_l, plus 7 sigma sqrt(N/12 sum_j (D_j/P)^2) / q_l + B_rs
///         (fused_switch_noise): one rounding, where the two steps round twice
/// cost    one key switch; the rescale is free (2 l + 2 transforms less than the two steps)
/// throws  Error(out_of_levels) when l == 0
Ciphertext relinearise_rescale(const Context& context, const Ciphertext& x,
                               const EvaluationKeys& keys, ThreadPool& pool);
Ciphertext multiply_relinearise_rescale(const Context& context, const Ciphertext& x,
                                        const Ciphertext& y, const EvaluationKeys& keys,
                                        ThreadPool& pool);
Ciphertext square_relinearise_rescale(const Context& context, const Ciphertext& x,
                                      const EvaluationKeys& keys, ThreadPool& pool);

/// Drops the last prime of the ciphertext and divides its scale by that prime.
///
/// in      level l >= 1, scale S
/// out     level l - 1, scale S / q_l (exact, kept as a double), same part count
/// noise   divided by q_l, plus B_rs
/// cost    parts * l forward and parts inverse transforms
/// throws  Error(out_of_levels) when l == 0
///
/// Source: Cheon, Han, Kim, Kim, Song 2018 (full-RNS CKKS), the rescaling step.
Ciphertext rescale(const Context& context, const Ciphertext& x, ThreadPool& pool);

/// Drops primes without dividing: level `level` <= x.level(), scale and noise as x.
Ciphertext drop_to_level(const Context& context, const Ciphertext& x, int level);
Ciphertext drop_to_level(const Context& context, const Ciphertext& x, int level, ThreadPool& pool);

/// Brings x to the given level and exactly the given scale: drops to level + 1, multiplies by 1 at
/// plain scale scale * q(level+1) / x.scale, rescales. With level == x.level() the scale must
/// already agree to kScaleTolerance, and x comes back with its scale set to `scale`.
/// throws  Error(out_of_levels) when level > x.level(); Error(bad_argument) when the factor would
///         be below 2^10 (too coarse)
Ciphertext match_level_and_scale(const Context& context, const Ciphertext& x, int level,
                                 double scale, ThreadPool& pool);

/// Rotates the slots left: out[j] = x[(j + steps) mod slots]; steps any integer. Level and scale as
/// x; x has two parts.
/// noise   adds B_ks
/// throws  Error(bad_argument) naming the rotation when its key is absent or truncated below x's
///         level
Ciphertext rotate(const Context& context, const Ciphertext& x, i64 steps,
                  const EvaluationKeys& keys, ThreadPool& pool);
/// Complex conjugate of every slot.
Ciphertext conjugate(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                     ThreadPool& pool);

/// The rotations of one ciphertext by each of `steps`, in that order. The digits of x are computed
/// once; every result equals rotate() bit for bit.
/// cost  (l+1) inverse and dnum * (l+1+k) forward transforms once, 2 * (l+1+k) per rotation
std::vector<Ciphertext> rotate_hoisted(const Context& context, const Ciphertext& x,
                                       std::span<const i64> steps, const EvaluationKeys& keys,
                                       ThreadPool& pool);

}  // namespace sinter::ckks
