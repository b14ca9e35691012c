// SPDX-License-Identifier: Apache-2.0
// One operator through the runtime, on a given instruction set, beside the reference evaluation in
// float64.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/random.h"
#include "graph/evaluate.h"
#include "runtime/executor.h"

namespace sinter::testing_support {

inline u64 base_seed() {
  const char* text = std::getenv("SINTER_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 1;
}

inline Tensor random_f32(Rng& rng, Dims dims, double scale = 1) {
  Tensor t(DType::f32, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = float(scale * rng.normal());
  return t;
}

inline Tensor absolute(const Tensor& t) {
  Tensor a = t.clone();
  if (a.dtype() == DType::f64)
    for (double& v : a.mutable_data<double>()) v = std::fabs(v);
  return a;
}

struct OpCase {
  Op op;
  Attributes attributes;
  std::vector<Tensor> inputs = {};  ///< dtype none = absent
  std::vector<bool> constant = {};  ///< which inputs are constants of the graph; default none
  i64 outputs = 1;
};

/// The graph of one node. Inputs that are not constants become graph inputs of fixed shape.
inline Graph graph_of(const OpCase& c) {
  Graph g;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor& t = c.inputs[i];
    if (t.dtype() == DType::none)
      ids.push_back({});
    else if (i < c.constant.size() && c.constant[i])
      ids.push_back(g.add_constant(t.clone()));
    else
      ids.push_back(g.add_input("x" + std::to_string(i), t.dtype(), to_shape(t.dims())));
  }
  const NodeId node =
      g.add_node(c.op, ids, c.attributes, std::vector<std::string>(size_t(c.outputs)), "tested");
  for (i64 i = 0; i < c.outputs; ++i)
    g.add_output("y" + std::to_string(i), g.node(node).outputs[size_t(i)]);
  return g;
}

inline std::vector<Tensor> free_inputs(const OpCase& c) {
  std::vector<Tensor> given;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    if (c.inputs[i].dtype() != DType::none && !(i < c.constant.size() && c.constant[i]))
      given.push_back(c.inputs[i].clone());
  return given;
}

/// Through the runtime; expects that a kernel, not the reference, computed it.
inline std::vector<Tensor> run_fast(const OpCase& c, Isa isa, i64 threads = 1) {
  const auto program = Program::compile(graph_of(c), {}, isa);
  EXPECT_EQ(program->steps().size(), 1u);
  for (const StepInfo& step : program->steps()) EXPECT_NE(step.kernel, "reference");
  ThreadPool pool(threads);
  return Executor(program, pool).run(free_inputs(c));
}

/// evaluate_op with every float32 input widened; `magnitudes` takes absolute values first.
inline std::vector<Tensor> run_wide(const OpCase& c, bool magnitudes = false) {
  std::vector<Tensor> wide;
  std::vector<const Tensor*> in;
  for (const Tensor& t : c.inputs) {
    wide.push_back(t.dtype() == DType::f32    ? convert(t, DType::f64)
                   : t.dtype() == DType::none ? Tensor()
                                              : t.clone());
    if (magnitudes) wide.back() = absolute(wide.back());
  }
  for (const Tensor& t : wide) in.push_back(t.dtype() == DType::none ? nullptr : &t);
  return evaluate_op(c.op, c.attributes, in, c.outputs, "tested");
}

/// |got - want| <= units * 2^-24 * size, element by element.
inline void expect_within(const Tensor& got, const Tensor& want, const Tensor& size, double units) {
  ASSERT_EQ(got.dims(), want.dims());
  ASSERT_EQ(got.dtype(), DType::f32);
  for (i64 i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got.as_double(i), want.as_double(i), units * 0x1p-24 * size.as_double(i) + 1e-40)
        << "element " << i << " of " << to_text(got.dims());
}

/// A linear operator: `units` roundings of the same operator on absolute values.
inline void expect_linear(const OpCase& c, Isa isa, double units) {
  const std::vector<Tensor> got = run_fast(c, isa), want = run_wide(c), size = run_wide(c, true);
  for (size_t i = 0; i < got.size(); ++i) expect_within(got[i], want[i], size[i], units);
}

/// The bits of the reference evaluation (a NaN matches a NaN).
inline void expect_identical(const OpCase& c, Isa isa, i64 threads = 1) {
  const std::vector<Tensor> got = run_fast(c, isa, threads);
  std::vector<const Tensor*> in;
  for (const Tensor& t : c.inputs) in.push_back(t.dtype() == DType::none ? nullptr : &t);
  const std::vector<Tensor> want = evaluate_op(c.op, c.attributes, in, c.outputs, "tested");
  ASSERT_EQ(got.size(), want.size());
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_EQ(got[k].dims(), want[k].dims());
    for (i64 i = 0; i < got[k].size(); ++i) {
      const double a = got[k].as_double(i), b = want[k].as_double(i);
      ASSERT_TRUE(a == b || (std::isnan(a) && std::isnan(b)))
          << "output " << k << " element " << i << ": " << a << ", expected " << b;
    }
  }
}

/// Tests that run once for every instruction set of this machine.
class OnEveryIsa : public ::testing::TestWithParam<Isa> {};

#define SINTER_ON_EVERY_ISA(suite)                                        \
  class suite : public testing_support::OnEveryIsa {};                    \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::ValuesIn(runnable_isas()), \
                           [](const auto& each) { return std::string(name(each.param)); })

}  // namespace sinter::testing_support
