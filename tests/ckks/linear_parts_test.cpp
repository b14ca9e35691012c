// SPDX-License-Identifier: Apache-2.0
// A linear map in parts: the bytes of apply_linear, however its giants are cut.
#include "ckks/linear_parts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support.h"

namespace sinter::ckks {
namespace {

struct Case {
  std::vector<i64> indices;
  i64 slots, period;

  DiagonalSource source() const {
    return {[this](i64 index, std::span<double> out) {
              for (i64 s = 0; s < period; ++s)
                out[size_t(s)] = std::sin(double(index * 131 + s * 17));
            },
            period};
  }
};

EvaluationKeys keys_for(Party& party, const LinearPlan& plan, int level) {
  KeyManifest manifest;
  for (i64 r : plan.rotations) manifest.add_rotation(r, level, party.c().slots());
  return party.keys(manifest);
}

TEST(LinearParts, every_cut_gives_the_bytes_of_the_whole_map) {
  Party party(small_options(10, 3, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  ThreadPool three(3);
  for (const Case& map : {Case{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 20, -5, -9}, slots, slots},
                          Case{{5, 6, 9, 14, 21, 33}, slots, i64(16)}, Case{{0}, slots, slots}}) {
    const LinearPlan plan = plan_linear(map.indices, slots, 4);
    const EvaluationKeys keys = keys_for(party, plan, 2);
    const Ciphertext x = party.encrypt(random_values(rng, slots), 2);
    const std::vector<std::byte> expected = save_ciphertext(
        party.c(), apply_linear(party.c(), plan, map.source(), 0x1p40, x, keys, party.pool));
    for (i64 wanted = 1; wanted <= std::ssize(plan.giants) + 1; ++wanted) {
      const std::vector<i64> borders = split_giants(plan, wanted, 1, 3);
      std::vector<ExtendedCiphertext> parts;
      for (size_t i = 0; i + 1 < borders.size(); ++i)
        parts.push_back(apply_linear_part(
            party.c(), giants_of(plan, borders[i], borders[i + 1]), map.source(), 0x1p40, x, keys,
            i % 2 == 0 ? party.pool : three, {i % 2 == 0 ? i64(0) : i64(1) << 30}));
      std::vector<const ExtendedCiphertext*> pointers;
      for (auto it = parts.rbegin(); it != parts.rend(); ++it) pointers.push_back(&*it);
      EXPECT_EQ(expected, save_ciphertext(party.c(), finish_linear(party.c(), pointers, three)))
          << parts.size() << " parts of " << plan.giants.size() << " giants";
    }
  }
}

TEST(LinearParts, a_cut_is_balanced_and_a_part_needs_only_its_own_keys) {
  std::vector<i64> indices;
  for (i64 i = 0; i < 100; ++i) indices.push_back(i);
  const LinearPlan plan = plan_linear(indices, 512, 10);
  EXPECT_EQ(split_giants(plan, 2, 1, 0), (std::vector<i64>{0, 5, 10}));
  EXPECT_EQ(split_giants(plan, 3, 1, 0).size(), 4u);
  EXPECT_EQ(split_giants(plan, 100, 1, 0).size(), 11u);
  EXPECT_EQ(split_giants(plan_linear(indices, 512, 10, GiantForm::horner), 4, 1, 1).size(), 2u);
  const LinearPlan some = giants_of(plan_linear(std::vector<i64>{0, 1, 2, 17, 33}, 512, 16), 1, 3);
  EXPECT_EQ(some.babies, (std::vector<i64>{1}));
  EXPECT_EQ(some.rotations, (std::vector<i64>{1, 16, 32}));
}

TEST(LinearParts, parts_that_do_not_fit_are_refused) {
  Party party(small_options(10, 3, 2));
  const i64 slots = party.c().slots();
  const Case map{{0, 1, 5}, slots, slots};
  const LinearPlan plan = plan_linear(map.indices, slots, 4);
  for (const auto& [from, to] : {std::pair<i64, i64>{0, 0}, {1, 3}, {-1, 1}})
    EXPECT_NE(error_of([&] { giants_of(plan, from, to); }, ErrorKind::bad_argument), "");
  const LinearPlan horner = plan_linear(map.indices, slots, 4, GiantForm::horner);
  EXPECT_NE(error_of([&] { giants_of(horner, 0, 1); }, ErrorKind::bad_argument).find("Horner"),
            std::string::npos);
  const EvaluationKeys keys = keys_for(party, plan, 3);
  const auto part = [&](int level) {
    return apply_linear_part(party.c(), giants_of(plan, 0, 1), map.source(), 0x1p40,
                             party.encrypt(std::vector<double>{1}, level), keys, party.pool);
  };
  const ExtendedCiphertext a = part(2), b = part(3);
  const ExtendedCiphertext* both[] = {&a, &b};
  EXPECT_NE(error_of([&] { finish_linear(party.c(), both, party.pool); }, ErrorKind::bad_argument)
                .find("found level 3"),
            std::string::npos);
  EXPECT_NE(error_of([&] { finish_linear(party.c(), {}, party.pool); }, ErrorKind::bad_argument),
            "");
}

}  // namespace
}  // namespace sinter::ckks
