// SPDX-License-Identifier: Apache-2.0
// Operators that move elements or change shapes, on every element type, against index arithmetic.
#include <limits>

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

constexpr DType kAll[] = {DType::f32, DType::u8,  DType::i8,     DType::u16,     DType::i16,
                          DType::i32, DType::i64, DType::string, DType::boolean, DType::f16,
                          DType::f64, DType::u32, DType::u64,    DType::bf16};

/// Element as text, whatever the type.
std::string element(const Tensor& t, i64 i) {
  return t.dtype() == DType::string ? t.strings()[size_t(i)] : std::to_string(t.as_double(i));
}

/// y[at] is x[from(at)], with "" standing for a position outside.
void expect_moved(const Tensor& x, const Tensor& y, const std::function<Dims(const Dims&)>& from) {
  ASSERT_EQ(x.dtype(), y.dtype());
  i64 i = 0;
  for_each_index(y.dims(), [&](const Dims& at) {
    ASSERT_EQ(element(y, i++), element(x, position(x.dims(), from(at)))) << to_text(at);
  });
}

TEST(Transpose, permutes_axes_of_every_type) {
  Rng rng(seed_or(1));
  for (DType type : kAll) {
    SCOPED_TRACE(name(type));
    const Tensor x = random_tensor(type, {2, 3, 4}, rng);
    std::vector<i64> perm = {0, 1, 2};
    do {
      const Tensor y = run(Op::Transpose, {&x}, {{"perm", perm}});
      expect_moved(x, y, [&](const Dims& at) {
        Dims from(3);
        for (size_t a = 0; a < 3; ++a) from[size_t(perm[a])] = at[a];
        return from;
      });
    } while (std::next_permutation(perm.begin(), perm.end()));
    EXPECT_EQ(run(Op::Transpose, {&x}).dims(), (Dims{4, 3, 2}));
  }
  const Tensor x(DType::f32, {2, 3}), scalar = Tensor::scalar(3.f), empty(DType::f32, {0, 3});
  expect_error(ErrorKind::bad_input, "permutation", [&] {
    run(Op::Transpose, {&x}, {{"perm", std::vector<i64>{0, 0}}});
  });
  expect_tensor<float>(run(Op::Transpose, {&scalar}), {}, {3.f});
  expect_tensor<float>(run(Op::Transpose, {&empty}), {3, 0}, {});
}

TEST(Concat, undoes_split_for_every_type_and_axis) {
  Rng rng(seed_or(2));
  for (DType type : kAll)
    for (i64 axis = -3; axis < 3; ++axis) {
      SCOPED_TRACE(testing::Message() << name(type) << " axis " << axis);
      const Tensor x = random_tensor(type, {3, 4, 5}, rng);
      const i64 size = x.dim((axis + 3) % 3);
      const Tensor sizes = ints({1, 0, size - 1});
      const auto parts = run_all(Op::Split, {&x, &sizes}, {{"axis", axis}}, 3);
      EXPECT_EQ(parts[2].dim((axis + 3) % 3), size - 1);
      const Tensor y = run(Op::Concat, {&parts[0], &parts[1], &parts[2]}, {{"axis", axis}});
      EXPECT_TRUE(identical(x, y));
    }
}

TEST(Split, shares_evenly_and_leaves_the_rest_to_the_last) {
  const Tensor x = Tensor::of<i64>({7}, {0, 1, 2, 3, 4, 5, 6});
  const auto three = run_all(Op::Split, {&x}, {}, 3);
  expect_tensor<i64>(three[0], {3}, {0, 1, 2});
  expect_tensor<i64>(three[1], {3}, {3, 4, 5});
  expect_tensor<i64>(three[2], {1}, {6});
  const Tensor wrong = ints({3, 3}), few = ints({7}), negative = ints({8, -1});
  const auto fails = [&](const std::string& part, const Tensor* sizes, i64 outputs) {
    expect_error(ErrorKind::bad_input, part, [&] { run_all(Op::Split, {&x, sizes}, {}, outputs); });
  };
  fails("do not add up", &wrong, 2);
  fails("one per output", &few, 2);
  fails("expected sizes", &negative, 2);
  fails("does not split", nullptr, 5);
}

