// SPDX-License-Identifier: Apache-2.0
#include "ckks/encrypt.h"

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ring/rns.h"

namespace sinter::ckks {

Ciphertext encrypt_public(const Context& context, const PublicKey& key, const Plaintext& plaintext,
                          ring::SecretRng& rng) {
  detail::check_plaintext(context, plaintext, "encrypt");
  require(key.params_hash == context.params().hash(), ErrorKind::bad_argument,
          "encrypt: the public key belongs to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", key.params_hash);
  const ring::RnsRing& ring = context.ring();
  const int level = plaintext.level;
  std::vector<signed char> small(size_t(context.n()));
  ring::sample_ternary(rng, small);
  const ring::RnsPoly v = ring.from_small(small, level, level + 1);
  std::vector<ring::RnsPoly> parts;
  for (const ring::RnsPoly* half : {&key.b, &key.a}) {
    ring::sample_gaussian(rng, small);
    const ring::RnsPoly e = ring.from_small(small, level, level + 1);
    ring::RnsPoly out = context.ring().make_poly(level + 1);
    const bool has_message = parts.empty();
    for (int i = 0; i <= level; ++i) {
      const ring::Modulus q = ring.modulus(i);
      const u64 *x = half->limb(i).data(), *r = v.limb(i).data(), *noise = e.limb(i).data(),
                *m = plaintext.poly.limb(i).data();
      u64* to = out.limb(i).data();
      for (i64 n = 0; n < context.n(); ++n)
        to[n] = q.add(q.add(q.mul(x[n], r[n]), noise[n]), has_message ? m[n] : 0);
    }
    parts.push_back(std::move(out));
  }
  ring::wipe(small);
  Ciphertext out(std::move(parts), plaintext.scale, level, context.params().hash());
  out.set_origin({key.key_id, 0});
  return out;
}

}  // namespace sinter::ckks
