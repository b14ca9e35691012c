// SPDX-License-Identifier: Apache-2.0
// Raising the modulus of a ciphertext under the ephemeral sparse secret, together with the switch
// back to the main secret; and the product with the imaginary unit.
#pragma once
#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks::detail {

/// The centred representatives modulo q_0, read modulo q_0..q_level, and switched to the main
/// secret. A polynomial below q_0 is each of its own digits, so nothing is decomposed.
///
/// x       level 0, two parts; the scale stays
/// key     EvaluationKeys::to_dense at `level` or above
/// noise   q_0 round(phase / q_0) becomes part of the phase; adds that of a key switch
/// cost    2 inverse and 2 level + k + 2 (level + 1 + k) more transforms
Ciphertext raise_modulus(const Context& context, const Ciphertext& x, int level,
                         const SwitchingKey& key, ThreadPool& pool);

/// x times X^(N/2), which is i in every slot (5^j = 1 modulo 4). Exact; level and scale as x.
Ciphertext multiply_by_i(const Context& context, const Ciphertext& x, ThreadPool& pool);

}  // namespace sinter::ckks::detail
