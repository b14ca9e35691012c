// SPDX-License-Identifier: Apache-2.0
// The inner loops of linear maps and the embedding on every instruction set: the loops against
// sums in 128 bits at the limits of their exactness, the embedding bit for bit.
#include "ckks/detail/linear_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "base/random.h"
#include "ckks/detail/embedding.h"
#include "ckks/detail/key_switch.h"
#include "ring/ntt.h"
#include "support.h"

namespace sinter::ckks::detail {
namespace {

using ring::Modulus;
using ring::u128;

constexpr i64 kN = 1024;

class LinearKernels : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(, LinearKernels, testing::ValuesIn(runnable_isas()),
                         [](const auto& which) { return std::string(name(which.param)); });

enum class Values { random, largest };

std::vector<u64> residues(Rng& rng, const Modulus& q, Values values, i64 count = kN) {
  std::vector<u64> out(static_cast<size_t>(count));
  for (u64& v : out) v = values == Values::largest ? q.value() - 1 : u64(rng.below(i64(q.value())));
  return out;
}

std::vector<Modulus> moduli() {
  std::vector<Modulus> out;
  for (int bits : {20, 35, 40, 44, 45, 48}) out.emplace_back(ring::ntt_primes(kN, bits, 1)[0]);
  return out;
}

struct Switch {
  std::vector<std::vector<u64>> digits, b, a;
  std::vector<u64> base;
  std::vector<ring::PairTerm> terms;