/// The operator's rule, written out: indices one by one. It is Python's but for one corner: walking
/// backwards, a start before the first element is moved onto it.
std::vector<i64> sliced(i64 start, i64 end, i64 step, i64 size) {
  const auto from_end = [&](i64 v) { return v < 0 ? v + size : v; };
  i64 first = from_end(start), last = from_end(end);
  std::vector<i64> indices;
  if (step > 0) {
    if (first < 0) first = 0;
    if (last > size) last = size;
    for (i64 i = first; i < last; i += step) indices.push_back(i);
  } else {
    if (first < 0) first = 0;
    if (first > size - 1) first = size - 1;
    if (last < -1) last = -1;
    for (i64 i = first; i > last && i >= 0; i += step) indices.push_back(i);
  }
  return indices;
}

TEST(Slice, follows_its_rule_for_random_starts_ends_and_steps) {
  const u64 seed = seed_or(3);
  Rng rng(seed);
  for (int round = 0; round < 1000; ++round) {
    const DType type = kAll[round % 14];
    const Tensor x = random_tensor(type, {rng.below(6), 1 + rng.below(5)}, rng);
    const i64 axis = rng.below(2), size = x.dim(axis);
    const i64 start = rng.below(17) - 8, end = rng.below(17) - 8;
    const i64 step = (1 + rng.below(4)) * (rng.below(2) ? 1 : -1);
    SCOPED_TRACE(testing::Message() << "seed " << seed << " round " << round << to_text(x.dims())
                                    << " " << start << ":" << end << ":" << step);
    const Tensor s = ints({start}), e = ints({end}), p = ints({step}),
                 a = ints({rng.below(2) ? axis : axis - 2});
    const Tensor y = run(Op::Slice, {&x, &s, &e, &a, &p});
    const std::vector<i64> expected = sliced(start, end, step, size);
    ASSERT_EQ(y.dim(axis), std::ssize(expected));
    expect_moved(x, y, [&](const Dims& at) {
      Dims from = at;
      from[size_t(axis)] = expected[size_t(at[size_t(axis)])];
      return from;
    });
  }
}

TEST(Slice, clamps_the_largest_numbers) {
  const i64 most = std::numeric_limits<i64>::max(), least = std::numeric_limits<i64>::min();
  const Tensor x = Tensor::of<i64>({4}, {0, 1, 2, 3});
  const auto cut = [&](i64 start, i64 end, i64 step) {
    const Tensor s = ints({start}), e = ints({end}), a = ints({0}), p = ints({step});
    return run(Op::Slice, {&x, &s, &e, &a, &p});
  };
  expect_tensor<i64>(cut(1, most, 1), {3}, {1, 2, 3});
  expect_tensor<i64>(cut(least, most, most), {1}, {0});
  expect_tensor<i64>(cut(most, least, -1), {4}, {3, 2, 1, 0});
  expect_tensor<i64>(cut(-1, least, least), {1}, {3});
  expect_tensor<i64>(cut(3, 0, -2), {2}, {3, 1});
  const Tensor s32 = Tensor::of<i32>({1}, {-2}), e32 = Tensor::of<i32>({1}, {9});
  expect_tensor<i64>(run(Op::Slice, {&x, &s32, &e32}), {2}, {2, 3});
  expect_error(ErrorKind::bad_input, "steps other than 0", [&] { cut(0, 1, 0); });
  const Tensor two = ints({0, 0}), ends = ints({1, 1});
  expect_error(ErrorKind::bad_input, "repeat", [&] { run(Op::Slice, {&x, &two, &ends, &two}); });
  expect_error(ErrorKind::bad_input, "axes below rank", [&] { run(Op::Slice, {&x, &two, &ends}); });
  expect_error(ErrorKind::bad_input, "ends", [&] { run(Op::Slice, {&x, &s32, &ends}); });
}

