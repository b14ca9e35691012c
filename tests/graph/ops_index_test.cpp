// SPDX-License-Identifier: Apache-2.0
// Operators that pick, place or rank elements by index, against the definition written out element
// by element, and the symbolic content that they carry along.
#include <set>

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

constexpr DType kSome[] = {DType::f32, DType::i64, DType::string, DType::boolean, DType::bf16};

std::string element(const Tensor& t, i64 i) {
  return t.dtype() == DType::string ? t.strings()[size_t(i)] : std::to_string(t.as_double(i));
}
std::string element(const Tensor& t, const Dims& at) { return element(t, position(t.dims(), at)); }

Tensor random_indices(Dims dims, i64 size, Rng& rng) {
  Tensor t(DType::i64, std::move(dims));
  for (i64& v : t.mutable_data<i64>()) v = rng.below(2 * size) - size;
  return t;
}

TEST(GatherElements, picks_one_element_an_index) {
  Rng rng(seed_or(51));
  for (DType type : kSome)
    for (i64 axis = -3; axis < 3; ++axis) {
      const size_t a = size_t((axis + 3) % 3);
      const Tensor x = random_tensor(type, {3, 4, 5}, rng);
      const Tensor index = random_indices({2, 3, 4}, x.dims()[a], rng);
      const Tensor y = run(Op::GatherElements, {&x, &index}, {{"axis", axis}});
      for_each_index(y.dims(), [&](const Dims& at) {
        Dims from = at;
        const i64 i = index.as_int(position(index.dims(), at));
        from[a] = i < 0 ? i + x.dims()[a] : i;
        ASSERT_EQ(element(y, at), element(x, from));
      });
    }
  const Tensor x(DType::f32, {2, 2}), wide = Tensor::of<i64>({1, 3}, {0, 0, 0});
  const Tensor far = Tensor::of<i64>({1, 2}, {0, 2});
  expect_error(ErrorKind::bad_input, "sizes of at most", [&] {
    run(Op::GatherElements, {&x, &wide});
  });
  expect_error(ErrorKind::bad_input, "indices from", [&] { run(Op::GatherElements, {&x, &far}); });
}

TEST(GatherND, picks_a_slice_an_index_tuple_within_its_batch) {
  Rng rng(seed_or(52));
  const Tensor x = random_tensor(DType::i32, {2, 3, 4, 5}, rng);
  const Tensor index = random_indices({2, 7, 2}, 3, rng);
  const Tensor y = run(Op::GatherND, {&x, &index}, {{"batch_dims", i64(1)}});
  ASSERT_EQ(y.dims(), (Dims{2, 7, 5}));
  for_each_index(y.dims(), [&](const Dims& at) {
    const auto pick = [&](i64 d, i64 size) {
      const i64 i = index.as_int((at[0] * 7 + at[1]) * 2 + d);
      return i < 0 ? i + size : i;
    };
    ASSERT_EQ(element(y, at), element(x, Dims{at[0], pick(0, 3), pick(1, 4), at[2]}));
  });
}

TEST(ScatterElements, places_or_combines_one_element_an_index) {
  Rng rng(seed_or(53));
  const std::map<std::string, std::function<double(double, double)>> kReductions = {
      {"none", [](double, double b) { return b; }},
      {"add", [](double a, double b) { return a + b; }},
      {"mul", [](double a, double b) { return a * b; }},
      {"max", [](double a, double b) { return std::max(a, b); }},
      {"min", [](double a, double b) { return std::min(a, b); }}};
  for (const auto& [name, combine] : kReductions)
    for (DType type : {DType::f64, DType::f32, DType::i64}) {
      const Tensor x = random_tensor(type, {4, 3}, rng), u = random_tensor(type, {5, 2}, rng);
      const Tensor index = random_indices({5, 2}, 4, rng);
      Tensor expected = convert(x, DType::f64);
      for_each_index(u.dims(), [&](const Dims& at) {
        const i64 i = index.as_int(position(u.dims(), at));
        double& to = expected.mutable_data<double>()[size_t((i < 0 ? i + 4 : i) * 3 + at[1])];
        to = combine(to, u.as_double(position(u.dims(), at)));
      });
      const Tensor y = run(Op::ScatterElements, {&x, &index, &u}, {{"reduction", name}});
      EXPECT_TRUE(identical(convert(y, DType::f64), expected)) << name;
    }
}

