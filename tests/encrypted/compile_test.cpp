// SPDX-License-Identifier: Apache-2.0
// What the compiler refuses and how it says so; what a compilation reports.
#include "encrypted/compile.h"

#include <limits>

#include "encrypted/serialize.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

/// The error of compiling; fails when there is none.
Error error_of(const Graph& g, const CompileOptions& options, std::span<const Tensor> data) {
  try {
    compile(g, data, options);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::internal, "");
}

void expect_error(const Error& e, ErrorKind kind, std::initializer_list<const char*> parts) {
  EXPECT_EQ(int(e.kind()), int(kind)) << e.what();
  for (const char* part : parts)
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos)
        << "\"" << part << "\" is not in: " << e.what();
}

Graph small_net(u64 seed = 200) {
  NetBuilder b(seed, {1, 1, 4, 4});
  return b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 2, 3, 1, 1))), 3));
}

/// conv, then one node of `op` named "the/node", then a Gemm.
Graph net_with(Op op, Attributes attributes = {}) {
  NetBuilder b(201, {1, 2, 4, 4});
  const ValueId v = b.conv(b.at, 2, 3, 1, 1);
  const NodeId node = b.graph.add_node(op, {v}, std::move(attributes), {}, "the/node");
  return b.finish(b.gemm(b.flatten(b.graph.node(node).outputs[0]), 3));
}

TEST(CompileErrors, an_operator_without_encrypted_form_is_named_with_what_works) {
  const auto refused = [](const Graph& g, const char* advice) {
    expect_error(error_of(g, test_options(10), inputs_for(g, 1)), ErrorKind::unsupported,
                 {"the/node", advice});
  };
  refused(net_with(Op::Relu), "HerPN");
  refused(net_with(Op::Sigmoid), "quadratic");
  refused(net_with(Op::MaxPool, {{"kernel_shape", std::vector<i64>{2, 2}}}), "AveragePool");
  refused(net_with(Op::Softmax), "client");
}

TEST(CompileErrors, a_division_by_a_value_is_refused) {
  NetBuilder b(202, {1, 4});
  const Graph g = b.finish(b.graph.add(Op::Div, {b.gemm(b.at, 3), b.gemm(b.at, 3)}));
  expect_error(error_of(g, test_options(10), inputs_for(g, 1)), ErrorKind::unsupported,
               {"Div", "divisor"});
}

TEST(CompileErrors, too_few_levels_name_the_layer_and_how_many_are_short) {
  NetBuilder b(203, {1, 1, 4, 4});
  ValueId v = b.conv(b.at, 2, 3, 1, 1);
  v = b.graph.node(b.graph.add_node(Op::Mul, {v, v}, {}, {}, "square")).outputs[0];
  v = b.graph.node(b.graph.add_node(Op::Mul, {v, v}, {}, {}, "square_again")).outputs[0];
  const Graph g = b.finish(b.gemm(b.flatten(v), 3));
  CompileOptions options = test_options(10);
  options.scheme.log_q = {48, 40, 40};
  options.bootstrap = BootstrapChoice::none;
  const Error e = error_of(g, options, inputs_for(g, 1));
  expect_error(e, ErrorKind::out_of_levels,
               {"needs 4 levels", "gives 2", "2 short", "square_again", "would help"});
}

TEST(CompileErrors, a_chain_that_security_does_not_allow_names_the_ring_that_does) {
  const Graph g = small_net();
  CompileOptions options = test_options(13);
  options.scheme.security = ckks::Security::bits128;
  options.scheme.log_p = {48};
  const Error e = error_of(g, options, inputs_for(g, 1));
  expect_error(e, ErrorKind::out_of_levels, {"needs 3 levels", "128-bit", "log_n = 14"});
}

TEST(CompileErrors, insecure_explicit_parameters_are_refused) {
  const Graph g = small_net();
  CompileOptions options = test_options(12);
  options.scheme.security = ckks::Security::bits128;
  options.scheme.log_q = {48, 40, 40, 40};
  const Error e = error_of(g, options, inputs_for(g, 1));
  EXPECT_EQ(int(e.kind()), int(ErrorKind::bad_argument)) << e.what();
}

TEST(CompileErrors, nan_in_calibration_data_names_image_and_element) {
  const Graph g = small_net();
  std::vector<Tensor> data;
  data.push_back(filled({3, 1, 4, 4}, 0.5f));
  data[0].mutable_data<float>()[2 * 16 + 7] = std::numeric_limits<float>::quiet_NaN();
  expect_error(error_of(g, test_options(10), data), ErrorKind::bad_input,
               {"image 2", "nan", "element 7"});
  data[0].mutable_data<float>()[2 * 16 + 7] = std::numeric_limits<float>::infinity();
  expect_error(error_of(g, test_options(10), data), ErrorKind::bad_input, {"image 2", "inf"});
}

