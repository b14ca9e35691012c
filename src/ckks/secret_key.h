// SPDX-License-Identifier: Apache-2.0
// What only the owner of the data may do: make keys, encrypt symmetrically, decrypt. Server code
// does not include this header; tools/check_layers.py refuses it there.
#pragma once
#include <cstddef>
#include <span>
#include <string>

#include "base/progress.h"
#include "base/threads.h"
#include "ckks/keys.h"
#include "ring/sampling.h"

namespace sinter::ckks {

/// The secret polynomial s modulo every prime. Move-only; the memory is wiped on destruction.
class SecretKey {
 public:
  /// coefficients: N values in {-1, 0, 1}. id: what names this key in ciphertexts and evaluation
  /// keys; it says nothing about the key itself. 0 = unnamed, then nothing is compared.
  SecretKey(const Context& context, std::span<const signed char> coefficients, u64 id = 0);

  u64 params_hash() const { return params_hash_; }
  u64 id() const { return id_; }
  /// s modulo q_0..q_L, p_0..p_{k-1}, NTT form.
  const ring::RnsPoly& poly() const { return poly_; }

 private:
  u64 params_hash_, id_;
  ring::RnsPoly poly_;
};

/// A secret of the kind that the parameters name, with a random id.
SecretKey generate_secret_key(const Context& context, ring::SecretRng& rng);

PublicKey generate_public_key(const Context& context, const SecretKey& secret,
                              ring::SecretRng& rng);

/// The keys of the manifest. Each key draws from its own stream derived from `rng`, so the result
/// does not depend on the number of threads.
///
/// cost    2 * dnum * (level + 1 + k) * N residues and dnum * (level + 1 + k) transforms per key
/// throws  Error(bad_argument): no special primes, level outside the parameters
EvaluationKeys generate_evaluation_keys(const Context& context, const SecretKey& secret,
                                        const KeyManifest& manifest, ring::SecretRng& rng,
                                        ThreadPool& pool, const Progress& progress = {});

/// Encrypts at the plaintext's level. The uniform part is a seed, so that the saved form is one
/// polynomial and 32 bytes.
/// noise   |e| <= 20 per coefficient (sigma 3.2, cut at 6 sigma)
Ciphertext encrypt_symmetric(const Context& context, const SecretKey& secret,
                             const Plaintext& plaintext, ring::SecretRng& rng);

/// c_0 + c_1 s [+ c_2 s^2] with the ciphertext's scale and level. What comes out carries noise that
/// depends on the secret: publishing it leaks key material (docs/security.md).
/// throws  Error(bad_argument) when key or ciphertext is of another Context, or the ciphertext
/// names
///         another key
Plaintext decrypt(const Context& context, const SecretKey& secret, const Ciphertext& ciphertext);

/// Saved form: header, then the coefficients in two bits each. Keep the file private (mode 0600).
std::vector<std::byte> save_secret_key(const Context& context, const SecretKey& secret);
/// throws  Error(bad_input) naming `name` when damaged, of another kind or of other parameters
SecretKey load_secret_key(const Context& context, std::span<const std::byte> data,
                          const std::string& name);

}  // namespace sinter::ckks