  Switch(Rng& rng, const Modulus& q, Values values, int count) : base(residues(rng, q, values)) {
    for (int d = 0; d < count; ++d)
      for (auto* rows : {&digits, &b, &a}) rows->push_back(residues(rng, q, values));
    for (size_t d = 0; d < digits.size(); ++d)
      terms.push_back({digits[d].data(), b[d].data(), a[d].data()});
  }
  /// Half 0 or 1 at position i of the limbs.
  u64 at(const Modulus& q, u64 factor, int half, size_t i) const {
    u64 sum = half == 0 ? q.mul(factor, base[i]) : 0;
    for (size_t d = 0; d < digits.size(); ++d)
      sum = q.add(sum, q.mul(digits[d][i], (half == 0 ? b : a)[d][i]));
    return sum;
  }
};

u64 residue_of(double v, const Modulus& q) { return q.reduce_signed(i64(v)); }

TEST_P(LinearKernels, a_switched_run_is_the_permuted_sum_over_digits) {
  Rng rng(test_seed());
  for (const Modulus& q : moduli())
    for (Values values : {Values::random, Values::largest})
      for (int count : {0, 1, 4, 13, 14, 40, 150}) {
        const Switch s(rng, q, values, count);
        const u64 factor = q.value() - 1;
        const i64 size = i64(8) << rng.below(7), babies = 1 + rng.below(5);
        const std::vector<u32> permutation =
            ring::automorphism_permutation(kN, rotation_element(1 + rng.below(kN / 2 - 1), kN));
        const RunOrder order(permutation, size);
        const SwitchedRun run{s.terms, s.base.data(), factor, &order, size * rng.below(kN / size)};
        std::vector<double> out(size_t(2 * size * babies), 0.5);
        switch_to_baby(run, q, &run, babies, out.data(), GetParam());
        std::vector<u64> sum0 = residues(rng, q, values), sum1(sum0);
        const std::vector<u64> before = sum0;
        switch_and_add(run, q, sum0.data(), sum1.data(), GetParam());
        for (i64 p = 0; p < size; ++p) {
          const size_t to = size_t(run.begin + p), from = permutation[to];
          const size_t at = size_t(p / 8 * 16 * babies + p % 8);
          SCOPED_TRACE(testing::Message()
                       << "q " << q.value() << " digits " << count << " at " << p);
          ASSERT_EQ(residue_of(out[at], q), s.at(q, factor, 0, from));
          ASSERT_EQ(residue_of(out[at + 8], q), s.at(q, factor, 1, from));
          ASSERT_LE(std::abs(out[at]), 0.51 * double(q.value()));
          ASSERT_EQ(sum0[to], q.add(before[to], s.at(q, factor, 0, from)));
          ASSERT_EQ(sum1[to], q.add(before[to], s.at(q, factor, 1, from)));
        }
      }
}

TEST_P(LinearKernels, a_copied_run_is_the_scaled_pair_and_zero_where_there_is_none) {
  Rng rng(test_seed());
  const Modulus q(ring::ntt_primes(kN, 45, 1)[0]);
  const std::vector<u64> x = residues(rng, q, Values::random);
  std::vector<double> out(2 * 16 * 3);
  copy_to_baby(x.data(), nullptr, 7, q, 16, 3, out.data(), GetParam());
  for (size_t p = 0; p < 16; ++p) {
    EXPECT_EQ(residue_of(out[p / 8 * 48 + p % 8], q), q.mul(x[p], 7));
    EXPECT_EQ(out[p / 8 * 48 + 8 + p % 8], 0);
  }
}

TEST_P(LinearKernels, sums_over_babies_are_exact_for_any_number_of_terms) {
  Rng rng(test_seed());
  for (const Modulus& q : moduli())
    for (Values values : {Values::random, Values::largest})
      for (i64 count : {1, 2, 27, 28, 29, 57, 240, 241, 500}) {
        const i64 babies = 5, size = 8 * (1 + rng.below(4));
        std::vector<double> x(size_t(2 * size * babies));
        for (double& v : x)  // centred
          v = values == Values::largest ? -double(q.value() / 2)
                                        : double(rng.below(i64(q.value()))) - double(q.value() / 2);
        std::vector<int> which;
        std::vector<double> factors;
        std::vector<std::vector<u64>> rows;
        std::vector<const u64*> pointers;
        for (i64 t = 0; t < count; ++t) {
          which.push_back(int(rng.below(babies)));
          rows.push_back(residues(rng, q, values, size));
          factors.push_back(double(i64(rows.back()[0])));
        }
        for (const std::vector<u64>& row : rows) pointers.push_back(row.data());
        std::vector<std::vector<u64>> reversed = rows;
        std::vector<const u64*> mirrored;  // of the value for position 0
        for (std::vector<u64>& row : reversed) {
          std::ranges::reverse(row);
          mirrored.push_back(&row.back());
        }
        const DiagonalRun run{x.data(), babies, which, size};
        std::vector<u64> out0(static_cast<size_t>(size)), out1(out0);
        for (int shift : {-1, 0, 1, 2}) {  // -1: one factor for all positions
          if (shift < 0)
            sum_constant(run, factors.data(), q, out0.data(), out1.data(), GetParam());
          else
            sum_rows(run, pointers.data(), shift, Direction::forward, q, out0.data(), out1.data(),
                     GetParam());
          if (shift >= 0) {  // mirrored rows, read backward, give the same
            std::vector<u64> back0(out0), back1(out1);
            sum_rows(run, mirrored.data(), shift, Direction::backward, q, back0.data(),
                     back1.data(), GetParam());
            ASSERT_EQ(back0, out0) << "shift " << shift;
            ASSERT_EQ(back1, out1) << "shift " << shift;
          }
          for (i64 p = 0; p < size; ++p)
            for (int half : {0, 1}) {
              u64 expected = 0;
              for (size_t t = 0; t < which.size(); ++t)
                expected = q.add(
                    expected,
                    q.mul(rows[t][shift < 0 ? 0 : size_t(p >> shift)],
                          residue_of(x[size_t((p / 8 * babies + which[t]) * 16 + half * 8 + p % 8)],
                                     q)));
              ASSERT_EQ((half == 0 ? out0 : out1)[size_t(p)], expected)
                  << "q " << q.value() << " terms " << count << " shift " << shift << " at " << p;
            }
        }
      }
}

TEST_P(LinearKernels, the_embedding_has_the_bits_of_the_plain_loops_at_every_size) {
  const EmbeddingTables tables(1 << 13);
  Rng rng(test_seed());
  for (i64 n = 1; n <= 1 << 13; n *= 2) {
    std::vector<std::complex<double>> x(static_cast<size_t>(n));
    for (std::complex<double>& v : x) v = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
    std::vector<std::complex<double>> plain = x, found = x;
    tables.from_slots(plain, Isa::scalar);
    tables.from_slots(found, GetParam());
    EXPECT_EQ(found, plain) << "from slots " << n;
    tables.to_slots(plain, Isa::scalar);
    tables.to_slots(found, GetParam());
    EXPECT_EQ(found, plain) << "to slots " << n;
    for (size_t i = 0; i < x.size(); ++i) ASSERT_LT(std::abs(found[i] - x[i]), 1e-13);
  }
}

}  // namespace
}  // namespace sinter::ckks::detail