TEST(ScatterND, undoes_gather_nd_on_distinct_places) {
  Rng rng(seed_or(54));
  for (DType type : kSome) {
    const Tensor x = random_tensor(type, {4, 3, 2}, rng), u = random_tensor(type, {3, 2}, rng);
    const Tensor index = Tensor::of<i64>({3, 2}, {0, 1, -1, 2, 1, -3});
    const Tensor y = run(Op::ScatterND, {&x, &index, &u});
    EXPECT_TRUE(identical(run(Op::GatherND, {&y, &index}), u)) << name(type);
    i64 changed = 0;
    for (i64 i = 0; i < y.size(); ++i) changed += element(x, i) != element(y, i);
    EXPECT_LE(changed, u.size());
  }
}

TEST(Tile, repeats_every_axis) {
  Rng rng(seed_or(55));
  for (DType type : kSome) {
    const Tensor x = random_tensor(type, {2, 3}, rng), repeats = ints({3, 2});
    const Tensor y = run(Op::Tile, {&x, &repeats});
    ASSERT_EQ(y.dims(), (Dims{6, 6}));
    for_each_index(y.dims(), [&](const Dims& at) {
      ASSERT_EQ(element(y, at), element(x, Dims{at[0] % 2, at[1] % 3}));
    });
  }
  const Tensor x(DType::f32, {2, 3}), none = ints({0, 2}), few = ints({2});
  EXPECT_EQ(run(Op::Tile, {&x, &none}).dims(), (Dims{0, 6}));
  expect_error(ErrorKind::bad_input, "one repeat an axis", [&] { run(Op::Tile, {&x, &few}); });
}

TEST(Pad, wraps_around_and_takes_named_axes) {
  const Tensor x = Tensor::of<i64>({2, 3}, {0, 1, 2, 3, 4, 5});
  const Tensor pads = ints({2, 1}), axes = ints({-1});
  expect_tensor<i64>(run(Op::Pad, {&x, &pads, nullptr, &axes}, {{"mode", std::string("wrap")}}),
                     {2, 6}, {1, 2, 0, 1, 2, 0, 4, 5, 3, 4, 5, 3});
}

TEST(Range, counts_up_and_down_and_stops_before_the_limit) {
  struct Case {
    double start, limit, delta;
    std::vector<float> values;
  };
  for (const Case& c : {Case{1, 4, 1, {1, 2, 3}}, Case{1, 4.5, 1.5, {1, 2.5, 4}},
                        Case{3, 0, -2, {3, 1}}, Case{0, 0, 1, {}}, Case{0, -3, 1, {}}}) {
    const Tensor a = Tensor::scalar(float(c.start)), b = Tensor::scalar(float(c.limit));
    const Tensor d = Tensor::scalar(float(c.delta));
    expect_tensor<float>(run(Op::Range, {&a, &b, &d}), {std::ssize(c.values)}, c.values);
  }
  const Tensor zero = Tensor::scalar<i64>(0), one = Tensor::scalar<i64>(1);
  const Tensor most = Tensor::scalar(std::numeric_limits<i64>::max());
  expect_error(ErrorKind::bad_input, "other than 0", [&] { run(Op::Range, {&zero, &one, &zero}); });
  expect_error(ErrorKind::unsupported, "at most", [&] { run(Op::Range, {&zero, &most, &one}); });
}

TEST(Trilu, keeps_one_side_of_a_diagonal) {
  Rng rng(seed_or(56));
  const Tensor x = random_tensor(DType::i64, {2, 3, 4}, rng);
  for (i64 upper : {0, 1})
    for (i64 k = -5; k <= 5; ++k) {
      const Tensor diagonal = Tensor::scalar(k);
      const Tensor y = run(Op::Trilu, {&x, &diagonal}, {{"upper", upper}});
      for_each_index(y.dims(), [&](const Dims& at) {
        const bool kept = upper ? at[2] - at[1] >= k : at[2] - at[1] <= k;
        ASSERT_EQ(y.as_int(position(y.dims(), at)), kept ? x.as_int(position(x.dims(), at)) : 0);
      });
    }
}

