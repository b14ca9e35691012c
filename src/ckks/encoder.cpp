// SPDX-License-Identifier: Apache-2.0
#include "ckks/encoder.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/embedding.h"
#include "ckks/detail/encode_limbs.h"
#include "ckks/detail/for_limbs.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;
using ring::RnsPoly;

int limb_count(const Context& context, int level, Basis basis) {
  return level + 1 + (basis == Basis::qp ? context.ring().special_count() : 0);
}

/// A double that is too large for 63 bits, modulo q: mantissa * 2^exponent, exactly.
u64 reduce_large(double x, const ring::Modulus& q) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  const i64 digits = i64(std::ldexp(mantissa, 53));
  return q.mul(q.reduce_signed(digits), q.pow(2, u64(exponent - 53)));
}

/// Rounds the coefficients once (in place) and returns the largest magnitude.
double round_all(std::span<double> coefficients, double scale) {
  double largest = 0;
  for (double& c : coefficients) {
    c *= scale;
    c = std::abs(c) < 0x1p52 ? std::nearbyint(c) : c;  // from there on a double is an integer
    largest = std::max(largest, std::abs(c));
  }
  return largest;
}

void check_request(const Context& context, double scale, int level, const char* operation) {
  detail::check_level(context, level, operation);
  detail::check_scale(scale, operation);
}

RnsPoly encode_slots(const Context& context, std::vector<Complex> slots, double scale, int level,
                     Basis basis, const char* operation, ThreadPool* pool = nullptr) {
  std::vector<double> coefficients(2 * slots.size());
  const double largest =
      detail::encode_coefficients(context, slots, scale, level, coefficients, operation);
  const i64 n = std::ssize(coefficients);
  const int limbs = limb_count(context, level, basis);
  RnsPoly poly =
      n == context.n() ? context.ring().make_poly(limbs) : RnsPoly::uninitialised(n, limbs);
  detail::for_limbs(context, limbs, pool, [&](int i) {
    detail::coefficients_to_limb(
        coefficients, largest, context.ring().ntt(context.ring().prime_of(level, i)), poly.limb(i));
  });
  return poly;
}

template <class Value>
Plaintext encode_any(const Context& context, std::span<const Value> values, double scale, int level,
                     Basis basis) {
  check_request(context, scale, level, "encode");
  require(!values.empty() && std::ssize(values) <= context.slots(), ErrorKind::bad_argument,
          "encode: expected 1 to ", context.slots(), " values, found ", values.size());
  std::vector<Complex> slots(size_t(context.slots()));
  std::copy(values.begin(), values.end(), slots.begin());
  return {encode_slots(context, std::move(slots), scale, level, basis, "encode"), scale, level,
          basis};
}

/// The signed value of every coefficient by balanced mixed-radix digits: with d_i in (-q_i/2,
/// q_i/2] x = d_0 + q_0 (d_1 + q_1 (d_2 + ...)). Small values have zero leading digits, so nothing
/// cancels.
std::vector<double> compose(const Context& context, RnsPoly poly, int level, double scale) {
  const ring::RnsRing& ring = context.ring();
  for (int i = 0; i <= level; ++i) ring::ntt_inverse(ring.ntt(i), poly.limb(i));
  std::vector<std::vector<ring::ShoupFactor>> inverse(size_t(level) + 1);  // q_j^-1 mod q_i
  for (int i = 0; i <= level; ++i)
    for (int j = 0; j < i; ++j) {
      const ring::Modulus& q = ring.modulus(i);
      inverse[size_t(i)].push_back(q.shoup(q.inverse(q.reduce_word(ring.modulus(j).value()))));
    }
  std::vector<double> out(size_t(context.n()));
  std::vector<i64> digits(size_t(level) + 1);
  for (size_t n = 0; n < out.size(); ++n) {
    for (int i = 0; i <= level; ++i) {
      const ring::Modulus& q = ring.modulus(i);
      u64 x = poly.limb(i)[n];
      for (int j = 0; j < i; ++j)
        x = q.mul(q.sub(x, q.reduce_signed(digits[size_t(j)])), inverse[size_t(i)][size_t(j)]);
      digits[size_t(i)] = x > q.value() / 2 ? i64(x) - i64(q.value()) : i64(x);
    }
    long double value = 0;
    for (int i = level; i >= 0; --i)
      value = value * static_cast<long double>(ring.modulus(i).value()) + digits[size_t(i)];
    out[n] = double(value / scale);
  }
  return out;
}

template <class Value>
RnsPoly encode_period(const Context& context, std::span<const Value> values, double scale,
                      int level, Basis basis, ThreadPool* pool = nullptr) {
  check_request(context, scale, level, "encode_periodic");
  require(!values.empty() && std::has_single_bit(values.size()) &&
              std::ssize(values) <= context.slots(),
          ErrorKind::bad_argument, "encode_periodic: expected a power of two of at most ",
          context.slots(), " values, found ", values.size());
  return encode_slots(context, std::vector<Complex>(values.begin(), values.end()), scale, level,
                      basis, "encode_periodic", pool);
}

