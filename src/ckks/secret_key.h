// SPDX-License-Identifier: Apache-2.0
// What only the owner of the data may do: make keys, encrypt symmetrically, decrypt. Server code
// does not include this header; tools/check_layers.py refuses it there.
#pragma once
#include <cstddef>
#include <filesystem>
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

/// The same keys, made and written one after another: the file that save_evaluation_keys would
/// write of them, in the memory of one key per thread. In one step; a failure leaves the old file.
/// throws  Error(io)
void generate_evaluation_key_file(const Context& context, const SecretKey& secret,
                                  const KeyManifest& manifest, ring::SecretRng& rng,
                                  const std::filesystem::path& path, ThreadPool& pool,
                                  const Progress& progress = {});

/// Encrypts at the plaintext's level. The uniform part is a seed, so that the saved form is one
/// polynomial and 32 bytes.
/// noise   |e| <= 20 per coefficient (sigma 3.2, cut at 6 sigma)
Ciphertext encrypt_symmetric(const Context& context, const SecretKey& secret,
                             const Plaintext& plaintext, ring::SecretRng& rng);

/// c_0 + c_1 s [+ c_2 s^2] with the ciphertext's scale and level. What comes out carries noise that
/// depends on the secret: publishing it leaks key material (docs/security.md).
/// throws  Error(bad_argument) when key or ciphertext is of another Context, or the ciphertext
///         names another key
Plaintext decrypt(const Context& context, const SecretKey& secret, const Ciphertext& ciphertext);

/// What flood() did.
struct Flooding {
  double deviation = 0;  ///< of the noise added to every value
  double step = 0;       ///< the values are multiples of it
};

/// The standard deviation that hides errors of at most `error_bound` in each of `count` values:
///   2^bits sqrt(count) error_bound / sqrt(2 pi)   (and 2^-5 more, for the grid)
double flooding_deviation(double error_bound, i64 count, double bits);

/// Noise flooding, for values that leave the client: adds a Gaussian to each value on a fine grid
/// and rounds to the precision that is left, so that what is published says as good as nothing
/// about the key-dependent error of decryption.
///
/// values       decrypted and decoded; only they are published, nothing else of the plaintext
/// error_bound  what |decrypted - exact| stays below for every value, whatever the key: from the
///              computation, never from these values. `decrypt --publish` gives eight times the
///              deviation that the program predicts, a bound that holds with overwhelming
///              probability under the noise model of docs/ckks.md section 4, not a proved one;
///              the guarantee is as good as this number
/// bits         1 to 40: whatever is computed from the published values has, up to 2^-bits in
///              probability, the distribution it has when the exact values are flooded instead.
///              That is per publication; m of them add up to m 2^-bits
/// throws  Error(bad_argument) when a value, relative to the bound, is too large for the grid
/// Source: Li, Micciancio 2021 (IND-CPA-D); Li, Micciancio, Schultz, Sorrell 2022 (noise flooding
/// as a differentially private mechanism). docs/security.md has the argument.
Flooding flood(std::span<double> values, double error_bound, double bits, ring::SecretRng& rng);

/// Saved form: header, then the coefficients in two bits each. Keep the file private (mode 0600).
std::vector<std::byte> save_secret_key(const Context& context, const SecretKey& secret);
/// throws  Error(bad_input) naming `name` when damaged, of another kind or of other parameters
SecretKey load_secret_key(const Context& context, std::span<const std::byte> data,
                          const std::string& name);

}  // namespace sinter::ckks