TEST(Unique, gives_back_the_input_through_its_inverse) {
  Rng rng(seed_or(57));
  for (DType type : kSome)
    for (i64 sorted : {0, 1}) {
      Tensor x = random_tensor(type, {40}, rng);
      const auto results = run_all(Op::Unique, {&x}, {{"sorted", sorted}}, 4);
      EXPECT_TRUE(identical(run(Op::Gather, {&results[0], &results[2]}), x));
      EXPECT_TRUE(identical(run(Op::Gather, {&x, &results[1]}), results[0]));
      std::set<std::string> seen;
      i64 total = 0;
      for (i64 i = 0; i < results[0].size(); ++i) seen.insert(element(results[0], i));
      for (i64 n : results[3].as_ints()) total += n;
      EXPECT_EQ(std::ssize(seen), results[0].size());
      EXPECT_EQ(total, 40);
      const std::vector<i64> first = results[1].as_ints();
      if (!sorted) {
        EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
      }
    }
}

TEST(TopK, ranks_with_ties_in_order_and_nan_above_all) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::of<float>({6}, {1, 3, nan, 3, -2, 0}), k = ints({4});
  const auto large = run_all(Op::TopK, {&x, &k}, {}, 2);
  expect_tensor<float>(large[0], {4}, {nan, 3, 3, 1});
  expect_tensor<i64>(large[1], {4}, {2, 1, 3, 0});
  const auto small = run_all(Op::TopK, {&x, &k}, {{"largest", i64(0)}}, 2);
  expect_tensor<i64>(small[1], {4}, {4, 5, 0, 1});
  const Tensor many = ints({7});
  expect_error(ErrorKind::bad_input, "at most", [&] { run_all(Op::TopK, {&x, &many}, {}, 2); });
}

TEST(Compress, and_non_zero_list_what_the_content_says) {
  const Tensor x = Tensor::of<i64>({2, 3}, {0, 1, 2, 3, 0, 5});
  const Tensor condition = Tensor::of<bool>({2}, {false, true});
  expect_tensor<i64>(run(Op::Compress, {&x, &condition}, {{"axis", i64(0)}}), {1, 3}, {3, 0, 5});
  expect_tensor<i64>(run(Op::Compress, {&x, &condition}), {1}, {1});
  expect_tensor<i64>(run(Op::NonZero, {&x}), {2, 4}, {0, 0, 1, 1, 1, 2, 0, 2});
  const Tensor scalar = Tensor::scalar(1.f);
  EXPECT_EQ(run(Op::NonZero, {&scalar}).dims(), (Dims{0, 1}));
}

// Shape of [n, c, 4] is [n, c, 4]; what moves its elements moves the expressions.
TEST(Content, follows_elements_that_move) {
  const Dim n = Dim::symbol("n"), c = Dim::symbol("c");
  const auto expect_content = [&](Op op, std::vector<Tensor> constants,
                                  const Attributes& attributes, const std::vector<Dim>& expected) {
    Graph g;
    const ValueId x = g.add_input("x", DType::f32, Shape{n, c, Dim(4)});
    std::vector<ValueId> inputs = {g.add(Op::Shape, {x})};
    for (Tensor& t : constants) inputs.push_back(g.add_constant(std::move(t)));
    const auto content = g.value(g.add(op, inputs, attributes)).type.dims;
    ASSERT_TRUE(content) << name(op);
    EXPECT_TRUE(same(*content, expected)) << name(op) << " " << to_text(*content);
  };
  const auto list = [](Tensor a) {
    std::vector<Tensor> all;
    all.push_back(std::move(a));
    return all;
  };
  std::vector<Tensor> update = list(Tensor::of<i64>({1, 1}, {1}));
  update.push_back(ints({7}));
  expect_content(Op::Gather, list(ints({2, 0})), {}, {Dim(4), n});
  expect_content(Op::GatherElements, list(ints({1, 1})), {}, {c, c});
  expect_content(Op::GatherND, list(Tensor::of<i64>({1, 1}, {-3})), {}, {n});
  expect_content(Op::ScatterND, std::move(update), {}, {n, Dim(7), Dim(4)});
  expect_content(Op::Tile, list(ints({2})), {}, {n, c, Dim(4), n, c, Dim(4)});
  expect_content(Op::Pad, list(ints({1, -1})), {}, {Dim(0), n, c});
}

}  // namespace
}  // namespace sinter
