// SPDX-License-Identifier: Apache-2.0
#include "ckks/encapsulate.h"

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/key_switch.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

/// x * y modulo every prime of an extended polynomial of level 0.
RnsPoly product(const ring::RnsRing& ring, const RnsPoly& x, const RnsPoly& y) {
  RnsPoly out = ring.make_poly(x.limbs());
  for (int i = 0; i < x.limbs(); ++i) {
    ring::multiply(x.limb(i).data(), y.limb(i).data(), ring.limb_modulus(0, i), ring.n(),
                   out.limb(i).data());
  }
  return out;
}

void add_to(const ring::RnsRing& ring, RnsPoly& x, const RnsPoly& y) {
  for (int i = 0; i < x.limbs(); ++i) {
    u64* to = x.limb(i).data();
    ring::add(to, y.limb(i).data(), ring.modulus(i), ring.n(), to);
  }
}

}  // namespace

Ciphertext switch_to_sparse(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                            ThreadPool& pool) {
  detail::check_ciphertext(context, x, "switch_to_sparse", 2);
  detail::check_evaluation_keys(context, keys, "switch_to_sparse");
  require(x.level() == 0, ErrorKind::bad_argument,
          "switch_to_sparse: expected a ciphertext of level 0, found ", x.level());
  const SwitchingKey& key = keys.to_sparse();
  // The key has fewer special primes than the context: a ring of its own, q_0 and those primes.
  const CkksParams& params = context.params();
  const int special = key.digits[0].b.limbs() - 1;
  const ring::RnsRing ring(context.n(), params.q().first(1), params.p().first(size_t(special)));
  const std::vector<RnsPoly> digits = ring.mod_up(x.part(1), 0, pool);
  std::vector<RnsPoly> parts;
  parts.push_back(ring.mod_down(product(ring, digits[0], key.digits[0].b), 0, pool));
  parts.push_back(ring.mod_down(product(ring, digits[0], key.digits[0].a), 0, pool));
  add_to(ring, parts[0], x.part(0));
  return {std::move(parts), x.scale(), 0, x.params_hash()};
}

Ciphertext switch_to_dense(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                           ThreadPool& pool) {
  detail::check_ciphertext(context, x, "switch_to_dense", 2);
  detail::check_evaluation_keys(context, keys, "switch_to_dense");
  const SwitchingKey& key = keys.to_dense(x.level());
  const ring::RnsRing& ring = context.ring();
  const std::vector<RnsPoly> digits = ring.mod_up(x.part(1), x.level(), pool);
  detail::ExtendedPair v = detail::inner_product(context, digits, x.level(), key, pool);
  std::vector<RnsPoly> parts;
  parts.push_back(ring.mod_down(std::move(v.c0), x.level(), pool));
  parts.push_back(ring.mod_down(std::move(v.c1), x.level(), pool));
  add_to(ring, parts[0], x.part(0));
  return {std::move(parts), x.scale(), x.level(), x.params_hash()};
}

}  // namespace sinter::ckks
