// SPDX-License-Identifier: Apache-2.0
// Cuts of linear maps: every limb and every giant in one part, and every part named once.
#include "serve/map_cut.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"

namespace sinter::serve {
namespace {

MapOutline outline(int limbs, i64 giants, bool is_chain) {
  MapOutline o{limbs, {}, is_chain};
  for (i64 g = 1; g <= giants; ++g) o.switched.push_back(g);
  return o;
}

TEST(MapCut, has_every_limb_and_giant_once) {
  for (int limbs : {1, 2, 7, 34})
    for (i64 giants : {0, 1, 3, 21})
      for (bool is_chain : {false, true})
        for (i64 parts = 1; parts <= std::min(limbs, 6); ++parts) {
          const MapCut cut(outline(limbs, giants, is_chain), parts);
          std::set<i64> seen;
          int next = 0;
          std::vector<int> rows(size_t(giants) + 1, 0);
          i64 terms = 0, limbs_of_terms = 0;
          for (i64 p = 0; p < parts; ++p) {
            EXPECT_EQ(cut.limbs(p).first, next);
            EXPECT_GT(cut.limbs(p).size(), 0);
            next = cut.limbs(p).last;
            const auto [from, to] = cut.giants(p);
            EXPECT_EQ(cut.switch_count(p) > 0, from < to);
            for (i64 g = std::max(i64(1), from); g < to; ++g) {
              EXPECT_TRUE(seen.insert(g).second);
              EXPECT_EQ(cut.owner(g), p);
            }
            for (i64 q = 0; q < parts; ++q)
              for (const PartId& id : cut.sums(p, q))
                if (id.kind == PartKind::row) {
                  EXPECT_EQ(cut.owner(id.giant), q);
                  rows[size_t(id.giant)] += cut.limbs_of(id);
                }
            for (const PartId& id : cut.terms(p)) {
              ++terms;
              if (id.kind == PartKind::limbs) limbs_of_terms += cut.limbs_of(id);
            }
          }
          EXPECT_EQ(next, limbs);
          EXPECT_EQ(std::ssize(seen), giants);
          EXPECT_EQ(terms, cut.term_count());
          EXPECT_EQ(limbs_of_terms, limbs);
          for (i64 g = 1; g <= giants; ++g) EXPECT_EQ(rows[size_t(g)], limbs);
        }
}

TEST(MapCut, more_parts_than_limbs_are_refused) {
  for (i64 parts : {0, 8}) EXPECT_THROW(MapCut(outline(7, 3, false), parts), Error);
}

TEST(PartId, numbers_name_parts) {
  for (const PartId id : {PartId{PartKind::row, 1023, PartId::kMaxGiants - 1},
                          PartId{PartKind::limbs, 9, 0}, PartId{PartKind::giants, 0, 77}}) {
    const PartId again = PartId::of(id.number()).value();
    EXPECT_EQ(again.kind, id.kind);
    EXPECT_EQ(again.limb, id.limb);
    EXPECT_EQ(again.giant, id.giant);
  }
  EXPECT_FALSE(PartId::of(0xFFFFFFFF));
}

}  // namespace
}  // namespace sinter::serve