TEST(CompileErrors, calibration_data_of_another_shape_or_none_is_refused) {
  const Graph g = small_net();
  std::vector<Tensor> data;
  expect_error(error_of(g, test_options(10), data), ErrorKind::bad_argument, {"calibration"});
  data.push_back(filled({1, 1, 5, 4}, 0));
  expect_error(error_of(g, test_options(10), data), ErrorKind::bad_argument,
               {"[1,1,4,4]", "[1,1,5,4]"});
}

Graph net_with_leftover_batchnorm() {
  NetBuilder b(204, {1, 2, 4, 4});
  const ValueId v = b.graph.add(Op::Mul, {b.conv(b.at, 2, 3, 1, 1), b.conv(b.at, 2, 1, 1, 0)});
  const auto ones = [&] { return b.graph.add_constant(filled({2}, 1.5f)); };
  const NodeId bn = b.graph.add_node(Op::BatchNormalization, {v, ones(), ones(), ones(), ones()},
                                     {}, {}, "last/bn");
  return b.finish(b.graph.node(bn).outputs[0]);
}

TEST(CompileErrors, a_batchnorm_with_a_level_of_its_own_is_refused_unless_paid_for) {
  const Graph g = net_with_leftover_batchnorm();
  const std::vector<Tensor> data = inputs_for(g, 1);
  CompileOptions options = test_options(10);
  expect_error(error_of(g, options, data), ErrorKind::bad_argument,
               {"last/bn", "left after fusion", "pay_for_affine"});
  options.pay_for_affine = true;
  EXPECT_EQ(compile(g, data, options).explanation.depth, 3);
}

TEST(CompileErrors, a_tensor_too_large_names_the_ring_that_would_hold_it) {
  NetBuilder b(205, {1, 1, 16, 16});
  const Graph g = b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 6, 3, 1, 1))), 3));
  expect_error(error_of(g, test_options(11), inputs_for(g, 1)), ErrorKind::unsupported,
               {"1536 values", "2048 slots", "log_n = 12"});
}

TEST(CompileErrors, a_value_that_does_not_fit_under_the_modulus_is_named) {
  NetBuilder b(206, {1, 8});
  const ValueId v = b.gemm(b.at, 3);
  const NodeId big = b.graph.add_node(
      Op::Mul, {b.graph.add(Op::Mul, {v, v}), b.graph.add_constant(filled({1}, 1e5f))}, {}, {},
      "too/big");
  const Graph g = b.finish(b.graph.node(big).outputs[0]);
  expect_error(error_of(g, test_options(10), inputs_for(g, 1)), ErrorKind::bad_argument,
               {"room for 128", "log_q0"});
}

TEST(CompileErrors, a_batch_inside_the_network_is_named) {
  NetBuilder b(205, {1, 1, 8, 8});
  const ValueId parts =
      b.graph.add(Op::Reshape, {b.at, b.graph.add_constant(Tensor::of<i64>({4}, {4, 1, 4, 4}))});
  const Graph g = b.finish(b.conv(parts, 2, 3, 1, 1));
  expect_error(error_of(g, test_options(10), inputs_for(g, 1)), ErrorKind::unsupported,
               {"Conv", "batch of 4"});
}

TEST(CompileErrors, a_large_bias_is_refused_before_keys_are_made) {
  NetBuilder b(206, {1, 4});
  const Graph g = b.finish(b.graph.add(
      Op::Add, {b.gemm(b.at, 3), b.graph.add_constant(Tensor::of<float>({3}, {-100, 50, 90}))}));
  CompileOptions options = test_options(10);
  options.scheme.log_q0 = options.scheme.log_scale + 8;
  options.margin = 1;
  expect_error(error_of(g, options, inputs_for(g, 1)), ErrorKind::bad_argument, {"log_q0"});
}

TEST(CompileErrors, keys_without_special_primes_are_refused) {
  CompileOptions options = test_options(10);
  options.scheme.log_p.clear();
  const Graph g = small_net();
  expect_error(error_of(g, options, inputs_for(g, 1)), ErrorKind::bad_argument, {"log_p", "keys"});
}

TEST(CompileErrors, too_little_precision_is_refused) {
  // A result that is a product of small values drowns in the rounding of a small scale.
  NetBuilder b(207, {1, 4});
  const auto weights = [&](double scale) {
    return b.graph.add_constant(random_tensor({4, 4}, b.rng, scale));
  };
  const ValueId small = b.graph.add(Op::MatMul, {b.at, weights(1e-3)});
  const Graph tiny = b.finish(b.graph.add(Op::Mul, {small, small}));
  CompileOptions options = test_options(10);
  options.scheme.log_q0 = 40;
  options.scheme.log_scale = 22;
  expect_error(error_of(tiny, options, inputs_for(tiny, 1)), ErrorKind::bad_argument, {"bits"});
  const Graph g = small_net();
  EXPECT_GT(compile(g, inputs_for(g, 1), test_options(10)).explanation.precision_bits, 12);
  options = test_options(10);
  options.scheme.log_q = {48, 20, 20, 20};
  expect_error(error_of(g, options, inputs_for(g, 1)), ErrorKind::bad_argument, {"log_q"});
}

