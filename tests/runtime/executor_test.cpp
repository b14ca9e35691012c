// SPDX-License-Identifier: Apache-2.0
// Whole graphs: random ones against the reference evaluation, aliases and in-place results, shapes
// known late, threads, and errors at the door.
#include "runtime/executor.h"

#include <thread>

#include "graph/text.h"
#include "tests/runtime/support.h"

namespace sinter {
namespace {

using namespace testing_support;

/// A random network over one image-like input: convolutions, activations, pools, reshapes,
/// residuals, splits and joins, dead ends, results read twice, several outputs.
Graph random_graph(Rng& rng, bool symbolic_batch) {
  Graph g;
  const i64 channels = 2 + rng.below(4), h = 6 + rng.below(6), w = 5 + rng.below(8);
  const Dim batch = symbolic_batch ? Dim::symbol("batch") : Dim(1 + rng.below(3));
  std::vector<ValueId> pool = {g.add_input("x", DType::f32, Shape{batch, channels, h, w})};
  const auto constant = [&](Dims dims, double scale = 1) {
    return g.add_constant(random_f32(rng, std::move(dims), scale));
  };
  for (i64 left = 3 + rng.below(12); left > 0; --left) {
    const ValueId v = pool[size_t(rng.below(std::ssize(pool)))];
    const Shape s = *g.shape(v);
    const i64 c = *s[1].value(), rows = *s[2].value(), columns = *s[3].value();
    switch (rng.below(14)) {
      case 0: {
        const i64 filters = 1 + rng.below(9);
        pool.push_back(g.add(Op::Conv, {v, constant({filters, c, 3, 3}, 0.3), constant({filters})},
                             {{"pads", std::vector<i64>{1, 1, 1, 1}}}));
        break;
      }
      case 1:
        pool.push_back(g.add(Op::Conv, {v, constant({c, 1, 1, 2}, 0.7)},
                             {{"group", c}, {"pads", std::vector<i64>{0, 1, 0, 0}}}));
        break;
      case 2:
        pool.push_back(g.add(Op::ChannelQuadratic, {v, constant({c, 1, 1}, 0.1),
                                                    constant({c, 1, 1}), constant({c, 1, 1})}));
        break;
      case 3:
        pool.push_back(g.add(rng.below(2) ? Op::Relu : Op::Tanh, {v}));
        break;
      case 4:
        pool.push_back(g.add(rng.below(2) ? Op::Add : Op::Mul, {v, v}));
        break;
      case 5:
        pool.push_back(g.add(Op::Add, {constant({c, 1, 1}), v}));
        break;
      case 6:  // there and back: aliases of one another
        pool.push_back(
            g.add(Op::Reshape, {g.add(Op::Flatten, {v}, {{"axis", i64(1)}}),
                                g.add_constant(Tensor::of<i64>({4}, {-1, c, rows, columns}))}));
        break;
      case 7:
        pool.push_back(g.add(Op::Transpose, {v}, {{"perm", std::vector<i64>{0, 1, 3, 2}}}));
        break;
      case 8: {
        if (c < 2) break;
        const NodeId split =
            g.add_node(Op::Split, {v, g.add_constant(Tensor::of<i64>({2}, {1, c - 1}))},
                       {{"axis", i64(1)}}, {"", ""});
        pool.push_back(g.add(Op::Concat, {g.node(split).outputs[1], g.node(split).outputs[0]},
                             {{"axis", i64(1)}}));
        pool.push_back(g.node(split).outputs[1]);
        break;
      }
      case 9:
        pool.push_back(g.add(Op::Identity, {g.add(Op::Sub, {v, g.add(Op::Neg, {v})})}));
        break;
      case 10:
        if (rows > 3 && columns > 3)
          pool.push_back(g.add(rng.below(2) ? Op::MaxPool : Op::AveragePool, {v},
                               {{"kernel_shape", std::vector<i64>{2, 2}}}));
        break;
      case 11: {  // per-image mean taken off again
        const ValueId axes = g.add_constant(Tensor::of<i64>({2}, {2, 3}));
        const ValueId mean = g.add(Op::ReduceMean, {v, axes});
        pool.push_back(g.add(Op::Sub, {v, mean}));
        break;
      }
      case 12:
        pool.push_back(g.add(Op::Where, {g.add(Op::Equal, {v, v}), v, g.add(Op::Exp, {v})}));
        break;
      default:
        for (ValueId other : pool)
          if (other != v && same(*g.shape(other), s)) {
            pool.push_back(g.add(Op::Add, {other, v}));
            break;
          }
    }
  }
  g.add_output("last", pool.back());
  g.add_output("any", pool[size_t(rng.below(std::ssize(pool)))]);
  g.add_output("flat", g.add(Op::Flatten, {pool.back()}));
  g.add_output("last again", pool.back());
  return g;
}

std::vector<Tensor> random_inputs(Rng& rng, const Graph& g, i64 batch) {
  std::vector<Tensor> inputs;
  for (ValueId id : g.inputs()) {
    Dims dims;
    for (const Dim& d : *g.shape(id)) dims.push_back(d.value().value_or(batch));
    inputs.push_back(random_f32(rng, dims));
  }
  return inputs;
}

/// Within a small part of the largest element, for graphs of a few layers.
void expect_close(const std::vector<Tensor>& got, const std::vector<Tensor>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_EQ(got[k].dims(), want[k].dims()) << "output " << k;
    double largest = 0;
    for (i64 i = 0; i < want[k].size(); ++i)
      if (std::isfinite(want[k].as_double(i)))
        largest = std::max(largest, std::fabs(want[k].as_double(i)));
    for (i64 i = 0; i < got[k].size(); ++i) {
      const double a = got[k].as_double(i), b = want[k].as_double(i);
      if (!std::isfinite(b) || std::fabs(b) > 1e30) continue;
      ASSERT_NEAR(a, b, 2e-4 * std::min(largest, 1e30) + 1e-6)
          << "output " << k << " element " << i;
    }
  }
}

TEST(Executor, random_graphs_give_what_the_reference_gives) {
  for (u64 seed = base_seed(); seed < base_seed() + 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    const Graph g = random_graph(rng, seed % 2 == 0);
    const i64 batch = 1 + rng.below(4);
    const std::vector<Tensor> inputs = random_inputs(rng, g, batch);
    const std::vector<Tensor> want = evaluate(g, inputs);
    InputShapes bound;
    if (seed % 4 == 0) bound.symbols["batch"] = batch;  // seed % 4 == 2: left unbound
    const auto program = Program::compile(g.clone(), bound);
    EXPECT_EQ(program->is_static(), seed % 4 != 2);
    EXPECT_LE(program->memory().arena_bytes, program->memory().sum_bytes);
    ThreadPool pool(1 + rng.below(3));
    Executor executor(program, pool);
    expect_close(executor.run(inputs), want);
    const std::vector<Tensor> again = executor.run(inputs);  // what a run leaves does not matter
    expect_close(again, want);
    if (HasFatalFailure()) return;
  }
}

TEST(Executor, the_bits_do_not_depend_on_the_number_of_threads) {
  for (u64 seed = base_seed(); seed < base_seed() + 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Rng rng(seed);
    const Graph g = random_graph(rng, true);
    const std::vector<Tensor> inputs = random_inputs(rng, g, 9);
    const auto program = Program::compile(g.clone(), {{{"batch", 9}}, {}});
    std::vector<Tensor> first;
    for (i64 threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      std::vector<Tensor> out = Executor(program, pool).run(inputs);
      if (first.empty())
        first = std::move(out);
      else
        for (size_t k = 0; k < out.size(); ++k) ASSERT_TRUE(identical(first[k], out[k])) << threads;
    }
  }
}

TEST(Executor, one_program_serves_several_threads_at_once) {
  Rng rng(5);
  const Graph g = random_graph(rng, true);
  const std::vector<Tensor> inputs = random_inputs(rng, g, 4);
  const auto program = Program::compile(g.clone(), {{{"batch", 4}}, {}});
  ThreadPool alone(1);
  const std::vector<Tensor> want = Executor(program, alone).run(inputs);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      ThreadPool pool(1);
      Executor executor(program, pool);
      for (int round = 0; round < 20; ++round) {
        const std::vector<Tensor> got = executor.run(inputs);
        for (size_t k = 0; k < got.size(); ++k) wrong[t] += !identical(got[k], want[k]);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Program, a_chain_of_elementwise_operators_runs_in_place) {
  Graph g;
  ValueId v = g.add_input("x", DType::f32, Shape{64, 64});
  for (int i = 0; i < 6; ++i) v = g.add(Op::Relu, {v});
  g.add_output("y", v);
  const auto program = Program::compile(std::move(g));
  EXPECT_EQ(program->memory().in_place, 5);  // the first may not write over the caller's input
  EXPECT_EQ(program->memory().arena_bytes, 64 * 64 * 4);
}

TEST(Program, a_value_read_later_is_not_written_over) {
  const Graph g = parse_graph(R"(
    x = input f32[2,8]
    a = Neg(x)
    b = Relu(a)
    c = Reshape(a, const i64[1] {16})
    d = Neg(c)
    output b = b
    output d = d
  )");
  const Tensor x =
      Tensor::of<float>({2, 8}, {1, -2, 3, -4, 5, -6, 7, -8, 9, 1, -2, 3, -4, 5, 6, 7});
  const std::vector<Tensor> got = run_once(g, std::span(&x, 1)),
                            want = evaluate(g, std::span(&x, 1));
  EXPECT_TRUE(identical(got[0], want[0]) && identical(got[1], want[1]));
}

// b has the shape of y but reads the buffer of a through another shape: writing over a would tear.
TEST(Program, a_buffer_read_twice_in_one_node_is_not_torn) {
  const Graph g = parse_graph(R"(
    x = input f32[4,1]
    a = Neg(x)
    t = Reshape(a, const i64[2] {1, 4})
    y = Add(a, t)
    z = Concat(y, y) axis=0
    w = Add(t, t)
    v = Mul(w, w)
    output z = z
    output v = v
  )");
  const Tensor x = Tensor::of<float>({4, 1}, {1, 2, 3, 4});
  const std::vector<Tensor> got = run_once(g, std::span(&x, 1)),
                            want = evaluate(g, std::span(&x, 1));
  EXPECT_TRUE(identical(got[0], want[0]) && identical(got[1], want[1]));
}

TEST(Program, binding_folds_shape_arithmetic_away) {
  const Graph g = parse_graph(R"(
    x = input f32[batch,3,4]
    s = Shape(x)
    n = Gather(s, const i64[1] {0})
    t = Concat(n, const i64[1] {-1}) axis=0
    ones = ConstantOfShape(s)
    y = Reshape(x, t)
    z = Add(x, ones)
    output y = y
    output z = z
  )");
  const auto program = Program::compile(g.clone(), {{{"batch", 5}}, {}});
  EXPECT_TRUE(program->is_static());
  EXPECT_EQ(program->steps().size(), 1u);  // the Add; Reshape is another name
  EXPECT_EQ(program->outputs()[0].dims, (Dims{5, 12}));
  Rng rng(1);
  const std::vector<Tensor> inputs = random_inputs(rng, g, 5);
  ThreadPool pool(1);
  expect_close(Executor(program, pool).run(inputs), evaluate(g, inputs));
}

TEST(Program, shapes_that_depend_on_values_live_outside_the_arena) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{2, 6});
  const ValueId target = g.add_input("target", DType::i64, Shape{2});
  const ValueId reshaped = g.add(Op::Reshape, {g.add(Op::Relu, {x}), target});
  const ValueId sum = g.add(Op::ReduceSum, {g.add(Op::Neg, {reshaped})}, {{"keepdims", i64(0)}});
  g.add_output("reshaped", reshaped);
  g.add_output("sum", sum);
  const auto program = Program::compile(g.clone());
  EXPECT_FALSE(program->is_static());
  ThreadPool pool(1);
  Executor executor(program, pool);
  Rng rng(1);
  for (const auto& [rows, columns] : {std::pair<i64, i64>{3, 4}, {12, 1}, {4, 3}}) {
    std::vector<Tensor> inputs;
    inputs.push_back(random_f32(rng, {2, 6}));
    inputs.push_back(Tensor::of<i64>({2}, {rows, columns}));
    expect_close(executor.run(inputs), evaluate(g, inputs));
  }
}

