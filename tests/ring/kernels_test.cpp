// SPDX-License-Identifier: Apache-2.0
// Every instruction set against sums and products taken residue by residue, at awkward lengths and
// at the residues that drive the exact sums to their bounds.
#include "ring/kernels.h"

#include <gtest/gtest.h>

#include "ring_test_support.h"

namespace sinter::ring {
namespace {

constexpr i64 kLengths[] = {0, 1, 3, 4, 5, 7, 8, 9, 12, 15, 16, 33, 100, 256, 257};

std::vector<Modulus> moduli() {
  std::vector<Modulus> out;
  for (int bits : {20, 35, 40, 47, 48}) out.emplace_back(ntt_primes(16, bits, 1)[0]);
  return out;
}

enum class Fill { random, top, extremes };

std::vector<u64> row(Rng& rng, i64 n, const Modulus& q, Fill fill) {
  std::vector<u64> out = random_residues(rng, n, q);
  const u64 edges[] = {0, 1, q.value() / 2, q.value() / 2 + 1, q.value() - 1};
  for (u64& v : out) {
    if (fill == Fill::top) v = q.value() - 1;
    if (fill == Fill::extremes) v = edges[rng.below(5)];
  }
  return out;
}

TEST(Kernels, a_sum_of_products_is_exact_for_any_number_of_terms) {
  Rng rng(test_seed());
  for (const Modulus& q : moduli())
    for (Fill fill : {Fill::random, Fill::top, Fill::extremes})
      for (int count : {0, 1, 2, 3, 5, 15, 16, 17, 33, 70})
        for (i64 n : {1, 7, 8, 20, 32}) {
          std::vector<std::vector<u64>> rows;
          std::vector<int> shifts;
          std::vector<u64> sum0(size_t(n), 0), sum1(size_t(n), 0);
          for (int t = 0; t < count; ++t) {
            const int shift = n == 32 ? t % 6 : 0;
            shifts.push_back(shift);
            for (i64 length : {n >> shift, n, n}) rows.push_back(row(rng, length, q, fill));
            for (i64 i = 0; i < n; ++i) {
              const u64 factor = rows[size_t(3 * t)][size_t(i >> shift)];
              u64 &s0 = sum0[size_t(i)], &s1 = sum1[size_t(i)];
              s0 = q.add(s0, q.mul(factor, rows[size_t(3 * t + 1)][size_t(i)]));
              s1 = q.add(s1, q.mul(factor, rows[size_t(3 * t + 2)][size_t(i)]));
            }
          }
          std::vector<PairTerm> terms;
          for (size_t t = 0; t < size_t(count); ++t)
            terms.push_back(
                {rows[3 * t].data(), rows[3 * t + 1].data(), rows[3 * t + 2].data(), shifts[t]});
          for (Isa isa : runnable_isas()) {
            std::vector<u64> out0(static_cast<size_t>(n)), out1(out0);
            sum_products(terms, q, n, out0.data(), out1.data(), isa);
            ASSERT_EQ(out0, sum0) << name(isa) << " q " << q.value() << " terms " << count;
            ASSERT_EQ(out1, sum1) << name(isa) << " q " << q.value() << " terms " << count;
          }
        }
}

TEST(Kernels, rows_of_other_primes_combine_exactly) {
  Rng rng(test_seed());
  const Modulus wide(ntt_primes(16, 48, 1)[0]);
  const i64 stride = 300;
  for (const Modulus& t : moduli())
    for (Fill fill : {Fill::random, Fill::top, Fill::extremes})
      for (int rows : {1, 2, 5, 6, 7, 16})
        for (i64 n : kLengths) {
          const std::vector<u64> words = row(rng, rows * stride, wide, fill);
          const std::vector<double> y(words.begin(), words.end());
          const std::vector<u64> factors = row(rng, rows + 1, t, fill);
          std::vector<double> fraction(static_cast<size_t>(n));
          for (double& f : fraction)
            f = fill == Fill::top ? rows + 0.4 : rng.uniform(0, rows + 0.5);
          std::vector<u64> expected(static_cast<size_t>(n));
          for (i64 i = 0; i < n; ++i) {
            u64 sum = t.mul(u64(fraction[size_t(i)]), factors[size_t(rows)]);
            for (int k = 0; k < rows; ++k)
              sum = t.add(sum,
                          t.mul(t.reduce_word(words[size_t(k * stride + i)]), factors[size_t(k)]));
            expected[size_t(i)] = sum;
          }
          for (Isa isa : runnable_isas()) {
            std::vector<u64> out(static_cast<size_t>(n));
            combine_rows(y.data(), stride, rows, fraction.data(), factors.data(), t, n, out.data(),
                         isa);
            ASSERT_EQ(out, expected) << name(isa) << " t " << t.value() << " rows " << rows;
          }
        }
}

TEST(Kernels, products_with_one_factor_are_exact) {
  Rng rng(test_seed());
  const std::vector<Modulus> all = moduli();
  for (const Modulus& q : all)
    for (const Modulus& divisor : all)
      for (u64 w : {u64(0), u64(1), q.value() / 2, q.value() - 1, u64(rng.below(i64(q.value())))})
        for (i64 n : kLengths) {
          const std::vector<u64> x = row(rng, n, q, Fill::random),
                                 y = row(rng, n, q, Fill::extremes);
          const std::vector<u64> z = row(rng, n, divisor, w == 0 ? Fill::extremes : Fill::random);
          const ShoupFactor factor = q.shoup(w);
          for (Isa isa : runnable_isas()) {
            std::vector<u64> product(static_cast<size_t>(n)), difference = x, centred(product);
            std::vector<double> value(static_cast<size_t>(n)), fraction(size_t(n), 0.5);
            scale(y.data(), q, factor, n, product.data(), isa);
            subtract_and_scale(difference.data(), y.data(), q, factor, n, difference.data(), isa);
            reduce_centred(z.data(), divisor, q, n, centred.data(), isa);
            scale_and_count(x.data(), q, factor, n, value.data(), fraction.data(), isa);
            for (size_t i = 0; i < size_t(n); ++i) {
              ASSERT_EQ(product[i], q.mul(y[i], w)) << name(isa) << " q " << q.value();
              ASSERT_EQ(difference[i], q.mul(q.sub(x[i], y[i]), w)) << name(isa);
              const bool is_above = z[i] > divisor.value() / 2;
              ASSERT_EQ(centred[i],
                        q.reduce_signed(i64(z[i]) - (is_above ? i64(divisor.value()) : i64(0))))
                  << name(isa) << " q " << q.value() << " divisor " << divisor.value();
              const double v = double(q.mul(x[i], w));
              ASSERT_EQ(value[i], v) << name(isa);
              ASSERT_EQ(fraction[i], 0.5 + v * (1.0 / double(q.value()))) << name(isa);
            }
          }
        }
}

}  // namespace
}  // namespace sinter::ring
