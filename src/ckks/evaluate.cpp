// SPDX-License-Identifier: Apache-2.0
// Everything that works residue by residue, and rescaling. Rotations and relinearisation are in
// rotate.cpp.
#include "ckks/evaluate.h"

#include <cmath>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/encode_limbs.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::Modulus;
using ring::RnsPoly;

/// out = body(q, x, y) over the limbs of `out`; out may be x.
template <class Body>
void zip(const Context& context, const RnsPoly& x, const RnsPoly& y, RnsPoly& out,
         const Body& body) {
  for (int i = 0; i < out.limbs(); ++i) {
    const Modulus q = context.ring().modulus(i);
    const u64 *a = x.limb(i).data(), *b = y.limb(i).data();
    u64* to = out.limb(i).data();
    for (i64 n = 0; n < context.n(); ++n) to[n] = body(q, a[n], b[n]);
  }
}

template <class Body>
void map(const Context& context, RnsPoly& x, const Body& body) {
  for (int i = 0; i < x.limbs(); ++i) {
    const Modulus q = context.ring().modulus(i);
    for (u64& residue : x.limb(i)) residue = body(q, residue);
  }
}

constexpr auto kAdd = [](const Modulus& q, u64 a, u64 b) { return q.add(a, b); };
constexpr auto kSub = [](const Modulus& q, u64 a, u64 b) { return q.sub(a, b); };
constexpr auto kMul = [](const Modulus& q, u64 a, u64 b) { return q.mul(a, b); };

void check_pair(const Context& context, const Ciphertext& x, const Ciphertext& y,
                const char* operation, int parts = 0) {
  detail::check_ciphertext(context, x, operation, parts);
  detail::check_ciphertext(context, y, operation, parts);
  detail::check_same_level(x, y, operation);
}

/// x + y or x - y for two or three parts each. A part that x lacks counts as zero.
template <class Body>
void combine_inplace(const Context& context, Ciphertext& x, const Ciphertext& y,
                     const char* operation, const Body& body) {
  check_pair(context, x, y, operation);
  detail::check_same_scale(x.scale(), y.scale(), operation);
  if (y.parts() > x.parts()) {
    std::vector<RnsPoly> parts;
    for (int i = 0; i < x.parts(); ++i) parts.push_back(x.part(i).clone());
    parts.emplace_back(context.n(), x.level() + 1);
    x = Ciphertext(std::move(parts), x.scale(), x.level(), x.params_hash());
  }
  for (int i = 0; i < y.parts(); ++i) {
    RnsPoly& out = x.mutable_part(i);
    zip(context, out, y.part(i), out, body);
  }
}

void check_plain_operand(const Context& context, const Ciphertext& x, const Plaintext& p,
                         const char* operation) {
  detail::check_ciphertext(context, x, operation);
  detail::check_plaintext(context, p, operation, x.level());
}

/// round(value * scale) as residues. The integer must leave two bits of the modulus free.
double rounded(const Context& context, double value, double scale, int level,
               const char* operation) {
  const double integer = std::nearbyint(value * scale);
  require(std::isfinite(integer) &&
              (integer == 0 || std::log2(std::abs(integer)) + 2 <= context.params().log2_q(level)),
          ErrorKind::bad_argument, operation, ": the value ", value, " at scale 2^",
          std::log2(scale), " does not fit level ", level);
  return integer;
}

Ciphertext product(const Context& context, const Ciphertext& x, const Ciphertext& y,
                   ThreadPool& pool) {
  std::vector<RnsPoly> parts;
  for (int i = 0; i < 3; ++i) parts.push_back(context.ring().make_poly(x.level() + 1));
  pool.run(x.level() + 1, [&](i64 limb, i64) {
    const int i = int(limb);
    const Modulus q = context.ring().modulus(i);
    const u64 *x0 = x.part(0).limb(i).data(), *x1 = x.part(1).limb(i).data(),
              *y0 = y.part(0).limb(i).data(), *y1 = y.part(1).limb(i).data();
    u64 *z0 = parts[0].limb(i).data(), *z1 = parts[1].limb(i).data(), *z2 = parts[2].limb(i).data();
    for (i64 n = 0; n < context.n(); ++n) {
      z0[n] = q.mul(x0[n], y0[n]);
      z1[n] = q.reduce(ring::u128(x0[n]) * y1[n] + ring::u128(x1[n]) * y0[n]);
      z2[n] = q.mul(x1[n], y1[n]);
    }
  });
  return {std::move(parts), x.scale() * y.scale(), x.level(), x.params_hash()};
}

}  // namespace

