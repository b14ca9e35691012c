// SPDX-License-Identifier: Apache-2.0
// Copies: every element of the reference, for every element width.
#include "runtime/kernels/move.h"

#include <numeric>

#include "tests/runtime/support.h"

namespace sinter {
namespace {

using namespace testing_support;

constexpr DType kTypes[] = {DType::f32, DType::i8, DType::f16, DType::i64, DType::f64};

Tensor counting(DType type, Dims dims) {
  Tensor t(DType::i64, std::move(dims));
  for (i64 i = 0; i < t.size(); ++i) t.mutable_data<i64>()[size_t(i)] = i % 120 + 1;
  return convert(t, type);
}

Tensor ints(const std::vector<i64>& values) {
  return Tensor::of<i64>({std::ssize(values)}, std::span<const i64>(values));
}

TEST(Transpose, every_permutation_moves_every_element) {
  for (const Dims& dims : {Dims{37, 19}, Dims{2, 3, 17}, Dims{3, 1, 18, 5}, Dims{2, 2, 3, 2, 2}}) {
    std::vector<i64> perm(dims.size());
    std::iota(perm.begin(), perm.end(), 0);
    do {
      for (DType type : kTypes) {
        OpCase c{Op::Transpose, {{"perm", perm}}};
        c.inputs.push_back(counting(type, dims));
        SCOPED_TRACE(to_text(dims) + " by " + to_text(perm));
        expect_identical(c, active_isa(), 2);
        if (HasFatalFailure()) return;
      }
    } while (std::next_permutation(perm.begin(), perm.end()));
  }
}

TEST(ConcatSplit, parts_of_different_size_on_every_axis) {
  for (i64 axis : {0, 1, 2, -1})
    for (DType type : kTypes) {
      Dims a = {2, 3, 5}, b = a, whole = a;
      const size_t k = size_t(axis < 0 ? axis + 3 : axis);
      b[k] = 7, whole[k] += 7;
      OpCase concat{Op::Concat, {{"axis", axis}}};
      concat.inputs.push_back(counting(type, a));
      concat.inputs.push_back(counting(type, b));
      expect_identical(concat, active_isa());
      OpCase split{Op::Split, {{"axis", axis}}, {}, {false, true}, 2};
      split.inputs.push_back(counting(type, whole));
      split.inputs.push_back(ints({whole[k] - 4, 4}));
      expect_identical(split, active_isa());
    }
}

TEST(Slice, random_starts_ends_and_steps) {
  for (u64 seed = base_seed(); seed < base_seed() + 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    const Dims dims = {1 + rng.below(6), 1 + rng.below(7), 1 + rng.below(9)};
    std::vector<i64> starts, ends, axes, steps;
    for (i64 axis = 0; axis < 3; ++axis) {
      if (rng.below(3) == 0) continue;
      axes.push_back(rng.below(2) == 0 ? axis : axis - 3);
      steps.push_back(rng.below(2) == 0 ? 1 + rng.below(3) : -1 - rng.below(3));
      const i64 size = dims[size_t(axis)];
      starts.push_back(rng.below(3 * size + 4) - size - 2);
      ends.push_back(rng.below(8) == 0 ? (steps.back() > 0 ? INT64_MAX : INT64_MIN)
                                       : rng.below(3 * size + 4) - size - 2);
    }
    if (axes.empty()) continue;
    OpCase c{Op::Slice, {}, {}, {false, true, true, true, true}};
    c.inputs.push_back(counting(kTypes[seed % 5], dims));
    for (const auto* list : {&starts, &ends, &axes, &steps}) c.inputs.push_back(ints(*list));
    const Graph g = graph_of(c);
    if (element_count(*static_dims(*g.shape(g.outputs()[0].value))) == 0) continue;
    expect_identical(c, active_isa());
    if (HasFatalFailure()) return;
  }
}

TEST(Pad, constants_of_every_type_and_negative_pads) {
  for (DType type : kTypes)
    for (const std::vector<i64>& pads :
         {std::vector<i64>{0, 0, 0, 0}, {1, 2, 3, 4}, {-1, 2, 0, -3}, {0, -1, 5, 0}})
      for (bool value : {false, true}) {
        OpCase c{Op::Pad, {}, {}, {false, true, false}};
        c.inputs.push_back(counting(type, {4, 7}));
        c.inputs.push_back(ints(pads));
        if (value) c.inputs.push_back(counting(type, {}));
        SCOPED_TRACE(to_text(pads));
        expect_identical(c, active_isa());
      }
}

TEST(Expand, repeats_as_the_reference_does) {
  for (const auto& [from, to] : {std::pair<Dims, Dims>{{1}, {9}},
                                 {{3, 1}, {3, 7}},
                                 {{1, 5}, {4, 5}},
                                 {{2, 1, 3}, {4, 2, 6, 3}},
                                 {{}, {2, 2}}}) {
    OpCase c{Op::Expand, {}, {}, {false, true}};
    c.inputs.push_back(counting(DType::f32, from));
    c.inputs.push_back(ints(to));
    expect_identical(c, active_isa());
  }
}

TEST(Gather, picks_rows_and_columns_with_negative_indices) {
  for (i64 axis : {0, 1, -1})
    for (bool narrow : {false, true}) {
      OpCase c{Op::Gather, {{"axis", axis}}};
      c.inputs.push_back(counting(DType::f32, {4, 6, 5}));
      const Tensor picks = Tensor::of<i64>({2, 2}, {0, -1, 3, -4});
      c.inputs.push_back(narrow ? convert(picks, DType::i32) : picks.clone());
      expect_identical(c, active_isa());
    }
}

TEST(Gather, an_index_outside_names_the_node) {
  OpCase c{Op::Gather, {}};
  c.inputs.push_back(counting(DType::f32, {4, 6}));
  c.inputs.push_back(Tensor::of<i64>({1}, {4}));
  try {
    run_fast(c, active_isa());
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_NE(std::string(e.what()).find("tested"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace sinter
