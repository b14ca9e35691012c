// SPDX-License-Identifier: Apache-2.0
// Encryption under a public key. Needs no secret; the symmetric form, smaller and less noisy, is in
// ckks/secret_key.h.
#pragma once
#include "ckks/keys.h"
#include "ring/sampling.h"

namespace sinter::ckks {

/// Encrypts at the plaintext's level.
///
/// in      plaintext of Basis::q; `rng` is the only source of randomness
/// noise   B_pub of docs/ckks.md
/// cost    3 forward transforms per limb
/// throws  Error(bad_argument) when the key or the plaintext is of another Context
/// thread  owned by the thread that owns `rng`
Ciphertext encrypt_public(const Context& context, const PublicKey& key, const Plaintext& plaintext,
                          ring::SecretRng& rng);

}  // namespace sinter::ckks