TEST(Gather, takes_negative_indices_of_any_rank) {
  const u64 seed = seed_or(4);
  Rng rng(seed);
  for (DType type : kAll)
    for (i64 axis = -2; axis < 2; ++axis)
      for (const Dims& id : {Dims{}, Dims{3}, Dims{2, 2}, Dims{0}}) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << name(type) << axis << to_text(id));
        const Tensor x = random_tensor(type, {4, 3}, rng);
        const size_t a = size_t((axis + 2) % 2);
        const i64 size = x.dims()[a];
        Tensor indices(DType::i64, id);
        for (i64& v : indices.mutable_data<i64>()) v = rng.below(2 * size) - size;
        const Tensor y = run(Op::Gather, {&x, &indices}, {{"axis", axis}});
        expect_moved(x, y, [&](const Dims& at) {
          const Dims k(at.begin() + i64(a), at.begin() + i64(a + id.size()));
          const i64 index = indices.as_int(position(id, k));
          Dims from(at.begin(), at.begin() + i64(a));
          from.push_back(index < 0 ? index + size : index);
          from.insert(from.end(), at.begin() + i64(a + id.size()), at.end());
          return from;
        });
      }
  const Tensor x(DType::f32, {3}), bad = ints({3}), low = ints({-4});
  expect_error(ErrorKind::bad_input, "indices", [&] { run(Op::Gather, {&x, &bad}); });
  expect_error(ErrorKind::bad_input, "indices", [&] { run(Op::Gather, {&x, &low}); });
}

TEST(Pad, follows_each_mode_and_crops_with_negative_pads) {
  const Tensor x = Tensor::of<i32>({4}, {1, 2, 3, 4}), fill = Tensor::scalar<i32>(9);
  const auto pad = [&](i64 begin, i64 end, const char* mode) {
    const Tensor pads = ints({begin, end});
    return run(Op::Pad, {&x, &pads, &fill}, {{"mode", std::string(mode)}});
  };
  expect_tensor<i32>(pad(2, 1, "constant"), {7}, {9, 9, 1, 2, 3, 4, 9});
  expect_tensor<i32>(pad(2, 1, "edge"), {7}, {1, 1, 1, 2, 3, 4, 4});
  expect_tensor<i32>(pad(2, 1, "reflect"), {7}, {3, 2, 1, 2, 3, 4, 3});
  expect_tensor<i32>(pad(5, 4, "reflect"), {13}, {2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2});
  expect_tensor<i32>(pad(-1, 2, "constant"), {5}, {2, 3, 4, 9, 9});
  expect_tensor<i32>(pad(2, -2, "edge"), {4}, {1, 1, 1, 2});
  expect_tensor<i32>(pad(1, -2, "reflect"), {3}, {2, 1, 2});
  expect_tensor<i32>(pad(-2, -2, "constant"), {0}, {});
  expect_error(ErrorKind::bad_input, "below zero", [&] { pad(-3, -2, "constant"); });
  expect_error(ErrorKind::bad_input, "mode", [&] { pad(0, 0, "mirror"); });
  const Tensor empty(DType::i32, {0}), pads = ints({1, 0}), few = ints({1});
  expect_error(ErrorKind::bad_input, "empty axis", [&] {
    run(Op::Pad, {&empty, &pads}, {{"mode", std::string("edge")}});
  });
  expect_tensor<i32>(run(Op::Pad, {&empty, &pads}), {1}, {0});
  expect_error(ErrorKind::bad_input, "expected 2 pads", [&] { run(Op::Pad, {&x, &few}); });
  const Tensor huge = ints({i64(1) << 40, 0});
  expect_error(ErrorKind::unsupported, "2^33", [&] { run(Op::Pad, {&x, &huge}); });
}

