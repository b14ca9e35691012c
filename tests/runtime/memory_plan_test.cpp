// SPDX-License-Identifier: Apache-2.0
// The memory plan on random lifetimes, against its own checker and a pairwise definition.
#include "runtime/memory_plan.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace sinter {
namespace {

std::vector<BufferRequest> random_requests(Rng& rng, i64 count, i64 steps) {
  std::vector<BufferRequest> requests;
  for (i64 i = 0; i < count; ++i) {
    const i64 first = rng.below(steps), last = first + rng.below(steps - first);
    requests.push_back({rng.below(3) == 0 ? rng.below(200) : 64 * rng.below(5000), first, last});
  }
  return requests;
}

TEST(MemoryPlan, random_lifetimes_never_share_bytes) {
  for (u64 seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    const auto requests = random_requests(rng, 1 + rng.below(60), 1 + rng.below(40));
    const MemoryPlan plan = plan_memory(requests);
    verify_plan(requests, plan);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % kArenaAlignment, 0);
      EXPECT_LE(plan.offsets[i] + requests[i].bytes, plan.peak_bytes);
      for (size_t j = 0; j < i; ++j) {
        const BufferRequest &a = requests[i], &b = requests[j];
        if (a.last < b.first || b.last < a.first) continue;
        EXPECT_TRUE(plan.offsets[i] + a.bytes <= plan.offsets[j] ||
                    plan.offsets[j] + b.bytes <= plan.offsets[i])
            << i << " and " << j;
      }
    }
    EXPECT_LE(plan.lower_bound, plan.peak_bytes);
    EXPECT_LE(plan.peak_bytes, plan.sum_bytes);
  }
}

TEST(MemoryPlan, is_close_to_the_lower_bound_on_random_lifetimes) {
  double worst = 1;
  for (u64 seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    const MemoryPlan plan = plan_memory(random_requests(rng, 50, 50));
    worst = std::max(worst, double(plan.peak_bytes) / double(plan.lower_bound));
  }
  EXPECT_LE(worst, 1.5);
}

TEST(MemoryPlan, a_chain_needs_two_buffers) {
  std::vector<BufferRequest> chain;
  for (i64 s = 0; s < 10; ++s) chain.push_back({4096, s, s + 1});
  EXPECT_EQ(plan_memory(chain).peak_bytes, 2 * 4096);
}

TEST(MemoryPlan, nothing_is_planned_for_nothing) {
  EXPECT_EQ(plan_memory({}).peak_bytes, 0);
  const std::vector<BufferRequest> empty = {{0, 0, 3}, {0, 1, 2}};
  EXPECT_EQ(plan_memory(empty).peak_bytes, 0);
  verify_plan(empty, plan_memory(empty));
}

TEST(MemoryPlan, the_checker_finds_every_planted_overlap) {
  for (u64 seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    auto requests = random_requests(rng, 20, 10);
    for (BufferRequest& r : requests) r.bytes += 64;
    MemoryPlan plan = plan_memory(requests);
    const size_t victim = size_t(rng.below(20));
    size_t other = victim;
    for (size_t j = 0; j < requests.size(); ++j)
      if (j != victim && requests[j].first <= requests[victim].last &&
          requests[victim].first <= requests[j].last)
        other = j;
    if (other == victim) continue;
    plan.offsets[victim] = plan.offsets[other];
    plan.peak_bytes = plan.sum_bytes;
    EXPECT_THROW(verify_plan(requests, plan), Error);
  }
}

TEST(MemoryPlan, the_checker_refuses_unaligned_and_outside) {
  const std::vector<BufferRequest> one = {{100, 0, 0}};
  MemoryPlan plan = plan_memory(one);
  plan.offsets[0] = 4;
  EXPECT_THROW(verify_plan(one, plan), Error);
  plan.offsets[0] = 64;
  EXPECT_THROW(verify_plan(one, plan), Error);
}

TEST(MemoryPlan, lifetimes_that_end_before_they_begin_are_refused) {
  const std::vector<BufferRequest> backwards = {{64, 3, 2}}, negative = {{-1, 0, 0}};
  EXPECT_THROW(plan_memory(backwards), Error);
  EXPECT_THROW(plan_memory(negative), Error);
}

}  // namespace
}  // namespace sinter