TEST(CompileErrors, only_a_batch_of_one_can_be_compiled) {
  NetBuilder b(207, {2, 8});
  const Graph g = b.finish(b.gemm(b.at, 3));
  expect_error(error_of(g, test_options(10), inputs_for(g, 1)), ErrorKind::unsupported,
               {"[2,8]", "batch of 1"});
}

TEST(CompileErrors, options_out_of_range_are_refused) {
  const Graph g = small_net();
  CompileOptions options = test_options(10);
  options.margin = 0.5;
  expect_error(error_of(g, options, inputs_for(g, 1)), ErrorKind::bad_argument, {"margin"});
  options = test_options(3);
  expect_error(error_of(g, options, inputs_for(g, 1)), ErrorKind::bad_argument, {"log_n"});
}

TEST(Compile, a_symbolic_batch_becomes_one) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{Dim::symbol("batch"), Dim(6)});
  Rng rng(9);
  g.add_output("y", g.add(Op::MatMul, {x, g.add_constant(random_tensor({6, 2}, rng))}));
  std::vector<Tensor> data;
  data.push_back(random_tensor({5, 6}, rng));
  const Compiled compiled = compile(g, data, test_options(10));
  EXPECT_EQ(compiled.program->input_dims, (Dims{1, 6}));
  EXPECT_EQ(compiled.program->output_dims, (Dims{1, 2}));
}

TEST(Compile, is_deterministic_and_the_hash_follows_weights_and_metadata) {
  const Graph g = small_net();
  const std::vector<Tensor> data = inputs_for(g, 1);
  CompileOptions options = test_options(10);
  const Compiled a = compile(g, data, options), b = compile(g, data, options);
  EXPECT_EQ(save_program(*a.program), save_program(*b.program));
  EXPECT_EQ(a.program->hash, b.program->hash);
  options.metadata["input"] = "scale 2";
  EXPECT_NE(compile(g, data, options).program->hash, a.program->hash);
  EXPECT_NE(compile(small_net(999), data, test_options(10)).program->hash, a.program->hash);
}

TEST(Compile, rows_add_up_to_the_totals) {
  const Graph g = patch_net(210, 16, 2, 3);
  const Explanation e = compile(g, inputs_for(g, 1), test_options(12)).explanation;
  int depth = 0;
  i64 diagonals = 0, rotations = 0;
  for (const LayerRow& row : e.layers) {
    EXPECT_EQ(row.level_in - row.level_out, row.depth);
    depth += row.depth;
    diagonals += row.diagonals;
    rotations += row.rotations;
  }
  EXPECT_EQ(depth, e.depth);
  EXPECT_EQ(diagonals, e.diagonals);
  EXPECT_EQ(rotations, e.rotations);
  EXPECT_GT(e.key_bytes, 0);
  EXPECT_TRUE(e.feasible);
}

TEST(Explain, fusion_saves_levels_and_the_unfused_plan_is_counted) {
  const Graph g = herpn_net(211);
  const std::vector<Tensor> data = inputs_for(g, 1);
  const Explanation fused = compile(g, data, test_options(11)).explanation;
  EXPECT_EQ(fused.depth, 5);
  EXPECT_EQ(levels_saved(fused.merges), fused.depth_unfused - fused.depth);
  EXPECT_EQ(fused.depth_unfused, 13);  // square, /sqrt2, norm, factor, gamma: five levels each
  const Explanation unfused = explain_only(g, data, test_options(11), false);
  EXPECT_FALSE(unfused.fused);
  EXPECT_EQ(unfused.depth, 13);
  EXPECT_GT(unfused.layers.size(), fused.layers.size());
  for (const LayerRow& row : unfused.layers) EXPECT_EQ(row.level_in - row.level_out, row.depth);
}

TEST(Explain, a_plan_that_cannot_be_built_says_why) {
  const Graph g = small_net();
  CompileOptions options = test_options(13);
  options.scheme.security = ckks::Security::bits128;
  options.scheme.log_p = {48};
  const Explanation e = explain_only(g, inputs_for(g, 1), options, true);
  EXPECT_FALSE(e.feasible);
  EXPECT_NE(e.reason.find("log_n = 14"), std::string::npos);
  EXPECT_EQ(e.depth, 3);
  EXPECT_EQ(e.layers.size(), 4u);
}

}  // namespace
}  // namespace sinter::encrypted::testing
