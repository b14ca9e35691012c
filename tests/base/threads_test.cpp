// SPDX-License-Identifier: Apache-2.0
// The pool: every task once, on the worker that the rule names, errors and all.
#include "base/threads.h"

#include <atomic>
#include <thread>
#include <vector>

#include "tests/base/base_support.h"

namespace sinter {
namespace {

using test::expect_error;

TEST(ThreadPool, runs_every_task_once_on_its_worker) {
  for (i64 threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (i64 tasks : {0, 1, 2, 7, 8, 100}) {
      std::vector<i64> count(size_t(tasks), 0), worker(size_t(tasks), -1);
      pool.run(tasks, [&](i64 t, i64 w) {
        ++count[size_t(t)];
        worker[size_t(t)] = w;
      });
      for (i64 t = 0; t < tasks; ++t) {
        ASSERT_EQ(count[size_t(t)], 1) << threads << " threads, task " << t << " of " << tasks;
        const i64 w = worker[size_t(t)];
        if (tasks > 1) {
          ASSERT_TRUE(tasks * w / threads <= t && t < tasks * (w + 1) / threads);
        }
      }
    }
  }
}

TEST(ThreadPool, many_short_runs_lose_nothing) {
  ThreadPool pool(4);
  std::atomic<i64> sum = 0;
  for (int round = 0; round < 3000; ++round) pool.run(5, [&](i64 t, i64) { sum += t; });
  EXPECT_EQ(sum, 3000 * 10);
}

TEST(ThreadPool, throws_the_error_of_the_lowest_worker_and_stays_usable) {
  ThreadPool pool(4);
  for (int round = 0; round < 50; ++round) {
    expect_error(ErrorKind::bad_argument, "task 1", [&] {
      pool.run(4, [&](i64 t, i64) {
        if (t >= 1) fail(ErrorKind::bad_argument, "task ", t);
      });
    });
    std::atomic<i64> done = 0;
    pool.run(8, [&](i64, i64) { ++done; });
    ASSERT_EQ(done, 8);
  }
}

TEST(ThreadPool, a_run_inside_a_task_runs_inline) {
  ThreadPool pool(3);
  std::atomic<i64> done = 0;
  pool.run(3, [&](i64, i64) {
    const auto self = std::this_thread::get_id();
    pool.run(4, [&](i64, i64 worker) {
      EXPECT_EQ(worker, 0);
      EXPECT_EQ(std::this_thread::get_id(), self);
      ++done;
    });
  });
  EXPECT_EQ(done, 12);
}

TEST(ThreadPool, ranges_cover_everything_in_pieces_of_the_grain) {
  ThreadPool pool(4);
  for (i64 items : {0, 1, 9, 10, 39, 40, 1000})
    for (i64 grain : {1, 10, 5000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(items));
      std::atomic<i64> pieces = 0;
      pool.ranges(items, grain, [&](i64 begin, i64 end) {
        ++pieces;
        for (i64 i = begin; i < end; ++i) ++seen[size_t(i)];
      });
      for (const auto& s : seen) ASSERT_EQ(s, 1);
      EXPECT_LE(pieces, std::max<i64>(items / grain, items > 0));
      EXPECT_LE(pieces, 4);
    }
}

TEST(ThreadPool, refuses_impossible_sizes) {
  expect_error(ErrorKind::bad_argument, "found 0", [] { ThreadPool(0); });
  expect_error(ErrorKind::bad_argument, "found 1025", [] { ThreadPool(1025); });
}

}  // namespace
}  // namespace sinter
