// SPDX-License-Identifier: Apache-2.0
// Whole graphs: order, inputs and their symbols, widening, errors that name their node.
#include "graph/evaluate.h"

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

TEST(Evaluate, runs_a_graph_and_returns_outputs_in_order) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{Dim::symbol("batch"), 2});
  const ValueId c = g.add_constant(Tensor::of<float>({2}, {10, 20}));
  const ValueId sum = g.add(Op::Add, {x, c}), twice = g.add(Op::Add, {sum, sum});
  for (const auto& [name, value] :
       {std::pair("twice", twice), std::pair("x", x), std::pair("sum", sum), std::pair("c", c),
        std::pair("again", sum)})
    g.add_output(name, value);
  const Tensor in = Tensor::of<float>({1, 2}, {1, 2});
  const auto out = evaluate(g, std::span(&in, 1));
  ASSERT_EQ(out.size(), 5u);
  expect_tensor<float>(out[0], {1, 2}, {22, 44});
  expect_tensor<float>(out[1], {1, 2}, {1, 2});
  expect_tensor<float>(out[2], {1, 2}, {11, 22});
  expect_tensor<float>(out[3], {2}, {10, 20});
  expect_tensor<float>(out[4], {1, 2}, {11, 22});
}

TEST(Evaluate, leaves_out_what_no_output_needs) {
  Graph g;
  const ValueId x = g.add_input("x", DType::i64, std::nullopt);
  g.add(Op::Div, {x, g.add_constant(Tensor::scalar<i64>(0))});
  g.add_output("y", g.add(Op::Neg, {x}));
  const Tensor in = ints({3});
  expect_tensor<i64>(evaluate(g, std::span(&in, 1))[0], {1}, {-3});
}

TEST(Evaluate, several_outputs_of_one_node_may_be_unused) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{6});
  const NodeId split = g.add_node(Op::Split, {x}, {}, {"a", "b", "c"});
  g.add_output("b", g.node(split).outputs[1]);
  const Tensor in = Tensor::of<float>({6}, {0, 1, 2, 3, 4, 5});
  expect_tensor<float>(evaluate(g, std::span(&in, 1))[0], {2}, {2, 3});
}

TEST(Evaluate, refuses_inputs_that_do_not_fit) {
  Graph g;
  const Dim n = Dim::symbol("n");
  const ValueId a = g.add_input("a", DType::f32, Shape{n, 3}),
                b = g.add_input("b", DType::f32, Shape{n});
  g.add_output("a", a);
  g.add_output("b", b);
  const auto fails = [&](const std::string& part, Tensor first, Tensor second) {
    std::vector<Tensor> in;
    in.push_back(std::move(first));
    in.push_back(std::move(second));
    expect_error(ErrorKind::bad_argument, part, [&] { evaluate(g, in); });
  };
  fails("input \"a\": expected element type f32, found i64", Tensor(DType::i64, {2, 3}),
        Tensor(DType::f32, {2}));
  fails("expected shape [n,3] with n = 2, found [2,4]", Tensor(DType::f32, {2, 4}),
        Tensor(DType::f32, {2}));
  fails("expected shape [n] with n = 2, found [3]", Tensor(DType::f32, {2, 3}),
        Tensor(DType::f32, {3}));
  fails("found [2,1]", Tensor(DType::f32, {2, 3}), Tensor(DType::f32, {2, 1}));
  fails("found f64", Tensor(DType::f64, {2, 3}), Tensor(DType::f32, {2}));
  expect_error(ErrorKind::bad_argument, "expected 2 inputs, found 0", [&] { evaluate(g, {}); });
}

TEST(Evaluate, names_the_node_that_fails) {
  Graph g;
  const ValueId x = g.add_input("x", DType::i64, std::nullopt);
  const NodeId node = g.add_node(Op::Div, {x, x}, {}, {}, "ratio");
  g.add_output("y", g.node(node).outputs[0]);
  const Tensor in = ints({0});
  expect_error(ErrorKind::bad_input, "Div \"ratio\": integer division by zero",
               [&] { evaluate(g, std::span(&in, 1)); });
  Tensor words(DType::string, {1});
  expect_error(ErrorKind::bad_input, "conv1: ", [&] {
    evaluate_op(Op::Cast, {{"to", i64(DType::f32)}}, std::vector<const Tensor*>{&words}, 1,
                "conv1");
  });
}

TEST(Evaluate, widened_computes_float32_models_in_float64) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{3}),
                n = g.add_input("n", DType::i64, Shape{3});
  const ValueId third = g.add_constant(Tensor::scalar(1.f / 3.f));
  const ValueId product = g.add(Op::Mul, {x, third});
  const ValueId cast = g.add(Op::Cast, {n}, {{"to", i64(DType::f32)}});
  const ValueId filled = g.add(Op::ConstantOfShape, {g.add_constant(ints({3}))});
  const ValueId sum = g.add(Op::Add, {g.add(Op::Add, {product, cast}), filled});
  g.add_output("sum", sum);
  g.add_output("n", n);
  std::vector<Tensor> in;
  in.push_back(Tensor::of<float>({3}, {0.1f, 0.2f, 7.f}));
  in.push_back(ints({1, 2, (i64(1) << 40) + 1}));
  const auto out = evaluate(g, in, Precision::widened);
  std::vector<double> expected;
  for (i64 i = 0; i < 3; ++i)
    expected.push_back(in[0].as_double(i) * double(1.f / 3.f) + double(in[1].as_int(i)));
  expect_tensor<double>(out[0], {3}, expected);
  expect_tensor<i64>(out[1], {3}, {1, 2, (i64(1) << 40) + 1});
  in[0] = Tensor::of<double>({3}, {0.1, 0.2, 7.});  // more than float32 holds
  EXPECT_EQ(evaluate(g, in, Precision::widened)[0].as_double(0), 0.1 * double(1.f / 3.f) + 1.);
  in[0] = Tensor(DType::f64, {4});
  expect_error(ErrorKind::bad_argument, "expected shape [3]",
               [&] { evaluate(g, in, Precision::widened); });
}

TEST(Evaluate, an_operator_checks_its_arity) {
  const Tensor x(DType::f32, {1});
  const std::vector<const Tensor*> three = {&x, &x, &x};
  expect_error(ErrorKind::bad_input, "Add: expected at least 2 inputs and at most 2, found 3",
               [&] { evaluate_op(Op::Add, {}, three); });
  expect_error(ErrorKind::bad_input, "outputs",
               [&] { evaluate_op(Op::Relu, {}, std::span(three).first(1), 2); });
}

}  // namespace
}  // namespace sinter
