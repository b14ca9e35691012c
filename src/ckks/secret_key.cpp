// SPDX-License-Identifier: Apache-2.0
// Key generation, symmetric encryption, decryption. Everything secret lives in polynomials marked
// secret or in buffers that are wiped here.
#include "ckks/secret_key.h"

#include <atomic>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/key_switch.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

void check_key(const Context& context, const SecretKey& secret, const char* operation) {
  require(secret.params_hash() == context.params().hash(), ErrorKind::bad_argument, operation,
          ": the secret key belongs to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", secret.params_hash());
}

/// Gaussian noise with `limbs` limbs of the given level, NTT form.
RnsPoly noise(const Context& context, int level, int limbs, ring::SecretRng& rng) {
  std::vector<signed char> small(size_t(context.n()));
  ring::sample_gaussian(rng, small);
  RnsPoly e = context.ring().from_small(small, level, limbs);
  ring::wipe(small);
  return e;
}

/// s^2 modulo every prime.
RnsPoly squared(const Context& context, const RnsPoly& s) {
  RnsPoly out = s.clone();
  for (int i = 0; i < s.limbs(); ++i) {
    const ring::Modulus& q = context.ring().modulus(i);
    for (u64& x : out.limb(i)) x = q.mul(x, x);
  }
  return out;
}

/// One switching key from s_from to s_to (both modulo every prime) for levels up to `level`.
SwitchingKey make_switching_key(const Context& context, const RnsPoly& s_from, const RnsPoly& s_to,
                                int level, ring::SecretRng& rng) {
  const ring::RnsRing& ring = context.ring();
  const int k = ring.special_count(), limbs = level + 1 + k;
  SwitchingKey key;
  key.level = level;
  key.seed = rng.seed();
  for (int d = 0; d < ring.digit_count(level); ++d) {
    SwitchingKey::Digit digit{noise(context, level, limbs, rng), context.ring().make_poly(limbs)};
    for (int i = 0; i < limbs; ++i) {
      const int prime = ring.prime_of(level, i);
      const ring::Modulus q = ring.modulus(prime);
      const bool in_digit = i <= level && i / k == d;
      const ring::ShoupFactor factor = q.shoup(in_digit ? ring.special_product(i) : 0);
      ring::uniform_residues(key.seed, u64(d), q, digit.a.limb(i));
      const u64 *a = digit.a.limb(i).data(), *from = s_from.limb(prime).data(),
                *to = s_to.limb(prime).data();
      u64* b = digit.b.limb(i).data();
      for (i64 n = 0; n < context.n(); ++n)
        b[n] = q.sub(q.add(b[n], q.mul(to[n], factor)), q.mul(a[n], from[n]));
    }
    key.digits.push_back(std::move(digit));
  }
  return key;
}

SwitchingKey make_galois_key(const Context& context, const RnsPoly& s, u64 element, int level,
                             ring::SecretRng& rng) {
  const u64 inverse = detail::inverse_element(element, context.n());
  const std::vector<u32> permutation = ring::automorphism_permutation(context.n(), inverse);
  RnsPoly from = s.clone();
  for (int i = 0; i < s.limbs(); ++i) ring::permute(s.limb(i), permutation, from.limb(i));
  SwitchingKey key = make_switching_key(context, from, s, level, rng);
  key.galois_element = element;
  key.permutation = ring::automorphism_permutation(context.n(), element);
  return key;
}

