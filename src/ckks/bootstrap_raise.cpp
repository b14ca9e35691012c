// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "ckks/detail/bootstrap_raise.h"
#include "ckks/detail/key_switch.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

using ring::Modulus;
using ring::RnsPoly;

/// Limb 0 in coefficient form.
std::vector<u64> coefficients_of(const Context& context, const RnsPoly& x) {
  std::vector<u64> out(x.limb(0).begin(), x.limb(0).end());
  ring::ntt_inverse(context.ring().ntt(0), out);
  return out;
}

/// Centred residues modulo q_0 as `limbs` limbs of the given level, NTT form. ntt: limb 0 of the
/// result, known already.
RnsPoly lift(const Context& context, std::span<const u64> coefficients, std::span<const u64> ntt,
             int level, int limbs, ThreadPool& pool) {
  const ring::RnsRing& ring = context.ring();
  RnsPoly out = ring.make_poly(limbs);
  pool.run(limbs, [&](i64 task, i64) {
    const int i = int(task), prime = ring.prime_of(level, i);
    const std::span<u64> limb = out.limb(i);
    if (i == 0) {
      std::copy(ntt.begin(), ntt.end(), limb.begin());
      return;
    }
    ring::reduce_centred(coefficients.data(), ring.modulus(0), ring.modulus(prime), context.n(),
                         limb.data());
    ring::ntt_forward(ring.ntt(prime), limb);
  });
  return out;
}

/// sum_j u (b_j, a_j).
ExtendedPair times_key(const Context& context, const RnsPoly& u, int level, const SwitchingKey& key,
                       ThreadPool& pool) {
  const ring::RnsRing& ring = context.ring();
  ExtendedPair v{ring.make_poly(u.limbs()), ring.make_poly(u.limbs())};
  pool.run(u.limbs(), [&](i64 task, i64) {
    const int i = int(task), key_limb = i <= level ? i : i + key.level - level;
    std::vector<ring::PairTerm> terms;
    for (int d = 0; d < ring.digit_count(level); ++d)
      terms.push_back({u.limb(i).data(), key.digits[size_t(d)].b.limb(key_limb).data(),
                       key.digits[size_t(d)].a.limb(key_limb).data()});
    ring::sum_products(terms, ring.limb_modulus(level, i), context.n(), v.c0.limb(i).data(),
                       v.c1.limb(i).data());
  });
  return v;
}

}  // namespace

Ciphertext raise_modulus(const Context& context, const Ciphertext& x, int level,
                         const SwitchingKey& key, ThreadPool& pool) {
  SINTER_ASSERT(x.level() == 0 && x.parts() == 2 && key.level >= level);
  const ring::RnsRing& ring = context.ring();
  const int limbs = level + 1 + ring.special_count();
  ExtendedPair v = times_key(
      context,
      lift(context, coefficients_of(context, x.part(1)), x.part(1).limb(0), level, limbs, pool),
      level, key, pool);
  const RnsPoly c0 =
      lift(context, coefficients_of(context, x.part(0)), x.part(0).limb(0), level, level + 1, pool);
  std::vector<RnsPoly> parts;
  parts.push_back(ring.mod_down(std::move(v.c0), level, pool));
  parts.push_back(ring.mod_down(std::move(v.c1), level, pool));
  pool.run(level + 1, [&](i64 i, i64) {
    u64* const to = parts[0].limb(int(i)).data();
    ring::add(to, c0.limb(int(i)).data(), ring.modulus(int(i)), context.n(), to);
  });
  return {std::move(parts), x.scale(), level, x.params_hash()};
}

Ciphertext multiply_by_i(const Context& context, const Ciphertext& x, ThreadPool& pool) {
  // Position j of a transform is the value at psi^(2 bitrev(j) + 1): X^(N/2) is there psi^(N/2) for
  // an even bitrev(j), that is in the first half, and its negative in the second.
  const ring::RnsRing& ring = context.ring();
  const i64 n = context.n(), half = n / 2;
  std::vector<RnsPoly> parts;
  for (int part = 0; part < x.parts(); ++part) {
    RnsPoly& out = parts.emplace_back(ring.make_poly(x.level() + 1));
    const RnsPoly& in = x.part(part);
    pool.run(x.level() + 1, [&](i64 task, i64) {
      const int i = int(task);
      const Modulus& q = ring.modulus(i);
      const u64 unit = q.pow(ring.ntt(i).root(), u64(half));
      ring::scale(in.limb(i).data(), q, q.shoup(unit), half, out.limb(i).data());
      ring::scale(in.limb(i).data() + half, q, q.shoup(q.negate(unit)), half,
                  out.limb(i).data() + half);
    });
  }
  return {std::move(parts), x.scale(), x.level(), x.params_hash()};
}

}  // namespace sinter::ckks::detail
