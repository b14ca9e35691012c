// SPDX-License-Identifier: Apache-2.0
// Compact vectors of slots: exact, small where values recur, and refused when malformed.
#include "encrypted/slot_vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>

#include "base/random.h"

namespace sinter::encrypted {
namespace {

using Runs = std::vector<Run>;

u64 seed_of(u64 fallback) {
  const char* text = std::getenv("SINTER_TEST_SEED");
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

std::vector<double> expanded(const SlotVector& v) {
  std::vector<double> out(size_t(v.period), 7);
  v.expand(out);
  return out;
}

/// The plain twin of expand: slot by slot, from the definition of a pattern.
std::vector<double> expanded_plainly(const SlotVector& v) {
  std::vector<double> out(size_t(v.period), 0);
  for (const Run& run : v.runs) {
    const Pattern p = (*v.patterns)[run.pattern];
    for (u32 i = 0; i < p.count1; ++i)
      for (u32 j = 0; j < p.count0; ++j)
        for (u32 k = 0; k < p.length; ++k)
          out[run.start + i * p.stride1 + j * p.stride0 + k] = run.value;
  }
  return out;
}

/// Vectors of every texture: few values or many, long stretches or none, planes cut at their edges.
std::vector<double> random_vector(Rng& rng) {
  std::vector<double> v(size_t(1) << rng.below(11), 0.0);
  const i64 n = std::ssize(v), values = 1 + rng.below(rng.below(2) == 0 ? 4 : 1000);
  const auto value = [&] { return double(rng.below(values + 1)) * (rng.below(2) == 0 ? 1 : -1); };
  switch (rng.below(3)) {
    case 0:
      for (double& x : v) x = value();
      break;
    case 1:
      for (i64 at = 0; at < n;) {
        const i64 end = std::min(n, at + 1 + rng.below(20));
        const double x = value();
        for (; at < end; ++at) v[size_t(at)] = x;
      }
      break;
    default:
      for (i64 pieces = rng.below(20); pieces > 0; --pieces) {
        const i64 start = rng.below(n), step = 1 + rng.below(9), row = 1 + rng.below(64);
        const i64 width = 1 + rng.below(8), height = 1 + rng.below(8);
        const double x = value();
        for (i64 i = 0; i < width * height; ++i)
          v[size_t((start + i / width * row + i % width * step) % n)] = x;
      }
  }
  return v;
}

TEST(SlotVector, holds_every_vector_exactly) {
  const u64 first = seed_of(900);
  for (u64 seed = first; seed < first + 400; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const std::vector<double> v = random_vector(rng);
    const SlotVector compact = to_runs(v);
    ASSERT_EQ(expanded(compact), v);
    ASSERT_EQ(expanded_plainly(compact), v);
    ASSERT_TRUE(compact.is_sound());
    ASSERT_EQ(compact, to_runs(v));
    double largest = 0;
    for (double x : v) largest = std::max(largest, std::abs(x));
    ASSERT_EQ(compact.largest(), largest);
  }
}

TEST(SlotVector, keeps_bits_and_takes_both_zeros_as_nothing) {
  const double tiny = std::numeric_limits<double>::denorm_min();
  const std::vector<double> v{0.0, -0.0, tiny, 0.1, std::nextafter(0.1, 1), -tiny, 0, 0.1};
  const SlotVector compact = to_runs(v);
  EXPECT_EQ(compact.runs.size(), 4u);  // 0.1 twice is one
  const std::vector<double> back = expanded(compact);
  for (size_t i = 2; i < v.size(); ++i)
    EXPECT_EQ(std::bit_cast<u64>(back[i]), std::bit_cast<u64>(v[i])) << i;
  EXPECT_EQ(std::bit_cast<u64>(back[1]), 0u);
  EXPECT_TRUE(to_runs(std::vector<double>(16, 0.0)).runs.empty());
}

TEST(SlotVector, one_weight_of_a_convolution_is_one_run) {
  // 31 x 32 pixels of a 32 x 32 plane at gap 2, the first column outside the image; two channels.
  std::vector<double> v(8192, 0.0);
  for (size_t y = 0; y < 31; ++y)
    for (size_t x = 1; x < 32; ++x) v[y * 128 + 2 * x] = 0.5, v[4096 + y * 128 + 2 * x] = 0.25;
  const SlotVector compact = to_runs(v);
  EXPECT_EQ(compact.runs, (Runs{{2, 0, 0.5}, {4098, 0, 0.25}}));
  EXPECT_EQ(*compact.patterns, (Patterns{{1, 31, 2, 31, 128}}));
  EXPECT_EQ(expanded(compact), v);
}

TEST(SlotVector, vectors_of_a_map_share_their_patterns) {
  Rng rng(seed_of(901));
  std::vector<SlotVector> vectors;
  std::vector<std::vector<double>> values;
  for (int k = 0; k < 20; ++k) {
    values.push_back(random_vector(rng));
    values.back().resize(64, 0.0);
    vectors.push_back(to_runs(values.back()));
  }
  share_patterns(vectors);
  const Patterns& shared = *vectors[0].patterns;
  EXPECT_EQ(std::set<Pattern>(shared.begin(), shared.end()).size(), shared.size());
  for (size_t k = 0; k < vectors.size(); ++k) {
    EXPECT_EQ(vectors[k].patterns, vectors[0].patterns);
    EXPECT_EQ(expanded(vectors[k]), values[k]);
  }
}

TEST(SlotVector, patterns_that_meet_a_slot_twice_or_leave_the_period_are_not_sound) {
  const Pattern good{2, 3, 4, 2, 16};  // slots 0,1 4,5 8,9 16,17 20,21 24,25
  EXPECT_TRUE(good.is_sound(32));
  EXPECT_TRUE(good.is_sound(26));
  EXPECT_FALSE(good.is_sound(25));
  const u32 most = std::numeric_limits<u32>::max();
  for (const Pattern& bad :
       {Pattern{0, 3, 4, 2, 16}, Pattern{2, 0, 4, 2, 16}, Pattern{2, 3, 4, 0, 16},
        Pattern{2, 3, 1, 2, 16}, Pattern{2, 3, 4, 2, 9}, Pattern{2, 1, 4, 2, 16},
        Pattern{2, 3, 4, 1, 16}, Pattern{2, 3, 0, 2, 16}, Pattern{most, most, most, most, most},
        Pattern{1, most, 1, 1, 0}, Pattern{1, 2, most, 1, 0}, Pattern{1, 1, 0, 2, most}})
    EXPECT_FALSE(bad.is_sound(32)) << bad.length << " " << bad.count0 << " " << bad.stride0 << " "
                                   << bad.count1 << " " << bad.stride1;
}

TEST(SlotVector, runs_that_overlap_leave_the_period_or_name_no_pattern_are_not_sound) {
  const auto vector_of = [](Runs runs) {
    return SlotVector{
        32, std::move(runs),
        std::make_shared<const Patterns>(Patterns{{1, 1, 0, 1, 0}, {2, 3, 4, 2, 16}})};
  };
  EXPECT_TRUE(vector_of({{0, 1, 1.0}, {2, 1, 1.0}, {31, 0, 2.0}}).is_sound());
  for (const Runs& bad : {Runs{{0, 1, 1.0}, {8, 0, 1.0}},
                          {{2, 0, 1.0}, {1, 0, 1.0}},
                          {{1, 0, 1.0}, {1, 0, 1.0}},
                          {{7, 1, 1.0}},
                          {{32, 0, 1.0}},
                          {{0, 2, 1.0}},
                          {{4000000000u, 0, 1.0}},
                          {{0, 0, std::numeric_limits<double>::quiet_NaN()}},
                          {{0, 0, std::numeric_limits<double>::infinity()}}})
    EXPECT_FALSE(vector_of(bad).is_sound());
}

}  // namespace
}  // namespace sinter::encrypted
