// SPDX-License-Identifier: Apache-2.0
// Secret and public keys, symmetric encryption, decryption. Everything secret lives in polynomials
// marked secret or in buffers that are wiped here. Evaluation keys are in key_generation.cpp.
#include "ckks/secret_key.h"

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/secrets.h"
#include "ring/rns.h"

namespace sinter::ckks {

using ring::RnsPoly;

void detail::check_key(const Context& context, const SecretKey& secret, const char* operation) {
  require(secret.params_hash() == context.params().hash(), ErrorKind::bad_argument, operation,
          ": the secret key belongs to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", secret.params_hash());
}

RnsPoly detail::sample_noise(const Context& context, int level, int limbs, ring::SecretRng& rng) {
  std::vector<signed char> small(size_t(context.n()));
  ring::sample_gaussian(rng, small);
  RnsPoly e = context.ring().from_small(small, level, limbs);
  ring::wipe(small);
  return e;
}

SecretKey::SecretKey(const Context& context, std::span<const signed char> coefficients, u64 id)
    : params_hash_(context.params().hash()), id_(id) {
  require(std::ssize(coefficients) == context.n(), ErrorKind::bad_argument, "secret key: expected ",
          context.n(), " coefficients, found ", coefficients.size());
  for (signed char c : coefficients)
    require(c >= -1 && c <= 1, ErrorKind::bad_argument,
            "secret key: expected coefficients of -1, 0 and 1");
  const int level = context.max_level();
  poly_ =
      context.ring().from_small(coefficients, level, level + 1 + context.ring().special_count());
}

SecretKey generate_secret_key(const Context& context, ring::SecretRng& rng) {
  std::vector<signed char> small(size_t(context.n()));
  const CkksOptions& options = context.params().options();
  if (options.secret == SecretKind::ternary) {
    ring::sample_ternary(rng, small);
  } else {
    ring::sample_sparse_ternary(rng, options.hamming_weight, small);
  }
  SecretKey key(context, small, rng.bits() | 1);
  ring::wipe(small);
  return key;
}

PublicKey generate_public_key(const Context& context, const SecretKey& secret,
                              ring::SecretRng& rng) {
  detail::check_key(context, secret, "public key");
  const int level = context.max_level();
  PublicKey key;
  key.params_hash = context.params().hash();
  key.key_id = secret.id();
  key.seed = rng.seed();
  key.a = context.ring().make_poly(level + 1);
  const RnsPoly e = detail::sample_noise(context, level, level + 1, rng);
  key.b = context.ring().make_poly(level + 1);
  for (int i = 0; i <= level; ++i) {
    const ring::Modulus& q = context.ring().modulus(i);
    ring::uniform_residues(key.seed, 0, q, key.a.limb(i));
    for (size_t n = 0; n < size_t(context.n()); ++n)
      key.b.limb(i)[n] = q.sub(e.limb(i)[n], q.mul(key.a.limb(i)[n], secret.poly().limb(i)[n]));
  }
  return key;
}

Ciphertext encrypt_symmetric(const Context& context, const SecretKey& secret,
                             const Plaintext& plaintext, ring::SecretRng& rng) {
  detail::check_key(context, secret, "encrypt");
  detail::check_plaintext(context, plaintext, "encrypt");
  const int level = plaintext.level;
  const Seed seed = rng.seed();
  const RnsPoly e = detail::sample_noise(context, level, level + 1, rng);
  RnsPoly c0 = context.ring().make_poly(level + 1), c1 = context.ring().make_poly(level + 1);
  for (int i = 0; i <= level; ++i) {
    const ring::Modulus q = context.ring().modulus(i);
    ring::uniform_residues(seed, 0, q, c1.limb(i));
    const u64 *a = c1.limb(i).data(), *s = secret.poly().limb(i).data(),
              *noise_limb = e.limb(i).data(), *m = plaintext.poly.limb(i).data();
    u64* out = c0.limb(i).data();
    for (i64 n = 0; n < context.n(); ++n)
      out[n] = q.sub(q.add(m[n], noise_limb[n]), q.mul(a[n], s[n]));
  }
  std::vector<RnsPoly> parts;
  parts.push_back(std::move(c0));
  parts.push_back(std::move(c1));
  Ciphertext out(std::move(parts), plaintext.scale, level, context.params().hash(), seed);
  out.set_origin({secret.id(), 0});
  return out;
}

Plaintext decrypt(const Context& context, const SecretKey& secret, const Ciphertext& ciphertext) {
  detail::check_key(context, secret, "decrypt");
  detail::check_ciphertext(context, ciphertext, "decrypt");
  const u64 named = ciphertext.origin().key;
  require(named == 0 || secret.id() == 0 || named == secret.id(), ErrorKind::bad_argument,
          "decrypt: the ciphertext is under another secret key: expected key ", std::hex, named,
          ", found ", secret.id());
  const int level = ciphertext.level();
  RnsPoly m = context.ring().make_poly(level + 1);
  m.set_secret();
  for (int i = 0; i <= level; ++i) {
    const ring::Modulus q = context.ring().modulus(i);
    const u64 *s = secret.poly().limb(i).data(), *c0 = ciphertext.part(0).limb(i).data(),
              *c1 = ciphertext.part(1).limb(i).data();
    const u64* c2 = ciphertext.parts() == 3 ? ciphertext.part(2).limb(i).data() : nullptr;
    u64* out = m.limb(i).data();
    for (i64 n = 0; n < context.n(); ++n) {
      const u64 high = c2 != nullptr ? q.add(c1[n], q.mul(c2[n], s[n])) : c1[n];
      out[n] = q.add(c0[n], q.mul(high, s[n]));
    }
  }
  return {std::move(m), ciphertext.scale(), level, Basis::q};
}

}  // namespace sinter::ckks
