// SPDX-License-Identifier: Apache-2.0
// Linear maps by diagonals against the plain sum, their plans, and the two ways to encode them.
#include "ckks/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support.h"

namespace sinter::ckks {
namespace {

/// d_index[s] for every index, of the given period.
struct Map {
  std::vector<i64> indices;
  std::vector<std::vector<double>> diagonals;
  i64 slots, period;

  Map(Rng& rng, std::vector<i64> which, i64 slot_count, i64 period_length)
      : indices(std::move(which)), slots(slot_count), period(period_length) {
    for (size_t i = 0; i < indices.size(); ++i) diagonals.push_back(random_values(rng, period));
  }
  DiagonalSource source() const {
    return {[this](i64 index, std::span<double> out) {
              for (size_t i = 0; i < indices.size(); ++i)
                if (((indices[i] - index) % slots + slots) % slots == 0)
                  std::copy(diagonals[i].begin(), diagonals[i].end(), out.begin());
            },
            period};
  }
  std::vector<double> operator()(const std::vector<double>& x) const {
    std::vector<double> y(x.size(), 0.0);
    for (size_t d = 0; d < indices.size(); ++d)
      for (i64 s = 0; s < slots; ++s)
        y[size_t(s)] += diagonals[d][size_t(s % period)] *
                        x[size_t(((s + indices[d]) % slots + slots) % slots)];
    return y;
  }
};

EvaluationKeys keys_for(Party& party, const LinearPlan& plan, int level) {
  KeyManifest manifest;
  for (i64 r : plan.rotations) manifest.add_rotation(r, level, party.c().slots());
  return party.keys(manifest);
}

std::vector<std::byte> bytes_of(const Party& party, const Ciphertext& x) {
  return save_ciphertext(party.c(), x);
}

TEST(Linear, equals_the_plain_sum_over_diagonals_for_every_shape_of_map) {
  Party party(small_options(10, 3, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  std::vector<i64> dense, conv, strided;
  for (i64 i = 0; i < 64; ++i) dense.push_back(i);
  for (i64 dy : {-1, 0, 1})
    for (i64 dx : {-1, 0, 1}) conv.push_back(dy * 16 + dx);
  for (i64 i = 0; i < 12; ++i) strided.push_back(i * 32 - 100);
  for (const std::vector<i64>& indices : {dense, conv, strided, {0}, {5}, {-1}})
    for (i64 period : {slots, i64(64), i64(1)}) {
      const Map map(rng, indices, slots, period);
      const LinearPlan plan = plan_linear(indices, slots);
      const EvaluationKeys keys = keys_for(party, plan, 2);
      const std::vector<double> x = random_values(rng, slots);
      const Ciphertext cx = party.encrypt(x, 2);
      const double scale = double(party.c().params().q(2));
      const Ciphertext y = apply_linear(party.c(), plan, map.source(), scale, cx, keys, party.pool);
      EXPECT_EQ(y.level(), 2);
      EXPECT_DOUBLE_EQ(y.scale(), cx.scale() * scale);
      const Precision p = compare(party.decrypted(rescale(party.c(), y, party.pool)), map(x));
      EXPECT_GT(p.bits_min, 20) << indices.size() << " diagonals, period " << period << ", n1 "
                                << plan.baby_count << ": " << p.text();
    }
}

TEST(Linear, all_diagonals_of_a_matrix_give_the_matrix_product) {
  for (i64 log_n : {4, 5, 7}) {
    Party party(small_options(log_n, 2, 1));
    Rng rng(test_seed());
    const i64 slots = party.c().slots();
    const std::vector<double> matrix = random_values(rng, slots * slots),
                              x = random_values(rng, slots);
    const auto at = [&](i64 row, i64 column) { return matrix[size_t(row * slots + column)]; };
    std::vector<i64> indices;
    std::vector<double> product(x.size(), 0.0);
    for (i64 i = 0; i < slots; ++i) {
      indices.push_back(i);
      for (i64 j = 0; j < slots; ++j) product[size_t(i)] += at(i, j) * x[size_t(j)];
    }
    const DiagonalSource source{[&](i64 index, std::span<double> out) {
                                  for (i64 s = 0; s < slots; ++s)
                                    out[size_t(s)] = at(s, (s + index) % slots);
                                },
                                0};
    const LinearPlan plan = plan_linear(indices, slots);
    const EvaluationKeys keys = keys_for(party, plan, 1);
    const double scale = double(party.c().params().q(1));
    const Ciphertext y =
        apply_linear(party.c(), plan, source, scale, party.encrypt(x, 1), keys, party.pool);
    const Precision p = compare(party.decrypted(rescale(party.c(), y, party.pool)), product);
    EXPECT_GT(p.bits_min, 22) << slots << " slots: " << p.text();
  }
}

TEST(Linear, every_baby_count_gives_the_same_map) {
  Party party(small_options(10, 2, 1));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  const std::vector<i64> indices = {0, 1, 2, 3, 7, 8, 100, 255, 256, 257, -1, -2, -200};
  const Map map(rng, indices, slots, slots);
  const std::vector<double> x = random_values(rng, slots), expected = map(x);
  const Ciphertext cx = party.encrypt(x, 1);
  const double scale = double(party.c().params().q(1));
  for (i64 n1 : {i64(1), i64(2), i64(3), i64(8), i64(100), slots}) {
    const LinearPlan plan = plan_linear(indices, slots, n1);
    EXPECT_EQ(plan.diagonal_count(), std::ssize(indices));
    const EvaluationKeys keys = keys_for(party, plan, 1);
    const Ciphertext y = apply_linear(party.c(), plan, map.source(), scale, cx, keys, party.pool);
    const Precision p = compare(party.decrypted(rescale(party.c(), y, party.pool)), expected);
    EXPECT_GT(p.bits_min, 20) << "n1 " << n1 << ": " << p.text();
  }
}

TEST(Linear, complex_diagonals_equal_the_plain_complex_sum_for_every_period) {
  using Complex = std::complex<double>;
  Party party(small_options(8, 2, 1));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  const std::vector<i64> indices = {0, 1, 2, 3, 9, 40, -1, -30};
  const LinearPlan plan = plan_linear(indices, slots, 4);
  const EvaluationKeys keys = keys_for(party, plan, 2);
  for (i64 period = 1; period <= slots; period *= 2) {
    const auto value = [&](i64 index, i64 s) {  // |d| <= 1
      const double angle = double(index * 37 % 101) + 0.7 * double(s % period);
      return Complex(std::cos(angle), std::sin(2 * angle)) * 0.7;
    };
    const DiagonalSource source{{}, period, [&](i64 index, std::span<Complex> out) {
                                  ASSERT_EQ(std::ssize(out), period);
                                  for (i64 s = 0; s < period; ++s) out[size_t(s)] = value(index, s);
                                }};
    std::vector<Complex> x(static_cast<size_t>(slots)), expected(x.size());
    for (Complex& v : x) v = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
    for (i64 s = 0; s < slots; ++s)
      for (i64 i : indices)
        expected[size_t(s)] += value((i + slots) % slots, s) * x[size_t((s + i + slots) % slots)];
    const Ciphertext cx = encrypt_symmetric(party.c(), party.secret,
                                            encode(party.c(), x, party.scale(), 2), party.rng);
    const double scale = double(party.c().params().q(2));
    const Ciphertext y = apply_linear(party.c(), plan, source, scale, cx, keys, party.pool);
    const Precision p =
        compare(decode_complex(party.c(),
                               decrypt(party.c(), party.secret, rescale(party.c(), y, party.pool))),
                expected);
    EXPECT_GT(p.bits_min, 22) << "period " << period << ": " << p.text();
  }
}

TEST(Linear, diagonals_encoded_ahead_and_on_the_fly_give_identical_bytes_on_any_threads) {
  Party party(small_options(10, 2, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  for (i64 period : {slots, i64(32)}) {
    const std::vector<i64> indices = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -5};
    const Map map(rng, indices, slots, period);
    const LinearPlan plan = plan_linear(indices, slots, 4);
    const EvaluationKeys keys = keys_for(party, plan, 2);
    const Ciphertext cx = party.encrypt(random_values(rng, slots));
    ThreadPool three(3);
    const EncodedDiagonals encoded =
        encode_diagonals(party.c(), plan, map.source(), 0x1p40, 2, three);
    const std::vector<std::byte> ahead =
        bytes_of(party, apply_linear(party.c(), plan, encoded, cx, keys, party.pool));
    EXPECT_EQ(ahead, bytes_of(party, apply_linear(party.c(), plan, map.source(), 0x1p40, cx, keys,
                                                  three)));
    EXPECT_EQ(encoded.bytes(), 13 * period * 5 * 8);  // three primes and two special ones
  }
}

TEST(Linear, the_plan_covers_each_diagonal_once_and_names_its_rotations) {
  Rng rng(test_seed());
  for (int run = 0; run < 50; ++run) {
    const i64 slots = i64(1) << (4 + rng.below(9));
    std::set<i64> chosen;
    const i64 count = 1 + rng.below(slots);
    while (std::ssize(chosen) < count) chosen.insert(rng.below(slots));
    const std::vector<i64> indices(chosen.begin(), chosen.end());
    const LinearPlan plan = plan_linear(indices, slots);
    std::set<i64> covered, needed;
    for (const LinearPlan::Giant& giant : plan.giants)
      for (const LinearPlan::Term& term : giant.terms) {
        const i64 baby = plan.babies[size_t(term.baby)];
        EXPECT_EQ((giant.steps + baby) % slots, term.index);
        EXPECT_TRUE(covered.insert(term.index).second) << term.index << " twice";
        needed.insert(giant.steps);
        needed.insert(baby);
      }
    needed.erase(0);
    EXPECT_EQ(covered, chosen);
    EXPECT_EQ(plan.rotations, std::vector<i64>(needed.begin(), needed.end()));
  }
}

TEST(Linear, a_dense_map_needs_about_two_square_roots_of_rotations) {
  std::vector<i64> indices;
  for (i64 i = 0; i < 256; ++i) indices.push_back(i);
  const LinearPlan plan = plan_linear(indices, 4096);
  EXPECT_LE(plan.hoisted_count() + plan.giant_count(), 70);
  EXPECT_GT(plan.hoisted_count(), plan.giant_count());  // babies are the cheap ones
}

TEST(Linear, errors_say_what_is_wrong_with_plan_source_or_keys) {
  Party party(small_options(10, 2, 2));
  const i64 slots = party.c().slots();
  const auto bad = [&](const auto& body) { return error_of(body, ErrorKind::bad_argument); };
  const std::vector<i64> twice = {1, 2, 1 + slots}, none, one = {3};
  EXPECT_NE(bad([&] { plan_linear(twice, slots); }).find("diagonal 1 "), std::string::npos);
  EXPECT_NE(bad([&] { plan_linear(none, slots); }).find("found 0"), std::string::npos);
  EXPECT_NE(bad([&] { plan_linear(one, slots, i64(0)); }).find("baby count"), std::string::npos);

  const LinearPlan plan = plan_linear(one, slots);
  const EvaluationKeys keys = party.keys({});
  const Ciphertext x = party.encrypt(std::vector<double>{1, 2});
  const DiagonalSource source{[](i64, std::span<double> out) { out[0] = 1; }, 0};
  EXPECT_NE(bad([&] {
              apply_linear(party.c(), plan, source, 0x1p40, x, keys, party.pool);
            }).find("rotation 3 is not among the keys"),
            std::string::npos);
  const DiagonalSource odd{source.fill, 3};
  EXPECT_NE(
      bad([&] { apply_linear(party.c(), plan, odd, 0x1p40, x, keys, party.pool); }).find("period"),
      std::string::npos);
  for (const DiagonalSource& unset :
       {DiagonalSource{},
        DiagonalSource{source.fill, 0, [](i64, std::span<std::complex<double>>) {}}})
    EXPECT_NE(bad([&] {
                encode_diagonals(party.c(), plan, unset, 0x1p40, 2, party.pool);
              }).find("exactly one of fill and fill_complex"),
              std::string::npos);
  const EncodedDiagonals low = encode_diagonals(party.c(), plan, source, 0x1p40, 0, party.pool);
  EXPECT_NE(bad([&] {
              apply_linear(party.c(), plan, low, x, keys, party.pool);
            }).find("encoded for level 2"),
            std::string::npos);
  const LinearPlan wide = plan_linear(one, 2 * slots);
  EXPECT_NE(bad([&] {
              apply_linear(party.c(), wide, source, 0x1p40, x, keys, party.pool);
            }).find("slots"),
            std::string::npos);
}

}  // namespace
}  // namespace sinter::ckks
