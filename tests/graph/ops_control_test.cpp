// SPDX-License-Identifier: Apache-2.0
// Control flow, sequences and optionals: graphs in text form, evaluated and inferred.
#include "graph/text.h"
#include "graph/verify.h"
#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

template <class... T>
std::vector<Tensor> list(T&&... tensors) {
  std::vector<Tensor> all;
  (all.push_back(std::move(tensors)), ...);
  return all;
}

Tensor flag(bool v) { return Tensor::scalar(v); }

constexpr std::string_view kIf = R"(
  c = input bool[]
  x = input f32[n,2]
  y = If(c, x) captures=1 else_branch={
    x = input f32[n,2]
    k = const f32[1,2] {1, 2}
    z = Concat(x, k) axis=0
    output z = z
  } then_branch={
    x = input f32[n,2]
    z = Neg(x)
    output z = z
  }
  output y = y
)";

TEST(If, runs_one_branch_and_knows_what_both_share) {
  const Graph g = parse_graph(kIf);
  verify(g);
  const auto& shape = g.value(g.outputs()[0].value).type.shape;
  ASSERT_TRUE(shape);
  EXPECT_FALSE(shape->at(0).is_known());
  EXPECT_TRUE(shape->at(1).is(2));
  const Tensor x = Tensor::of<float>({1, 2}, {3, 4});
  expect_tensor<float>(evaluate(g, list(flag(true), x.clone()))[0], {1, 2}, {-3, -4});
  expect_tensor<float>(evaluate(g, list(flag(false), x.clone()))[0], {2, 2}, {3, 4, 1, 2});
}

// What torch writes for squeeze(dim): the branch that cannot run does not count.
TEST(If, takes_the_type_of_the_branch_that_fits) {
  const Graph g = parse_graph(R"(
    c = input bool[]
    x = input f32[3,2]
    y = If(c, x) captures=1 else_branch={
      x = input f32
      output z = x
    } then_branch={
      x = input f32
      z = Squeeze(x, const i64[1] {0})
      output z = z
    }
    output y = y
  )");
  EXPECT_EQ(to_text(*g.value(g.outputs()[0].value).type.shape), "[3,2]");
}

constexpr std::string_view kLoop = R"(
  m = input i64[]
  c = input bool[]
  x = input f32[2]
  step = input f32[2]
  last, all = Loop(m, c, x, step) captures=1 body={
    i = input i64[]
    c = input bool[]
    x = input f32[2]
    step = input f32[2]
    y = Add(x, step)
    s = ReduceSum(y) keepdims=0
    go = Less(s, const f32[] {10})
    output go = go
    output y = y
    output each = s
  }
  output last = last
  output all = all
)";

TEST(Loop, counts_stops_and_gathers) {
  const Graph g = parse_graph(kLoop);
  verify(g);
  const auto run = [&](i64 m, bool c) {
    return evaluate(g, list(Tensor::scalar(m), flag(c), Tensor::of<float>({2}, {0, 1}),
                            Tensor::of<float>({2}, {1, 2})));
  };
  expect_tensor<float>(run(2, true)[0], {2}, {2, 5});
  expect_tensor<float>(run(2, true)[1], {2}, {4, 7});
  expect_tensor<float>(run(100, true)[1], {3}, {4, 7, 10});  // the condition ends it
  for (const auto& none : {run(0, true), run(5, false)}) {
    expect_tensor<float>(none[0], {2}, {0, 1});
    EXPECT_EQ(none[1].dims(), (Dims{0}));
  }
  const auto wide =
      evaluate(g,
               list(Tensor::scalar(i64(1)), flag(true), Tensor::of<float>({2}, {0, 1}),
                    Tensor::of<float>({2}, {0.1f, 2})),
               Precision::widened);
  EXPECT_EQ(wide[0].dtype(), DType::f64);
  EXPECT_EQ(wide[0].as_double(0), double(0.1f));
}

constexpr std::string_view kGrowing = R"(
  m = input i64[]
  x = input i64[1,n]
  last, all = Loop(m, _, x) body={
    i = input i64[]
    c = input bool[]
    x = input i64[k,n]
    y = Concat(x, x) axis=0
    output c = c
    output y = y
    output i = i
  }
  output last = last
  output all = all
)";