void check_manifest(const Context& context, const KeyManifest& manifest) {
  require(manifest.key_count() == 0 || context.ring().special_count() > 0, ErrorKind::bad_argument,
          "keys: the parameters have no special primes (log_p), found a manifest of ",
          manifest.key_count(), " keys");
  const auto check_level = [&](int level, int min, const char* what) {
    require(level >= min && level <= context.max_level(), ErrorKind::bad_argument, "keys: ", what,
            ": expected a level of ", min, " to ", context.max_level(), ", found ", level);
  };
  check_level(manifest.relinearisation_level, -1, "relinearisation");
  check_level(manifest.conjugation_level, -1, "conjugation");
  for (const auto& [rotation, level] : manifest.rotations) {
    check_level(level, 0, "rotation");
    require(rotation >= 1 && rotation < context.slots(), ErrorKind::bad_argument,
            "keys: expected rotations of 1 to ", context.slots() - 1, ", found ", rotation);
  }
}

}  // namespace

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
  check_key(context, secret, "public key");
  const int level = context.max_level();
  PublicKey key;
  key.params_hash = context.params().hash();
  key.key_id = secret.id();
  key.seed = rng.seed();
  key.a = context.ring().make_poly(level + 1);
  const RnsPoly e = noise(context, level, level + 1, rng);
  key.b = context.ring().make_poly(level + 1);
  for (int i = 0; i <= level; ++i) {
    const ring::Modulus& q = context.ring().modulus(i);
    ring::uniform_residues(key.seed, 0, q, key.a.limb(i));
    for (size_t n = 0; n < size_t(context.n()); ++n)
      key.b.limb(i)[n] = q.sub(e.limb(i)[n], q.mul(key.a.limb(i)[n], secret.poly().limb(i)[n]));
  }
  return key;
}

EvaluationKeys generate_evaluation_keys(const Context& context, const SecretKey& secret,
                                        const KeyManifest& manifest, ring::SecretRng& rng,
                                        ThreadPool& pool, const Progress& progress) {
  check_key(context, secret, "evaluation keys");
  check_manifest(context, manifest);
  struct Task {
    SwitchingKey* out;
    i64 rotation;  // 0: conjugation, -1: relinearisation
    int level;
    ring::SecretRng rng;
  };
  std::map<i64, SwitchingKey> rotations;
  SwitchingKey conjugation, relinearisation;
  std::vector<Task> tasks;
  const auto add = [&](SwitchingKey& out, i64 rotation, int level) {
    Seed seed = rng.seed();
    tasks.push_back({&out, rotation, level, ring::SecretRng(seed)});
    ring::wipe({reinterpret_cast<signed char*>(seed.data()), seed.size()});
  };
  if (manifest.relinearisation_level >= 0) add(relinearisation, -1, manifest.relinearisation_level);
  if (manifest.conjugation_level >= 0) add(conjugation, 0, manifest.conjugation_level);
  for (const auto& [rotation, level] : manifest.rotations)
    add(rotations[rotation], rotation, level);

  const RnsPoly s_squared =
      manifest.relinearisation_level >= 0 ? squared(context, secret.poly()) : RnsPoly();
  std::atomic<i64> done{0};
  pool.run(std::ssize(tasks), [&](i64 i, i64 worker) {
    Task& t = tasks[size_t(i)];
    if (t.rotation < 0) {
      *t.out = make_switching_key(context, secret.poly(), s_squared, t.level, t.rng);
    } else {
      const u64 element = t.rotation == 0 ? 2 * u64(context.n()) - 1
                                          : detail::rotation_element(t.rotation, context.n());
      *t.out = make_galois_key(context, secret.poly(), element, t.level, t.rng);
    }
    const i64 finished = ++done;
    if (worker == 0 && progress) progress(finished, std::ssize(tasks), "evaluation keys");
  });
  return {context.params().hash(),    manifest,   std::move(rotations), std::move(conjugation),
          std::move(relinearisation), secret.id()};
}

Ciphertext encrypt_symmetric(const Context& context, const SecretKey& secret,
                             const Plaintext& plaintext, ring::SecretRng& rng) {
  check_key(context, secret, "encrypt");
  detail::check_plaintext(context, plaintext, "encrypt");
  const int level = plaintext.level;
  const Seed seed = rng.seed();
  const RnsPoly e = noise(context, level, level + 1, rng);
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
  check_key(context, secret, "decrypt");
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
