// SPDX-License-Identifier: Apache-2.0
// The factors of the transform multiply to the transform, with the diagonals that are promised.
#include "ckks/dft.h"

#include <gtest/gtest.h>

#include <bit>

#include "ckks/detail/embedding.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;

std::vector<Complex> random_vector(Rng& rng, i64 count) {
  std::vector<Complex> out(static_cast<size_t>(count));
  for (Complex& v : out) v = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
  return out;
}

std::vector<Complex> reversed_order(const std::vector<Complex>& x) {
  const int bits = std::countr_zero(x.size());
  std::vector<Complex> out(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    size_t r = 0;
    for (int b = 0; b < bits; ++b) r |= (i >> b & 1) << (bits - 1 - b);
    out[r] = x[i];
  }
  return out;
}

std::vector<Complex> apply_all(const std::vector<DiagonalMatrix>& factors, std::vector<Complex> x) {
  for (const DiagonalMatrix& factor : factors) x = factor(x);
  return x;
}

struct Shape {
  i64 slots;
  std::vector<int> layers;
};
const std::vector<Shape> kShapes = {{2, {1}},     {16, {1, 1, 1, 1}}, {32, {5}},
                                    {64, {2, 4}}, {512, {3, 3, 3}},   {4096, {4, 3, 3, 2}}};

TEST(Dft, factors_multiply_to_the_embedding_without_its_reversal) {
  Rng rng(test_seed());
  for (const Shape& shape : kShapes) {
    const EmbeddingTables tables(shape.slots);
    const std::vector<Complex> c = random_vector(rng, shape.slots);
    std::vector<Complex> z = c;
    tables.to_slots(z);
    const std::vector<Complex> reversed = reversed_order(c);
    const Precision up =
        compare(apply_all(slots_to_coefficients(shape.slots, shape.layers), reversed), z);
    EXPECT_GT(up.bits_min, 40) << shape.slots << " slots: " << up.text();
    const Precision down =
        compare(apply_all(coefficients_to_slots(shape.slots, shape.layers), z), reversed);
    EXPECT_GT(down.bits_min, 40) << shape.slots << " slots: " << down.text();
  }
}

TEST(Dft, a_group_of_g_layers_has_few_diagonals_of_the_longest_layers_period) {
  for (const Shape& shape : kShapes) {
    i64 length = 1;
    size_t i = 0;
    for (const DiagonalMatrix& factor : slots_to_coefficients(shape.slots, shape.layers)) {
      const i64 stride = length, radix = i64(1) << shape.layers[i++];
      length *= radix;
      EXPECT_EQ(factor.period, length);
      const i64 expected = length == shape.slots ? radix : 2 * radix - 1;
      EXPECT_EQ(std::ssize(factor.diagonals), expected) << shape.slots << " slots";
      for (const auto& [index, values] : factor.diagonals) {
        EXPECT_EQ(index % stride, 0);
        EXPECT_LT(std::abs(index), length);
      }
    }
  }
}

TEST(Dft, factors_on_input_and_output_are_part_of_the_map) {
  Rng rng(test_seed());
  const std::vector<int> layers = {3, 3};
  DiagonalMatrix first = slots_to_coefficients(64, layers).front();
  const DiagonalMatrix plain = first;
  // A period of twice the slots: two blocks with factors of their own.
  const std::vector<Complex> mask = random_vector(rng, 128), x = random_vector(rng, 128);
  multiply_input(first, mask);
  std::vector<Complex> masked(x);
  for (size_t i = 0; i < x.size(); ++i) masked[i] *= mask[i];
  EXPECT_GT(compare(first(x), plain(masked)).bits_min, 40);
  DiagonalMatrix last = plain;
  multiply_output(last, mask);
  std::vector<Complex> expected = plain(x);
  for (size_t i = 0; i < x.size(); ++i) expected[i] *= mask[i];
  EXPECT_GT(compare(last(x), expected).bits_min, 40);
}

TEST(Dft, refuses_groups_that_do_not_fit) {
  const std::vector<int> short_sum = {2, 2}, zero = {0, 5};
  const auto bad = [](const auto& body) { return error_of(body, ErrorKind::bad_argument); };
  EXPECT_NE(bad([&] { coefficients_to_slots(32, short_sum); }).find("log2(slots) = 5, found"),
            std::string::npos);
  EXPECT_NE(bad([&] { slots_to_coefficients(32, zero); }).find("at least one layer"),
            std::string::npos);
  EXPECT_NE(bad([&] { coefficients_to_slots(48, short_sum); }).find("power of two"),
            std::string::npos);
  EXPECT_NE(bad([&] { split_layers(8, 4); }).find("found 8"), std::string::npos);
  EXPECT_EQ(split_layers(1 << 15, 4), (std::vector<int>{4, 4, 4, 3}));
}

}  // namespace
}  // namespace sinter::ckks