Ciphertext add(const Context& context, const Ciphertext& x, const Ciphertext& y) {
  Ciphertext out = x.clone();
  combine_inplace(context, out, y, "add", kAdd);
  return out;
}

Ciphertext sub(const Context& context, const Ciphertext& x, const Ciphertext& y) {
  Ciphertext out = x.clone();
  combine_inplace(context, out, y, "sub", kSub);
  return out;
}

void add_inplace(const Context& context, Ciphertext& x, const Ciphertext& y) {
  combine_inplace(context, x, y, "add", kAdd);
}

void sub_inplace(const Context& context, Ciphertext& x, const Ciphertext& y) {
  combine_inplace(context, x, y, "sub", kSub);
}

Ciphertext negate(const Context& context, const Ciphertext& x) {
  detail::check_ciphertext(context, x, "negate");
  Ciphertext out = x.clone();
  for (int i = 0; i < out.parts(); ++i)
    map(context, out.mutable_part(i), [](const Modulus& q, u64 a) { return q.negate(a); });
  return out;
}

void add_plain_inplace(const Context& context, Ciphertext& x, const Plaintext& p) {
  check_plain_operand(context, x, p, "add_plain");
  detail::check_same_scale(x.scale(), p.scale, "add_plain");
  RnsPoly& out = x.mutable_part(0);
  zip(context, out, p.poly, out, kAdd);
}

Ciphertext add_plain(const Context& context, const Ciphertext& x, const Plaintext& p) {
  Ciphertext out = x.clone();
  add_plain_inplace(context, out, p);
  return out;
}

Ciphertext sub_plain(const Context& context, const Ciphertext& x, const Plaintext& p) {
  check_plain_operand(context, x, p, "sub_plain");
  detail::check_same_scale(x.scale(), p.scale, "sub_plain");
  Ciphertext out = x.clone();
  RnsPoly& c0 = out.mutable_part(0);
  zip(context, c0, p.poly, c0, kSub);
  return out;
}

void add_constant_inplace(const Context& context, Ciphertext& x, double value) {
  detail::check_ciphertext(context, x, "add_constant");
  const double integer = rounded(context, value, x.scale(), x.level(), "add_constant");
  RnsPoly& c0 = x.mutable_part(0);
  for (int i = 0; i < c0.limbs(); ++i) {
    const Modulus q = context.ring().modulus(i);
    const u64 constant = detail::reduce_double(integer, q);
    for (u64& residue : c0.limb(i)) residue = q.add(residue, constant);
  }
}

Ciphertext add_constant(const Context& context, const Ciphertext& x, double value) {
  Ciphertext out = x.clone();
  add_constant_inplace(context, out, value);
  return out;
}

Ciphertext multiply_plain(const Context& context, const Ciphertext& x, const Plaintext& p) {
  check_plain_operand(context, x, p, "multiply_plain");
  std::vector<RnsPoly> parts;
  for (int i = 0; i < x.parts(); ++i) {
    parts.push_back(context.ring().make_poly(x.level() + 1));
    zip(context, x.part(i), p.poly, parts.back(), kMul);
  }
  return {std::move(parts), x.scale() * p.scale, x.level(), x.params_hash()};
}

void multiply_plain_accumulate(const Context& context, Ciphertext& sum, const Ciphertext& x,
                               const Plaintext& p) {
  check_plain_operand(context, x, p, "multiply_plain_accumulate");
  check_pair(context, sum, x, "multiply_plain_accumulate");
  require(sum.parts() >= x.parts(), ErrorKind::bad_argument,
          "multiply_plain_accumulate: expected a sum of ", x.parts(), " parts, found ",
          sum.parts());
  detail::check_same_scale(sum.scale(), x.scale() * p.scale, "multiply_plain_accumulate");
  for (int part = 0; part < x.parts(); ++part) {
    RnsPoly& out = sum.mutable_part(part);
    for (int i = 0; i < out.limbs(); ++i) {
      const Modulus q = context.ring().modulus(i);
      const u64 *a = x.part(part).limb(i).data(), *b = p.poly.limb(i).data();
      u64* to = out.limb(i).data();
      for (i64 n = 0; n < context.n(); ++n) to[n] = q.reduce(ring::u128(a[n]) * b[n] + to[n]);
    }
  }
}

