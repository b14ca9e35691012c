// SPDX-License-Identifier: Apache-2.0
// Key switching: relinearisation, rotations, conjugation; the work is in switch_limbs.
//
//   rotate        u = c_1: (sigma(c_0 + v_0 / P), sigma(v_1 / P))
//   relinearise   u = c_2: (c_0 + v_0 / P, c_1 + v_1 / P), or both divided by q_level as well
#include <algorithm>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/key_switch.h"
#include "ckks/detail/switch_limbs.h"
#include "ckks/evaluate.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using detail::Parts;
using detail::SwitchSource;
using ring::RnsPoly;

/// x itself as a result, which has no origin.
Ciphertext copy_of(const Ciphertext& x) {
  Ciphertext out = x.clone();
  out.set_origin({});
  return out;
}

/// c_0 = x.part(0), c_1 = x.part(1) with three parts or zero with two, u = the last part.
SwitchSource source_of(const Ciphertext& x) {
  const RnsPoly &c0 = x.part(0), &c1 = x.part(1), &u = x.part(x.parts() - 1);
  const bool is_product = x.parts() == 3;
  return {[&c0, &c1, &u, is_product](int i, std::array<u64*, 3>) -> SwitchSource::Limb {
            return {c0.limb(i).data(), is_product ? c1.limb(i).data() : nullptr, u.limb(i).data()};
          },
          [&u](int i, std::span<u64> out) {
            std::copy_n(u.limb(i).data(), std::ssize(out), out.data());
          }};
}

/// The three parts of x y, limb by limb.
SwitchSource product_source(const Context& context, const Ciphertext& x, const Ciphertext& y) {
  const ring::RnsRing& ring = context.ring();
  return {[&](int i, std::array<u64*, 3> rows) -> SwitchSource::Limb {
            ring::multiply_pairs({x.part(0).limb(i).data(), x.part(1).limb(i).data()},
                                 {y.part(0).limb(i).data(), y.part(1).limb(i).data()},
                                 ring.modulus(i), ring.n(), rows[0], rows[1], rows[2]);
            return {rows[0], rows[1], rows[2]};
          },
          [&](int i, std::span<u64> out) {
            ring::multiply(x.part(1).limb(i).data(), y.part(1).limb(i).data(), ring.modulus(i),
                           ring.n(), out.data());
          }};
}

/// source lives as long as the call; scale is that of c_0.
Ciphertext relinearised(const Context& context, const SwitchSource& source, const Ciphertext& like,
                        double scale, const EvaluationKeys& keys, bool takes_last,
                        ThreadPool& pool) {
  const int level = like.level();
  const SwitchingKey* const key = &keys.relinearisation(level);
  Parts result =
      std::move(detail::switch_limbs(context, source, level, {&key, 1}, takes_last, pool).front());
  std::vector<RnsPoly> parts;
  for (RnsPoly& part : result) parts.push_back(std::move(part));
  if (takes_last) scale /= double(context.params().q(level));
  return {std::move(parts), scale, takes_last ? level - 1 : level, like.params_hash()};
}

void check_levels_left(const Ciphertext& x, const char* operation) {
  require(x.level() >= 1, ErrorKind::out_of_levels, operation,
          ": expected a ciphertext of level 1 or more, found level ", x.level());
}

Ciphertext multiplied(const Context& context, const Ciphertext& x, const Ciphertext& y,
                      const EvaluationKeys& keys, bool rescales, const char* operation,
                      ThreadPool& pool) {
  detail::check_ciphertext(context, x, operation, 2);
  detail::check_ciphertext(context, y, operation, 2);
  detail::check_same_level(x, y, operation);
  detail::check_evaluation_keys(context, keys, operation);
  if (rescales) check_levels_left(x, operation);
  const bool takes_last = rescales && context.ring().divides_with_last();
  Ciphertext out = relinearised(context, product_source(context, x, y), x, x.scale() * y.scale(),
                                keys, takes_last, pool);
  return rescales && !takes_last ? rescale(context, out, pool) : std::move(out);
}

