// SPDX-License-Identifier: Apache-2.0
// Several input ciphertexts, branches apart, and batches: the same results, and nothing of one
// image, of unused slots or of a sum on its way in the slots of a result.
#include <algorithm>
#include <cmath>

#include "ckks/encoder.h"
#include "ckks/secret_key.h"
#include "encrypted/execute.h"
#include "encrypted/serialize.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

CompileOptions with(i64 log_n, bool join_branches, i64 batch) {
  CompileOptions options = test_options(log_n);
  options.scheme.log_p = {48, 48, 48};
  options.packing = {join_branches, batch};
  return options;
}

/// The images one after another along the first dimension.
Tensor stacked(std::span<const Tensor> images) {
  Dims dims = images[0].dims();
  dims[0] = std::ssize(images);
  Tensor all(DType::f32, dims);
  auto to = all.mutable_data<float>().begin();
  for (const Tensor& image : images) to = std::ranges::copy(image.data<float>(), to).out;
  return all;
}

/// Largest difference of any image's result to the graph in float64, relative to the largest value.
double error_of_batch(const Graph& g, const EncryptedProgram& p, std::span<const Tensor> images,
                      std::span<const double> slots) {
  double error = 0, largest = 1e-30;
  for (size_t i = 0; i < images.size(); ++i) {
    std::vector<Tensor> one;
    one.push_back(images[i].clone());
    const Tensor expected = std::move(evaluate(g, one, Precision::widened)[0]);
    const Tensor found = unpack_output(p, slots, i64(i));
    for (i64 e = 0; e < expected.size(); ++e) {
      largest = std::max(largest, std::abs(expected.as_double(e)));
      error = std::max(error, std::abs(expected.as_double(e) - found.as_double(e)));
    }
  }
  return error / largest;
}

/// Every slot of the output is a result, a copy of one, or zero, whatever the unused slots of the
/// input hold, and the results do not depend on these.
void expect_nothing_else_in_the_output(const EncryptedProgram& p, const Tensor& images) {
  std::vector<std::vector<double>> inputs = pack_input(p, images);
  const std::vector<double> clean = simulate(p, inputs);
  Rng rng(77);
  for (size_t k = 0; k < inputs.size(); ++k)
    for (size_t s = 0; s < inputs[k].size(); ++s)
      if (p.input_elements[k][s % p.input_elements[k].size()] < 0)
        inputs[k][s] = 1e3 * rng.normal();
  const std::vector<double> dirty = simulate(p, inputs);
  const i64 period = p.instructions.back().period;
  std::vector<bool> is_result(size_t(period), false);
  for (i32 s : p.output_slots) is_result[size_t(s)] = true;
  for (i64 s = 0; s < p.slots(); ++s) {
    if (is_result[size_t(s % period)]) {
      ASSERT_EQ(dirty[size_t(s)], clean[size_t(s)]) << "slot " << s;
      ASSERT_NEAR(clean[size_t(s)], clean[size_t(s % period)], 1e-9) << "slot " << s;
    } else {
      ASSERT_EQ(dirty[size_t(s)], 0) << "slot " << s;
    }
  }
}

/// Largest error of an encrypted run of these images.
double encrypted_error(const Graph& g, const EncryptedProgram& p, std::span<const Tensor> images) {
  const auto context = ckks::Context::create(p.params);
  ring::SecretRng rng;
  ThreadPool pool(1);
  const ckks::SecretKey secret = ckks::generate_secret_key(*context, rng);
  const ckks::EvaluationKeys keys =
      ckks::generate_evaluation_keys(*context, secret, p.keys, rng, pool);
  std::vector<ckks::Ciphertext> inputs;
  for (const ckks::Plaintext& plain : encode_input(p, *context, stacked(images)))
    inputs.push_back(ckks::encrypt_symmetric(*context, secret, plain, rng));
  const ckks::Ciphertext out = execute(p, *context, keys, inputs, pool);
  return error_of_batch(g, p, images, ckks::decode(*context, ckks::decrypt(*context, secret, out)));
}

