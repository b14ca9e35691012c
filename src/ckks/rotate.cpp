// SPDX-License-Identifier: Apache-2.0
// Key switching: relinearisation, rotations, conjugation. With the digits u_j of c_1 and the pair
// (v_0, v_1) = sum_j u_j (b_j, a_j),
//
//   rotate        (sigma(c_0 + v_0 / P), sigma(v_1 / P))
//   relinearise   (c_0 + v_0 / P, c_1 + v_1 / P), the digits being those of c_2
#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/key_switch.h"
#include "ckks/evaluate.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

void check_keys(const Context& context, const EvaluationKeys& keys, const char* operation) {
  require(keys.params_hash() == context.params().hash(), ErrorKind::bad_argument, operation,
          ": the evaluation keys belong to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", keys.params_hash());
}

void add_to(const Context& context, RnsPoly& x, const RnsPoly& y, ThreadPool& pool) {
  pool.run(x.limbs(), [&](i64 task, i64) {
    const int i = int(task);
    const ring::Modulus q = context.ring().modulus(i);
    u64* to = x.limb(i).data();
    const u64* from = y.limb(i).data();
    for (i64 n = 0; n < context.n(); ++n) to[n] = q.add(to[n], from[n]);
  });
}

Ciphertext apply_galois(const Context& context, const Ciphertext& x,
                        const std::vector<RnsPoly>& digits, const SwitchingKey& key,
                        ThreadPool& pool) {
  detail::ExtendedPair v = detail::inner_product(context, digits, x.level(), key, pool);
  RnsPoly c0 = context.ring().mod_down(std::move(v.c0), x.level(), pool);
  add_to(context, c0, x.part(0), pool);
  std::vector<RnsPoly> parts;
  parts.push_back(detail::permute(context, c0, key.permutation, pool));
  const RnsPoly c1 = context.ring().mod_down(std::move(v.c1), x.level(), pool);
  parts.push_back(detail::permute(context, c1, key.permutation, pool));
  return {std::move(parts), x.scale(), x.level(), x.params_hash()};
}

}  // namespace

Ciphertext relinearise(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                       ThreadPool& pool) {
  detail::check_ciphertext(context, x, "relinearise");
  check_keys(context, keys, "relinearise");
  if (x.parts() == 2) return x.clone();
  const SwitchingKey& key = keys.relinearisation(x.level());
  const std::vector<RnsPoly> digits = context.ring().mod_up(x.part(2), x.level(), pool);
  detail::ExtendedPair v = detail::inner_product(context, digits, x.level(), key, pool);
  std::vector<RnsPoly> parts;
  parts.push_back(context.ring().mod_down(std::move(v.c0), x.level(), pool));
  parts.push_back(context.ring().mod_down(std::move(v.c1), x.level(), pool));
  for (int i = 0; i < 2; ++i) add_to(context, parts[size_t(i)], x.part(i), pool);
  return {std::move(parts), x.scale(), x.level(), x.params_hash()};
}

Ciphertext multiply_relinearise(const Context& context, const Ciphertext& x, const Ciphertext& y,
                                const EvaluationKeys& keys, ThreadPool& pool) {
  return relinearise(context, multiply(context, x, y, pool), keys, pool);
}

Ciphertext square_relinearise(const Context& context, const Ciphertext& x,
                              const EvaluationKeys& keys, ThreadPool& pool) {
  return relinearise(context, square(context, x, pool), keys, pool);
}

std::vector<Ciphertext> rotate_hoisted(const Context& context, const Ciphertext& x,
                                       std::span<const i64> steps, const EvaluationKeys& keys,
                                       ThreadPool& pool) {
  detail::check_ciphertext(context, x, "rotate", 2);
  check_keys(context, keys, "rotate");
  std::vector<const SwitchingKey*> chosen;  // all looked up before any work is done
  bool needs_digits = false;
  for (i64 step : steps) {
    const bool is_identity = detail::normalise_rotation(step, context.slots()) == 0;
    chosen.push_back(is_identity ? nullptr : &keys.galois(context, step, x.level()));
    needs_digits |= !is_identity;
  }
  std::vector<RnsPoly> digits;
  if (needs_digits) digits = context.ring().mod_up(x.part(1), x.level(), pool);
  std::vector<Ciphertext> out;
  for (const SwitchingKey* key : chosen)
    out.push_back(key == nullptr ? x.clone() : apply_galois(context, x, digits, *key, pool));
  return out;
}

Ciphertext rotate(const Context& context, const Ciphertext& x, i64 steps,
                  const EvaluationKeys& keys, ThreadPool& pool) {
  return std::move(rotate_hoisted(context, x, {&steps, 1}, keys, pool).front());
}

Ciphertext conjugate(const Context& context, const Ciphertext& x, const EvaluationKeys& keys,
                     ThreadPool& pool) {
  detail::check_ciphertext(context, x, "conjugate", 2);
  check_keys(context, keys, "conjugate");
  const SwitchingKey& key = keys.conjugation(x.level());
  const std::vector<RnsPoly> digits = context.ring().mod_up(x.part(1), x.level(), pool);
  return apply_galois(context, x, digits, key, pool);
}

}  // namespace sinter::ckks