std::vector<Ciphertext> apply_galois(const Context& context, const Ciphertext& x,
                                     std::span<const SwitchingKey* const> keys, ThreadPool& pool) {
  std::vector<Ciphertext> out;
  for (Parts& result : detail::switch_limbs(context, source_of(x), x.level(), keys, false, pool)) {
    std::vector<RnsPoly> parts;
    for (RnsPoly& part : result) parts.push_back(std::move(part));
    out.emplace_back(std::move(parts), x.scale(), x.level(), x.params_hash());
  }
  return out;
}

}  // namespace

Ciphertext relinearise(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                       ThreadPool& pool) {
  detail::check_ciphertext(context, x, "relinearise");
  detail::check_evaluation_keys(context, keys, "relinearise");
  if (x.parts() == 2) return copy_of(x);
  return relinearised(context, source_of(x), x, x.scale(), keys, false, pool);
}

Ciphertext relinearise_rescale(const Context& context, const Ciphertext& x,
                               const EvaluationKeys& keys, ThreadPool& pool) {
  detail::check_ciphertext(context, x, "relinearise_rescale");
  detail::check_evaluation_keys(context, keys, "relinearise_rescale");
  check_levels_left(x, "relinearise_rescale");
  if (x.parts() == 2) return rescale(context, x, pool);
  if (!context.ring().divides_with_last())
    return rescale(context, relinearise(context, x, keys, pool), pool);
  return relinearised(context, source_of(x), x, x.scale(), keys, true, pool);
}

Ciphertext multiply_relinearise(const Context& context, const Ciphertext& x, const Ciphertext& y,
                                const EvaluationKeys& keys, ThreadPool& pool) {
  return multiplied(context, x, y, keys, false, "multiply_relinearise", pool);
}

Ciphertext square_relinearise(const Context& context, const Ciphertext& x,
                              const EvaluationKeys& keys, ThreadPool& pool) {
  return multiplied(context, x, x, keys, false, "square_relinearise", pool);
}

Ciphertext multiply_relinearise_rescale(const Context& context, const Ciphertext& x,
                                        const Ciphertext& y, const EvaluationKeys& keys,
                                        ThreadPool& pool) {
  return multiplied(context, x, y, keys, true, "multiply_relinearise_rescale", pool);
}

Ciphertext square_relinearise_rescale(const Context& context, const Ciphertext& x,
                                      const EvaluationKeys& keys, ThreadPool& pool) {
  return multiplied(context, x, x, keys, true, "square_relinearise_rescale", pool);
}

std::vector<Ciphertext> rotate_hoisted(const Context& context, const Ciphertext& x,
                                       std::span<const i64> steps, const EvaluationKeys& keys,
                                       ThreadPool& pool) {
  detail::check_ciphertext(context, x, "rotate", 2);
  detail::check_evaluation_keys(context, keys, "rotate");
  std::vector<const SwitchingKey*> chosen;  // all looked up before any work is done
  for (i64 step : steps)
    if (detail::normalise_rotation(step, context.slots()) != 0)
      chosen.push_back(&keys.galois(context, step, x.level()));
  std::vector<Ciphertext> rotated = apply_galois(context, x, chosen, pool), out;
  auto next = rotated.begin();
  for (i64 step : steps) {
    const bool is_identity = detail::normalise_rotation(step, context.slots()) == 0;
    out.push_back(is_identity ? copy_of(x) : std::move(*next++));
  }
  return out;
}

Ciphertext rotate(const Context& context, const Ciphertext& x, i64 steps,
                  const EvaluationKeys& keys, ThreadPool& pool) {
  return std::move(rotate_hoisted(context, x, {&steps, 1}, keys, pool).front());
}

Ciphertext conjugate(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                     ThreadPool& pool) {
  detail::check_ciphertext(context, x, "conjugate", 2);
  detail::check_evaluation_keys(context, keys, "conjugate");
  const SwitchingKey* const key = &keys.conjugation(x.level());
  return std::move(apply_galois(context, x, {&key, 1}, pool).front());
}

}  // namespace sinter::ckks