TEST(Program, inputs_and_constants_may_be_outputs) {
  const Graph g = parse_graph(R"(
    x = input f32[3]
    c = const f32[2] {1, 2}
    r = Reshape(c, const i64[2] {2, 1})
    i = Identity(x)
    output x = x
    output c = c
    output r = r
    output i = i
  )");
  const Tensor x = Tensor::of<float>({3}, {4, 5, 6});
  const std::vector<Tensor> got = run_once(g, std::span(&x, 1)),
                            want = evaluate(g, std::span(&x, 1));
  for (size_t k = 0; k < want.size(); ++k) EXPECT_TRUE(identical(got[k], want[k])) << k;
}

TEST(Program, empty_tensors_are_left_to_the_reference) {
  const Graph g = parse_graph(R"(
    x = input f32[0,3]
    y = Relu(x)
    z = Concat(y, const f32[1,3] {1, 2, 3}) axis=0
    output y = y
    output z = z
  )");
  const Tensor x(DType::f32, {0, 3});
  const std::vector<Tensor> got = run_once(g, std::span(&x, 1));
  EXPECT_EQ(got[0].dims(), (Dims{0, 3}));
  EXPECT_EQ(got[1].dims(), (Dims{1, 3}));
}

TEST(Program, other_element_types_run_through_the_reference) {
  const Graph g = parse_graph(R"(
    x = input f64[2,3]
    y = Add(x, x)
    z = Transpose(y) perm=[1,0]
    output z = z
  )");
  const Tensor x = Tensor::of<double>({2, 3}, {1, 2, 3, 4, 5, 6});
  const std::vector<Tensor> got = run_once(g, std::span(&x, 1)),
                            want = evaluate(g, std::span(&x, 1));
  EXPECT_TRUE(identical(got[0], want[0]));
}

