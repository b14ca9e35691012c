// SPDX-License-Identifier: Apache-2.0
// Linear maps under limits: Horner's form for few keys, diagonals kept as far as memory allows,
// sums of giants in groups. The values stay within the noise bound, the bytes do not change.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ckks/linear.h"
#include "ckks/noise.h"
#include "support.h"

namespace sinter::ckks {
namespace {

/// |d| <= 1, any index, any period.
double value(i64 index, i64 slot) { return std::sin(double(index * 131 + slot * 17)); }

struct Case {
  std::vector<i64> indices;
  i64 slots, period;

  DiagonalSource source() const {
    return {[this](i64 index, std::span<double> out) {
              for (i64 s = 0; s < period; ++s) out[size_t(s)] = value(index, s);
            },
            period};
  }
  std::vector<double> operator()(const std::vector<double>& x) const {
    std::vector<double> y(x.size(), 0.0);
    for (i64 signed_index : indices) {
      const i64 index = (signed_index % slots + slots) % slots;
      for (i64 s = 0; s < slots; ++s)
        y[size_t(s)] += value(index, s % period) * x[size_t((s + index) % slots)];
    }
    return y;
  }
};

EvaluationKeys keys_for(Party& party, const LinearPlan& plan, int level) {
  KeyManifest manifest;
  for (i64 r : plan.rotations) manifest.add_rotation(r, level, party.c().slots());
  return party.keys(manifest);
}

double worst_error(const Party& party, const Ciphertext& x, const std::vector<double>& expected) {
  return compare(decode(party.c(), decrypt(party.c(), party.secret, x)), expected).max_error;
}

TEST(LinearOptions, horner_gives_the_same_map_with_one_key_for_all_giants) {
  Party party(small_options(10, 3, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  std::vector<i64> dense, sparse = {-200, -190, -3, 0, 1, 2, 77, 250};
  for (i64 i = -20; i < 44; ++i) dense.push_back(i);
  for (const std::vector<i64>& indices : {dense, sparse, {5}, {-7, 9}})
    for (i64 n1 : {i64(1), i64(8), i64(50), slots})
      for (i64 period : {slots, i64(16)}) {
        if (n1 == 1 && indices.size() == 8) continue;  // 450 steps of one
        const Case map{indices, slots, period};
        const LinearPlan plan = plan_linear(indices, slots, n1, GiantForm::horner);
        EXPECT_EQ(plan.diagonal_count(), std::ssize(indices));
        EXPECT_LE(std::ssize(plan.rotations), plan.hoisted_count() + 1);
        const EvaluationKeys keys = keys_for(party, plan, 2);
        const std::vector<double> x = random_values(rng, slots);
        const double scale = double(party.c().params().q(2));
        const Ciphertext y = apply_linear(party.c(), plan, map.source(), scale, party.encrypt(x, 2),
                                          keys, party.pool);
        EXPECT_GT(-std::log2(worst_error(party, y, map(x))), 19)
            << indices.size() << " diagonals, n1 " << n1 << ", period " << period;
      }
}

TEST(LinearOptions, the_plan_takes_horner_only_when_it_may_and_keys_are_dear) {
  std::vector<i64> indices;
  for (i64 i = 0; i < 256; ++i) indices.push_back(i);
  LinearCosts costs;
  costs.key = 2;
  EXPECT_EQ(plan_linear(indices, 4096, costs).form, GiantForm::separate);
  costs.may_use_horner = true;
  const LinearPlan plan = plan_linear(indices, 4096, costs);
  EXPECT_EQ(plan.form, GiantForm::horner);
  EXPECT_LT(plan.rotations.size(), plan_linear(indices, 4096).rotations.size());
  for (const LinearPlan::Giant& giant : plan.giants)
    for (const LinearPlan::Term& term : giant.terms)
      EXPECT_EQ((giant.steps + plan.babies[size_t(term.baby)]) % 4096, term.index);
}

TEST(LinearOptions, memory_and_threads_never_change_a_byte) {
  Party party(small_options(10, 2, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  ThreadPool two(2), three(3);
  for (GiantForm form : {GiantForm::separate, GiantForm::horner})
    for (i64 period : {slots, slots / 2, slots / 4, i64(2)}) {
      const Case map{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 20, -5}, slots, period};
      const LinearPlan plan = plan_linear(map.indices, slots, 4, form);
      const EvaluationKeys keys = keys_for(party, plan, 2);
      const Ciphertext cx = party.encrypt(random_values(rng, slots));
      const std::vector<std::byte> expected = save_ciphertext(
          party.c(), apply_linear(party.c(), plan, map.source(), 0x1p40, cx, keys, party.pool));
      const i64 one = period * 5 * 8, all = one * std::ssize(map.indices);
      for (i64 kept : {i64(0), one - 1, 7 * one + 3, all}) {
        const EncodedDiagonals encoded =
            encode_diagonals(party.c(), plan, map.source(), 0x1p40, 2, two, kept);
        EXPECT_EQ(encoded.bytes(), kept / one * one);
        EXPECT_EQ(encoded.missing_count(), std::ssize(map.indices) - kept / one);
        const std::pair<i64, ThreadPool*> runs[] = {
            {0, &three}, {200000, &party.pool}, {i64(1) << 30, &two}};
        for (const auto& [work, pool] : runs)
          ASSERT_EQ(expected,
                    save_ciphertext(party.c(), apply_linear(party.c(), plan, encoded, map.source(),
                                                            cx, keys, *pool, {work})))
              << "kept " << kept << " work " << work << " threads " << pool->size();
      }
    }
}

TEST(LinearOptions, left_out_diagonals_need_their_source) {
  Party party(small_options(10, 2, 2));
  const i64 slots = party.c().slots();
  const Case map{{0, 1, 2}, slots, 16};
  const LinearPlan plan = plan_linear(map.indices, slots, 4);
  const EvaluationKeys keys = keys_for(party, plan, 2);
  const Ciphertext x = party.encrypt(std::vector<double>{1, 2});
  const EncodedDiagonals some =
      encode_diagonals(party.c(), plan, map.source(), 0x1p40, 2, party.pool, 16 * 5 * 8);
  EXPECT_NE(error_of([&] { apply_linear(party.c(), plan, some, x, keys, party.pool); },
                     ErrorKind::bad_argument)
                .find("expected all 3 diagonals encoded, found 2 left out"),
            std::string::npos);
  const Case other{map.indices, slots, 8};
  EXPECT_NE(
      error_of([&] { apply_linear(party.c(), plan, some, other.source(), x, keys, party.pool); },
               ErrorKind::bad_argument)
          .find("expected a source of period 16"),
      std::string::npos);
  const LinearPlan shifted = plan_linear(std::vector<i64>{8, 9, 10}, slots, 4);
  EXPECT_NE(
      error_of([&] { apply_linear(party.c(), shifted, some, map.source(), x, keys, party.pool); },
               ErrorKind::bad_argument)
          .find("another plan"),
      std::string::npos);
}

TEST(LinearOptions, encoded_diagonals_serve_their_own_plan_only) {
  Party party(small_options(10, 2, 2));
  const i64 slots = party.c().slots();
  const Case map{{0, 1}, slots, 16};
  const LinearPlan plan = plan_linear(map.indices, slots, 4);
  const EncodedDiagonals encoded =
      encode_diagonals(party.c(), plan, map.source(), 0x1p40, 2, party.pool);
  EXPECT_TRUE(encoded.is_for(plan));
  EXPECT_TRUE(encoded.is_for(plan_linear(map.indices, slots, 4)));
  const LinearPlan other = plan_linear(std::vector<i64>{0, 3}, slots, 4);  // of the same shape
  EXPECT_FALSE(encoded.is_for(other));
  EXPECT_FALSE(encoded.is_for(plan_linear(map.indices, slots, 8)));
  EXPECT_FALSE(encoded.is_for(plan_linear(map.indices, slots / 2, 4)));
  EXPECT_FALSE(encoded.is_for(plan_linear(map.indices, slots, 4, GiantForm::horner)));
  const EvaluationKeys keys = keys_for(party, other, 2);
  const Ciphertext x = party.encrypt(std::vector<double>{1, 2});
  EXPECT_NE(error_of([&] { apply_linear(party.c(), other, encoded, x, keys, party.pool); },
                     ErrorKind::bad_argument)
                .find("another plan"),
            std::string::npos);
}

TEST(LinearOptions, three_hundred_threads_give_the_same_bytes) {
  Party party(small_options(5, 13, 1));  // 14 digits
  const i64 slots = party.c().slots();
  const Case map{{0, 1, 4, 9}, slots, slots};
  const LinearPlan plan = plan_linear(map.indices, slots, 4);
  const EvaluationKeys keys = keys_for(party, plan, 13);
  Rng rng(test_seed());
  const Ciphertext x = party.encrypt(random_values(rng, slots));
  ThreadPool many(300);
  const auto run = [&](ThreadPool& pool) {
    return save_ciphertext(party.c(),
                           apply_linear(party.c(), plan, map.source(), 0x1p40, x, keys, pool));
  };
  EXPECT_EQ(run(many), run(party.pool));
}

/// B_lin of docs/ckks.md, for |d| <= 1 and |x| <= 1.
double linear_noise(const CkksParams& params, int level, const LinearPlan& plan, double scale,
                    double plain_scale) {
  const double d = double(plan.diagonal_count()), g = double(plan.giant_count());
  const double fresh = slot_noise(params, fresh_noise(params), scale),
               encoding = 7 * std::sqrt(double(params.n()) / 12) / scale,
               switching = slot_noise(params, key_switch_noise(params, level), scale);
  const double plain = 7 * std::sqrt(double(params.n()) / 12) / plain_scale;
  return d * (1 + plain) * (fresh + encoding + switching) + d * plain + g * switching / plain_scale;
}

TEST(LinearOptions, the_error_stays_below_the_stated_bound_in_a_hundred_random_maps) {
  Party party(small_options(10, 2, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  const double plain_scale = double(party.c().params().q(2));
  double closest = 0;
  for (int run = 0; run < 100; ++run) {
    const i64 stride = i64(1) << rng.below(6), count = 1 + rng.below(8);
    Case map{{}, slots, i64(1) << rng.below(10)};
    for (i64 i = 0; i < count; ++i) map.indices.push_back((i - 2) * stride);
    const LinearPlan plan =
        plan_linear(map.indices, slots, stride * (1 + rng.below(4)),
                    rng.below(2) == 0 ? GiantForm::separate : GiantForm::horner);
    const EvaluationKeys keys = keys_for(party, plan, 2);
    const std::vector<double> x = random_values(rng, slots);
    const Ciphertext y = apply_linear(party.c(), plan, map.source(), plain_scale, party.encrypt(x),
                                      keys, party.pool);
    const double bound = linear_noise(party.c().params(), 2, plan, party.scale(), plain_scale),
                 error = worst_error(party, y, map(x));
    ASSERT_LT(error, bound) << "run " << run << ": " << count << " diagonals";
    closest = std::max(closest, error / bound);
  }
  EXPECT_GT(closest, 0.005);  // the bound says something
}

}  // namespace
}  // namespace sinter::ckks
