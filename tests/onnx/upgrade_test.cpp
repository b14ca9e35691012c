// SPDX-License-Identifier: Apache-2.0
// Older forms of operators: each is imported at its own opset, must become nodes of the internal
// form, and must compute what that opset said.
#include <cmath>

#include "graph/text.h"
#include "graph/verify.h"
#include "tests/onnx/model_builder.h"

namespace sinter {
namespace {

using namespace testing_onnx;

struct Case {
  i64 version;
  std::string op;
  Texts inputs;  // names out of x, w, ...
  Texts attributes;
};

/// The output of one node at that opset, on x and with constants.
Tensor run(const Case& c, Tensor x, std::vector<std::pair<std::string, Tensor>> constants = {},
           bool unknown_rank = false) {
  Model m;
  m.version = c.version;
  Texts dims;
  for (i64 d : x.dims()) dims.push_back(std::to_string(d));
  m.inputs = {value("x", dims, x.dtype())};
  if (unknown_rank) {
    m.inputs = {};
    std::string bare;
    pbf_writer w(bare);
    w.add_string(1, "x");
    pbf_writer type(w, 2), tensor(type, 1);
    tensor.add_int32(1, int(x.dtype()));
    tensor.commit();
    type.commit();
    m.inputs = {bare};
  }
  m.outputs = {value("y", {})};
  for (const auto& [name, t] : constants) m.constant(name, t);
  m.nodes = {node(c.op, c.inputs, {"y"}, c.attributes, "old")};
  const Graph g = m.import();
  verify(g);
  std::vector<Tensor> in;
  in.push_back(std::move(x));
  return std::move(evaluate(g, in)[0]);
}

void expect_unsupported(const Case& c, Tensor x, const std::string& part,
                        std::vector<std::pair<std::string, Tensor>> constants = {}) {
  expect_error([&] { run(c, std::move(x), std::move(constants)); }, ErrorKind::unsupported,
               {"\"old\"", part});
}

std::vector<std::pair<std::string, Tensor>> with(std::string name, Tensor t) {
  std::vector<std::pair<std::string, Tensor>> out;
  out.emplace_back(std::move(name), std::move(t));
  return out;
}

Tensor ramp(Dims dims) {
  Tensor t(DType::f32, dims);
  float v = 0;
  for (float& x : t.mutable_data<float>()) x = v++;
  return t;
}

using Values = std::vector<double>;
using I = std::vector<i64>;

TEST(Upgrade, axes_that_were_attributes) {
  EXPECT_EQ(run({11, "Squeeze", {"x"}, {attr("axes", I{0, 2})}}, ramp({1, 3, 1, 1})).dims(),
            (Dims{3, 1}));
  EXPECT_EQ(run({1, "Squeeze", {"x"}, {}}, ramp({1, 3, 1})).dims(), (Dims{3}));
  EXPECT_EQ(run({1, "Unsqueeze", {"x"}, {attr("axes", I{0, 2})}}, ramp({3})).dims(),
            (Dims{1, 3, 1}));
  EXPECT_EQ(values_of(run({11, "ReduceSum", {"x"}, {attr("axes", I{1}), attr("keepdims", i64(0))}},
                          ramp({2, 3}))),
            (Values{3, 12}));
  EXPECT_EQ(values_of(run({1, "ReduceSum", {"x"}, {}}, ramp({2, 3}))), (Values{15}));
  EXPECT_EQ(values_of(run({17, "ReduceMax", {"x"}, {attr("axes", I{0})}}, ramp({2, 3}))),
            (Values{3, 4, 5}));
  EXPECT_EQ(values_of(run({1, "ReduceMean", {"x"}, {attr("axes", I{1})}}, ramp({2, 3}))),
            (Values{1, 4}));
  EXPECT_EQ(
      run({2, "Split", {"x"}, {attr("split", I{4}), attr("axis", i64(1))}}, ramp({2, 4})).dims(),
      (Dims{2, 4}));
}

TEST(Upgrade, slice_and_pad_with_attributes) {
  EXPECT_EQ(values_of(run(
                {1,
                 "Slice",
                 {"x"},
                 {attr("starts", I{1, -2}), attr("ends", I{2, 2147483647}), attr("axes", I{0, 1})}},
                ramp({3, 4}))),
            (Values{6, 7}));
  EXPECT_EQ(
      values_of(run({9, "Slice", {"x"}, {attr("starts", I{1}), attr("ends", I{3})}}, ramp({4}))),
      (Values{1, 2}));
  EXPECT_EQ(
      values_of(run({2, "Pad", {"x"}, {attr("pads", I{1, 2}), attr("value", 9.f)}}, ramp({2}))),
      (Values{9, 0, 1, 9, 9}));
  EXPECT_EQ(values_of(run({1, "Pad", {"x"}, {attr("paddings", I{0, 1})}}, ramp({2}))),
            (Values{0, 1, 0}));
  EXPECT_EQ(
      values_of(run({10, "Pad", {"x"}, {attr("pads", I{1, 0}), attr("mode", "edge")}}, ramp({2}))),
      (Values{0, 0, 1}));
}

TEST(Upgrade, clip_bounds_that_were_attributes) {
  EXPECT_EQ(values_of(run({6, "Clip", {"x"}, {attr("min", 1.f), attr("max", 2.f)}}, ramp({4}))),
            (Values{1, 1, 2, 2}));
  EXPECT_EQ(values_of(run({6, "Clip", {"x"}, {attr("max", 2.f)}}, ramp({4}))),
            (Values{0, 1, 2, 2}));
  EXPECT_EQ(values_of(run({1, "Clip", {"x"}, {attr("min", 2.f)}}, ramp({4}))),
            (Values{2, 2, 2, 3}));
  EXPECT_EQ(run({10, "Clip", {"x"}, {attr("min", 1.f)}}, convert(ramp({4}), DType::f16)).dtype(),
            DType::f16);
}

TEST(Upgrade, softmax_over_the_matrix_cut_at_axis) {
  // Rows of the matrix [prod(before axis), prod(from axis on)], computed here in double.
  for (i64 axis = -3; axis <= 3; ++axis)
    for (bool unknown : {false, true}) {
      if (unknown && axis == 3) continue;
      const Dims dims = {2, 3, 2};
      Tensor x(DType::f32, dims);
      for (i64 i = 0; i < x.size(); ++i) x.mutable_data<float>()[size_t(i)] = float(i * i % 7) / 3;
      const i64 cut = axis < 0 ? axis + 3 : axis;
      const i64 width = cut == 0 ? 12 : cut == 1 ? 6 : cut == 2 ? 2 : 1;
      const Tensor y =
          run({axis < 0 ? 11 : 7, "Softmax", {"x"}, {attr("axis", axis)}}, x.clone(), {}, unknown);
      ASSERT_EQ(y.dims(), dims) << axis;
      for (i64 i = 0; i < 12; ++i) {
        double sum = 0;
        for (i64 j = i / width * width; j < (i / width + 1) * width; ++j)
          sum += std::exp(x.as_double(j));
        EXPECT_NEAR(y.as_double(i), std::exp(x.as_double(i)) / sum, 1e-6) << axis << " at " << i;
      }
    }
}

TEST(Upgrade, softmax_of_old_has_axis_one_by_default_and_takes_empty_tensors) {
  EXPECT_NEAR(run({11, "Softmax", {"x"}, {}}, Tensor(DType::f32, {2, 3, 2})).as_double(0), 1. / 6,
              1e-7);
  EXPECT_NEAR(run({13, "Softmax", {"x"}, {}}, Tensor(DType::f32, {2, 3, 2})).as_double(0), 1. / 2,
              1e-7);
  EXPECT_EQ(run({11, "Softmax", {"x"}, {}}, Tensor(DType::f32, {2, 0, 2})).dims(), (Dims{2, 0, 2}));
  expect_error(
      [] {
        run({11, "Softmax", {"x"}, {attr("axis", i64(4))}}, ramp({2, 3}));
      },
      ErrorKind::bad_input, {"axis 4"});
}

TEST(Upgrade, slopes_of_old_are_one_a_channel) {
  const Tensor x = Tensor::of<float>({1, 2, 2}, {-1, -1, -1, 1});
  const auto slope = [] { return with("w", floats({2}, {2, 3})); };
  EXPECT_EQ(values_of(run({6, "PRelu", {"x", "w"}, {}}, x.clone(), slope())),
            (Values{-2, -2, -3, 1}));
  EXPECT_EQ(values_of(run({9, "PRelu", {"x", "w"}, {}}, x.clone(), slope())),
            (Values{-2, -3, -2, 1}));
  EXPECT_EQ(values_of(run({6, "PRelu", {"x", "w"}, {}}, x.clone(), with("w", floats({1}, {2})))),
            (Values{-2, -2, -2, 1}));
}

TEST(Upgrade, selu_of_old_rounds_its_constants) {
  const Tensor one = floats({1}, {1});
  EXPECT_EQ(values_of(run({5, "Selu", {"x"}, {}}, one.clone())), (Values{1.0507f}));
  EXPECT_EQ(values_of(run({6, "Selu", {"x"}, {}}, one.clone())),
            (Values{1.05070102214813232421875}));
}

TEST(Upgrade, operands_aligned_at_an_axis) {
  const Texts at1 = {attr("broadcast", i64(1)), attr("axis", i64(1))};
  EXPECT_EQ(values_of(run({6, "Add", {"x", "w"}, at1}, Tensor(DType::f32, {1, 2, 2}),
                          with("w", floats({2}, {1, 2})))),
            (Values{1, 1, 2, 2}));
  EXPECT_EQ(values_of(run({6, "Add", {"x", "w"}, {attr("broadcast", i64(1))}},
                          Tensor(DType::f32, {1, 2, 2}), with("w", floats({2}, {1, 2})))),
            (Values{1, 2, 1, 2}));
  EXPECT_EQ(values_of(run({1, "Greater", {"x", "w"}, at1}, Tensor(DType::f32, {1, 2, 2}),
                          with("w", floats({2}, {1, -2})))),
            (Values{0, 0, 1, 1}));
  EXPECT_EQ(values_of(run({1, "Mul", {"x", "w"}, {attr("broadcast", i64(1)), attr("axis", i64(0))}},
                          ramp({2, 1, 2}), with("w", floats({2, 1}, {10, 100})))),
            (Values{0, 10, 200, 300}));
  EXPECT_EQ(
      values_of(run({6, "Sub", {"x", "w"}, {attr("broadcast", i64(1)), attr("axis", i64(-2))}},
                    ramp({1, 2, 2}), with("w", floats({2}, {0, 2})))),
      (Values{0, 1, 0, 1}));
  expect_error(
      [&] {
        run({6, "Add", {"x", "w"}, at1}, ramp({2, 2}), with("w", ramp({2, 2})));
      },
      ErrorKind::bad_input, {"\"old\"", "broadcast axis 1"});
  EXPECT_EQ(values_of(run({6, "Gemm", {"x", "w", "w"}, {attr("broadcast", i64(1))}},
                          floats({2, 2}, {1, 0, 0, 1}), with("w", floats({2, 2}, {1, 2, 3, 4})))),
            (Values{2, 4, 6, 8}));
}

TEST(Upgrade, forms_for_inference_and_for_training) {
  EXPECT_EQ(values_of(run({6, "Dropout", {"x"}, {attr("is_test", i64(1)), attr("ratio", 0.9f)}},
                          ramp({3}))),
            (Values{0, 1, 2}));
  EXPECT_EQ(values_of(run({7, "Dropout", {"x"}, {attr("ratio", 0.9f)}}, ramp({3}))),
            (Values{0, 1, 2}));
  const Values dropped = values_of(run({6, "Dropout", {"x"}, {attr("ratio", 0.75f)}}, ramp({9})));
  for (size_t i = 0; i < 9; ++i) EXPECT_TRUE(dropped[i] == 0 || dropped[i] == 4 * double(i));
  const Texts bn = {"x", "w", "w", "w", "w"};
  EXPECT_NEAR(run({6, "BatchNormalization", bn, {attr("is_test", i64(1)), attr("epsilon", 0.f)}},
                  ramp({1, 2, 1}), with("w", floats({2}, {1, 4})))
                  .as_double(1),
              (1. - 4) / 2 * 4 + 4, 1e-6);
  EXPECT_EQ(run({9, "BatchNormalization", bn, {}}, ramp({1, 2, 1}), with("w", floats({2}, {1, 4})))
                .dims(),
            (Dims{1, 2, 1}));
  // The batch 0, 1, 2 has mean 1 and variance 2/3.
  EXPECT_NEAR(run({6, "BatchNormalization", bn, {attr("epsilon", 0.f)}}, ramp({3, 1}),
                  with("w", floats({1}, {3})))
                  .as_double(2),
              1 / std::sqrt(2. / 3) * 3 + 3, 1e-6);
  EXPECT_NEAR(run({7, "BatchNormalization", bn, {attr("spatial", i64(0)), attr("epsilon", 0.f)}},
                  ramp({1, 1, 2}), with("w", floats({1, 2}, {1, 4})))
                  .as_double(1),
              (1. - 4) / 2 * 4 + 4, 1e-6);
  expect_unsupported({6, "BatchNormalization", bn, {attr("spatial", i64(0))}}, ramp({1, 1, 2}),
                     "spatial=0", with("w", floats({1, 2}, {1, 4})));
}

TEST(Upgrade, outputs_that_exist_in_training_only_cannot_be_read) {
  Model m;
  m.version = 6;
  m.inputs = {value("x", {"1", "2", "3"})};
  m.outputs = {value("z", {})};
  m.constant("w", floats({2}, {1, 2}));
  m.nodes = {node("BatchNormalization", {"x", "w", "w", "w", "w"}, {"y", "mean", "var", "sm", "sv"},
                  {attr("is_test", i64(1))}),
             node("Relu", {"mean"}, {"z"}, {}, "reader")};
  expect_error([&] { m.import(); }, ErrorKind::unsupported, {"Relu \"reader\"", "mean"});
  m.nodes[1] = node("Relu", {"y"}, {"z"});
  EXPECT_EQ(m.import().node_count(), 2);
}

TEST(Upgrade, hints_defaults_and_names_of_the_first_opset) {
  EXPECT_EQ(
      values_of(run({1, "Relu", {"x"}, {attr("consumed_inputs", I{0})}}, floats({2}, {-1, 1}))),
      (Values{0, 1}));
  EXPECT_EQ(run({1, "Concat", {"x", "x"}, {}}, ramp({2, 3})).dims(), (Dims{2, 6}));
  expect_error([] { run({4, "Concat", {"x", "x"}, {}}, ramp({2, 3})); }, ErrorKind::bad_input, {});
  EXPECT_EQ(run({1, "Cast", {"x"}, {attr("to", "INT64")}}, ramp({3})).dtype(), DType::i64);
  expect_error(
      [] {
        run({1, "Cast", {"x"}, {attr("to", "LONG")}}, ramp({3}));
      },
      ErrorKind::bad_input, {"\"old\"", "LONG"});
  EXPECT_EQ(run({1, "Reshape", {"x"}, {attr("shape", I{-1, 2})}}, ramp({4})).dims(), (Dims{2, 2}));
}

TEST(Upgrade, old_attributes_in_new_opsets_are_mistakes) {
  for (const Case& c : {Case{13, "Squeeze", {"x"}, {attr("axes", I{0})}},
                        Case{11, "Clip", {"x"}, {attr("min", 1.f)}},
                        Case{17, "Relu", {"x"}, {attr("consumed_inputs", I{0})}},
                        Case{10, "Slice", {"x"}, {attr("starts", I{0}), attr("ends", I{1})}}})
    expect_error([&] { run(c, ramp({1, 2})); }, ErrorKind::bad_input, {"\"old\""});
}

TEST(Upgrade, nodes_without_their_inputs_are_errors_at_every_opset) {
  for (const OpInfo& op : all_ops()) {
    if (!domain_of(op.op).empty() || op.min_inputs == 0) continue;
    for (i64 version = 1; version <= 17; ++version)
      for (const Texts& inputs : {Texts{}, Texts{""}, Texts{"", "x"}}) {
        Model m;
        m.version = version;
        m.inputs = {value("x", {"2", "2"})};
        m.outputs = {value("y", {})};
        m.nodes = {node(std::string(op.name), inputs, {"y"}, {}, "n")};
        const Error e = error_of([&] { m.import(); });
        EXPECT_NE(int(e.kind()), int(ErrorKind::internal)) << op.name << " " << version << e.what();
      }
  }
}

}  // namespace
}  // namespace sinter
