// SPDX-License-Identifier: Apache-2.0
// Everything that works residue by residue. What changes the level is in levels.cpp, rotations and
// relinearisation in rotate.cpp.
#include "ckks/evaluate.h"

#include <algorithm>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/encode_limbs.h"
#include "ckks/detail/for_limbs.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::Modulus;
using ring::RnsPoly;

/// A kernel over limbs 0..limbs-1: kernel(q, x's limb, y's limb, out's limb).
template <class Kernel>
void zip(const Context& context, int limbs, const RnsPoly& x, const RnsPoly& y, RnsPoly& out,
         const Kernel& kernel, ThreadPool* pool = nullptr) {
  detail::for_limbs(context, limbs, pool, [&](int i) {
    kernel(context.ring().modulus(i), x.limb(i).data(), y.limb(i).data(), out.limb(i).data());
  });
}

/// The same without y.
template <class Kernel>
void map(const Context& context, int limbs, const RnsPoly& x, RnsPoly& out, const Kernel& kernel,
         ThreadPool* pool = nullptr) {
  detail::for_limbs(context, limbs, pool, [&](int i) {
    kernel(context.ring().modulus(i), x.limb(i).data(), out.limb(i).data());
  });
}

void check_pair(const Context& context, const Ciphertext& x, const Ciphertext& y,
                const char* operation, int parts = 0) {
  detail::check_ciphertext(context, x, operation, parts);
  detail::check_ciphertext(context, y, operation, parts);
  detail::check_same_level(x, y, operation);
}

/// x + y, or x - y when `subtracts`, for two or three parts each; a part that one of them lacks
/// counts as zero.
Ciphertext sum(const Context& context, const Ciphertext& x, const Ciphertext& y, bool subtracts,
               ThreadPool* pool = nullptr) {
  const char* const operation = subtracts ? "sub" : "add";
  check_pair(context, x, y, operation);
  detail::check_same_scale(x.scale(), y.scale(), operation);
  const int limbs = x.level() + 1;
  std::vector<RnsPoly> parts;
  for (int i = 0; i < std::max(x.parts(), y.parts()); ++i) {
    if (i >= y.parts()) {
      parts.push_back(x.part(i).clone());
      continue;
    }
    if (i >= x.parts() && !subtracts) {
      parts.push_back(y.part(i).clone());
      continue;
    }
    RnsPoly& out = parts.emplace_back(context.ring().make_poly(limbs));
    if (i >= x.parts())
      map(
          context, limbs, y.part(i), out,
          [&](const Modulus& q, const u64* a, u64* to) { ring::negate(a, q, context.n(), to); },
          pool);
    else
      zip(
          context, limbs, x.part(i), y.part(i), out,
          [&](const Modulus& q, const u64* a, const u64* b, u64* to) {
            (subtracts ? ring::subtract : ring::add)(a, b, q, context.n(), to, active_isa());
          },
          pool);
  }
  return {std::move(parts), x.scale(), x.level(), x.params_hash()};
}

/// x += y or x -= y; x gains a third part when y has one.
void sum_inplace(const Context& context, Ciphertext& x, const Ciphertext& y, bool subtracts,
                 ThreadPool* pool = nullptr) {
  if (y.parts() > x.parts()) {
    x = sum(context, x, y, subtracts, pool);
    return;
  }
  const char* const operation = subtracts ? "sub" : "add";
  check_pair(context, x, y, operation);
  detail::check_same_scale(x.scale(), y.scale(), operation);
  for (int i = 0; i < y.parts(); ++i) {
    RnsPoly& out = x.mutable_part(i);
    zip(
        context, out.limbs(), out, y.part(i), out,
        [&](const Modulus& q, const u64* a, const u64* b, u64* to) {
          (subtracts ? ring::subtract : ring::add)(a, b, q, context.n(), to, active_isa());
        },
        pool);
  }
}

void check_plain_operand(const Context& context, const Ciphertext& x, const Plaintext& p,
                         const char* operation) {
  detail::check_ciphertext(context, x, operation);
  detail::check_plaintext(context, p, operation, x.level());
}

Ciphertext product(const Context& context, const Ciphertext& x, const Ciphertext& y,
                   ThreadPool& pool) {
  std::vector<RnsPoly> parts;
  for (int i = 0; i < 3; ++i) parts.push_back(context.ring().make_poly(x.level() + 1));
  pool.run(x.level() + 1, [&](i64 limb, i64) {
    const int i = int(limb);
    ring::multiply_pairs({x.part(0).limb(i).data(), x.part(1).limb(i).data()},
                         {y.part(0).limb(i).data(), y.part(1).limb(i).data()},
                         context.ring().modulus(i), context.n(), parts[0].limb(i).data(),
                         parts[1].limb(i).data(), parts[2].limb(i).data());
  });
  return {std::move(parts), x.scale() * y.scale(), x.level(), x.params_hash()};
}

}  // namespace

Ciphertext add(const Context& context, const Ciphertext& x, const Ciphertext& y) {
  return sum(context, x, y, false);
}

Ciphertext add(const Context& context, const Ciphertext& x, const Ciphertext& y, ThreadPool& pool) {
  return sum(context, x, y, false, &pool);
}

