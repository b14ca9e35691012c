// SPDX-License-Identifier: Apache-2.0
#include "ckks/detail/encode_pairs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ckks/detail/embedding.h"
#include "ckks/detail/encode_limbs.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

using Complex = std::complex<double>;

constexpr double kExact = 0x1p51;  // sums of two integers below it are exact

/// Adding and subtracting it rounds doubles below 2^51 to the nearest integer, ties to even.
constexpr double kRounder = 0x1.8p52;

struct Parts {
  double a, b;
};
Parts parts_of(std::span<const Complex> c, size_t k) {
  if (k == 0) return {c[0].real(), c[0].imag()};
  const Complex x = c[k], y = c[c.size() - k];
  return {0.5 * (x.real() - y.imag()), 0.5 * (x.imag() + y.real())};
}

/// The coefficients k and n - k of both vectors are made of c_k and c_(n-k).
void join(std::span<const Complex> c, double scale, std::span<double> out) {
  const size_t n = c.size();
  const auto rounded = [](double x) { return (x + kRounder) - kRounder; };
  out[0] = rounded(c[0].real() * scale);
  out[n] = rounded(c[0].imag() * scale);
  const double half = 0.5 * scale;
  for (size_t k = 1; k < n; ++k) {
    const double re = c[k].real(), im = c[k].imag();
    const double re_mirrored = c[n - k].real(), im_mirrored = c[n - k].imag();
    const double a = rounded((re - im_mirrored) * half), b = rounded((im + re_mirrored) * half);
    const double a_mirrored = rounded((re_mirrored - im) * half),
                 b_mirrored = rounded((im_mirrored + re) * half);
    out[k] = a + b_mirrored;
    out[n + k] = b - a_mirrored;
  }
}

void keep_apart(std::span<const Complex> c, double scale, std::span<double> out) {
  const auto rounded = [](double x) { return std::abs(x) < 0x1p52 ? std::nearbyint(x) : x; };
  for (size_t k = 0; k < c.size(); ++k) {
    const Parts v = parts_of(c, k);
    out[k] = rounded(v.a * scale);
    out[c.size() + k] = rounded(v.b * scale);
  }
}

/// a + I b from A and B, modulo q.
void join_residues(std::span<const double> apart, const ring::Modulus& q, std::span<u64> out) {
  const size_t n = apart.size() / 2;
  const auto a = [&](size_t k) { return k == n ? 0 : reduce_double(apart[k], q); };
  const auto b = [&](size_t k) { return k == n ? 0 : reduce_double(apart[n + k], q); };
  for (size_t k = 0; k < n; ++k) {
    out[k] = q.add(a(k), b(n - k));
    out[n + k] = q.sub(b(k), a(n - k));
  }
}

}  // namespace

PairForm pair_coefficients(const Context& context, std::span<Complex> slots, double scale,
                           int level, std::span<double> out) {
  context.embedding().from_slots(slots);
  double largest = 0;  // of |A| and |B|, up to a factor of two
  bool is_finite = true;
  for (const Complex& c : slots) {
    largest = std::max({largest, std::abs(c.real()), std::abs(c.imag())});
    is_finite &= std::abs(c.real()) <= std::numeric_limits<double>::max() &&
                 std::abs(c.imag()) <= std::numeric_limits<double>::max();
  }
  check_coefficients(context, is_finite ? largest * scale : std::numeric_limits<double>::infinity(),
                     level, "linear");
  const bool is_exact = largest * scale < kExact / 2;
  (is_exact ? join : keep_apart)(slots, scale, out);
  return is_exact ? PairForm::joined : PairForm::apart;
}

void pair_limb(const Context& context, int prime, std::span<const double> coefficients,
               PairForm form, std::span<u64> scratch, u64* a, u64* b) {
  const ring::NttTables& tables = context.ring().ntt(prime);
  const ring::Modulus& q = tables.modulus();
  if (form == PairForm::joined)
    ring::reduce_integers(coefficients.data(), q, std::ssize(coefficients), scratch.data());
  else
    join_residues(coefficients, q, scratch);
  ring::ntt_forward(tables, scratch);
  // psi^(N/2) is I at the positions below n; its inverse is minus it.
  const u64 half_i = q.mul(q.negate(tables.forward()[1].w), (q.value() + 1) / 2);
  ring::split_mirrored(scratch.data(), q, q.shoup(half_i), std::ssize(coefficients) / 2, a, b);
}

}  // namespace sinter::ckks::detail
