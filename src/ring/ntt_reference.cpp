// SPDX-License-Identifier: Apache-2.0
// The textbook transforms on 64-bit words with Shoup products, two layers per pass over the data.
//
// Forward (Cooley-Tukey): (x, y) -> (x + w y, x - w y + 2q) with the product in [0, 2q). Nothing is
// reduced between layers: a layer adds at most 2q, so after 17 layers a value is below 35 q < 2^54,
// and the product accepts any word. One reduction at the end.
// Inverse (Gentleman-Sande): (x, y) -> (x + y, (x - y + bound) w), bound a multiple of q above
// every value. Sums double from layer to layer, products are below 2q whatever goes in; only when
// four times the bound would pass 2^64 is everything reduced once in between (48-bit primes: N >=
// 2^16).
#include <bit>

#include "base/error.h"
#include "ring/ntt.h"

namespace sinter::ring {
namespace {

/// Modulus and twiddles in locals, so that the compiler keeps them in registers.
struct Step {
  u64 q, q2;

  u64 product(u64 x, const ShoupFactor& f) const {
    return x * f.w - u64((u128(x) * f.quotient) >> 64) * q;
  }
  void forward(u64& x, u64& y, const ShoupFactor& f) const {
    const u64 t = product(y, f), u = x;
    x = u + t;
    y = u - t + q2;
  }
  void inverse(u64& x, u64& y, u64 bound, const ShoupFactor& f) const {
    const u64 d = x - y + bound;
    x += y;
    y = product(d, f);
  }
};

/// Layers m and 2m of the forward transform on one group of 4 * quarter values.
void forward_group(const Step& step, u64* x, i64 quarter, const ShoupFactor& f1,
                   const ShoupFactor& f2, const ShoupFactor& f3) {
  u64 *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
  for (i64 j = 0; j < quarter; ++j) {
    u64 a = x[j], b = x1[j], c = x2[j], d = x3[j];
    step.forward(a, c, f1);
    step.forward(b, d, f1);
    step.forward(a, b, f2);
    step.forward(c, d, f3);
    x[j] = a, x1[j] = b, x2[j] = c, x3[j] = d;
  }
}

/// Layers 2m and m of the inverse transform on one group of 4 * quarter values.
void inverse_group(const Step& step, u64* x, i64 quarter, u64 bound, const ShoupFactor& f1,
                   const ShoupFactor& f2, const ShoupFactor& f3) {
  u64 *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
  for (i64 j = 0; j < quarter; ++j) {
    u64 a = x[j], b = x1[j], c = x2[j], d = x3[j];
    step.inverse(a, b, bound, f2);
    step.inverse(c, d, bound, f3);
    step.inverse(a, c, 2 * bound, f1);
    step.inverse(b, d, 2 * bound, f1);
    x[j] = a, x1[j] = b, x2[j] = c, x3[j] = d;
  }
}

}  // namespace

void ntt_forward_reference(const NttTables& tables, std::span<u64> span) {
  const Modulus& q = tables.modulus();
  const Step step{q.value(), 2 * q.value()};
  const ShoupFactor* factors = tables.forward().data();
  const i64 n = std::ssize(span);
  u64* x = span.data();
  i64 m = 1;
  if (std::countr_zero(u64(n)) % 2 == 1) {  // an odd number of layers: one alone, then pairs
    for (i64 j = 0; j < n / 2; ++j) step.forward(x[j], x[j + n / 2], factors[1]);
    m = 2;
  }
  for (; m < n; m *= 4) {
    const i64 quarter = n / (4 * m);
    for (i64 i = 0; i < m; ++i)
      forward_group(step, x + 4 * i * quarter, quarter, factors[m + i], factors[2 * m + 2 * i],
                    factors[2 * m + 2 * i + 1]);
  }
  for (i64 j = 0; j < n; ++j) x[j] = q.reduce_word(x[j]);
}

void ntt_inverse_reference(const NttTables& tables, std::span<u64> span) {
  const Modulus& q = tables.modulus();
  const Step step{q.value(), 2 * q.value()};
  const ShoupFactor* factors = tables.inverse().data();
  const i64 n = std::ssize(span);
  u64* x = span.data();
  u64 bound = q.value();
  const auto reduce_all = [&] {
    for (i64 j = 0; j < n; ++j) x[j] = q.reduce_word(x[j]);
    bound = q.value();
  };
  for (i64 m = n / 4; m >= 1; m /= 4) {
    if (bound > ~u64(0) / 4) reduce_all();
    const i64 quarter = n / (4 * m);
    for (i64 i = 0; i < m; ++i)
      inverse_group(step, x + 4 * i * quarter, quarter, bound, factors[m + i],
                    factors[2 * m + 2 * i], factors[2 * m + 2 * i + 1]);
    bound *= 4;
  }
  if (std::countr_zero(u64(n)) % 2 == 1) {
    if (bound > ~u64(0) / 2) reduce_all();
    for (i64 j = 0; j < n / 2; ++j) step.inverse(x[j], x[j + n / 2], bound, factors[1]);
  }
  const ShoupFactor scale = q.shoup(q.inverse(u64(n)));
  for (i64 j = 0; j < n; ++j) x[j] = q.mul(x[j], scale);
}

}  // namespace sinter::ring