TEST(Executor, profiling_adds_up_the_seconds_of_each_step) {
  Rng rng(5);
  const Graph g = random_graph(rng, false);
  const auto program = Program::compile(g.clone());
  ThreadPool pool(1);
  Executor executor(program, pool);
  const std::vector<Tensor> inputs = random_inputs(rng, g, 1);
  executor.run(inputs);
  for (double s : executor.step_seconds()) EXPECT_EQ(s, 0);
  executor.set_profiling(true);
  for (int run = 0; run < 100; ++run) executor.run(inputs);
  ASSERT_EQ(executor.step_seconds().size(), program->steps().size());
  double all = 0;  // one step may be shorter than the clock can tell
  for (double s : executor.step_seconds()) all += s;
  EXPECT_GT(all, 0);
}

// -- errors --------------------------------------------------------------------------------------

template <class Body>
void expect_error(ErrorKind kind, const std::string& part, const Body& body) {
  try {
    body();
    FAIL() << "no error; expected one with \"" << part << "\"";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

class ExecutorErrors : public testing::Test {
 protected:
  Graph graph = parse_graph(R"(
    x = input f32[batch,3,4]
    k = input f32[batch,1]
    y = Relu(x)
    output y = y
    output k = k
  )");
  ThreadPool pool{1};
};

TEST_F(ExecutorErrors, wrong_inputs_are_named) {
  Executor executor(Program::compile(graph.clone(), {{{"batch", 2}}, {}}), pool);
  const auto run = [&](Tensor a, Tensor b) {
    std::vector<Tensor> in;
    in.push_back(std::move(a)), in.push_back(std::move(b));
    executor.run(in);
  };
  expect_error(ErrorKind::bad_argument, "expected 2 inputs, found 0", [&] { executor.run({}); });
  expect_error(ErrorKind::bad_argument, "x", [&] {
    run(Tensor(DType::f32, {2, 3, 5}), Tensor(DType::f32, {2, 1}));
  });
  expect_error(ErrorKind::bad_argument, "x", [&] {
    run(Tensor(DType::f64, {2, 3, 4}), Tensor(DType::f32, {2, 1}));
  });
  expect_error(ErrorKind::bad_argument, "k", [&] {
    run(Tensor(DType::f32, {2, 3, 4}), Tensor(DType::f32, {3, 1}));
  });
  expect_error(ErrorKind::bad_argument, "x", [&] {
    run(Tensor(DType::f32, {2, 12}), Tensor(DType::f32, {2, 1}));
  });
  run(Tensor(DType::f32, {2, 3, 4}), Tensor(DType::f32, {2, 1}));
}

TEST_F(ExecutorErrors, symbols_left_unbound_must_agree_between_inputs) {
  Executor executor(Program::compile(graph.clone()), pool);
  std::vector<Tensor> in;
  in.push_back(Tensor(DType::f32, {2, 3, 4}));
  in.push_back(Tensor(DType::f32, {3, 1}));
  expect_error(ErrorKind::bad_argument, "batch", [&] { executor.run(in); });
}

TEST_F(ExecutorErrors, bindings_that_contradict_are_refused) {
  const auto compile = [&](const InputShapes& bound) { Program::compile(graph.clone(), bound); };
  expect_error(ErrorKind::bad_argument, "rows", [&] { compile({{{"rows", 2}}, {}}); });
  expect_error(ErrorKind::bad_argument, "at least 1", [&] { compile({{{"batch", 0}}, {}}); });
  expect_error(ErrorKind::bad_argument, "no input \"z\"", [&] { compile({{}, {{"z", {1}}}}); });
  expect_error(ErrorKind::bad_argument, "[2,3]", [&] { compile({{}, {{"x", {2, 3}}}}); });
  expect_error(ErrorKind::bad_argument, "[2,3,5]", [&] { compile({{}, {{"x", {2, 3, 5}}}}); });
  expect_error(ErrorKind::bad_argument, "batch", [&] {
    compile({{}, {{"x", {2, 3, 4}}, {"k", {3, 1}}}});
  });
  expect_error(ErrorKind::bad_argument, "batch", [&] {
    compile({{{"batch", 3}}, {{"x", {2, 3, 4}}}});
  });
}

TEST_F(ExecutorErrors, a_failing_fallback_names_its_node) {
  Graph g;
  const ValueId x = g.add_input("x", DType::i64, Shape{2});
  const NodeId node =
      g.add_node(Op::Div, {x, g.add_input("d", DType::i64, Shape{2})}, {}, {}, "ratio");
  g.add_output("y", g.node(node).outputs[0]);
  Executor executor(Program::compile(std::move(g)), pool);
  std::vector<Tensor> in;
  in.push_back(Tensor::of<i64>({2}, {1, 2}));
  in.push_back(Tensor::of<i64>({2}, {1, 0}));
  expect_error(ErrorKind::bad_input, "ratio", [&] { executor.run(in); });
  in[1] = Tensor::of<i64>({2}, {1, 2});  // and the executor can go on
  EXPECT_EQ(executor.run(in)[0].as_ints(), (std::vector<i64>{1, 1}));
}

}  // namespace
}  // namespace sinter