TEST(Loop, follows_sizes_that_change_and_counts_its_runs) {
  const Graph g = parse_graph(kGrowing);
  const Shape& last = *g.value(g.outputs()[0].value).type.shape;
  EXPECT_FALSE(last[0].is_known());
  EXPECT_EQ(last[1].text(), "n");
  const auto found = evaluate(g, list(Tensor::scalar(i64(3)), Tensor::of<i64>({1, 2}, {1, 2})));
  EXPECT_EQ(found[0].dims(), (Dims{8, 2}));
  expect_tensor<i64>(found[1], {3}, {0, 1, 2});
  // A constant trip count that nothing ends early is the size of what is gathered.
  std::string text(kGrowing);
  text.replace(text.find("m = input i64[]"), 15, "m = const i64[] {5}");
  const Graph fixed = parse_graph(text);
  EXPECT_EQ(to_text(*fixed.value(fixed.outputs()[1].value).type.shape), "[5]");
}

TEST(Loop, ends_with_an_error_instead_of_never) {
  const Graph g = parse_graph(R"(
    x = input i64[]
    y = Loop(_, _, x) body={
      i = input i64[]
      c = input bool[]
      x = input i64[]
      output c = c
      output x = x
    }
    output y = y
  )");
  expect_error(ErrorKind::unsupported, "bodies run more than",
               [&] { evaluate(g, list(Tensor::scalar(i64(1)))); });
}

TEST(Scan, walks_axes_in_both_directions) {
  const Graph g = parse_graph(R"(
    s = input f32[2]
    x = input f32[2,n]
    last, all = Scan(s, x) num_scan_inputs=1 scan_input_axes=[1] scan_input_directions=[1] scan_output_axes=[-1] scan_output_directions=[1] body={
      s = input f32[2]
      x = input f32[2]
      y = Add(s, x)
      output y = y
      output z = y
    }
    output last = last
    output all = all
  )");
  verify(g);
  EXPECT_EQ(to_text(*g.value(g.outputs()[1].value).type.shape), "[2,n]");
  const auto found = evaluate(
      g, list(Tensor::of<float>({2}, {0, 10}), Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})));
  expect_tensor<float>(found[0], {2}, {6, 25});
  expect_tensor<float>(found[1], {2, 3}, {6, 5, 3, 25, 21, 16});
}

TEST(SequenceMap, runs_the_body_on_every_item) {
  const Graph g = parse_graph(R"(
    s = input sequence(f32[n])
    x = input f32[1]
    y = SequenceMap(s, x) body={
      a = input f32[n]
      b = input f32[1]
      c = Mul(a, b)
      output c = c
    }
    z = ConcatFromSequence(y) axis=0
    output z = z
  )");
  Tensor s = Tensor::sequence(list(Tensor::of<float>({1}, {1}), Tensor::of<float>({2}, {2, 3})));
  expect_tensor<float>(evaluate(g, list(std::move(s), Tensor::of<float>({1}, {2})))[0], {3},
                       {2, 4, 6});
}

TEST(Sequence, insert_erase_and_look_up_count_from_both_ends) {
  const Tensor a = Tensor::scalar(1.f), b = Tensor::scalar(2.f), c = Tensor::scalar(3.f);
  const auto at = [](i64 i) { return Tensor::scalar(i); };
  const auto values = [](const Tensor& s) {
    std::vector<float> all;
    for (const Tensor& t : s.items()) all.push_back(t.data<float>()[0]);
    return all;
  };
  using V = std::vector<float>;
  const Tensor s = run(Op::SequenceConstruct, {&a, &b});
  for (i64 i = -2; i <= 2; ++i) {
    const Tensor p = at(i);
    V expected = {1, 2};
    expected.insert(expected.begin() + (i < 0 ? i + 2 : i), 3);
    EXPECT_EQ(values(run(Op::SequenceInsert, {&s, &c, &p})), expected) << i;
  }
  EXPECT_EQ(values(run(Op::SequenceInsert, {&s, &c})), (V{1, 2, 3}));
  EXPECT_EQ(values(run(Op::SequenceErase, {&s})), V{1});
  const Tensor first = at(-2), far = at(2), word(DType::string, {});
  EXPECT_EQ(values(run(Op::SequenceErase, {&s, &first})), V{2});
  expect_tensor<float>(run(Op::SequenceAt, {&s, &first}), {}, {1});
  expect_error(ErrorKind::bad_input, "indices from", [&] { run(Op::SequenceAt, {&s, &far}); });
  expect_error(ErrorKind::bad_input, "element type", [&] { run(Op::SequenceInsert, {&s, &word}); });
}