TEST(Pad, pads_every_axis_of_every_type) {
  Rng rng(seed_or(5));
  for (DType type : kAll) {
    SCOPED_TRACE(name(type));
    const Tensor x = random_tensor(type, {2, 3}, rng), pads = ints({1, -1, 0, 2});
    const Tensor y = run(Op::Pad, {&x, &pads}, {{"mode", std::string("edge")}});
    ASSERT_EQ(y.dims(), (Dims{3, 4}));
    expect_moved(x, y, [](const Dims& at) {
      return Dims{std::max<i64>(at[0] - 1, 0), std::min<i64>(at[1] + 1, 2)};
    });
  }
}

TEST(Expand, repeats_axes_both_ways) {
  Rng rng(seed_or(6));
  for (DType type : kAll) {
    SCOPED_TRACE(name(type));
    const Tensor x = random_tensor(type, {3, 1}, rng), shape = ints({2, 1, 4});
    const Tensor y = run(Op::Expand, {&x, &shape});
    ASSERT_EQ(y.dims(), (Dims{2, 3, 4}));
    expect_moved(x, y, [](const Dims& at) { return Dims{at[1], 0}; });
  }
  const Tensor x(DType::f32, {3}), bad = ints({2}), minus = ints({-1}), none = ints({0});
  expect_error(ErrorKind::bad_input, "do not broadcast", [&] { run(Op::Expand, {&x, &bad}); });
  expect_error(ErrorKind::bad_input, "expected sizes", [&] { run(Op::Expand, {&x, &minus}); });
  const Tensor one(DType::f32, {1}), huge = ints({i64(1) << 34});
  EXPECT_EQ(run(Op::Expand, {&one, &none}).dims(), (Dims{0}));
  expect_error(ErrorKind::unsupported, "2^33", [&] { run(Op::Expand, {&one, &huge}); });
}

TEST(Reshape, solves_zero_and_minus_one) {
  const Tensor x = Tensor::of<i64>({2, 3}, {0, 1, 2, 3, 4, 5});
  const auto dims = [](const Tensor& t, std::vector<i64> target, i64 allow = 0) {
    const Tensor s = ints(std::move(target));
    return run(Op::Reshape, {&t, &s}, {{"allowzero", allow}}).dims();
  };
  EXPECT_EQ(dims(x, {-1}), (Dims{6}));
  EXPECT_EQ(dims(x, {0, -1}), (Dims{2, 3}));
  EXPECT_EQ(dims(x, {3, -1, 1}), (Dims{3, 2, 1}));
  EXPECT_EQ(dims(x, {0, 0, 1}), (Dims{2, 3, 1}));
  const Tensor empty(DType::f32, {0, 4}), single(DType::f32, {1});
  EXPECT_EQ(dims(empty, {4, 0}, 1), (Dims{4, 0}));
  EXPECT_EQ(dims(empty, {0, -1}), (Dims{0, 4}));
  EXPECT_EQ(dims(empty, {2, -1}), (Dims{2, 0}));
  EXPECT_EQ(dims(single, {}), (Dims{}));
  const auto fails = [&](const std::string& part, const Tensor& t, std::vector<i64> target,
                         i64 allow = 0) {
    expect_error(ErrorKind::bad_input, part, [&] { dims(t, target, allow); });
  };
  fails("cannot reshape", x, {4});
  fails("does not divide", x, {4, -1});
  fails("at most one -1", x, {-1, -1});
  fails("found [-2]", x, {-2});
  fails("no size to copy", x, {2, 3, 0});
  fails("allowzero", empty, {0, -1}, 1);
  fails("does not divide", empty, {0, 0, 7, -1});
  const Tensor scalar = Tensor::scalar<i64>(6);
  expect_error(ErrorKind::bad_input, "rank 1", [&] { run(Op::Reshape, {&x, &scalar}); });
}