Ciphertext multiply_by_constant(const Context& context, const Ciphertext& x, double value,
                                double plain_scale) {
  detail::check_ciphertext(context, x, "multiply_by_constant");
  detail::check_scale(plain_scale, "multiply_by_constant");
  const double integer = rounded(context, value, plain_scale, x.level(), "multiply_by_constant");
  Ciphertext out = x.clone();
  for (int part = 0; part < x.parts(); ++part) {
    RnsPoly& poly = out.mutable_part(part);
    for (int i = 0; i < poly.limbs(); ++i) {
      const Modulus q = context.ring().modulus(i);
      const ring::ShoupFactor factor = q.shoup(detail::reduce_double(integer, q));
      for (u64& residue : poly.limb(i)) residue = q.mul(residue, factor);
    }
  }
  out.set_scale(x.scale() * plain_scale);
  return out;
}

Ciphertext multiply(const Context& context, const Ciphertext& x, const Ciphertext& y,
                    ThreadPool& pool) {
  check_pair(context, x, y, "multiply", 2);
  return product(context, x, y, pool);
}

Ciphertext square(const Context& context, const Ciphertext& x, ThreadPool& pool) {
  detail::check_ciphertext(context, x, "square", 2);
  return product(context, x, x, pool);
}

Ciphertext rescale(const Context& context, const Ciphertext& x, ThreadPool& pool) {
  detail::check_ciphertext(context, x, "rescale");
  require(x.level() >= 1, ErrorKind::out_of_levels,
          "rescale: expected a ciphertext of level 1 or more, found level 0");
  std::vector<RnsPoly> parts;
  for (int i = 0; i < x.parts(); ++i)
    parts.push_back(context.ring().rescale(x.part(i), x.level(), pool));
  return {std::move(parts), x.scale() / double(context.params().q(x.level())), x.level() - 1,
          x.params_hash()};
}

Ciphertext drop_to_level(const Context& context, const Ciphertext& x, int level) {
  detail::check_ciphertext(context, x, "drop_to_level");
  detail::check_level(context, level, "drop_to_level");
  require(level <= x.level(), ErrorKind::out_of_levels, "drop_to_level: expected a level of 0 to ",
          x.level(), " (the ciphertext's), found ", level);
  std::vector<RnsPoly> parts;
  for (int i = 0; i < x.parts(); ++i) parts.push_back(x.part(i).clone(level + 1));
  return {std::move(parts), x.scale(), level, x.params_hash()};
}

Ciphertext match_level_and_scale(const Context& context, const Ciphertext& x, int level,
                                 double scale, ThreadPool& pool) {
  detail::check_ciphertext(context, x, "match_level_and_scale");
  detail::check_scale(scale, "match_level_and_scale");
  detail::check_level(context, level, "match_level_and_scale");
  require(level <= x.level(), ErrorKind::out_of_levels,
          "match_level_and_scale: expected a level of 0 to ", x.level(),
          " (the ciphertext's), found ", level);
  Ciphertext out;
  if (level == x.level()) {
    detail::check_same_scale(scale, x.scale(), "match_level_and_scale");
    out = x.clone();
  } else {
    const double factor = scale * double(context.params().q(level + 1)) / x.scale();
    require(factor >= 0x1p10, ErrorKind::bad_argument,
            "match_level_and_scale: expected scales whose quotient with the prime is at least "
            "2^10, found ",
            factor);
    out = rescale(context,
                  multiply_by_constant(context, drop_to_level(context, x, level + 1), 1.0, factor),
                  pool);
  }
  out.set_scale(scale);
  return out;
}

}  // namespace sinter::ckks
