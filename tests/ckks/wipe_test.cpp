// SPDX-License-Identifier: Apache-2.0
// Secrets do not survive in memory that is used again: after key generation, encryption and
// decryption the buffers of the ring's cache hold no limb of the secret, of its square, of its
// automorphisms or of a decrypted message.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ckks/encrypt.h"
#include "ring/rns.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

/// The first words of a limb, enough to recognise it.
std::vector<u64> head(std::span<const u64> limb) { return {limb.begin(), limb.begin() + 16}; }

/// Every buffer that the ring's cache hands out again, taken and kept until they are fresh.
std::vector<RnsPoly> cached_buffers(const Context& context) {
  std::vector<RnsPoly> buffers;
  for (int limbs = 1; limbs <= context.max_level() + 1 + context.ring().special_count(); ++limbs)
    for (int i = 0; i < 40; ++i) buffers.push_back(context.ring().make_poly(limbs));
  return buffers;
}

TEST(Wipe, no_secret_is_left_in_buffers_that_are_used_again) {
  Party p(small_options(8, 3, 2));
  const Context& c = p.c();
  std::set<std::vector<u64>> secrets;
  const auto remember = [&](const RnsPoly& poly) {
    for (int i = 0; i < poly.limbs(); ++i) secrets.insert(head(poly.limb(i)));
  };
  KeyManifest manifest;
  manifest.relinearisation_level = manifest.conjugation_level = manifest.encapsulation_level = 3;
  manifest.add_rotation(1, 3, c.slots());
  {
    const SecretKey secret = generate_secret_key(c, p.rng);
    remember(secret.poly());
    for (int i = 0; i < secret.poly().limbs(); ++i) {
      const ring::Modulus& q = c.ring().modulus(i);
      std::vector<u64> square(secret.poly().limb(i).begin(), secret.poly().limb(i).end());
      for (u64& x : square) x = q.mul(x, x);
      secrets.insert(head(square));
      for (u64 element : {u64(5), 2 * u64(c.n()) - 1}) {
        std::vector<u64> turned(size_t(c.n()));
        for (u64 g = element, k = 0; k < 2; ++k, g = element * g % (2 * u64(c.n()))) {
          ring::permute(secret.poly().limb(i), ring::automorphism_permutation(c.n(), g), turned);
          secrets.insert(head(turned));
        }
      }
    }
    const EvaluationKeys keys = generate_evaluation_keys(c, secret, manifest, p.rng, p.pool);
    const PublicKey public_key = generate_public_key(c, secret, p.rng);
    const Plaintext message = encode(c, std::vector<double>{1, 2, 3}, 0x1p40, 3);
    const Ciphertext x = encrypt_symmetric(c, secret, message, p.rng);
    const Ciphertext y = encrypt_public(c, public_key, message, p.rng);
    const Plaintext opened = decrypt(c, secret, x);
    remember(opened.poly);
    decode(c, opened);
    remember(decrypt(c, secret, y).poly);
    load_secret_key(c, save_secret_key(c, secret), "copy");
  }
  int zero = 0;
  for (const RnsPoly& buffer : cached_buffers(c))
    for (int i = 0; i < buffer.limbs(); ++i) {
      ASSERT_FALSE(secrets.contains(head(buffer.limb(i)))) << "limb " << i;
      zero += std::ranges::count(buffer.limb(i), u64(0)) == c.n();
    }
  EXPECT_GT(zero, 10) << "no wiped buffer came back: the test looks in the wrong place";
}

}  // namespace
}  // namespace sinter::ckks