TEST(Packing, branches_that_outgrow_one_input_ciphertext_take_several) {
  const Graph g = patch_net(901, 24, 2, 5, 3);  // nine patches of 64 pixels: 16 planes of 64
  const std::vector<Tensor> images = inputs_for(g, 901, 2);
  const Compiled one = compile(g, images, with(11, true, 1));
  EXPECT_EQ(one.program->input_count(), 1);
  const Compiled two = compile(g, images, with(10, true, 1));
  EXPECT_EQ(two.program->input_count(), 2);
  EXPECT_EQ(two.explanation.inputs, 2);
  EXPECT_EQ(two.explanation.depth, one.explanation.depth);
  EXPECT_LE(simulated_error(g, *two.program, images[1]), 1e-6);
  EXPECT_LE(encrypted_error(g, *two.program, std::span(images).first(1)), 1e-4);
}

TEST(Packing, separate_branches_have_an_input_each_and_share_nothing) {
  const Graph g = patch_net(902, 16, 2, 5);
  const std::vector<Tensor> images = inputs_for(g, 902, 2);
  const Compiled packed = compile(g, images, with(11, true, 1));
  const Compiled apart = compile(g, images, with(11, false, 1));
  EXPECT_EQ(packed.program->input_count(), 1);
  EXPECT_EQ(apart.program->input_count(), 4);
  EXPECT_EQ(apart.explanation.patches_merged, 0);
  EXPECT_EQ(apart.explanation.depth, packed.explanation.depth);
  EXPECT_GT(apart.explanation.rotations, packed.explanation.rotations);
  EXPECT_LE(simulated_error(g, *apart.program, images[1]), 1e-6);
  EXPECT_LE(encrypted_error(g, *apart.program, std::span(images).first(1)), 1e-4);
}

TEST(Packing, separate_branches_run_one_after_the_other) {
  const Graph g = patch_net(903, 16, 2, 5);
  const Compiled apart = compile(g, inputs_for(g, 903, 1), with(11, false, 1));
  const EncryptedProgram& p = *apart.program;
  // branch[k]: the input that value k comes from; -1 once branches have met.
  std::vector<i64> branch, order;
  for (size_t k = 0; k < p.instructions.size(); ++k) {
    const Instruction& i = p.instructions[k];
    i64 from = i.op == Opcode::input ? i64(k) : branch[size_t(i.a)];
    if (i.b >= 0 && branch[size_t(i.b)] != from) from = -1;
    branch.push_back(from);
    if (i.op == Opcode::square) order.push_back(from);
  }
  EXPECT_EQ(std::ranges::count(order, -1), 0);
  order.erase(std::unique(order.begin(), order.end()), order.end());
  EXPECT_EQ(order.size(), 4u) << "a branch goes on after another one started";
}

TEST(Packing, a_batch_costs_the_diagonals_rotations_and_weights_of_one_image) {
  const Graph g = patch_net(904, 16, 2, 5);
  const std::vector<Tensor> images = inputs_for(g, 904, 1);
  const Compiled one = compile(g, images, with(11, true, 1));
  const Compiled all = compile(g, images, with(13, true, 4));
  EXPECT_EQ(all.explanation.batch, 4);
  EXPECT_EQ(all.program->input_count(), 1);
  // Not quite equal: babies, giants and periods are chosen for the speed of the ring.
  const auto expect_alike = [](i64 found, i64 expected, const char* what) {
    EXPECT_LE(found, expected + expected / 4) << what;
  };
  expect_alike(all.explanation.diagonals, one.explanation.diagonals, "diagonals");
  expect_alike(all.explanation.rotations + all.explanation.hoisted_rotations,
               one.explanation.rotations + one.explanation.hoisted_rotations, "rotations");
  expect_alike(all.explanation.key_count, one.explanation.key_count, "keys");
  expect_alike(all.explanation.stored_bytes, one.explanation.stored_bytes, "bytes");
}

TEST(Packing, every_image_of_a_batch_has_its_own_result) {
  const Graph g = patch_net(905, 16, 2, 5);
  const std::vector<Tensor> images = inputs_for(g, 905, 4);
  for (const bool join_branches : {true, false}) {
    const Compiled c = compile(g, images, with(13, join_branches, 4));
    const EncryptedProgram& p = *c.program;
    for (const size_t count : {size_t(4), size_t(3)}) {
      const std::span<const Tensor> some = std::span(images).first(count);
      EXPECT_LE(error_of_batch(g, p, some, simulate(p, pack_input(p, stacked(some)))), 1e-6);
    }
    EXPECT_THROW(pack_input(p, stacked(inputs_for(g, 1, 5))), Error);
  }
}