Ciphertext sub(const Context& context, const Ciphertext& x, const Ciphertext& y) {
  return sum(context, x, y, true);
}

void add_inplace(const Context& context, Ciphertext& x, const Ciphertext& y) {
  sum_inplace(context, x, y, false);
}

void add_inplace(const Context& context, Ciphertext& x, const Ciphertext& y, ThreadPool& pool) {
  sum_inplace(context, x, y, false, &pool);
}

void sub_inplace(const Context& context, Ciphertext& x, const Ciphertext& y) {
  sum_inplace(context, x, y, true);
}

Ciphertext negate(const Context& context, const Ciphertext& x) {
  detail::check_ciphertext(context, x, "negate");
  std::vector<RnsPoly> parts;
  for (int i = 0; i < x.parts(); ++i) {
    RnsPoly& out = parts.emplace_back(context.ring().make_poly(x.level() + 1));
    map(context, out.limbs(), x.part(i), out,
        [&](const Modulus& q, const u64* a, u64* to) { ring::negate(a, q, context.n(), to); });
  }
  return {std::move(parts), x.scale(), x.level(), x.params_hash()};
}

void add_plain_inplace(const Context& context, Ciphertext& x, const Plaintext& p) {
  check_plain_operand(context, x, p, "add_plain");
  detail::check_same_scale(x.scale(), p.scale, "add_plain");
  RnsPoly& out = x.mutable_part(0);
  zip(context, out.limbs(), out, p.poly, out,
      [&](const Modulus& q, const u64* a, const u64* b, u64* to) {
        ring::add(a, b, q, context.n(), to);
      });
}

Ciphertext add_plain(const Context& context, const Ciphertext& x, const Plaintext& p) {
  Ciphertext out = x.clone();
  add_plain_inplace(context, out, p);
  return out;
}

Ciphertext add_plain(const Context& context, const Ciphertext& x, const Plaintext& p,
                     ThreadPool& pool) {
  check_plain_operand(context, x, p, "add_plain");
  detail::check_same_scale(x.scale(), p.scale, "add_plain");
  std::vector<RnsPoly> parts;
  for (int i = 0; i < x.parts(); ++i) parts.push_back(context.ring().make_poly(x.level() + 1));
  detail::for_limbs(context, x.level() + 1, &pool, [&](int i) {
    ring::add(x.part(0).limb(i).data(), p.poly.limb(i).data(), context.ring().modulus(i),
              context.n(), parts[0].limb(i).data());
    for (size_t k = 1; k < parts.size(); ++k)
      std::copy_n(x.part(int(k)).limb(i).data(), context.n(), parts[k].limb(i).data());
  });
  return {std::move(parts), x.scale(), x.level(), x.params_hash()};
}

Ciphertext sub_plain(const Context& context, const Ciphertext& x, const Plaintext& p) {
  check_plain_operand(context, x, p, "sub_plain");
  detail::check_same_scale(x.scale(), p.scale, "sub_plain");
  Ciphertext out = x.clone();
  RnsPoly& c0 = out.mutable_part(0);
  zip(context, c0.limbs(), c0, p.poly, c0,
      [&](const Modulus& q, const u64* a, const u64* b, u64* to) {
        ring::subtract(a, b, q, context.n(), to);
      });
  return out;
}

void add_constant_inplace(const Context& context, Ciphertext& x, double value) {
  detail::check_ciphertext(context, x, "add_constant");
  const double integer =
      detail::rounded_integer(context, value, x.scale(), x.level(), "add_constant");
  RnsPoly& c0 = x.mutable_part(0);
  map(context, c0.limbs(), c0, c0, [&](const Modulus& q, const u64* a, u64* to) {
    ring::add_constant(a, detail::reduce_double(integer, q), q, context.n(), to);
  });
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
    zip(context, x.level() + 1, x.part(i), p.poly, parts.back(),
        [&](const Modulus& q, const u64* a, const u64* b, u64* to) {
          ring::multiply(a, b, q, context.n(), to);
        });
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
    zip(context, out.limbs(), x.part(part), p.poly, out,
        [&](const Modulus& q, const u64* a, const u64* b, u64* to) {
          ring::multiply_and_add(a, b, q, context.n(), to);
        });
  }
}

Ciphertext multiply_by_constant(const Context& context, const Ciphertext& x, double value,
                                double plain_scale) {
  detail::check_ciphertext(context, x, "multiply_by_constant");
  detail::check_scale(plain_scale, "multiply_by_constant");
  const double integer =
      detail::rounded_integer(context, value, plain_scale, x.level(), "multiply_by_constant");
  std::vector<RnsPoly> parts;
  for (int part = 0; part < x.parts(); ++part) {
    RnsPoly& out = parts.emplace_back(context.ring().make_poly(x.level() + 1));
    map(context, x.level() + 1, x.part(part), out, [&](const Modulus& q, const u64* a, u64* to) {
      ring::scale(a, q, q.shoup(detail::reduce_double(integer, q)), context.n(), to);
    });
  }
  return {std::move(parts), x.scale() * plain_scale, x.level(), x.params_hash()};
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

}  // namespace sinter::ckks
