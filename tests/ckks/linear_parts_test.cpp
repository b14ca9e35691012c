// SPDX-License-Identifier: Apache-2.0
// A linear map in parts: the bytes of apply_linear, however its limbs and giants are cut.
#include "ckks/linear_parts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ring/rns.h"
#include "support.h"

namespace sinter::ckks {
namespace {

struct Case {
  std::vector<i64> indices;
  i64 slots, period;
  GiantForm form = GiantForm::separate;
  bool is_complex = false;

  DiagonalSource source() const {
    const auto value = [](i64 index, i64 s) { return std::sin(double(index * 131 + s * 17)); };
    if (is_complex)
      return {{}, period, [this, value](i64 index, std::span<std::complex<double>> out) {
                for (i64 s = 0; s < period; ++s)
                  out[size_t(s)] = {value(index, s), value(s, index)};
              }};
    return {[this, value](i64 index, std::span<double> out) {
              for (i64 s = 0; s < period; ++s) out[size_t(s)] = value(index, s);
            },
            period};
  }
};

std::vector<Case> cases(i64 slots) {
  const std::vector<i64> many = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 20, -5, -9};
  return {{many, slots, slots},
          {many, slots, slots, GiantForm::horner},
          {many, slots, slots, GiantForm::separate, true},
          {{5, 6, 9, 14, 21, 33}, slots, 16},
          {{5, 6, 9, 14, 29, 33}, slots, 2, GiantForm::horner},
          {{0}, slots, slots},
          {{4, 8}, slots, slots}};
}

EvaluationKeys keys_for(Party& party, const LinearPlan& plan, int level) {
  KeyManifest manifest;
  for (i64 r : plan.rotations) manifest.add_rotation(r, level, party.c().slots());
  return party.keys(manifest);
}

std::vector<i64> cut_evenly(i64 count, i64 parts) {
  std::vector<i64> borders;
  for (i64 p = 0; p <= parts; ++p) borders.push_back(count * p / parts);
  return borders;
}

/// The map in so many parts by limbs and by giants, as workers do it.
Ciphertext in_parts(Party& party, const LinearPlan& plan, const Case& map, const Ciphertext& x,
                    const EvaluationKeys& keys, i64 limb_parts, i64 giant_parts, int chunk,
                    ThreadPool& pool, i64 work_bytes) {
  const std::vector<i64> limbs =
      cut_evenly(x.level() + 1 + party.c().ring().special_count(), limb_parts);
  std::vector<LimbSums> sums;
  for (size_t p = 0; p + 1 < limbs.size(); ++p)
    sum_limbs(party.c(), plan, map.source(), 0x1p40, x, keys, pool,
              {int(limbs[p]), int(limbs[p + 1])}, chunk,
              [&](LimbSums some) { sums.push_back(std::move(some)); }, {work_bytes});
  std::vector<GiantRow> rows;
  std::vector<const LinearPart*> terms;
  for (const LimbSums& some : sums) {
    for (size_t g = 0; g < some.rows.size(); ++g)
      if (!some.rows[g].polys.empty()) rows.push_back({i64(g), &some.rows[g]});
    terms.push_back(&some.total);
  }
  const i64 parts = plan.form == GiantForm::horner ? 1 : giant_parts;
  const std::vector<i64> giants = cut_evenly(std::ssize(plan.giants), parts);
  std::vector<LinearPart> totals;
  for (size_t p = 0; p + 1 < giants.size(); ++p) {
    bool is_switched = false;
    for (i64 g = giants[p]; g < giants[p + 1]; ++g)
      is_switched = is_switched || plan.giants[size_t(g)].steps != 0;
    if (is_switched)
      totals.push_back(add_giants(party.c(), plan, giants[p], giants[p + 1], rows, keys, pool));
  }
  for (const LinearPart& total : totals) terms.push_back(&total);
  std::reverse(terms.begin(), terms.end());
  return finish_linear(party.c(), terms, pool);
}

TEST(LinearParts, every_cut_gives_the_bytes_of_the_whole_map) {
  Party party(small_options(10, 3, 2));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  ThreadPool three(3);
  for (const Case& map : cases(slots)) {
    const LinearPlan plan = plan_linear(map.indices, slots, 4, map.form);
    const EvaluationKeys keys = keys_for(party, plan, 3);
    for (int level : {0, 2}) {
      const Ciphertext x = party.encrypt(random_values(rng, slots), level);
      const std::vector<std::byte> expected = save_ciphertext(
          party.c(), apply_linear(party.c(), plan, map.source(), 0x1p40, x, keys, party.pool));
      for (i64 limb_parts = 1; limb_parts <= std::min(4, level + 3); ++limb_parts)
        for (i64 giant_parts = 1; giant_parts <= 3; ++giant_parts)
          EXPECT_EQ(expected,
                    save_ciphertext(party.c(), in_parts(party, plan, map, x, keys, limb_parts,
                                                        giant_parts, giant_parts == 1 ? 1 : 3,
                                                        giant_parts == 2 ? three : party.pool,
                                                        giant_parts == 1 ? i64(0) : i64(1) << 30)))
              << limb_parts << " by limbs, " << giant_parts << " by giants, level " << level;
    }
  }
}

TEST(LinearParts, larger_rings_and_runs_of_babies_agree_too) {
  Party party(small_options(13, 4, 3));
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  std::vector<i64> indices;
  for (i64 i = -20; i < 30; ++i) indices.push_back(i);
  for (i64 period : {slots, slots / 4, slots / 32}) {
    const Case map{indices, slots, period};
    const LinearPlan plan = plan_linear(indices, slots, 16);
    const EvaluationKeys keys = keys_for(party, plan, 4);
    const Ciphertext x = party.encrypt(random_values(rng, slots), 4);
    EXPECT_EQ(save_ciphertext(party.c(), apply_linear(party.c(), plan, map.source(), 0x1p40, x,
                                                      keys, party.pool)),
              save_ciphertext(party.c(), in_parts(party, plan, map, x, keys, 2, 2, 2, party.pool,
                                                  i64(1) << 30)));
  }
}

TEST(LinearParts, the_first_phase_needs_no_key_of_a_giant) {
  Party party(small_options(10, 3, 2));
  const i64 slots = party.c().slots();
  const Case map{{0, 1, 5, 9}, slots, slots};
  const LinearPlan plan = plan_linear(map.indices, slots, 4);
  KeyManifest babies;
  for (i64 baby : plan.babies) babies.add_rotation(baby, 3, slots);
  const EvaluationKeys keys = party.keys(babies);
  const Ciphertext x = party.encrypt(std::vector<double>{1}, 2);
  i64 chunks = 0;
  sum_limbs(party.c(), plan, map.source(), 0x1p40, x, keys, party.pool, {1, 4}, 2,
            [&](LimbSums sums) {
              EXPECT_EQ(sums.total.first_limb, 1 + 2 * chunks);
              EXPECT_EQ(sums.total.limbs().size(), chunks == 0 ? 2 : 1);
              EXPECT_TRUE(sums.rows[0].polys.empty());  // giant 0
              ++chunks;
            });
  EXPECT_EQ(chunks, 2);
}

TEST(LinearParts, parts_that_do_not_fit_are_refused) {
  Party party(small_options(10, 3, 2));
  const i64 slots = party.c().slots();
  const Case map{{0, 1, 5, 9}, slots, slots};
  const LinearPlan plan = plan_linear(map.indices, slots, 4);
  const EvaluationKeys keys = keys_for(party, plan, 3);
  const auto sums = [&](int level, LimbRange own) {
    std::vector<LimbSums> all;
    sum_limbs(party.c(), plan, map.source(), 0x1p40, party.encrypt(std::vector<double>{1}, level),
              keys, party.pool, own, 9, [&](LimbSums some) { all.push_back(std::move(some)); });
    return std::move(all.front());
  };
  for (const LimbRange own : {LimbRange{0, 0}, LimbRange{-1, 2}, LimbRange{2, 6}})
    EXPECT_NE(error_of([&] { sums(2, own); }, ErrorKind::bad_argument), "");
  const LimbSums a = sums(2, {0, 4}), b = sums(3, {0, 6});
  const auto refused = [&](const auto& call, const char* why) {
    EXPECT_NE(error_of(call, ErrorKind::bad_argument).find(why), std::string::npos);
  };
  const LinearPart* both[] = {&a.total, &b.total};
  refused([&] { finish_linear(party.c(), both, party.pool); }, "found level 3");
  refused([&] { finish_linear(party.c(), {}, party.pool); }, "found none");
  refused([&] { finish_linear(party.c(), std::span(both, 1), party.pool); }, "limb 4 is missing");
  const GiantRow rows[] = {{1, &a.rows[1]}, {2, &b.rows[2]}};
  const auto add = [&](const LinearPlan& p, i64 from, i64 to, std::span<const GiantRow> some) {
    return [&, from, to, some] { add_giants(party.c(), p, from, to, some, keys, party.pool); };
  };
  refused(add(plan, 1, 2, std::span(rows, 1)), "limb 4 is missing");
  refused(add(plan, 1, 3, rows), "found level 3");
  refused(add(plan, 2, 2, rows), "giants 2 to 2");
  refused(add(plan, 2, 4, rows), "giants 2 to 4");
  refused(add(plan_linear(map.indices, slots, 4, GiantForm::horner), 1, 2, rows), "Horner");
}

}  // namespace
}  // namespace sinter::ckks