TEST(Packing, no_image_of_a_batch_changes_another_ones_result) {
  const Graph g = patch_net(906, 16, 2, 5);
  const std::vector<Tensor> images = inputs_for(g, 906, 4);
  std::vector<Tensor> others;  // in another order and halved, but for the one in the middle
  for (const size_t i : {3, 0, 2, 1}) {
    Tensor& t = others.emplace_back(images[i].clone());
    if (i != 2)
      for (float& v : t.mutable_data<float>()) v /= 2;
  }
  const auto program = compile(g, images, with(13, true, 4)).program;
  const auto result = [&](std::span<const Tensor> batch) {
    return unpack_output(*program, simulate(*program, pack_input(*program, stacked(batch))), 2);
  };
  const Tensor a = result(images), b = result(others);
  for (i64 e = 0; e < a.size(); ++e) EXPECT_EQ(a.as_double(e), b.as_double(e));
}

TEST(Packing, an_automatic_batch_fills_the_slots) {
  const Graph g = patch_net(908, 16, 2, 5);
  const std::vector<Tensor> images = inputs_for(g, 908, 1);
  const auto program = compile(g, images, with(12, true, 0)).program;
  EXPECT_GT(program->batch, 1);
  i64 largest = 0;
  for (const Instruction& i : program->instructions) largest = std::max(largest, i.period);
  EXPECT_EQ(largest, program->slots());
  std::vector<Tensor> batch;
  for (i64 k = 0; k < program->batch; ++k) batch.push_back(inputs_for(g, u64(k), 1)[0].clone());
  for (Tensor& t : batch)  // within the limits of the calibration data
    for (float& v : t.mutable_data<float>())
      v = std::clamp(v, -float(program->input_limit), float(program->input_limit));
  EXPECT_LE(encrypted_error(g, *program, batch), 1e-3);
}

TEST(Packing, a_batch_that_does_not_fit_is_refused) {
  NetBuilder b(909, {1, 1, 8, 8});
  const Graph g = b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 4, 3, 1, 1))), 3));
  const std::vector<Tensor> images = inputs_for(g, 909, 1);
  for (const i64 batch : {i64(4), i64(1024), i64(3), i64(-1)}) {
    try {
      compile(g, images, with(10, true, batch));
      ADD_FAILURE() << batch;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("batch"), std::string::npos) << e.what();
    }
  }
}

TEST(Packing, no_slot_of_an_output_holds_anything_but_results) {
  const Graph four = patch_net(910, 16, 3, 7), nine = patch_net(911, 24, 2, 5, 3);
  for (const CompileOptions& options : {with(12, true, 1), with(12, false, 1), with(13, true, 2)}) {
    const std::vector<Tensor> images = inputs_for(four, 910, 2);
    const auto p = compile(four, images, options).program;
    expect_nothing_else_in_the_output(*p, stacked(std::span(images).first(size_t(p->batch))));
  }
  const std::vector<Tensor> images = inputs_for(nine, 911, 1);
  expect_nothing_else_in_the_output(*compile(nine, images, with(10, true, 1)).program, images[0]);
}

TEST(Packing, batches_and_several_inputs_come_back_from_a_file) {
  const Graph g = patch_net(912, 16, 2, 5);
  const std::vector<Tensor> images = inputs_for(g, 912, 1);
  for (const CompileOptions& options : {with(11, false, 1), with(12, true, 2)}) {
    const auto p = compile(g, images, options).program;
    const auto loaded = load_program(save_program(*p), "net");
    EXPECT_EQ(loaded->batch, p->batch);
    EXPECT_EQ(loaded->input_elements, p->input_elements);
    EXPECT_EQ(loaded->instructions, p->instructions);
    EXPECT_EQ(loaded->hash, p->hash);
  }
}

}  // namespace
}  // namespace sinter::encrypted::testing
