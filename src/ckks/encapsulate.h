// SPDX-License-Identifier: Apache-2.0
// Sparse-secret encapsulation: the two key switches around the raising of the modulus. Under the
// ephemeral sparse secret t the multiple of q_0 that raising adds is small; before and after, the
// ciphertext is under the main secret.
//
//   x mod q_0 under s  --to_sparse-->  under t  --raise to Q_l-->  --to_dense-->  under s mod Q_l
//
// Source: Bossuat, Troncoso-Pastoriza, Hubaux 2022, "Bootstrapping for Approximate Homomorphic
// Encryption with Negligible Failure-Probability by Using Sparse-Secret Encapsulation".
#pragma once
#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks {

/// x under the ephemeral sparse secret.
///
/// x       level 0, two parts
/// out     level 0, same scale; nothing but raising its modulus and switch_to_dense is meaningful
/// noise   sparse_switch_noise
/// cost    1 + 3 k' transforms for each of both parts, k' = special primes of the key (one mostly);
///         and the tables of k' + 1 primes
/// throws  Error(bad_argument) without the keys, for another level or another Context
/// thread  safe; the result does not depend on the number of threads
Ciphertext switch_to_sparse(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                            ThreadPool& pool);

/// x, under the ephemeral sparse secret, under the main one.
///
/// x       two parts, at most at manifest.encapsulation_level
/// out     same level and scale
/// noise   key_switch_noise
/// cost    as relinearise
/// throws  Error(bad_argument) without a key for this level, or for another Context
/// thread  safe; the result does not depend on the number of threads
Ciphertext switch_to_dense(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                           ThreadPool& pool);

}  // namespace sinter::ckks