TEST(Shape, flatten_squeeze_unsqueeze_and_shape_of) {
  const Tensor x(DType::f32, {2, 1, 3, 1});
  const auto flat = [&](i64 axis) { return run(Op::Flatten, {&x}, {{"axis", axis}}).dims(); };
  EXPECT_EQ(flat(0), (Dims{1, 6}));
  EXPECT_EQ(flat(1), (Dims{2, 3}));
  EXPECT_EQ(flat(4), (Dims{6, 1}));
  EXPECT_EQ(flat(-2), (Dims{2, 3}));
  expect_error(ErrorKind::bad_input, "axis", [&] { flat(5); });
  const Tensor last = ints({-1}), two = ints({1, 3}), wrong = ints({0}), twice = ints({1, -3});
  EXPECT_EQ(run(Op::Squeeze, {&x}).dims(), (Dims{2, 3}));
  EXPECT_EQ(run(Op::Squeeze, {&x, &last}).dims(), (Dims{2, 1, 3}));
  EXPECT_EQ(run(Op::Squeeze, {&x, &two}).dims(), (Dims{2, 3}));
  expect_error(ErrorKind::bad_input, "not 1", [&] { run(Op::Squeeze, {&x, &wrong}); });
  expect_error(ErrorKind::bad_input, "repeat", [&] { run(Op::Squeeze, {&x, &twice}); });
  const Tensor ends = ints({0, -1}), outside = ints({6});
  EXPECT_EQ(run(Op::Unsqueeze, {&x, &ends}).dims(), (Dims{1, 2, 1, 3, 1, 1}));
  expect_error(ErrorKind::bad_input, "axis", [&] { run(Op::Unsqueeze, {&x, &outside}); });
  expect_tensor<i64>(run(Op::Shape, {&x}), {4}, {2, 1, 3, 1});
  expect_tensor<i64>(run(Op::Shape, {&x}, {{"start", i64(-3)}, {"end", i64(3)}}), {2}, {1, 3});
  expect_tensor<i64>(run(Op::Shape, {&x}, {{"start", i64(9)}}), {0}, {});
  const Tensor scalar = Tensor::scalar(1.f);
  expect_tensor<i64>(run(Op::Shape, {&scalar}), {0}, {});
  EXPECT_EQ(run(Op::Flatten, {&scalar}, {{"axis", i64(0)}}).dims(), (Dims{1, 1}));
}

TEST(Constant, values_shapes_and_casts) {
  const auto value = std::make_shared<const Tensor>(Tensor::of<i32>({1}, {7}));
  expect_tensor<i32>(run(Op::Constant, {}, {{"value", value}}), {1}, {7});
  expect_error(ErrorKind::bad_input, "value is required", [&] { run(Op::Constant, {}); });
  const Tensor shape = ints({2, 1}), none = ints({}), minus = ints({-1}),
               huge = ints({i64(1) << 34});
  expect_tensor<i32>(run(Op::ConstantOfShape, {&shape}, {{"value", value}}), {2, 1}, {7, 7});
  expect_tensor<float>(run(Op::ConstantOfShape, {&none}), {}, {0.f});
  expect_error(ErrorKind::bad_input, "sizes", [&] { run(Op::ConstantOfShape, {&minus}); });
  expect_error(ErrorKind::unsupported, "2^33", [&] { run(Op::ConstantOfShape, {&huge}); });

  const Tensor f = Tensor::of<float>({4}, {-1.9f, 0.f, 2.5f, 300.f});
  const auto cast = [&](const Tensor& t, DType to) {
    return run(Op::Cast, {&t}, {{"to", i64(to)}});
  };
  expect_tensor<i32>(cast(f, DType::i32), {4}, {-1, 0, 2, 300});
  expect_tensor<bool>(cast(f, DType::boolean), {4}, {true, false, true, true});
  expect_tensor<double>(cast(cast(f, DType::f16), DType::f64), {4}, {-1.900390625, 0, 2.5, 300});
  expect_error(ErrorKind::unsupported, "number 99", [&] { cast(f, DType(99)); });
  expect_error(ErrorKind::bad_input, "to is required", [&] { run(Op::Cast, {&f}); });
}

}  // namespace
}  // namespace sinter
