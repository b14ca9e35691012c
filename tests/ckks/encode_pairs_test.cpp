// SPDX-License-Identifier: Apache-2.0
// Two real vectors in one transform against each of them encoded by itself.
#include "ckks/detail/encode_pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>

#include "ckks/encoder.h"
#include "ckks/linear.h"
#include "ring/rns.h"
#include "support.h"

namespace sinter::ckks {
namespace {

TEST(EncodePairs, each_half_is_the_transform_of_its_own_vector) {
  Party party(small_options(10, 2, 2));
  const Context& context = party.c();
  Rng rng(7);  // fixed: a coefficient next to a half may round either way
  for (i64 n = 1; n <= context.slots(); n *= 2) {
    std::vector<double> x, y;
    std::vector<std::complex<double>> slots;
    for (i64 s = 0; s < n; ++s) {
      x.push_back(rng.uniform(-1, 1));
      y.push_back(rng.uniform(-1, 1));
      slots.emplace_back(x.back(), y.back());
    }
    std::vector<double> coefficients(size_t(2 * n));
    const detail::PairForm form =
        detail::pair_coefficients(context, slots, 0x1p30, 2, coefficients);
    EXPECT_EQ(form, detail::PairForm::joined);
    const Plaintext px = encode_periodic(context, x, 0x1p30, 2),
                    py = encode_periodic(context, y, 0x1p30, 2);
    const size_t repeat = size_t(context.n() / (2 * n));
    std::vector<u64> scratch(size_t(2 * n)), a(static_cast<size_t>(n)), b(a);
    for (int limb = 0; limb <= 2; ++limb) {
      detail::pair_limb(context, limb, coefficients, form, scratch, a.data(), b.data());
      for (size_t p = 0; p < size_t(2 * n); ++p) {
        const size_t at = std::min(p, size_t(2 * n) - 1 - p);
        ASSERT_EQ(a[at], px.poly.limb(limb)[p * repeat]) << "period " << n << " at " << p;
        ASSERT_EQ(b[at], py.poly.limb(limb)[p * repeat]) << "period " << n << " at " << p;
      }
    }
  }
}

TEST(EncodePairs, large_coefficients_are_kept_apart_and_give_the_same) {
  Party party(small_options(10, 2, 2));
  const Context& context = party.c();
  Rng rng(test_seed());
  for (i64 n : {i64(1), i64(2), i64(64), context.slots()}) {
    const size_t size = size_t(n);
    std::vector<double> apart(2 * size), joined(2 * size);
    for (double& v : apart) v = double(rng.below(i64(1) << 50) - (i64(1) << 49));
    for (size_t k = 0; k < size; ++k) {
      joined[k] = apart[k] + (k == 0 ? 0 : apart[2 * size - k]);
      joined[size + k] = apart[size + k] - (k == 0 ? 0 : apart[size - k]);
    }
    std::vector<u64> scratch(2 * size), a(size), b(size), c(size), d(size);
    detail::pair_limb(context, 1, joined, detail::PairForm::joined, scratch, a.data(), b.data());
    detail::pair_limb(context, 1, apart, detail::PairForm::apart, scratch, c.data(), d.data());
    EXPECT_EQ(a, c);
    EXPECT_EQ(b, d);
  }
  std::vector<std::complex<double>> slots(64, {1, -1});
  std::vector<double> out(128);
  EXPECT_EQ(detail::pair_coefficients(context, slots, 0x1p55, 2, out), detail::PairForm::apart);
  EXPECT_EQ(out[0], 0x1p55);
  EXPECT_EQ(out[64], -0x1p55);
}

TEST(LinearBatch, several_ciphertexts_at_once_give_the_bytes_of_each_alone) {
  Party party(small_options(10, 2, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  ThreadPool three(3);
  std::vector<i64> indices;
  for (i64 i = 0; i < 23; ++i) indices.push_back(3 * i);
  for (i64 period : {slots, slots / 2, i64(16)}) {
    const DiagonalSource source{[&](i64 index, std::span<double> out) {
                                  for (size_t s = 0; s < out.size(); ++s)
                                    out[s] = std::sin(double(index * 31) + double(s));
                                },
                                period};
    for (GiantForm form : {GiantForm::separate, GiantForm::horner}) {
      const LinearPlan plan = plan_linear(indices, slots, 12, form);
      KeyManifest manifest;
      for (i64 r : plan.rotations) manifest.add_rotation(r, 2, slots);
      const EvaluationKeys keys = party.keys(manifest);
      std::vector<Ciphertext> x;
      std::vector<const Ciphertext*> pointers;
      for (int i = 0; i < 3; ++i) x.push_back(party.encrypt(random_values(rng, slots)));
      for (const Ciphertext& one : x) pointers.push_back(&one);
      const EncodedDiagonals some =
          encode_diagonals(party.c(), plan, source, 0x1p40, 2, three, 9 * period * 5 * 8);
      EXPECT_EQ(some.missing_count(), 23 - 9);
      for (const EncodedDiagonals* kept :
           std::initializer_list<const EncodedDiagonals*>{nullptr, &some})
        for (i64 work : {i64(0), i64(300000), i64(1) << 30}) {
          const std::vector<Ciphertext> y =
              apply_linear(party.c(), plan, kept, source, 0x1p40, pointers, keys, three, {work});
          for (size_t i = 0; i < x.size(); ++i)
            ASSERT_EQ(save_ciphertext(party.c(), y[i]),
                      save_ciphertext(party.c(), apply_linear(party.c(), plan, source, 0x1p40, x[i],
                                                              keys, party.pool)))
                << "ciphertext " << i << " period " << period << " work " << work;
        }
    }
  }
}

}  // namespace
}  // namespace sinter::ckks