TEST(SplitToSequence, is_undone_by_concat_from_sequence) {
  Rng rng(seed_or(61));
  for (DType type : {DType::f32, DType::string, DType::boolean})
    for (i64 axis : {0, 1, -1}) {
      const Tensor x = random_tensor(type, {5, 5}, rng);
      const Tensor sizes = ints({2, 0, 3}), step = Tensor::scalar(i64(2));
      for (const Tensor* split : {&sizes, &step, static_cast<const Tensor*>(nullptr)}) {
        const Tensor s = run(Op::SplitToSequence, {&x, split}, {{"axis", axis}});
        EXPECT_EQ(s.items().size(), split == nullptr ? 5u : 3u);
        EXPECT_TRUE(identical(run(Op::ConcatFromSequence, {&s}, {{"axis", axis}}), x));
      }
      const Tensor s = run(Op::SplitToSequence, {&x}, {{"axis", axis}, {"keepdims", i64(0)}});
      EXPECT_EQ(s.items()[0].dims(), Dims{5});
      EXPECT_TRUE(
          identical(run(Op::ConcatFromSequence, {&s}, {{"axis", axis}, {"new_axis", i64(1)}}), x));
    }
}

TEST(Optional, holds_something_or_nothing) {
  const Tensor x = Tensor::scalar(1.f);
  const Tensor full = run(Op::Optional, {&x}), empty = Tensor::optional({});
  EXPECT_TRUE(run(Op::OptionalHasElement, {&full}).data<bool>()[0]);
  EXPECT_TRUE(run(Op::OptionalHasElement, {&x}).data<bool>()[0]);
  EXPECT_FALSE(run(Op::OptionalHasElement, {&empty}).data<bool>()[0]);
  EXPECT_TRUE(identical(run(Op::OptionalGetElement, {&full}), x));
  expect_error(ErrorKind::bad_input, "not empty", [&] { run(Op::OptionalGetElement, {&empty}); });
}

TEST(Random, repeats_for_a_seed_and_follows_its_distribution) {
  const Attributes seeded{{"seed", 3.f}, {"shape", std::vector<i64>{20000}}};
  const Tensor a = run(Op::RandomNormal, {}, seeded), b = run(Op::RandomNormal, {}, seeded);
  EXPECT_TRUE(identical(a, b));
  double sum = 0, squares = 0;
  for (i64 i = 0; i < a.size(); ++i)
    sum += a.as_double(i), squares += a.as_double(i) * a.as_double(i);
  EXPECT_NEAR(sum / 20000, 0, 0.03);
  EXPECT_NEAR(squares / 20000, 1, 0.05);
  Tensor p(DType::f32, {20000});
  for (float& v : p.mutable_data<float>()) v = 0.25f;
  const Tensor y = run(Op::Bernoulli, {&p}, {{"dtype", i64(DType::i64)}});
  i64 ones = 0;
  for (i64 v : y.as_ints()) ones += v;
  EXPECT_NEAR(double(ones) / 20000, 0.25, 0.02);
  Graph g;
  const NodeId n = g.add_node(Op::RandomNormal, {}, seeded);
  EXPECT_FALSE(is_pure(g, g.node(n)));
}

TEST(StringNormalizer, drops_stop_words_and_never_returns_nothing) {
  Tensor x(DType::string, {3});
  x.mutable_strings() = {"Monday", "b", "monday"};
  const Attributes a{{"case_change_action", std::string("UPPER")},
                     {"stopwords", std::vector<std::string>{"monday"}}};
  expect_tensor<std::string>(run(Op::StringNormalizer, {&x}, a), {1}, {"B"});
  Attributes exact = a;
  exact.set("is_case_sensitive", i64(1));
  expect_tensor<std::string>(run(Op::StringNormalizer, {&x}, exact), {2}, {"MONDAY", "B"});
  x.mutable_strings() = {"monday", "monday", "Monday"};
  expect_tensor<std::string>(run(Op::StringNormalizer, {&x}, a), {1}, {""});
}

}  // namespace
}  // namespace sinter