/// Each residue as often as its subring repeats it.
Plaintext expand(const Context& context, RnsPoly compact, double scale, int level, Basis basis,
                 ThreadPool* pool = nullptr) {
  if (compact.n() == context.n()) return {std::move(compact), scale, level, basis};
  RnsPoly poly = context.ring().make_poly(compact.limbs());
  const i64 repeat = context.n() / compact.n();
  detail::for_limbs(context, poly.limbs(), pool, [&](int i) {
    u64* out = poly.limb(i).data();
    for (u64 value : compact.limb(i)) out = std::fill_n(out, repeat, value);
  });
  return {std::move(poly), scale, level, basis};
}

}  // namespace

namespace detail {

double encode_coefficients(const Context& context, std::span<Complex> slots, double scale,
                           int level, std::span<double> coefficients, const char* operation) {
  context.embedding().from_slots(slots);
  const size_t n = slots.size();
  for (size_t i = 0; i < n; ++i) {
    require(std::isfinite(slots[i].real()) && std::isfinite(slots[i].imag()),
            ErrorKind::bad_argument, operation, ": expected finite values, found NaN or infinity");
    coefficients[i] = slots[i].real();
    coefficients[n + i] = slots[i].imag();
  }
  const double largest = round_all(coefficients, scale);
  check_coefficients(context, largest, level, operation);
  return largest;
}

void coefficients_to_limb(std::span<const double> coefficients, double largest,
                          const ring::NttTables& tables, std::span<u64> out) {
  if (largest < 0x1p100)
    ring::reduce_integers(coefficients.data(), tables.modulus(), std::ssize(out), out.data());
  else
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = reduce_double(coefficients[i], tables.modulus());
  ring::ntt_forward(tables, out);
}

void check_coefficients(const Context& context, double largest, int level, const char* operation) {
  require(std::isfinite(largest), ErrorKind::bad_argument, operation,
          ": expected finite values, found NaN or infinity, or a product with the scale that is");
  const double bits = largest > 0 ? std::log2(largest) : 0;
  require(bits + 2 <= context.params().log2_q(level), ErrorKind::bad_argument, operation,
          ": value * scale has ", bits, " bits, too large for level ", level,
          ", whose modulus has ", context.params().log2_q(level), " bits (2 are kept free)");
}

}  // namespace detail

Plaintext encode(const Context& context, std::span<const double> values, double scale, int level,
                 Basis basis) {
  return encode_any(context, values, scale, level, basis);
}

Plaintext encode(const Context& context, std::span<const Complex> values, double scale, int level,
                 Basis basis) {
  return encode_any(context, values, scale, level, basis);
}

Plaintext encode_periodic(const Context& context, std::span<const double> values, double scale,
                          int level, Basis basis) {
  return expand(context, encode_period(context, values, scale, level, basis), scale, level, basis);
}

Plaintext encode_periodic(const Context& context, std::span<const double> values, double scale,
                          int level, Basis basis, ThreadPool& pool) {
  return expand(context, encode_period(context, values, scale, level, basis, &pool), scale, level,
                basis, &pool);
}

Plaintext encode_periodic(const Context& context, std::span<const Complex> values, double scale,
                          int level, Basis basis) {
  return expand(context, encode_period(context, values, scale, level, basis), scale, level, basis);
}

Plaintext encode_constant(const Context& context, double value, double scale, int level,
                          Basis basis) {
  check_request(context, scale, level, "encode_constant");
  double coefficient = value;
  const double largest = round_all({&coefficient, 1}, scale);
  detail::check_coefficients(context, largest, level, "encode_constant");
  RnsPoly poly = context.ring().make_poly(limb_count(context, level, basis));
  for (int i = 0; i < poly.limbs(); ++i) {
    const ring::Modulus& q = context.ring().limb_modulus(level, i);
    const std::span<u64> limb = poly.limb(i);
    std::fill(limb.begin(), limb.end(), detail::reduce_double(coefficient, q));
  }
  return {std::move(poly), scale, level, basis};
}

u64 detail::reduce_double(double rounded, const ring::Modulus& q) {
  return std::abs(rounded) < 0x1p62 ? q.reduce_signed(i64(rounded)) : reduce_large(rounded, q);
}

std::vector<Complex> decode_complex(const Context& context, const Plaintext& plaintext) {
  detail::check_plaintext(context, plaintext, "decode");
  const std::vector<double> coefficients =
      compose(context, plaintext.poly.clone(), plaintext.level, plaintext.scale);
  const size_t slots = size_t(context.slots());
  std::vector<Complex> values(slots);
  for (size_t i = 0; i < slots; ++i) values[i] = {coefficients[i], coefficients[slots + i]};
  context.embedding().to_slots(values);
  return values;
}

std::vector<double> decode(const Context& context, const Plaintext& plaintext) {
  const std::vector<Complex> values = decode_complex(context, plaintext);
  std::vector<double> reals(values.size());
  for (size_t i = 0; i < reals.size(); ++i) reals[i] = values[i].real();
  return reals;
}

}  // namespace sinter::ckks
