// SPDX-License-Identifier: Apache-2.0
// Gemm and MatMul against the reference in float64.
#include "runtime/kernels/gemm.h"

#include "tests/runtime/support.h"

namespace sinter {
namespace {

using namespace testing_support;

TEST(Gemm, every_transposition_and_broadcast_of_c_matches_the_reference) {
  const i64 sizes[][3] = {{1, 1, 1},   {1, 7, 5},     {6, 1, 9},
                          {3, 10, 64}, {129, 33, 20}, {130, 515, 3}};
  for (const auto& [m, n, k] : sizes)
    for (int turns = 0; turns < 4; ++turns)
      for (int c_kind = 0; c_kind < 5; ++c_kind) {
        SCOPED_TRACE(testing::Message()
                     << m << "x" << n << "x" << k << " turns " << turns << " c " << c_kind);
        Rng rng(u64(m * 1000 + turns));
        const bool ta = turns & 1, tb = turns & 2;
        OpCase c{Op::Gemm,
                 {{"transA", i64(ta)}, {"transB", i64(tb)}, {"alpha", 0.75f}, {"beta", 1.5f}}};
        c.inputs.push_back(random_f32(rng, ta ? Dims{k, m} : Dims{m, k}));
        c.inputs.push_back(random_f32(rng, tb ? Dims{n, k} : Dims{k, n}));
        const Dims shapes[] = {{}, {1}, {n}, {m, 1}, {m, n}};
        if (c_kind > 0) c.inputs.push_back(random_f32(rng, shapes[c_kind]));
        expect_linear(c, active_isa(), double(k + 4));
        if (HasFatalFailure()) return;
      }
}

TEST(MatMul, every_rank_and_batch_broadcast_matches_the_reference) {
  const std::pair<Dims, Dims> all[] = {{{5}, {5}},
                                       {{5}, {5, 3}},
                                       {{4, 5}, {5}},
                                       {{4, 5}, {5, 3}},
                                       {{2, 4, 5}, {5, 3}},
                                       {{2, 4, 5}, {2, 5, 3}},
                                       {{4, 5}, {2, 5, 3}},
                                       {{2, 1, 4, 5}, {3, 5, 2}},
                                       {{2, 4, 5}, {5}},
                                       {{5}, {2, 3, 5, 4}},
                                       {{1, 4, 5}, {1, 5, 3}},
                                       {{3, 1, 1, 5}, {1, 2, 5, 1}},
                                       {{200, 70}, {70, 600}}};
  for (const auto& [a, b] : all) {
    SCOPED_TRACE(to_text(a) + " x " + to_text(b));
    Rng rng(11);
    OpCase c{Op::MatMul, {}};
    c.inputs.push_back(random_f32(rng, a));
    c.inputs.push_back(random_f32(rng, b));
    expect_linear(c, active_isa(), double(a.back() + 2));
    EXPECT_TRUE(identical(run_fast(c, active_isa(), 1)[0], run_fast(c, active_isa(), 3)[0]));
  }
}

TEST(Gemm, what_was_in_the_result_does_not_matter) {
  const std::vector<float> a = {1, 2, 3, 4}, b = {1, 0, 0, 1};
  ThreadPool pool(1);
  for (const auto& [m, n] : {std::pair<i64, i64>{2, 2}, {1, 2}, {2, 1}}) {
    std::vector<float> y(4, NAN);
    gemm_f32(pool, m, n, 2, 1.f, {a.data(), 2}, {b.data(), 2}, 0.f, y.data(), n);
    for (i64 i = 0; i < m * n; ++i) EXPECT_FALSE(std::isnan(y[size_t(i)]));
  }
}

}  // namespace
}  // namespace sinter
